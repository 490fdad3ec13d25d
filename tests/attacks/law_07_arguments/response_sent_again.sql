-- The agent logs the tokens of one response twice.
-- Mutant: _see_usage: `return found;` -> `return true;`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a value=False
select repeated from agentdb.log_tokens(10, 5, response_id => 'resp_0123456789abcdef');
--@ a agent_a value=True must
select repeated from agentdb.log_tokens(10, 5, response_id => 'resp_0123456789abcdef');
