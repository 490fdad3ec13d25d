-- The agent holds its run until a moment that is over, in a transaction that began before it.
-- Mutant: hold_run: `until is null or until <= clock_timestamp()` -> `until is null or until <= transaction_timestamp()`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=soon
begin;
select transaction_timestamp() + interval '0.2 s';
--@ a agent_a
select pg_sleep(0.4);
--@ a agent_a is=ZA004 must
select * from agentdb.hold_run('${soon}', 'over');
