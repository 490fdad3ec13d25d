-- The agent ends somebody else's run by the function that all ways of ending share.
-- Mutant: sql: grant execute on function agentdb._end_run to agentdb_agent; alter function agentdb._end_run(bigint, text, text, text) security definer
--@ b agent_b save=run
select run_id from agentdb.start_run();
--@ a agent_a is=42501 must
select * from agentdb._end_run(${run}, 'crashed');
