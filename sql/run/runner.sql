-- Runners: who evaluates and delivers, and whether that still happens.  Health is the
-- age of the last successful lap, never "the process is alive".

create or replace function agentdb.beat (
  runner_name text,
  loop text,
  host text,
  pid integer,
  version text,
  revision text default null
)
  returns text
  language sql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
  select agentdb._refuse('name, host, process and version of a runner must not be NULL',
    'agentdb run gives them.')
  where num_nulls(beat.runner_name, beat.host, beat.pid, beat.version) > 0;
  insert into agentdb.runner as r (
    runner_name, host, pid, version, revision, evaluated_at, flushed_at, sent_at,
    listened_at, verified_at
  )
  values (
    beat.runner_name, beat.host, beat.pid, beat.version, beat.revision,
    case beat.loop when 'evaluate' then clock_timestamp() end,
    case beat.loop when 'flush' then clock_timestamp() end,
    case beat.loop when 'send' then clock_timestamp() end,
    case beat.loop when 'listen' then clock_timestamp() end,
    case beat.loop when 'verify' then clock_timestamp() end
  )
  on conflict on constraint runner_pkey do update
  set host = excluded.host,
      pid = excluded.pid,
      version = excluded.version,
      revision = excluded.revision,
      started_at = case when r.pid = excluded.pid and r.host = excluded.host
        then r.started_at else excluded.started_at end,
      evaluated_at = coalesce(excluded.evaluated_at, r.evaluated_at),
      flushed_at = coalesce(excluded.flushed_at, r.flushed_at),
      sent_at = coalesce(excluded.sent_at, r.sent_at),
      listened_at = coalesce(excluded.listened_at, r.listened_at),
      verified_at = coalesce(excluded.verified_at, r.verified_at);
  select a.version_num::text from agentdb.alembic_version as a;
$$;

comment on function agentdb.beat (text, text, text, integer, text, text) is
  'Records a successful lap of a runner''s loop: evaluate, flush, send, verify or '
  'listen; returns the revision the database is at, which may be a later one than '
  'the runner knows.';


create or replace function agentdb.retire_runner (runner_name text)
  returns void
  language sql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
  delete from agentdb.runner as r where r.runner_name = retire_runner.runner_name;
$$;

comment on function agentdb.retire_runner (text) is
  'Removes a runner that ends on purpose; one that died stays visible.';


-- Inlined: asked at every step of every agent.
create or replace function agentdb._is_watching (
  evaluated_at timestamptz,
  flushed_at timestamptz,
  sent_at timestamptz,
  verified_at timestamptz
)
  returns boolean
  language sql
  volatile
  return clock_timestamp() - interval '30 seconds' < least(
    coalesce(evaluated_at, '-infinity'), coalesce(flushed_at, '-infinity'),
    coalesce(sent_at, '-infinity'), coalesce(verified_at, '-infinity'));

comment on function agentdb._is_watching (
  timestamptz, timestamptz, timestamptz, timestamptz) is
  'Tells whether all loops of a runner succeeded within 30 seconds.';


create or replace view agentdb.runner_health as
  select
    r.runner_name, r.host, r.pid, r.version, r.started_at, s.silent_for,
    agentdb._is_watching(r.evaluated_at, r.flushed_at, r.sent_at, r.verified_at)
      as healthy,
    coalesce(r.revision < a.version_num, false) as outdated,
    array(
      select l.name
      from (values ('evaluate', r.evaluated_at), ('flush', r.flushed_at),
        ('send', r.sent_at), ('verify', r.verified_at)) as l (name, at)
      where not coalesce(l.at > clock_timestamp() - interval '30 seconds', false)
    ) as late
  from agentdb.runner as r
  left join agentdb.alembic_version as a on true
  cross join lateral (
    select clock_timestamp() - least(
      coalesce(r.evaluated_at, r.started_at), coalesce(r.flushed_at, r.started_at),
      coalesce(r.sent_at, r.started_at), coalesce(r.verified_at, r.started_at)
    ) as silent_for
  ) as s;

comment on view agentdb.runner_health is
  'Each runner and how long ago the slowest of its loops last succeeded.';
comment on column agentdb.runner_health.runner_name is
  'The runner.';
comment on column agentdb.runner_health.host is
  'The machine it says it runs on.';
comment on column agentdb.runner_health.pid is
  'Its process there.';
comment on column agentdb.runner_health.version is
  'Its version of agentdb.';
comment on column agentdb.runner_health.started_at is
  'When it first reported.';
comment on column agentdb.runner_health.silent_for is
  'Age of the last success of its slowest loop.';
comment on column agentdb.runner_health.healthy is
  'Whether all its loops succeeded within 30 seconds.';
comment on column agentdb.runner_health.outdated is
  'Whether the database is at a later revision than it knows.';
comment on column agentdb.runner_health.late is
  'Which of its loops have not succeeded within 30 seconds.';


create or replace function agentdb._alerting_silent_for ()
  returns interval
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_silent_for interval := (select min(h.silent_for) from agentdb.runner_health as h);
begin
  -- One that ended on purpose leaves no row, only what it evaluated.
  v_silent_for := coalesce(
    v_silent_for,
    clock_timestamp() - (select max(r.evaluated_at) from agentdb.alert_rule as r),
    clock_timestamp() - (select min(a.registered_at) from agentdb.agent as a)
  );
  return nullif(greatest(v_silent_for, '30 seconds'), '30 seconds');
end;
$$;

comment on function agentdb._alerting_silent_for () is
  'For how long no runner has worked, NULL while one does.';
