-- The role that will write guarded tables exists, and is not subject to row security.
-- Mutant: file alembic/before.sql: `case when r.rolbypassrls then 'bypasses row security' end)` -> `null)`
--@ p postgres
create database ${db}_o owner installer;
--@ p postgres
alter role agentdb_applier bypassrls;
--@ i cli:installer is=1 must
install --dsn ${other}
