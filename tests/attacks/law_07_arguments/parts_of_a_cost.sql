-- The agent says a small total beside the parts of a large cost.
-- Mutant: _total_cost: `if abs(v_parts - cost::numeric) > 0.000001 then` -> `if false then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.log_tokens(1, 1, cost => 0.01, input_cost => 500);
