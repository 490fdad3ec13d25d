-- The agent makes a claim of rows that names no audited table, as one of a kind of its own.
-- Mutant: claim_custom: `or kind in ('rows', 'file', 'http', 'message', 'command') then` -> `then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.claim_custom('rows', 'app.billing', '{"operation": "update", "count": "x"}');
