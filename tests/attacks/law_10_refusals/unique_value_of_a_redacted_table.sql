-- The agent learns from the detail of an error which value a redacted table has.
-- Mutant: _safe_detail: `and (t.redacted <> '{}' or t.excluded <> '{}')` -> `and false`
--@ p postgres
create table app.account (id int primary key, owner text, iban text unique);
insert into app.account values (1, 'ann', 'DE-1'), (2, 'bob', 'DE-2');
select agentdb.audit_table('app.account', redact => '{owner}');
select agentdb.guard_table('app.account');
create function app.swap () returns trigger language plpgsql set search_path = pg_catalog, pg_temp
as $$ begin new.iban := 'DE-2'; return new; end $$;
create trigger swap before update on app.account for each row execute function app.swap();
grant select, update on app.account to agent_a;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=23505 unlike=DE-2 through=23505 must
update agentdb_stage.account set iban = 'DE-9' where id = 1;
