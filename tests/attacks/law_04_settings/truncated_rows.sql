-- The agent empties an audited table under settings that would blur what it takes away.
-- Mutant: sql: alter function agentdb._capture_truncate () reset extra_float_digits
--@ p postgres
create table app.weird (id int primary key, f float8);
insert into app.weird values (1, 0.123456789012345);
select agentdb.audit_table('app.weird');
grant select, truncate on app.weird to agent_a;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
set extra_float_digits = -10;
truncate app.weird;
--@ p postgres value=0.123456789012345 must
select old_values ->> 'f' from agentdb.audit_log
where old_values is not null order by audit_log_id desc limit 1;
