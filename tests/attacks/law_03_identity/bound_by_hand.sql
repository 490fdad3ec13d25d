-- A session sets the token of a transaction by hand; it never bound it.
-- Mutant: _bound_run: `and (r.pooled or agentdb._has_joined(t.run_id))` -> ``
--@ a agent_a save=token
select token from agentdb.start_run();
--@ c agent_a
select run_id from agentdb.start_run();
--@ d agent_a is=ZA001 must
set agentdb.run_token = '${token}';
select * from agentdb.log_progress('whose?');
