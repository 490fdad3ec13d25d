-- A question is asked while another of the agent's is asked in a transaction that stays open.
-- Mutant: sql: alter function agentdb.ask_human (text, jsonb, text, bigint) reset lock_timeout
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
begin;
select * from agentdb.ask_human('one?');
--@ c agent_a is=55P03 limit=4 must
select * from agentdb.ask_human('two?', run => ${run});
