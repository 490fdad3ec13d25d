-- The guard of a table was disabled for a migration, and never enabled again.
-- Mutant: file agentdb/schema/check.py: `*faults,` -> ``
--@ p postgres
alter table app.billing disable trigger "00_agentdb_guard";
--@ i cli:postgres is=1 like=guard must
install --check
