-- The agent sends a batch in which one row says nothing.
-- Mutant: _insert_plain_steps: `where agentdb._is_plain_step(s.item)` -> `where true`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_progress_many('[{"step": "one"}, {"step": " "}]');
--@ p postgres value=0 must
select count(*) from agentdb.progress_log where step = ' ';
