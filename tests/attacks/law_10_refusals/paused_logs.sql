-- A paused agent goes on logging that all is well.
-- Mutant: _check_stop: `if found then` -> `if false then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ o operator_o
select * from agentdb.pause_agent('a', 'look into it');
--@ a agent_a is=ZA041 must
select * from agentdb.log_progress('all is well');
