-- A reviewer approves by way of the page what she has proposed herself.
-- Mutant: _reviewer: `if agentdb._person() in (v_proposed_by, v_agents_role) then` -> `if session_user in (v_proposed_by, v_agents_role) then`
--@ p postgres
grant select, update on app.happy to reviewer_r;
--@ r reviewer_r
update agentdb_stage.happy set amount = 3 where id = 2;
--@ r reviewer_r
select agentdb.map_person('rev', 'reviewer_r');
--@ r reviewer_r save=change
select change_id from agentdb.waiting_changes();
--@ r reviewer_r save=digest
select digest from agentdb.waiting_changes();
--@ w web_w is=ZA055 must
select state from agentdb.approve_change_for('rev', ${change}, '${digest}');
