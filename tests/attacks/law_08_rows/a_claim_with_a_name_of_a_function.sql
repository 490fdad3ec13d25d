-- The agent claims rows of a table whose name is an expression.
-- Mutant: claim_rows: `v_name text := agentdb._audited_name(relation);` -> `v_name text := relation;`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA006 must
select * from agentdb.claim_rows('app.orders; drop table app.orders', 'delete', count => 0);
