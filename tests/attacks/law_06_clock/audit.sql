-- The agent writes an audited row late in a transaction, and would have it dated before.
-- Mutant: sql: do $$ begin execute replace(pg_get_functiondef('agentdb._capture_1'::regproc), 'v_now timestamptz := clock_timestamp()', 'v_now timestamptz := transaction_timestamp()'); end $$
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=began
begin;
select transaction_timestamp();
--@ a agent_a
select pg_sleep(0.3);
--@ a agent_a
update app.orders set note = 'late' where id = 1;
commit;
--@ p postgres value=True must
select max(recorded_at) > '${began}'::timestamptz + interval '0.25 s' from agentdb.audit_log;
