-- The agent empties a partition of a guarded table by its own name.
-- Mutant: sql: drop trigger "00_agentdb_guard_truncate" on app.ledger_eu
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA050 must
truncate app.ledger_eu;
