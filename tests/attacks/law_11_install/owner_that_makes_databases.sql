-- The role that will write guarded tables exists, and may create databases.
-- Mutant: file alembic/before.sql: `case when r.rolcreatedb then 'may create databases' end,` -> ``
--@ p postgres
create database ${db}_o owner installer;
--@ p postgres
alter role agentdb_applier createdb;
--@ i cli:installer is=1 must
install --dsn ${other}
