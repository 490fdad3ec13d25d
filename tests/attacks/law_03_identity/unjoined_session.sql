-- Two runs of one role: a session takes the other's token by hand, so that a kill does not mean it.
-- Mutant: _kept_run: `
--     and agentdb._has_joined(r.run_id)` -> ``
--@ a agent_a save=token
select token from agentdb.start_run();
--@ c agent_a
select run_id from agentdb.start_run();
--@ d agent_a
select set_config('agentdb.session_token', '${token}', false);
--@ d agent_a is=ZA001 must
select * from agentdb.log_progress('whose?');
