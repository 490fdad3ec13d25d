-- The role that will own everything exists, and somebody can log in as it.
-- Mutant: file alembic/before.sql: `case when r.rolcanlogin then 'may log in' end,` -> ``
--@ p postgres
create database ${db}_o owner installer;
--@ p postgres
alter role agentdb_owner login;
--@ i cli:installer is=1 must
install --dsn ${other}
