-- Sessions: what the database itself knows of whoever is connected.  A process id is
-- used again, one with the start of its session is not.  That start is hidden from the
-- owner of these functions unless it has pg_read_all_stats: '-infinity' stands for it,
-- and equals any.  Looking costs 15 microseconds: only what is no common case does.

create or replace function agentdb._own_start ()
  returns timestamptz
  language sql
  stable
  return coalesce(
    (select a.backend_start from pg_stat_get_activity(pg_backend_pid()) as a),
    '-infinity');

comment on function agentdb._own_start () is
  'When this session began, ''-infinity'' where that is hidden.';


-- Within a transaction PostgreSQL goes on showing the sessions of its first look.
create or replace function agentdb._role_sessions (role_name name)
  returns table (pid integer, began_at timestamptz)
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform pg_stat_clear_snapshot();
  return query
    select a.pid, coalesce(a.backend_start, '-infinity')
    from pg_stat_get_activity(null) as a
    where a.datid = (
        select d.oid from pg_database as d where d.datname = current_database())
      and a.usesysid = (
        select r.oid from pg_roles as r where r.rolname = _role_sessions.role_name);
end;
$$;

comment on function agentdb._role_sessions (name) is
  'The sessions of a login role in this database, and when each began.';


create or replace function agentdb._is_same_start (one timestamptz, other timestamptz)
  returns boolean
  language sql
  immutable
  parallel safe
  return one = other or '-infinity' in (one, other);

comment on function agentdb._is_same_start (timestamptz, timestamptz) is
  'Tells whether two sessions with one process id can be the same.';


create or replace function agentdb._is_connected (
  pid integer,
  backend_started_at timestamptz,
  server_started_at timestamptz
)
  returns boolean
  language sql
  volatile
  return server_started_at = pg_postmaster_start_time() and exists (
    select from pg_stat_get_activity(pid) as a
    where a.datid = (
        select d.oid from pg_database as d where d.datname = current_database())
      and agentdb._is_same_start(
        coalesce(a.backend_start, '-infinity'), backend_started_at));

comment on function agentdb._is_connected (integer, timestamptz, timestamptz) is
  'Tells whether a session is still connected.';


-- How a session comes to a run: it started the run, or bound its token.
create or replace function agentdb._join_run (run bigint, how text)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.run_session (
    run_id, pid, backend_started_at, server_started_at, how
  )
  values (
    run, pg_backend_pid(), agentdb._own_start(), pg_postmaster_start_time(), how
  )
  on conflict on constraint run_session_pkey do nothing;
  -- Who connects anew for each call leaves no row for each.
  delete from agentdb.run_session as s
  where _join_run.how = 'bound'
    and (s.run_id, s.pid, s.backend_started_at, s.server_started_at) in (
      select o.run_id, o.pid, o.backend_started_at, o.server_started_at
      from agentdb.run_session as o
      where o.run_id = run
        and o.how = 'bound'
        and o.pid <> pg_backend_pid()
        and not agentdb._is_connected(
          o.pid, o.backend_started_at, o.server_started_at)
      for update skip locked);
$$;

comment on function agentdb._join_run (bigint, text) is
  'Writes down that this session started a run or bound its token.';


create or replace function agentdb._has_joined (run bigint)
  returns boolean
  language sql
  stable
  return exists (
    select from agentdb.run_session as s
    where s.run_id = run
      and s.pid = pg_backend_pid()
      and s.server_started_at = pg_postmaster_start_time());

comment on function agentdb._has_joined (bigint) is
  'Tells whether this session, or one before it with its process id, started a run or '
  'bound its token.';


create or replace function agentdb._joined_runs ()
  returns table (run_id bigint, how text, joined_at timestamptz)
  language sql
  stable
begin atomic
  select s.run_id, s.how, s.joined_at
  from agentdb.run_session as s
  where s.pid = pg_backend_pid()
    and s.server_started_at = pg_postmaster_start_time()
    and agentdb._is_same_start(s.backend_started_at, agentdb._own_start());
end;

comment on function agentdb._joined_runs () is
  'The runs that this session started or bound.';


create or replace function agentdb._connected_sessions (run bigint)
  returns text
  language sql
  volatile
  return (
    select string_agg(format('process %s', s.pid), ', ' order by s.joined_at)
    from agentdb.run_session as s
    where s.run_id = run
      and agentdb._is_connected(s.pid, s.backend_started_at, s.server_started_at)
  );

comment on function agentdb._connected_sessions (bigint) is
  'The sessions of a run that are connected, NULL where none is.';
