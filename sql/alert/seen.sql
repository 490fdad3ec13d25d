-- What an evaluation saw: its rows, checked and bounded, are marked on their alerts.

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


create or replace function agentdb._severity (rank integer)
  returns text
  language sql
  immutable
  parallel safe
  return (array['info', 'warning', 'critical'])[rank];

comment on function agentdb._severity (integer) is
  'The severity of a rank.';


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


-- What a person ended stays ended while it is there and is no worse: it comes back when
-- it has been gone, as the rule sees it, or got more severe.
create or replace function agentdb._is_dismissed (
  state text,
  dismissed_severity text,
  severity text
)
  returns boolean
  language sql
  immutable
  parallel safe
  return state = 'resolved' and dismissed_severity is not null
    and agentdb._severity_rank(severity) <= agentdb._severity_rank(dismissed_severity);

comment on function agentdb._is_dismissed (text, text, text) is
  'Tells whether a person ended an alert that its rule still reports, no worse than it '
  'was.';


-- What is a detail of one alert is a label of another, as the run of failed calls.
create or replace function agentdb._root_run (run text)
  returns text
  language sql
  stable
  return (
    select coalesce(r.root_run_id, r.run_id)::text
    from agentdb.run as r
    where r.run_id = case when run ~ '^[0-9]{1,18}$' then run::bigint end
  );

comment on function agentdb._root_run (text) is
  'The run from which one descends, itself where nobody started it.';


create or replace function agentdb._comparable (labels jsonb, annotations jsonb)
  returns jsonb
  language sql
  stable
  return jsonb_strip_nulls(jsonb_build_object(
    'agent', annotations ->> 'agent', 'run', annotations ->> 'run',
    'table', annotations ->> 'table', 'tool', annotations ->> 'tool',
    'lock', annotations ->> 'lock', 'tree', agentdb._root_run(
      coalesce(labels ->> 'run', annotations ->> 'run')))) || labels;

comment on function agentdb._comparable (jsonb, jsonb) is
  'What an alert may have in common with others: its labels, and agent, run, table, '
  'tool and lock of its annotations, and the tree of its run.';


-- What gets worse without another severity says so by a number, as a budget at 80 and
-- at 95 percent.
create or replace function agentdb._stage (annotations jsonb)
  returns integer
  language sql
  immutable
  return case when annotations ->> 'stage' ~ '^[0-9]{1,9}$'
    then (annotations ->> 'stage')::integer else 0 end;

comment on function agentdb._stage (jsonb) is
  'How far an alert has come, as its rule counts; 0 where it does not.';


-- Who said "I am at it" said so of what was known then.
create or replace function agentdb._lapse_acknowledgements (
  rule_name text,
  instances jsonb
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with lapsed as (
    update agentdb.alert as a
    set acknowledged_at = null, acknowledged_until = null, acknowledged_by = null,
        acknowledge_comment = null, acknowledged_severity = null
    from agentdb._instance(
      _lapse_acknowledgements.rule_name, _lapse_acknowledgements.instances) as i
    where a.rule_name = _lapse_acknowledgements.rule_name
      and a.fingerprint = i.fingerprint
      and a.acknowledged_at is not null
      and agentdb._severity_rank(i.severity)
        > agentdb._severity_rank(a.acknowledged_severity)
    returning a.alert_id, a.episode, i.value, i.severity
  )
  insert into agentdb.alert_log (
    alert_id, rule_name, from_state, to_state, episode, value, comment
  )
  select l.alert_id, _lapse_acknowledgements.rule_name, 'acknowledged', 'firing',
    l.episode, l.value, 'it is ' || l.severity || ' now'
  from lapsed as l;
$$;

comment on function agentdb._lapse_acknowledgements (text, jsonb) is
  'Ends the acknowledgements of alerts that have become more severe since.';


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
        -- One that got worse is told; what it is about decides what explains it.
        flush = a.flush or a.state = 'firing' and (i.severity <> a.severity
          or agentdb._stage(i.annotations) > agentdb._stage(a.annotations)
          or agentdb._comparable(i.labels, i.annotations)
            <> agentdb._comparable(a.labels, a.annotations)),
        state = case when a.state = 'resolved' and not agentdb._is_dismissed(
          a.state, a.dismissed_severity, i.severity) then 'pending' else a.state end,
        episode = a.episode + (a.state = 'resolved' and not agentdb._is_dismissed(
          a.state, a.dismissed_severity, i.severity))::integer,
        incident_id = case when a.state <> 'resolved' or agentdb._is_dismissed(
          a.state, a.dismissed_severity, i.severity) then a.incident_id end,
        active_at = case when a.state = 'resolved' and not agentdb._is_dismissed(
          a.state, a.dismissed_severity, i.severity)
          then _touch_alerts.at else a.active_at end,
        firing_at = case when a.state <> 'resolved' or agentdb._is_dismissed(
          a.state, a.dismissed_severity, i.severity) then a.firing_at end,
        resolved_at = case when agentdb._is_dismissed(
          a.state, a.dismissed_severity, i.severity) then a.resolved_at end,
        dismissed_severity = case when agentdb._is_dismissed(
          a.state, a.dismissed_severity, i.severity) then a.dismissed_severity end
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
