-- A seal is made in a session that writes dates another way; in any other it still proves the same rows.
-- Mutant: sql: alter function agentdb._sealed_rows (pg_snapshot, integer, pg_snapshot, integer) reset "DateStyle"
--@ x app_user
insert into app.orders values (8, 1, 'sealed', 'x');
--@ p postgres
set DateStyle = 'German';
select agentdb.seal_audit();
--@ q postgres value=0 must
set DateStyle = 'ISO, YMD';
select count(*) from agentdb.verify_audit() as v where v.problem is not null;
