-- The agent ends its run with a summary that hides its end.
-- Mutant: _end_run: `agentdb._clean_text(_end_run.summary, 4000)` -> `_end_run.summary`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.end_run(summary => E's\x1b[8m');
--@ p postgres value=0 must
select count(*) from agentdb.run where summary ~ E'\x1b';
