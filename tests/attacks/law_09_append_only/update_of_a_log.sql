-- The owner of a log writes over what an agent has said.
-- Mutant: _refuse_rewrite: `raise exception '% of agentdb.% refused: logs are append-only', tg_op, tg_table_name using errcode = 'ZA008', hint = 'Old rows leave with their partition; see policy.log_retention.';` -> `return new;`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_progress('s');
--@ p postgres is=ZA008 must
update agentdb.progress_log set step = 'something else';
