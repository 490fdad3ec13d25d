-- The transaction of a killed run starts another run and goes on with its work.
-- Mutant: _check_restart: `v_kill.stopped_at > transaction_timestamp() or` -> `false or`
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
begin;
select 1;
--@ o operator_o
select * from agentdb.kill_run(${run}, 'enough');
--@ a agent_a is=ZA040 must
select run_id from agentdb.start_run();
