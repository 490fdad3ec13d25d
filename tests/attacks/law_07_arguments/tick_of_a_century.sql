-- The agent says that its next tick comes in a century, so that none is ever missed.
-- Mutant: _check_start: `elsif tick_interval <= '0' or tick_interval > '1 year' then` -> `elsif tick_interval <= '0' then`
--@ a agent_a is=ZA004 must
select run_id from agentdb.start_run(tick_interval => '100 years');
