-- A schema is there under our name, made by somebody who lets us create in it, and would own all of it.
-- Mutant: file alembic/before.sql: `elsif not exists ( select from pg_class as c join pg_namespace as n on n.oid = c.relnamespace where n.nspname = 'agentdb'` -> `elsif false and not exists ( select from pg_class as c join pg_namespace as n on n.oid = c.relnamespace where n.nspname = 'agentdb'`
--@ p postgres
create database ${db}_o owner installer;
--@ q other:postgres
create schema agentdb authorization agent_a;
grant all on schema agentdb to agentdb_owner, agentdb_capture, agentdb_applier;
create schema agentdb_stage authorization agentdb_owner;
--@ i cli:other:postgres is=1 must
install
