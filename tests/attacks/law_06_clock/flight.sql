-- The agent begins a call in a transaction that began long before, and would have it dated then.
-- Mutant: sql: alter table agentdb.tool_call alter column began_at set default transaction_timestamp()
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=began
begin;
select transaction_timestamp();
--@ a agent_a
select pg_sleep(0.3);
--@ a agent_a
select * from agentdb.begin_tool_call('t', call_id => 'c');
commit;
--@ p postgres value=True must
select max(began_at) > '${began}'::timestamptz + interval '0.25 s' from agentdb.tool_call;
