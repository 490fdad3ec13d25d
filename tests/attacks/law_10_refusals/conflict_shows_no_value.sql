-- The agent learns from a conflict what others wrote into a row that it may not read any more.
-- Mutant: change_conflicts: `case when agentdb._is_agent() then agentdb._veiled(v_conflicts) else v_conflicts end` -> `v_conflicts`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.billing set note = 'n' where id = 1;
--@ x app_user
update app.billing set amount = 77.77 where id = 1;
--@ p postgres
revoke all on app.billing from agent_a;
--@ a agent_a unlike=77.77 must
select agentdb.change_conflicts(max(change_id)) from agentdb.my_changes();
