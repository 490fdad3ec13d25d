-- The agent claims what another has done.
-- Mutant: _deeds: `where a.run_id = run` -> `where true`
--@ b agent_b
select run_id from agentdb.start_run();
--@ b agent_b
update app.orders set note = 'b did it' where id = 1;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=c
select claim_id from agentdb.claim_rows('app.orders', 'update', '[{"id": 1}]');
--@ a agent_a
select * from agentdb.complete_run('updated it');
--@ p postgres value=refuted must
select state from agentdb.claim where claim_id = ${c};
