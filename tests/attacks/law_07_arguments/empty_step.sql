-- The agent reports progress that says nothing.
-- Mutant: log_progress: `if step is null or step !~ '[^[:space:]]' then` -> `if step is null then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.log_progress(E' \n\t ');
