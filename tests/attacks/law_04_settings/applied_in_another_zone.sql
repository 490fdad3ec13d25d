-- A change is applied in a reviewer's session of another time zone, where a trigger casts times: what it writes is what was tried.
-- Mutant: sql: alter function agentdb._perform (bigint, agentdb.change_manner) reset "TimeZone"
--@ p postgres
create table app.weird (id int primary key, at timestamp);
insert into app.weird values (1, '2026-01-01 00:00');
select agentdb.guard_table('app.weird');
grant select, update on app.weird to agent_a;
create function app.stamp () returns trigger language plpgsql set search_path = pg_catalog, pg_temp
as $$ begin new.at = ('2026-06-01 12:00Z'::timestamptz)::timestamp; return new; end $$;
alter function app.stamp () owner to postgres;
create trigger stamp before update on app.weird for each row execute function app.stamp();
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.weird set at = '2026-06-01 12:00';
--@ r reviewer_r
set TimeZone = 'Asia/Kolkata';
select c.state from agentdb.waiting_changes() as w, agentdb.approve_change(w.change_id, w.digest) as c;
--@ p postgres "value=2026-06-01 12:00:00" must
select at from app.weird;
