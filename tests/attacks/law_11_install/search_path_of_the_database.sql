-- The database has a schema of somebody first in its search_path while the pack is installed.
-- Mutant: file alembic/before.sql: `set local search_path = pg_catalog, pg_temp;` -> ``
--@ p postgres
create database ${db}_o owner installer;
--@ p postgres
alter database ${db}_o set search_path = work, pg_catalog;
--@ q other:postgres
create schema work authorization agent_a;
create table work.stolen (who name, what text);
grant usage on schema work to public;
grant insert on work.stolen to public;
create function work.current_setting (text) returns text language plpgsql as $$ begin
  insert into work.stolen values (current_user, 'current_setting'); return pg_catalog.current_setting($1); end $$;
alter function work.current_setting (text) owner to agent_a;
--@ i cli:other:installer
install
--@ q other:postgres value=0 must
select count(*) from work.stolen;
