-- A constraint on what is kept was dropped.
-- Mutant: file agentdb/schema/check.py: `*_changed_tables(connection),` -> ``
--@ p postgres
alter table agentdb.guarded_table drop constraint guarded_table_approvals_check;
--@ i cli:postgres is=1 like=approvals must
install --check
