-- A session of the agent enters a run that an emitter reports.
-- Mutant: _open_intake_run: `a.role_name, true,` -> `a.role_name, false,`
--@ i intake_i save=run
select run_id from agentdb.record_events('[{"agent": "a", "proven": true, "conversation": "c", "kind": "start"}]');
--@ a agent_a is=ZA001 must
select * from agentdb.log_progress('done', run => ${run});
