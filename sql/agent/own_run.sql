-- Which run is this session's, where the newest of its role is not: one of several, one
-- after a stop, or none.

-- A token that somebody has only set by hand is not believed: the session has joined.
create or replace function agentdb._kept_run ()
  returns table (
    run_id bigint, agent_id bigint, stop_seen bigint, outcome text, advice text,
    unstored_until timestamptz
  )
  language sql
  stable
begin atomic
  select r.run_id, r.agent_id, r.stop_seen, r.outcome, r.advice, r.unstored_until
  from agentdb.run_token as t
  join agentdb.run as r on r.run_id = t.run_id
  where t.token_hash = sha256(
      convert_to(current_setting('agentdb.session_token', true), 'UTF8'))
    and r.role_name = session_user
    and not r.pooled
    and agentdb._has_joined(r.run_id);
end;

comment on function agentdb._kept_run () is
  'The run whose token this session keeps, ended or not.';


create or replace function agentdb._session_run ()
  returns bigint
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run bigint;
  v_outcome text;
begin
  select k.run_id, k.outcome into v_run, v_outcome from agentdb._kept_run() as k;
  if v_run is null or v_outcome is null then
    return v_run;
  end if;
  -- It has ended: one that the session had started before goes on.
  return (
    select max(j.run_id)
    from agentdb._joined_runs() as j
    join agentdb.run as r on r.run_id = j.run_id
    where j.how = 'started' and r.ended_at is null
  );
end;
$$;

comment on function agentdb._session_run () is
  'The open run that this session started, or whose token it keeps, else NULL.';


-- A kill means the process: its sessions, and those that could be its.
create or replace function agentdb._check_session ()
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kill agentdb.run_stop;
  v_own agentdb.run_stop;
begin
  select s.* into v_kill
  from agentdb.run_stop as s
  where s.role_name = session_user and s.kind = 'killed'
  order by s.stopped_at desc
  limit 1;
  -- Behind a shared role a session is nobody's.
  if v_kill.run_id is null or not exists (
    select from agentdb.agent as a where a.role_name = session_user and not a.pooled
  ) then
    return;
  end if;
  select o.* into v_own from agentdb._killed_here() as o;
  if v_own.run_id is not null then
    perform agentdb._refuse_stopped('killed', v_own.reason, 'run ' || v_own.run_id);
  elsif v_kill.stopped_at > greatest(agentdb._own_start(), pg_postmaster_start_time())
    and not exists (
      select from agentdb._joined_runs() as j
      join agentdb.run as r on r.run_id = j.run_id
      where coalesce(r.ended_at, 'infinity') > v_kill.stopped_at
    ) then
    perform agentdb._refuse_older_session(v_kill.run_id, v_kill.reason);
  end if;
end;
$$;

comment on function agentdb._check_session () is
  'Raises ZA040 in a session that started or bound a run which was killed since, or '
  'that was there when a run of its role was killed and belongs to no other.';


create or replace function agentdb._killed_here ()
  returns setof agentdb.run_stop
  language sql
  stable
begin atomic
  select k.*
  from agentdb._joined_runs() as j
  join agentdb.run_stop as k on k.run_id = j.run_id and k.kind = 'killed'
  where not exists (
    select
    from agentdb._joined_runs() as n
    join agentdb.run as r on r.run_id = n.run_id
    where r.started_at > k.stopped_at)
  order by k.stopped_at desc
  limit 1;
end;

comment on function agentdb._killed_here () is
  'The kill of a run of this session, unless it has come to a run that began later.';


-- Looked at anew: the run may have ended since the first look.  Before any kill of
-- another run, which would be named as if it could be this one's.
create or replace function agentdb._refuse_ended_session ()
  returns void
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kept record;
begin
  select k.* into v_kept from agentdb._kept_run() as k;
  perform agentdb._check_stop(v_kept.run_id, v_kept.agent_id);
  if v_kept.outcome in ('crashed', 'replaced') then
    perform agentdb._refuse_closed_run(v_kept.run_id);
  end if;
end;
$$;

comment on function agentdb._refuse_ended_session () is
  'Raises ZA003 in a session whose run crashed or was replaced, ZA040 where it was '
  'killed.';


create or replace function agentdb._own_run (
  out run_id bigint,
  out agent_id bigint,
  out advice text,
  out unstored_until timestamptz
)
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kept record;
begin
  select k.* into v_kept from agentdb._kept_run() as k;
  if v_kept.outcome is null and agentdb._is_unstopped(v_kept.stop_seen) then
    run_id := v_kept.run_id;
    agent_id := v_kept.agent_id;
    advice := v_kept.advice;
    unstored_until := v_kept.unstored_until;
    return;
  end if;
  perform agentdb._check_stop(v_kept.run_id, v_kept.agent_id);
  run_id := agentdb._session_run();
  if run_id is null then
    perform agentdb._refuse_ended_session();
  end if;
  perform agentdb._check_session();
  run_id := coalesce(run_id, agentdb._only_alive_run());
  select r.agent_id, r.advice, r.unstored_until
    into _own_run.agent_id, _own_run.advice, _own_run.unstored_until
  from agentdb.run as r where r.run_id = _own_run.run_id;
  perform agentdb._check_stop(_own_run.run_id, _own_run.agent_id);
end;
$$;

comment on function agentdb._own_run () is
  'The run that this session started, else the only one of its role that is alive, '
  'NULL where the role has no open run; raises ZA001, ZA003, ZA040 or ZA041.';


create or replace function agentdb._only_alive_run ()
  returns bigint
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_runs bigint[] := array(
    select r.run_id
    from agentdb.run as r
    where r.role_name = session_user and r.ended_at is null and not r.pooled
    order by r.run_id
  );
begin
  if cardinality(v_runs) > 1 then
    v_runs := array(
      select r.run_id from unnest(v_runs) as r (run_id)
      where not agentdb._is_gone(r.run_id) order by r.run_id);
    if v_runs = '{}' then
      perform agentdb._refuse_without_run();
    end if;
  end if;
  if cardinality(v_runs) = 1 and agentdb._is_crowded(v_runs[1], (
      select r.started_at from agentdb.run as r where r.run_id = v_runs[1]))
    or cardinality(v_runs) > 1 then
    perform agentdb._refuse_choice(v_runs);
  end if;
  return v_runs[1];
end;
$$;

comment on function agentdb._only_alive_run () is
  'The only run of the role that is alive, NULL where none is open; raises ZA001 where '
  'several are, or were within policy.run_silence.';
