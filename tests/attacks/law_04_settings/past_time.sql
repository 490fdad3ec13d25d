-- An auditor in another time zone asks for the past of a table; a row's values are those that were there.
-- Mutant: sql: alter function agentdb.row_as_of (regclass, jsonb, timestamptz, text, boolean) reset "TimeZone"
--@ p postgres
create table app.weird (id int primary key, at timestamptz, n int);
insert into app.weird values (1, '2026-06-01 12:00Z', 1);
select agentdb.audit_table('app.weird');
grant select on app.weird to auditor_u;
update app.weird set n = 2;
--@ u auditor_u value=2026-06-01T12:00:00+00:00 must
set TimeZone = 'Asia/Kolkata';
select agentdb.row_as_of('app.weird', '{"id": 1}', clock_timestamp()) ->> 'at';
