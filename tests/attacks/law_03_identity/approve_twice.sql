-- One reviewer gives both of the two approvals that are asked for.
-- Mutant: _begin_decision: `where excluded.decision = 'reject'` -> ``
--@ p postgres
select agentdb.guard_table('app.happy', approvals => 2);
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ r reviewer_r
select c.state from agentdb.waiting_changes() as w, agentdb.approve_change(w.change_id, w.digest) as c;
--@ r reviewer_r is=ZA055 must
select c.state from agentdb.waiting_changes() as w, agentdb.approve_change(w.change_id, w.digest) as c;
