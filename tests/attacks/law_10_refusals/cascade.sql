-- The agent deletes a row of a table that is not guarded, which takes guarded ones along.
-- Mutant: sql: alter table app.invoices disable trigger "00_agentdb_guard"
--@ p postgres
select agentdb.unguard_table('app.customers');
grant delete on app.customers to agent_a;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA050 must
delete from app.customers where id = 11;
