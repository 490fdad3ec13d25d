-- The role that will write guarded tables exists, and may create roles.
-- Mutant: file alembic/before.sql: `case when r.rolcreaterole then 'may create roles' end,` -> ``
--@ p postgres
create database ${db}_o owner installer;
--@ p postgres
alter role agentdb_applier createrole;
--@ i cli:installer is=1 must
install --dsn ${other}
