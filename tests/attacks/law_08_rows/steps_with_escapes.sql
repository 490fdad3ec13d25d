-- The agent reports a batch of steps with escapes in them.
-- Mutant: _insert_plain_steps: `agentdb._clean_text(agentdb._json_text(s.item, 'step'), 500)` -> `agentdb._json_text(s.item, 'step')`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_progress_many(jsonb_build_array(jsonb_build_object('step', E'done\x1b[2J')));
--@ p postgres value=0 must
select count(*) from agentdb.progress_log where step ~ E'\x1b';
