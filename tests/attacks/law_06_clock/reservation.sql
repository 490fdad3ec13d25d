-- The agent reserves tokens in a transaction that began long before, and would have it dated then.
-- Mutant: sql: alter table agentdb.token_reservation alter column reserved_at set default transaction_timestamp()
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=began
begin;
select transaction_timestamp();
--@ a agent_a
select pg_sleep(0.3);
--@ a agent_a
select * from agentdb.reserve_tokens(10);
commit;
--@ p postgres value=True must
select max(reserved_at) > '${began}'::timestamptz + interval '0.25 s' from agentdb.token_reservation;
