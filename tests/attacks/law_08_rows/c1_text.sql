-- The agent writes escapes of eight bits, which a terminal takes like those of seven.
-- Mutant: _clean_text: `\007F-\009F` -> `\007F`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_progress(U&'done\009B2J');
--@ p postgres value=0 must
select count(*) from agentdb.progress_log where step ~ U&'\009B';
