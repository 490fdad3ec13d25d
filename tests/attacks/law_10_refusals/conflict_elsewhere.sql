-- A row was changed in a column that the change does not write, after its reviewer saw it.
-- Mutant: _add_change: `p.change_binding = 'strict' into` -> `false into`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.billing set note = 'n' where id = 1;
--@ x app_user
update app.billing set amount = 1 where id = 1;
--@ r reviewer_r value=conflict must
select c.state from agentdb.waiting_changes() as w, agentdb.approve_change(w.change_id, w.digest) as c;
