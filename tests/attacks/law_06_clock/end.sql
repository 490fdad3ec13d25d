-- The agent ends its run late in a transaction; it ended when the row says.
-- Mutant: _end_run: `set ended_at = clock_timestamp(),` -> `set ended_at = transaction_timestamp(),`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=began
begin;
select transaction_timestamp();
--@ a agent_a
select pg_sleep(0.3);
--@ a agent_a
select * from agentdb.end_run();
commit;
--@ p postgres value=True must
select max(ended_at) > '${began}'::timestamptz + interval '0.25 s' from agentdb.run;
