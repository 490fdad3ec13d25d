-- The agent starts its run late in a transaction; the run began when it says so.
-- Mutant: sql: alter table agentdb.run alter column started_at set default transaction_timestamp()
--@ a agent_a save=began
begin;
select transaction_timestamp();
--@ a agent_a
select pg_sleep(0.3);
--@ a agent_a
select run_id from agentdb.start_run();
commit;
--@ p postgres value=True must
select max(started_at) > '${began}'::timestamptz + interval '0.25 s' from agentdb.run;
