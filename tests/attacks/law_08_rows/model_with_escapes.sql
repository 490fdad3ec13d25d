-- The agent names its model with escapes.
-- Mutant: log_tokens: `model := agentdb._clean_line(model, 200);` -> `model := model;`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_tokens(1, 1, model => E'm\x1b[1A');
--@ p postgres value=0 must
select count(*) from agentdb.token_log where model ~ E'\x1b';
