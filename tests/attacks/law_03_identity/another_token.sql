-- The agent binds a token that it has found in the logs of another.
-- Mutant: bind_run: `and r.role_name = session_user` -> ``
--@ b agent_b save=token
select token from agentdb.start_run();
--@ a agent_a is=ZA001 must
select agentdb.bind_run('${token}');
