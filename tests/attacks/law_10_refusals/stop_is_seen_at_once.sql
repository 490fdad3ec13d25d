-- The run of an agent that was paused a moment ago is believed to be the one that nobody stopped.
-- Mutant: _is_unstopped: `return stop_seen = case` -> `return stop_seen is not null or stop_seen = case`
--@ a agent_a
select run_id from agentdb.start_run();
--@ o operator_o
select * from agentdb.pause_agent('a', 'look into it');
--@ a agent_a is=ZA041 must
select * from agentdb.log_progress('all is well');
