-- The agent kills a run that is in its way.
-- Mutant: sql: grant execute on function agentdb.kill_run to agentdb_agent
--@ b agent_b save=run
select run_id from agentdb.start_run();
--@ a agent_a is=42501 must
select * from agentdb.kill_run(${run}, 'in my way');
