-- Alerts: a rule's row becomes an alert with a life (pending, firing, resolved).  The
-- runner only carries rows from a view to ingest(); every decision is taken here, so
-- any number of runners may work at once and psql can do what a runner does.

create or replace function agentdb._check_instances (instances jsonb)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(instances) is distinct from 'array' then
    perform agentdb._refuse(
      'instances must be a JSON array', 'Send what the rule''s query returned.'
    );
  elsif exists (
    select from jsonb_array_elements(instances) as i (item)
    where jsonb_typeof(i.item -> 'labels') is distinct from 'object'
      or jsonb_typeof(i.item -> 'annotations') not in ('object', 'null')
      or jsonb_typeof(i.item -> 'value') not in ('number', 'string', 'null')
  ) then
    perform agentdb._refuse(
      'a row of the rule has no labels object, or annotations that are no object',
      'A rule''s view has labels jsonb, value double precision, annotations jsonb.'
    );
  end if;
end;
$$;

comment on function agentdb._check_instances (jsonb) is
  'Raises ZA004 unless every instance has labels, and annotations that are an '
  'object or absent.';


create or replace function agentdb._severity_rank (severity text)
  returns integer
  language sql
  immutable
  parallel safe
  return array_position(array['info', 'warning', 'critical'], severity);

comment on function agentdb._severity_rank (text) is
  'Orders severities: info 1, warning 2, critical 3.';


create or replace function agentdb._instance (rule_name text, instances jsonb)
  returns table (
    fingerprint text, labels jsonb, annotations jsonb, value double precision,
    severity text
  )
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select distinct on (md5((i.item -> 'labels')::text))
    md5((i.item -> 'labels')::text),
    agentdb._bounded_json(i.item -> 'labels', 8192),
    agentdb._bounded_json(
      coalesce(nullif(i.item -> 'annotations', 'null'), '{}'), 65536),
    (i.item ->> 'value')::double precision,
    s.severity
  from agentdb.alert_rule as r
  cross join jsonb_array_elements(_instance.instances) as i (item)
  cross join lateral (select case
    when i.item #>> '{annotations,severity}' in ('info', 'warning', 'critical')
      then i.item #>> '{annotations,severity}'
    else r.severity
  end as severity) as s
  where r.rule_name = _instance.rule_name
  -- Of rows with the same labels the worst counts, whatever their order.
  order by 1, agentdb._severity_rank(s.severity) desc;
$$;

comment on function agentdb._instance (text, jsonb) is
  'The rows of an evaluation, one a set of labels, as alerts want them.';


