-- A child is started with a token that its parent drew before it was killed.
-- Mutant: _use_spawn_token: `perform agentdb._check_stop(v_run_id, null);` -> ``
--@ b agent_b save=run
select run_id from agentdb.start_run();
--@ b agent_b save=t
select agentdb.spawn_token();
--@ o operator_o
select * from agentdb.kill_run(${run}, 'enough', tree => false);
--@ a agent_a is=ZA040 must
select run_id from agentdb.start_run(spawn_token => '${t}');
