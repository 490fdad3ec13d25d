-- The role that will own everything exists, and may read every change by replication.
-- Mutant: file alembic/before.sql: `case when r.rolreplication then 'may replicate' end,` -> ``
--@ p postgres
create database ${db}_o owner installer;
--@ p postgres
alter role agentdb_owner replication;
--@ i cli:installer is=1 must
install --dsn ${other}
