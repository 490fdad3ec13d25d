-- An agent above its cap counts and does not commit, so that nobody's events are rolled up any more.
-- Mutant: _roll_up_unstored: `for update skip locked` -> `for update`
--@ p postgres
update agentdb.policy set max_events_per_day = 1 where policy_name = 'default';
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_progress('stored');
--@ p postgres
select agentdb.roll_up();
--@ a agent_a
select * from agentdb.log_progress('counted');
--@ a agent_a
begin;
select * from agentdb.log_progress('counted and held');
--@ p postgres value=True through=55P03 must
select agentdb.roll_up() is not null;
--@ a agent_a
commit;
