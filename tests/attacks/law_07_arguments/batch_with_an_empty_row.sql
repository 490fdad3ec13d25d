-- The agent sends a batch in which one row says nothing.
-- Mutant: _check_rows: `or agentdb._json_text(i.item, required_key) !~ '[^[:space:]]'` -> ``
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.log_progress_many('[{"step": "one"}, {"step": " "}]');
