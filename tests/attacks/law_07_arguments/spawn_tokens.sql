-- The agent draws spawn tokens without end.
-- Mutant: spawn_token: `select count(*) >= 100 from` -> `select count(*) >= 1000 from`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select count(agentdb.spawn_token()) from generate_series(1, 100);
--@ a agent_a is=ZA005 must
select agentdb.spawn_token();
