-- A person undoes by way of the page what its role may not write.
-- Mutant: _undo: `if not v_guarded and agentdb._by_way_of() is not null then` -> `if false then`
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
update app.orders set note = 'mine' where id = 1;
--@ r reviewer_r
select agentdb.map_person('rev', 'reviewer_r');
--@ p postgres
grant usage on schema app to agentdb_owner;
--@ p postgres
grant select, update on app.orders to agentdb_owner;
--@ w web_w is=ZA055 must
select change_id from agentdb.undo_run_for('rev', ${run}, 'mine');
