-- The session of a killed run starts another where the policy forbids it.
-- Mutant: _check_restart: `or ( select p.kill_forbids_restart from agentdb.agent as a join agentdb.policy as p on p.policy_name = a.policy_name where a.agent_id = agent ) then` -> `then`
--@ p postgres
update agentdb.policy set kill_forbids_restart = true;
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ o operator_o
select * from agentdb.kill_run(${run}, 'enough');
--@ a agent_a is=ZA040 must
select run_id from agentdb.start_run();
