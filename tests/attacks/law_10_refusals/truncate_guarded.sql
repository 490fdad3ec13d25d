-- The agent empties a guarded table.
-- Mutant: sql: drop trigger "00_agentdb_guard_truncate" on app.billing
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA050 must
truncate app.billing;
