-- The agent asks with options of which two look the same.
-- Mutant: _check_options: `having count(*) > 1 or not agentdb._is_clean_name(o.text, 100)` -> `having not agentdb._is_clean_name(o.text, 100)`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.ask_human('may I?', '["yes", "yes"]');
