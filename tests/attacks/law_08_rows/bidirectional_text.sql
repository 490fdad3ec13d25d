-- The agent writes a step that is shown the other way round.
-- Mutant: _clean_text: `'\2028-\202E\2060-\206F\FEFF\FFF9-\FFFB]'` -> `'\2060-\206F\FEFF\FFF9-\FFFB]'`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_progress(U&'paid \202E 0001 EUR');
--@ p postgres value=0 must
select count(*) from agentdb.progress_log where step ~ U&'\202E';
