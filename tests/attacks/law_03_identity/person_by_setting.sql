-- An operator sets by hand for whom it acts, and approves as a reviewer.
-- Mutant: _is_web: `pg_has_role(session_user, 'agentdb_web', 'member')` -> `true`
--@ r reviewer_r
select agentdb.map_person('rev', 'reviewer_r');
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ o operator_o
set agentdb.person = 'rev';
--@ o operator_o is=ZA055 must
select c.state from agentdb.waiting_changes() as w, agentdb.approve_change(w.change_id, w.digest) as c;
