-- The agent sends more rows in a call than one transaction should write.
-- Mutant: _checked_batch: `elsif jsonb_array_length(items) > 10000 then` -> `elsif false then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.log_progress_many((select jsonb_agg(jsonb_build_object('step', g::text)) from generate_series(1, 10001) as g));
