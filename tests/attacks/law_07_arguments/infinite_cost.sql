-- The agent logs a cost that no budget in money can be compared with any more.
-- Mutant: _total_cost: `or greatest(cost::numeric, input_cost, cached_input_cost, output_cost) > 1000000000` -> ``
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.log_tokens(1, 1, cost => 1e10);
