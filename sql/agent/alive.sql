-- Whether the process of a run is still there, as far as that can be seen from outside.
-- A run of a role of its own lives while a session that started or bound it is
-- connected.  A session of that role which belongs to no run could be its process too,
-- if it is older than the last that the run has logged (a pool replaces its
-- connections): in doubt a run lives.  Behind a shared role sessions prove nothing, and
-- what a former server process knew of sessions is over: there silence decides.

create or replace function agentdb._last_event_at (run bigint, since timestamptz)
  returns timestamptz
  language sql
  stable
  -- By number, which the index has: the latest of a million costs as much as of ten.
  return greatest(
    since,
    (select l.recorded_at from agentdb.progress_log as l
      where l.run_id = run and l.recorded_at >= since
      order by l.progress_log_id desc limit 1),
    (select l.recorded_at from agentdb.tool_call_log as l
      where l.run_id = run and l.recorded_at >= since
      order by l.tool_call_log_id desc limit 1),
    (select l.recorded_at from agentdb.token_log as l
      where l.run_id = run and l.recorded_at >= since
      order by l.token_log_id desc limit 1),
    (select max(c.began_at) from agentdb.tool_call as c
      where c.run_id = run and c.ended_at is null),
    -- What was only counted is in no log.
    (select greatest(v.last_progress_at, v.last_tool_call_at, v.last_tokens_at)
      from agentdb.run_activity as v where v.run_id = run),
    (select max(greatest(u.last_progress_at, u.last_tool_call_at, u.last_tokens_at))
      from agentdb.event_unstored as u where u.run_id = run)
  );

comment on function agentdb._last_event_at (bigint, timestamptz) is
  'When a run logged anything last, from the logs themselves and from what was only '
  'counted.';


-- A standby that was promoted is older than its service: it replayed until then.  And
-- where one session crashes the postmaster stays, but ends all others and begins anew.
create or replace function agentdb._server_up_at ()
  returns timestamptz
  language sql
  stable
  return greatest(
    pg_postmaster_start_time(),
    pg_last_xact_replay_timestamp(),
    (select max(a.backend_start) from pg_stat_get_activity(null) as a
      where a.backend_type = 'checkpointer')
  );

comment on function agentdb._server_up_at () is
  'Since when this server takes writes, as far as it knows.';


create or replace function agentdb._run_silence (role_name name)
  returns interval
  language sql
  stable
  return (
    select max(p.run_silence)
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
    where a.role_name = _run_silence.role_name
  );

comment on function agentdb._run_silence (name) is
  'policy.run_silence of the agents of a role.';


create or replace function agentdb._is_silent (run bigint, since timestamptz)
  returns boolean
  language sql
  stable
  return (
    select greatest(r.held_until_at, since, agentdb._last_event_at(run, r.started_at))
        < clock_timestamp() - p.run_silence
      and not exists (
        select from agentdb.tool_call as c
        where c.run_id = run and c.ended_at is null)
      and not agentdb._is_paused(run, clock_timestamp())
    from agentdb.run as r
    join agentdb.agent as a on a.agent_id = r.agent_id
    join agentdb.policy as p on p.policy_name = a.policy_name
    where r.run_id = run
  );

comment on function agentdb._is_silent (bigint, timestamptz) is
  'Tells whether a run has logged nothing for policy.run_silence, counted from a '
  'moment at the earliest, and waits for nothing that it has said.';


create or replace function agentdb._may_be_run (
  role_name name,
  before timestamptz,
  but integer
)
  returns boolean
  language sql
  volatile
  return exists (
    select from agentdb._role_sessions(role_name) as s
    where s.pid is distinct from but
      and s.began_at < before
      and not exists (
        select from agentdb.run_session as j
        join agentdb.run as o on o.run_id = j.run_id and o.ended_at is null
        where j.pid = s.pid
          and j.server_started_at = pg_postmaster_start_time()
          and agentdb._is_same_start(j.backend_started_at, s.began_at)));

comment on function agentdb._may_be_run (name, timestamptz, integer) is
  'Tells whether a session of the role, but one, that belongs to no open run, and '
  'began before a moment, could be a run''s.';


-- Whoever is about to start another run is not the process of this one; nor is a
-- session of it that has lost its token, as a pooler's does when its client has gone.
create or replace function agentdb._is_gone (run bigint, starting boolean default false)
  returns boolean
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run agentdb.run;
  v_former boolean;
begin
  perform pg_stat_clear_snapshot();
  select r.* into v_run
  from agentdb.run as r where r.run_id = run and r.ended_at is null;
  if v_run.pooled then
    return agentdb._is_silent(run, agentdb._server_up_at());
  end if;
  v_former := not exists (
    select from agentdb.run_session as s
    where s.run_id = run
      and s.server_started_at = pg_postmaster_start_time()
      and s.joined_at > agentdb._server_up_at());
  if exists (
    select from agentdb.run_session as s
    where s.run_id = run
      and agentdb._is_connected(s.pid, s.backend_started_at, s.server_started_at)
      and not (starting and s.pid = pg_backend_pid()
        and coalesce(current_setting('agentdb.session_token', true), '') = '')
  ) or agentdb._may_be_run(v_run.role_name, case when v_former then 'infinity'
      else agentdb._last_event_at(run, v_run.started_at) end,
    case when starting then pg_backend_pid() end) then
    return false;
  end if;
  return not v_former or agentdb._is_silent(run, agentdb._server_up_at());
end;
$$;

comment on function agentdb._is_gone (bigint, boolean) is
  'Tells whether the process of an open run is gone; false in doubt.';


create or replace function agentdb._gone_because (run bigint)
  returns text
  language sql
  stable
  return coalesce(
    (select case count(*) when 1 then 'its session is gone: process '
        else 'its sessions are gone: processes ' end
        || string_agg(s.pid::text, ', ' order by s.joined_at) || ' of the server'
      from agentdb.run_session as s
      where s.run_id = run and s.server_started_at = pg_postmaster_start_time()),
    'it had logged nothing for policy.run_silence');

comment on function agentdb._gone_because (bigint) is
  'What was seen of a run that is gone.';
