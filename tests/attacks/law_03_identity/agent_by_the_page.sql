-- An agent whose role was made a reviewer approves the change of another by way of the page, outside of any run.
-- Mutant: _is_agent: `v_person name := agentdb._person();` -> `v_person name := session_user;`
--@ p postgres
grant agentdb_reviewer to agent_b;
--@ p postgres
select agentdb.map_person('b', 'agent_b');
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ p postgres save=change
select change_id from agentdb.change where state = 'pending';
--@ p postgres save=digest
select digest from agentdb.change where state = 'pending';
--@ w web_w is=ZA055 must
select state from agentdb.approve_change_for('b', ${change}, '${digest}');
--@ p postgres
revoke agentdb_reviewer from agent_b;
