-- An agent that has stored all that it may today goes on under a new run.
-- Mutant: _add_run: `    p.unstored_until` -> `    null`
--@ p postgres
update agentdb.policy set max_events_per_day = 1;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_progress('stored');
--@ p postgres
select agentdb.roll_up();
--@ a agent_a
select * from agentdb.end_run();
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a value=True must
select recorded_at is null from agentdb.log_progress('not stored');
--@ p postgres value=1 must
select count(*) from agentdb.progress_log as l join agentdb.agent as a using (agent_id) where a.agent_name = 'a';
