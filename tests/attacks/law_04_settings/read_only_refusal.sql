-- The agent has its transactions only read, so that the count of its refusals fails.
-- Mutant: _count_refusal: `if current_setting('transaction_read_only') = 'on' then return; elsif` -> `if`
--@ a agent_a
select run_id from agentdb.start_run();
--@ p postgres
select * from agentdb.kill_agent('a', reason => 'enough');
--@ a agent_a
set default_transaction_read_only = on;
--@ a agent_a is=ZA040 through=25006 must
select * from agentdb.log_progress('on');
