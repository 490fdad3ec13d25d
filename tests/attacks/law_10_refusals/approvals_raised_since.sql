-- Two approvals are asked for by now; one is not enough for what was proposed before.
-- Mutant: approve_change: `v_approvals := agentdb._approvals_now(change);` -> `select c.approvals into v_approvals from agentdb.change as c where c.change_id = change;`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ p postgres
select agentdb.guard_table('app.happy', approvals => 2);
--@ r reviewer_r value=pending must
select c.state from agentdb.waiting_changes() as w, agentdb.approve_change(w.change_id, w.digest) as c;
