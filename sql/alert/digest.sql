-- The digest: what need not be told one by one, and what changed since the day before.

create or replace function agentdb.changed_since (since timestamptz)
  returns table (what text, now bigint, before bigint, detail text)
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  with span as (
    select since as began_at, clock_timestamp() as until,
      since - (clock_timestamp() - since) as former_at
  )
  select c.what, count(*) filter (where c.at >= s.began_at),
    count(*) filter (where c.at < s.began_at),
    (
      select string_agg(t.name || ' ' || t.times, ', ' order by t.times desc, t.name)
      from (
        select n.name, count(*) as times
        from unnest(array_agg(c.name) filter (where c.at >= s.began_at)) as n (name)
        group by n.name
        order by times desc, n.name
        limit 5
      ) as t
    )
  from span as s
  cross join lateral (
    select case a.severity when 'info' then 'notices' else 'alerts' end as what,
      l.recorded_at as at, l.rule_name as name
    from agentdb.alert_log as l
    join agentdb.alert as a on a.alert_id = l.alert_id
    where l.to_state = 'firing'
      and l.from_state is distinct from 'acknowledged'
      and l.recorded_at >= s.former_at
    union all
    select 'runs', r.started_at, g.agent_name
    from agentdb.run as r
    join agentdb.agent as g on g.agent_id = r.agent_id
    where r.started_at >= s.former_at
    union all
    select 'runs that failed', r.ended_at, g.agent_name
    from agentdb.run as r
    join agentdb.agent as g on g.agent_id = r.agent_id
    where r.started_at >= s.former_at - interval '1 day'
      and r.ended_at >= s.former_at
      and r.outcome not in ('succeeded', 'cancelled', 'replaced')
    union all
    select 'changes applied', d.closed_at, d.state
    from agentdb.change as d
    where d.closed_at >= s.former_at and d.state = 'applied'
    union all
    select 'claims refuted', m.checked_at, g.agent_name
    from agentdb.claim as m
    join agentdb.run as r on r.run_id = m.run_id
    join agentdb.agent as g on g.agent_id = r.agent_id
    where m.state = 'refuted' and m.checked_at >= s.former_at
  ) as c
  where c.at < s.until
  group by c.what, s.began_at
  order by c.what;
$$;

comment on function agentdb.changed_since (timestamptz) is
  'What there was since a moment, and in as long a time before it: alerts, notices, '
  'runs, failures, changes, refuted claims, with the rules or agents that most are of.';


create or replace function agentdb._day_payload (at timestamptz)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
as $$
  select jsonb_build_object(
    'version', 1,
    'kind', 'digest',
    'rule', 'digest',
    'severity', 'info',
    'labels', '{}'::jsonb,
    'summary', format('the day until %s UTC (the day before): %s',
      to_char(at, 'YYYY-MM-DD HH24:MI'),
      coalesce(string_agg(format('%s %s (%s)', c.what, c.now, c.before), ', '
        order by c.what), 'nothing happened')),
    'changes', coalesce(jsonb_agg(format('%s: %s, the day before %s%s', c.what, c.now,
      c.before, ' (' || c.detail || ')') order by c.what), '[]'),
    'firing', (
      select count(*) from agentdb.alert as a where a.state = 'firing'),
    'next', jsonb_build_array('agentdb digest', 'agentdb alerts'))
  from agentdb.changed_since(at - interval '1 day') as c;
$$;

comment on function agentdb._day_payload (timestamptz) is
  'The JSON of a digest: what there was in the day before a moment.';


create or replace function agentdb._write_digests (at timestamptz)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with due as (
    select d.receiver_name
    from agentdb.digest as d
    join agentdb.receiver as r on r.receiver_name = d.receiver_name and r.enabled
    where d.next_at <= _write_digests.at
    for update of d skip locked
  ),
  put_off as (
    update agentdb.digest as d
    set next_at = agentdb._next_time(d.told_at, d.time_zone, _write_digests.at)
    from due as w
    where d.receiver_name = w.receiver_name
    returning d.receiver_name
  )
  insert into agentdb.notification (kind, receiver_name, payload)
  select 'digest', p.receiver_name,
    agentdb._day_payload(_write_digests.at)
  from put_off as p;
$$;

comment on function agentdb._write_digests (timestamptz) is
  'Puts the digests that are due into the outbox.';


create or replace function agentdb.set_digest (
  receiver text,
  told_at time,
  time_zone text default 'UTC'
)
  returns timestamptz
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_next timestamptz;
begin
  perform agentdb._check_zone(time_zone);
  if told_at is null then
    perform agentdb._refuse('a digest has a time of the day',
      'Write set_digest(''mail'', ''08:00'', ''Europe/Vienna'').');
  elsif exists (
    select from agentdb.receiver as r
    where r.receiver_name = receiver and r.channel in ('pagerduty', 'alertmanager')
  ) then
    perform agentdb._refuse(
      format('receiver %s opens incidents: a digest is none', receiver),
      'Send it by mail, chat or webhook.');
  end if;
  perform agentdb._check_receiver(receiver);
  v_next := agentdb._next_time(told_at, time_zone, clock_timestamp());
  insert into agentdb.digest as d (receiver_name, told_at, time_zone, next_at)
  values (receiver, set_digest.told_at, set_digest.time_zone, v_next)
  on conflict on constraint digest_pkey do update
  set told_at = excluded.told_at,
      time_zone = excluded.time_zone,
      next_at = excluded.next_at;
  return v_next;
end;
$$;

comment on function agentdb.set_digest (text, time, text) is
  'Has a receiver told of notices once a day, with what changed since the day before, '
  'and returns when it is told next; raises ZA004 and ZA006.';


create or replace function agentdb.unset_digest (receiver text)
  returns boolean
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  delete from agentdb.digest as d where d.receiver_name = receiver;
  return found;
end;
$$;

comment on function agentdb.unset_digest (text) is
  'Has a receiver told of notices one by one again; false where it has no digest.';
