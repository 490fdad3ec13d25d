-- What shows the page kills a run in its own name.
-- Mutant: sql: grant execute on function agentdb.kill_run to agentdb_web
--@ b agent_b save=run
select run_id from agentdb.start_run();
--@ w web_w is=42501 must
select * from agentdb.kill_run(${run}, 'in my way');
