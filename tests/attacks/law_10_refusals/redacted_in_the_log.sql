-- What is redacted is in no row of the log, whoever wrote it.
-- Mutant: sql: do $$ begin execute replace(pg_get_functiondef('agentdb._capture_1'::regproc), $x$|| jsonb_build_object('card', '[redacted]'::text)$x$, ''); end $$
--@ x app_user
insert into app.orders values (9, 1, 'n', '4111-9');
--@ p postgres value=0 must
select count(*) from agentdb.audit_log where new_values::text ~ '4111';
