-- A process starts a run while another of the agent keeps the transaction of its start open.
-- Mutant: sql: alter function agentdb.start_run (text, text, interval, text, text, text, text, text, interval) reset lock_timeout
--@ a agent_a
begin;
select run_id from agentdb.start_run();
--@ c agent_a is=55P03 limit=4 must
select run_id from agentdb.start_run();
