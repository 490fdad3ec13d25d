-- A reviewer applies a change that nobody has approved.
-- Mutant: _lock_to_apply: `if v_change.state is distinct from 'approved' then` -> `if v_change.state not in ('approved', 'pending') then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ r reviewer_r is=ZA053 must
select a.state from agentdb.waiting_changes() as c, agentdb.apply_change(c.change_id) as a;
