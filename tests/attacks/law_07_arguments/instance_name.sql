-- The agent names its instance with marks that nobody sees, to have two of one.
-- Mutant: _check_start: `elsif instance is not null and not agentdb._is_clean_name(instance, 200) then` -> `elsif false then`
--@ a agent_a is=ZA004 must
select run_id from agentdb.start_run(instance => U&'host\202E');
