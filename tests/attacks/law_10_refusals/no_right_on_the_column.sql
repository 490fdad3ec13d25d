-- The agent stages a column that its rights do not let it write.
-- Mutant: _check_right: `if v_column is null or agentdb._only_proposes(session_user, target) then` -> `if true then`
--@ p postgres
revoke update on app.happy from agent_a;
grant update (note) on app.happy to agent_a;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=42501 must
update agentdb_stage.happy set amount = 0 where id = 2;
