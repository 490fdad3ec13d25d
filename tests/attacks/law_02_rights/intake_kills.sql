-- What takes in events kills a run.
-- Mutant: sql: grant execute on function agentdb.kill_run to agentdb_intake
--@ b agent_b save=run
select run_id from agentdb.start_run();
--@ i intake_i is=42501 must
select * from agentdb.kill_run(${run}, 'in my way');
