-- A person who is a reviewer approves what she has proposed herself.
-- Mutant: _reviewer: `if agentdb._person() in (v_proposed_by, v_agents_role) then` -> `if false then`
--@ p postgres
grant select, update on app.happy to reviewer_r;
--@ r reviewer_r
update agentdb_stage.happy set amount = 3 where id = 2;
--@ r reviewer_r is=ZA055 must
select c.state from agentdb.waiting_changes() as w, agentdb.approve_change(w.change_id, w.digest) as c;
