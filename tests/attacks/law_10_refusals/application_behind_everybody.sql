-- The application writes a table that is guarded against everybody.
-- Mutant: _guard: `v_open := not v_agent and tg_argv[0] <> 'everybody' or exists (` -> `v_open := not v_agent or exists (`
--@ p postgres
select agentdb.guard_table('app.happy', everybody => true);
--@ x app_user is=ZA050 must
update app.happy set amount = 0;
