-- A role that is both the login of agentdb serve and an operator undoes by way of the page what it may not write.
-- Mutant: _by_way_of: `agentdb._acts_for() is not null` -> `agentdb._person() <> session_user`
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
update app.orders set note = 'mine' where id = 1;
--@ p postgres
grant agentdb_operator to web_w;
--@ w web_w
select agentdb.map_person('me', 'web_w');
--@ p postgres
grant usage on schema app to agentdb_owner;
--@ p postgres
grant select, update on app.orders to agentdb_owner;
--@ w web_w is=ZA055 must
select change_id from agentdb.undo_run_for('me', ${run}, 'mine');
--@ p postgres
revoke agentdb_operator from web_w;
