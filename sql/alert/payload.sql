-- Payloads: what a receiver gets of an alert, or of many in one message whose size has
-- a bound however many there are.  docs/on-call.md describes them.

create or replace function agentdb._handle (target text, kind text)
  returns text
  language sql
  immutable
  return case kind
    when 'firing' then format('agentdb ack %s -m …', target)
    when 'acknowledged' then 'agentdb unack ' || target
    when 'silenced' then 'agentdb silences'
  end;

comment on function agentdb._handle (text, text) is
  'How somebody takes on, or gives back, what a message of a kind is about.';


create or replace function agentdb._next_commands (
  alert agentdb.alert,
  kind text,
  target text
)
  returns jsonb
  language sql
  immutable
  return (
    -- What is over asks for nothing more.
    select case when kind <> 'resolved'
        and jsonb_typeof((alert).annotations -> 'next') = 'array'
      then (alert).annotations -> 'next' else '[]' end
    || to_jsonb(array_remove(array[
      format('agentdb why A-%s', (alert).alert_id),
      'agentdb timeline ' || agentdb._labelled_run((alert).labels),
      agentdb._handle(target, kind)
    ], null))
  );

comment on function agentdb._next_commands (agentdb.alert, text, text) is
  'What somebody may type who has read of an alert.';


create or replace function agentdb._lasted (alert agentdb.alert)
  returns interval
  language sql
  immutable
  return (alert).resolved_at - coalesce((alert).firing_at, (alert).active_at);

comment on function agentdb._lasted (agentdb.alert) is
  'How long an alert fired that is over.';


-- Where it has begun again meanwhile, its length is not known any more.
create or replace function agentdb._told_summary (alert agentdb.alert, kind text)
  returns text
  language sql
  stable
  return case kind
    when 'resolved' then concat((alert).rule_name, ' is over',
      ' after ' || agentdb._span(agentdb._lasted(alert)), ': ' || (alert).end_reason)
    else coalesce((alert).annotations ->> 'summary', (alert).rule_name)
  end;

comment on function agentdb._told_summary (agentdb.alert, text) is
  'One sentence about an alert: what is wrong or, once it is over, what ended it.';


create or replace function agentdb._end_payload (alert agentdb.alert)
  returns jsonb
  language sql
  stable
  return jsonb_strip_nulls(jsonb_build_object(
    'was', coalesce((alert).annotations ->> 'summary', (alert).rule_name),
    'ended_by', (alert).end_reason,
    'lasted_seconds', floor(extract(epoch from agentdb._lasted(alert))),
    'until', to_char((alert).resolved_at at time zone 'UTC',
      'YYYY-MM-DD"T"HH24:MI:SS"Z"')));

comment on function agentdb._end_payload (agentdb.alert) is
  'What a message says of the end of an alert.';


create or replace function agentdb._payload (
  alert agentdb.alert,
  kind text,
  target text
)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
as $$
  select jsonb_build_object(
    'version', 1,
    'kind', kind,
    'alert', alert.alert_id,
    'episode', alert.episode,
    'rule', alert.rule_name,
    'severity', alert.severity,
    'labels', alert.labels,
    'summary', agentdb._told_summary(alert, kind),
    'value', case
      when alert.value < 'infinity' and alert.value > '-infinity' then alert.value end,
    'since', to_char(
      coalesce(alert.firing_at, alert.active_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'annotations', alert.annotations - 'summary' - 'next',
    'next', agentdb._next_commands(alert, kind, target)
  ) || case kind
    when 'resolved' then agentdb._end_payload(alert)
    else jsonb_build_object(
      'diagnosis', to_jsonb(agentdb._diagnosis(alert)),
      'remedy', to_jsonb(agentdb._remedy(alert)),
      'command', agentdb._one_command(agentdb._remedy(alert)),
      'ends_when', agentdb._ends_when(alert))
  end;
$$;

comment on function agentdb._payload (agentdb.alert, text, text) is
  'The JSON that a receiver gets for an alert, described in docs/on-call.md; target is '
  'what somebody acknowledges who has read it.';


create or replace function agentdb._tellable (group_id bigint, kind text)
  returns table (alert_id bigint, reason text)
  language sql
  stable
begin atomic
  select m.alert_id, m.reason
  from agentdb.group_alert as m
  where m.alert_group_id = group_id
    and case kind
      when 'firing' then m.state = 'firing' or m.state = 'gone' and not exists (
        select from agentdb.group_alert as o
        where o.alert_group_id = group_id and o.state = 'firing')
      when 'resolved' then m.state in ('resolved', 'gone')
      else m.state = kind
    end;
end;

comment on function agentdb._tellable (bigint, text) is
  'The alerts of a group that a message of a kind is about.';


create or replace function agentdb._brief (alert agentdb.alert, kind text)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
as $$
  select jsonb_build_object(
    'alert', alert.alert_id,
    'rule', alert.rule_name,
    'severity', alert.severity,
    'labels', agentdb._bounded_json(alert.labels, 500),
    'summary', left(agentdb._told_summary(alert, kind), 200),
    'since', to_char(
      coalesce(alert.firing_at, alert.active_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'));
$$;

comment on function agentdb._brief (agentdb.alert, text) is
  'An alert among others in a message.';


create or replace function agentdb._worst (group_id bigint, kind text)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_agg(agentdb._brief(p.alert, kind) order by p.place)
  from (
    select a as alert, row_number() over (
      order by agentdb._severity_rank(a.severity) desc, a.value desc nulls last,
        a.alert_id) as place
    from agentdb._tellable(group_id, kind) as t
    join agentdb.alert as a on a.alert_id = t.alert_id
    order by place
    limit 5
  ) as p;
$$;

comment on function agentdb._worst (bigint, text) is
  'The five worst alerts of a group, in short.';


create or replace function agentdb._counts (group_id bigint, kind text)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
    'rule', c.rule_name, 'agent', left(c.agent, 60), 'alerts', c.alerts
  )) order by c.alerts desc, c.rule_name, c.agent)
  from (
    select a.rule_name, a.labels ->> 'agent' as agent, count(*) as alerts
    from agentdb._tellable(group_id, kind) as t
    join agentdb.alert as a on a.alert_id = t.alert_id
    group by 1, 2
    order by 3 desc, 1, 2
    limit 10
  ) as c;
$$;

comment on function agentdb._counts (bigint, text) is
  'How many alerts of a group are of which rule and agent, the ten most.';


create or replace function agentdb._digest (group_id bigint, kind text)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
as $$
  select jsonb_build_object(
    'version', 1,
    'kind', kind,
    'rule', case when min(a.rule_name) = max(a.rule_name) then min(a.rule_name) end,
    'severity', agentdb._severity(max(agentdb._severity_rank(a.severity))),
    'summary', format('%s alerts%s: %s', count(*), case kind when 'resolved'
      then ' are over' else '' end, (
      select string_agg(concat_ws(' ', c.item ->> 'alerts', c.item ->> 'rule',
        'of ' || (c.item ->> 'agent')), ', ' order by c.place)
      from jsonb_array_elements(agentdb._counts(group_id, kind))
        with ordinality as c (item, place)
      where c.place <= 5
    )),
    'since', to_char(
      min(coalesce(a.firing_at, a.active_at)), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'counts', agentdb._counts(group_id, kind),
    'worst', agentdb._worst(group_id, kind)
  )
  from agentdb._tellable(group_id, kind) as t
  join agentdb.alert as a on a.alert_id = t.alert_id;
$$;

comment on function agentdb._digest (bigint, text) is
  'Many alerts as one message of bounded size.';
