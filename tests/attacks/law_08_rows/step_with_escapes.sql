-- The agent reports a step that clears the screen of who reads it.
-- Mutant: log_progress: `agentdb._clean_text(step, 500)` -> `step`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_progress(E'done\x1b[2Jall good');
--@ p postgres value=0 must
select count(*) from agentdb.progress_log where step ~ E'\x1b';
