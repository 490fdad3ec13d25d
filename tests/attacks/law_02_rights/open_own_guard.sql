-- The agent notes that its transaction is applying a change, and writes a guarded table.
-- Mutant: sql: grant insert on agentdb.change_pass to agentdb_agent
--@ a agent_a save=change
select run_id from agentdb.start_run();
update agentdb_stage.happy set amount = 3 where id = 2;
select max(change_id) from agentdb.my_changes();
--@ a agent_a is=42501 must
begin;
insert into agentdb.change_pass (change_id) values (${change});
update app.billing set amount = 0 where id = 1;
commit;
