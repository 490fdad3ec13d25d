-- An agent whose last run was killed writes on without one, in a session that is new.
-- Mutant: _check_idle_agent: `if not found then select` -> `if false then select`
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ o operator_o
select * from agentdb.kill_run(${run}, 'enough');
--@ c agent_a is=ZA040 must
update app.orders set note = 'later' where id = 1;
