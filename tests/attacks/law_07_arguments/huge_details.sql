-- The agent reports progress with a megabyte of details.
-- Mutant: log_progress: `agentdb._bounded_json(details, 65536)` -> `details`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_progress('s', jsonb_build_object('x', repeat('y', 1000000)));
--@ p postgres value=True must
select octet_length(details::text) < 70000 from agentdb.progress_log where step = 's';