-- Updated first and inserted only where new: ON CONFLICT would use up a number of
-- alert_id at every look, and people type these numbers.
create or replace function agentdb._touch_alerts (
  rule_name text,
  instances jsonb,
  at timestamptz
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with instance as materialized (
    select i.*
    from agentdb._instance(_touch_alerts.rule_name, _touch_alerts.instances) as i
  ),
  known as (
    update agentdb.alert as a
    set annotations = i.annotations,
        value = i.value,
        severity = i.severity,
        seen_at = _touch_alerts.at,
        -- One that got worse is told to those who hear of nothing milder.
        flush = a.flush or a.state = 'firing' and agentdb._severity_rank(i.severity)
          > agentdb._severity_rank(a.severity),
        state = case a.state when 'resolved' then 'pending' else a.state end,
        episode = a.episode + (a.state = 'resolved')::integer,
        active_at = case a.state
          when 'resolved' then _touch_alerts.at else a.active_at end,
        firing_at = case a.state when 'resolved' then null else a.firing_at end,
        resolved_at = null
    from instance as i
    where a.rule_name = _touch_alerts.rule_name
      and a.fingerprint = i.fingerprint
    returning a.fingerprint
  )
  insert into agentdb.alert (
    rule_name, fingerprint, labels, annotations, value, severity, state, active_at,
    seen_at
  )
  select
    _touch_alerts.rule_name, i.fingerprint, i.labels, i.annotations, i.value,
    i.severity, 'pending', _touch_alerts.at, _touch_alerts.at
  from instance as i
  where i.fingerprint not in (select k.fingerprint from known as k);
$$;

comment on function agentdb._touch_alerts (text, jsonb, timestamptz) is
  'Marks the alerts of a rule as seen now; new ones and resolved ones begin an '
  'episode as pending.';


create or replace function agentdb._advance_alerts (
  rule_name text,
  at timestamptz,
  truncated boolean
)
  returns table (to_state text)
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with fired as (
    update agentdb.alert as a
    set state = 'firing',
        firing_at = _advance_alerts.at,
        flush = true
    from agentdb.alert_rule as r
    where r.rule_name = _advance_alerts.rule_name
      and a.rule_name = r.rule_name
      and a.state = 'pending'
      and a.seen_at = _advance_alerts.at
      and a.active_at + r.fire_after <= _advance_alerts.at
    returning
      a.alert_id, 'pending' as from_state, 'firing' as to_state, a.episode, a.value
  ),
  -- A truncated answer proves nothing about the alerts it does not name.
  gone as (
    update agentdb.alert as a
    set state = 'resolved',
        resolved_at = _advance_alerts.at,
        -- The end of an episode before this one may still have to be told.
        flush = a.flush or a.state = 'firing',
        acknowledged_at = null,
        acknowledged_until = null,
        acknowledged_by = null,
        acknowledge_comment = null
    from agentdb.alert_rule as r, agentdb.alert as former
    where not _advance_alerts.truncated
      and r.rule_name = _advance_alerts.rule_name
      and a.rule_name = r.rule_name
      and former.alert_id = a.alert_id
      and a.seen_at < _advance_alerts.at
      and (a.state = 'pending'
        or (a.state = 'firing' and a.seen_at + r.keep_firing < _advance_alerts.at))
    returning
      a.alert_id, former.state as from_state, 'resolved' as to_state, a.episode, a.value
  ),
  waiting as (
    select a.alert_id, null as from_state, 'pending' as to_state, a.episode, a.value
    from agentdb.alert as a
    join agentdb.alert_rule as r on r.rule_name = a.rule_name
    where a.rule_name = _advance_alerts.rule_name
      and a.state = 'pending'
      and a.active_at = _advance_alerts.at
      and r.fire_after > '0'
  )
  insert into agentdb.alert_log as l (
    alert_id, rule_name, from_state, to_state, episode, value
  )
  select
    c.alert_id, _advance_alerts.rule_name, c.from_state, c.to_state, c.episode, c.value
  from (
    select * from fired union all select * from gone union all select * from waiting
  ) as c
  returning l.to_state;
$$;

comment on function agentdb._advance_alerts (text, timestamptz, boolean) is
  'Fires what has been pending for fire_after, resolves what is gone for '
  'keep_firing, and logs both.';


-- What a DBA asked for by alert_rule.action; a rule that names no run means the agent.
create or replace function agentdb._act_on (rule_name text, fired_at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_action text;
  v_agent text;
  v_run bigint;
  v_reason text;
begin
  for v_action, v_agent, v_run, v_reason in
    select r.action, a.labels ->> 'agent', n.run_id, format('A-%s %s: %s', a.alert_id,
      a.rule_name, coalesce(a.annotations ->> 'summary', ''))
    from agentdb.alert as a
    join agentdb.alert_rule as r on r.rule_name = a.rule_name
    left join agentdb.run as n
      on n.run_id = case
        when a.labels ->> 'run' ~ '^[0-9]{1,18}$' then (a.labels ->> 'run')::bigint
      end
      and n.ended_at is null
    where a.rule_name = _act_on.rule_name
      and a.state = 'firing'
      and a.firing_at = _act_on.fired_at
      and r.action <> 'notify'
      -- A run that has ended by itself, or an agent that is no more, needs no stopping.
      and (n.run_id is not null or not a.labels ? 'run')
      and exists (
        select from agentdb.agent as g where g.agent_name = a.labels ->> 'agent')
  loop
    if v_action = 'block' then
      perform agentdb.pause_agent(v_agent, v_reason);
    elsif v_run is not null then
      perform agentdb.kill_run(v_run, v_reason);
    else
      perform agentdb.kill_agent(v_agent, v_reason);
    end if;
  end loop;
end;
$$;

comment on function agentdb._act_on (text, timestamptz) is
  'Pauses or kills what alerts of a rule that just fired name, where '
  'alert_rule.action says '
  'so.';


create or replace function agentdb.ingest (
  rule_name text,
  evaluation bigint,
  instances jsonb,
  truncated boolean default false,
  duration_ms double precision default null
)
  returns table (pending integer, firing integer, resolved integer)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  perform agentdb._check_instances(instances);
  update agentdb.alert_rule as r
  set evaluated_at = v_now,
      evaluation_ms = duration_ms,
      alerts = jsonb_array_length(instances),
      truncated = ingest.truncated,
      failures = 0,
      error = null
  where r.rule_name = ingest.rule_name
    and r.evaluation = ingest.evaluation;
  -- Somebody newer has evaluated the rule: this answer is out of date.
  if not found then
    return;
  end if;
  perform agentdb._touch_alerts(ingest.rule_name, instances, v_now);
  return query
    select
      count(*) filter (where a.to_state = 'pending')::integer,
      count(*) filter (where a.to_state = 'firing')::integer,
      count(*) filter (where a.to_state = 'resolved')::integer
    from agentdb._advance_alerts(ingest.rule_name, v_now, ingest.truncated) as a;
  perform agentdb._act_on(ingest.rule_name, v_now);
end;
$$;

comment on function agentdb.ingest (text, bigint, jsonb, boolean, double precision) is
  'Turns the rows of one evaluation into alerts and says how many changed; no row '
  'when the evaluation is out of date; raises ZA004.';
