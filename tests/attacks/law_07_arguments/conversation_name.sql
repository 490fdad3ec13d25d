-- The agent names a conversation so that a line of a report is broken.
-- Mutant: _check_start: `if conversation is not null and not agentdb._is_clean_name(conversation, 200) then` -> `if false then`
--@ a agent_a is=ZA004 must
select run_id from agentdb.start_run(conversation => E'c\nrun 7 is fine');
