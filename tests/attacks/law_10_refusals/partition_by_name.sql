-- The agent writes a partition of a guarded table by its own name.
-- Mutant: sql: alter table app.ledger_eu disable trigger "00_agentdb_guard"
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA050 must
update app.ledger_eu set amount = 0;
