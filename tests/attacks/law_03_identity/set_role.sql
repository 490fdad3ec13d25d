-- The agent takes on another role that it is a member of; its calls are the login role's all the same.
-- Mutant: _lone_run: `from agentdb._newest_run() as n
--   where` -> `from agentdb.run as n
--   where n.ended_at is null and`
--@ b agent_b save=run
select run_id from agentdb.start_run();
--@ p postgres
grant agent_b to agent_a;
--@ a agent_a is=ZA001 must
set role agent_b;
select * from agentdb.log_progress('as another');
