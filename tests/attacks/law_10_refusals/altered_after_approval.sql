-- A row of a change is altered between its approval and its application.
-- Mutant: _lock_to_apply: `elsif not compared and agentdb._change_digest(change) is distinct from v_change.digest then` -> `elsif false then`
--@ p postgres
select agentdb.guard_table('app.happy', apply => 'hand');
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ r reviewer_r save=c
select c.change_id from agentdb.waiting_changes() as w, agentdb.approve_change(w.change_id, w.digest) as c;
--@ p postgres
update agentdb.change_row set new_values = '{"amount": 99}', after = after || '{"amount": 99}' where change_id = ${c};
--@ r reviewer_r is=ZA054 must
select state from agentdb.apply_change(${c});
