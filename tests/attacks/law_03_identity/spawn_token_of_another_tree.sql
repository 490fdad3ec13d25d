-- A spawn token is used twice, for a second child of a parent that wanted one.
-- Mutant: _use_spawn_token: `set used_at = clock_timestamp()` -> `set used_at = null`
--@ b agent_b save=t
select run_id from agentdb.start_run();
select agentdb.spawn_token();
--@ a agent_a
select run_id from agentdb.start_run(spawn_token => '${t}');
--@ c agent_a is=ZA001 must
select run_id from agentdb.start_run(spawn_token => '${t}');
