-- The role that will record exists, and is a superuser.
-- Mutant: file alembic/before.sql: `case when r.rolsuper then 'is a superuser' end,` -> ``
--@ p postgres
create database ${db}_o owner installer;
--@ p postgres
alter role agentdb_capture superuser;
--@ i cli:other:postgres is=1 must
install
