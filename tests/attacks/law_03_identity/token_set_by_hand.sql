-- The agent sets another's token as its session's by hand, without binding it.
-- Mutant: _kept_run: `    and r.role_name = session_user
--   ` -> `    `
--@ b agent_b save=token
select token from agentdb.start_run();
--@ p postgres save=a
insert into agentdb.run_session (run_id, pid, backend_started_at, server_started_at, how)
select 1, 1, now(), now(), 'bound' where false returning run_id;
--@ a agent_a save=pid
select set_config('agentdb.session_token', '${token}', false);
select pg_backend_pid();
--@ p postgres
insert into agentdb.run_session (run_id, pid, backend_started_at, server_started_at, how)
select max(r.run_id), ${pid}, (select backend_start from pg_stat_activity where pid = ${pid}),
  pg_postmaster_start_time(), 'bound' from agentdb.run as r;
--@ a agent_a is=ZA001 must
select * from agentdb.log_progress('all is well');
