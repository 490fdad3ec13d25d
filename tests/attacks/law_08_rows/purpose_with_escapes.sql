-- The agent starts a run with a purpose that hides what follows on the line.
-- Mutant: _add_run: `agentdb._clean_line(_add_run.purpose, 500)` -> `_add_run.purpose`
--@ a agent_a
select run_id from agentdb.start_run(purpose => E'p\x1b[8m');
--@ p postgres value=0 must
select count(*) from agentdb.run where purpose ~ E'\x1b';
