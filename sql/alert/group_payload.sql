-- What a receiver gets of a group: of an incident its cause with what follows from it,
-- of many alerts a digest.

-- What was inhibited is not told by itself, but it is part of the picture.
create or replace function agentdb._by_cause_in_group (group_id bigint, kind text)
  returns table (alert_id bigint, place bigint)
  language sql
  stable
begin atomic
  select c.alert_id, c.place
  from agentdb._by_cause(array(
    select t.alert_id from agentdb._tellable(group_id, kind) as t
    union
    select m.alert_id from agentdb.group_alert as m
    where m.alert_group_id = group_id and kind = 'firing' and m.state = 'inhibited'
  )) as c;
end;

comment on function agentdb._by_cause_in_group (bigint, text) is
  'The alerts that a message about an incident names, the cause first.';


create or replace function agentdb._is_news (
  member agentdb.group_alert,
  severity text,
  annotations jsonb
)
  returns boolean
  language sql
  immutable
  return (member).told is distinct from 'firing'
    or agentdb._stage(annotations) > (member).told_stage
    or (member).told_episode is distinct from (member).episode
    or agentdb._severity_rank(severity)
      > agentdb._severity_rank((member).told_severity);

comment on function agentdb._is_news (agentdb.group_alert, text, jsonb) is
  'Whether a receiver was not told yet that an alert fires, this time, so severely and '
  'so far.';


-- Of an incident that goes on, more of what was told already is told by and by.
create or replace function agentdb._is_repeated (
  member agentdb.group_alert,
  rule text,
  severity text
)
  returns boolean
  language sql
  stable
  return exists (
    select
    from agentdb.group_alert as o
    join agentdb.alert as a on a.alert_id = o.alert_id
    where o.alert_group_id = (member).alert_group_id
      and a.rule_name = rule
      and (o.alert_id <> (member).alert_id
        or agentdb._stage(a.annotations) <= o.told_stage)
      and agentdb._severity_rank(o.told_severity)
        >= agentdb._severity_rank(_is_repeated.severity)
  );

comment on function agentdb._is_repeated (agentdb.group_alert, text, text) is
  'Whether a receiver was told of another alert of the rule in the same incident, or '
  'of this one before, and no milder.';


create or replace function agentdb._news (group_id bigint)
  returns jsonb
  language sql
  stable
begin atomic
  select jsonb_agg(case
      when m.told_episode = m.episode and agentdb._severity_rank(a.severity)
        > agentdb._severity_rank(m.told_severity) then format(
        'A-%s %s is %s now, it was %s', a.alert_id, a.rule_name, a.severity,
        m.told_severity)
      else format('A-%s %s: %s', a.alert_id, a.rule_name,
        left(agentdb._told_summary(a, 'firing'), 200))
    end order by agentdb._severity_rank(a.severity) desc, a.alert_id)
  from agentdb.group_alert as m
  join agentdb.alert as a on a.alert_id = m.alert_id
  where m.alert_group_id = group_id
    and m.state = 'firing'
    and agentdb._is_news(m, a.severity, a.annotations);
end;

comment on function agentdb._news (bigint) is
  'What those who were told of a group before do not know of it yet; NULL for nothing.';


-- The message is its cause's; the rest of the incident is a line each.
create or replace function agentdb._incident_payload (
  member agentdb.alert_group,
  kind text
)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_alerts bigint[];
  v_told bigint;
  v_severity text;
  v_payload jsonb;
begin
  select coalesce(array_agg(c.alert_id order by c.place), '{}') into v_alerts
  from agentdb._by_cause_in_group(member.alert_group_id, kind) as c;
  select count(*),
    agentdb._severity(max(agentdb._severity_rank(a.severity)))
    into v_told, v_severity
  from agentdb._tellable(member.alert_group_id, kind) as t
  join agentdb.alert as a on a.alert_id = t.alert_id;
  v_payload := (
    select agentdb._payload(a, kind, case when v_told > 1
      then format('G-%s', member.alert_group_id) else format('A-%s', a.alert_id) end)
    from agentdb.alert as a where a.alert_id = v_alerts[1]
  ) || jsonb_build_object('severity', v_severity);
  if cardinality(v_alerts) > 1 then
    v_payload := v_payload || jsonb_build_object('also', (
      select jsonb_agg(agentdb._brief(a, kind) order by i.place)
      from unnest(v_alerts[2:6]) with ordinality as i (alert_id, place)
      join agentdb.alert as a on a.alert_id = i.alert_id
    ));
  end if;
  return v_payload;
end;
$$;

comment on function agentdb._incident_payload (agentdb.alert_group, text) is
  'The JSON for an incident: that of its cause, with what follows from it in short.';


create or replace function agentdb._common_labels (group_id bigint, kind text)
  returns jsonb
  language sql
  stable
begin atomic
  select coalesce(jsonb_object_agg(c.key, c.value), '{}')
  from (
    select l.key, min(l.value) as value
    from agentdb._tellable(group_id, kind) as t
    join agentdb.alert as a on a.alert_id = t.alert_id
    cross join lateral jsonb_each_text(a.labels) as l
    group by l.key
    having min(l.value) = max(l.value) and count(*) = (
      select count(*) from agentdb._tellable(group_id, kind) as o)
  ) as c;
end;

comment on function agentdb._common_labels (bigint, text) is
  'The labels that all alerts of a group have alike.';


create or replace function agentdb._digest_payload (
  member agentdb.alert_group,
  kind text
)
  returns jsonb
  language sql
  stable
begin atomic
  select d.payload || jsonb_build_object(
    'labels', case when (member).alert_id is null then (member).labels
      else agentdb._common_labels((member).alert_group_id, kind) end,
    'next', to_jsonb(array_remove(array[
      'agentdb alerts',
      format('agentdb why A-%s', d.payload #>> '{worst,0,alert}'),
      agentdb._handle(format('G-%s', (member).alert_group_id), kind)], null)))
  from agentdb._digest((member).alert_group_id, kind) as d (payload);
end;

comment on function agentdb._digest_payload (agentdb.alert_group, text) is
  'The JSON for many alerts, with what somebody may type who has read it.';


create or replace function agentdb._group_payload (
  member agentdb.alert_group,
  kind text
)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_alerts bigint;
  v_rules bigint;
  v_reason text;
  v_payload jsonb;
begin
  select count(*), count(distinct a.rule_name), min(t.reason)
    into v_alerts, v_rules, v_reason
  from agentdb._tellable(member.alert_group_id, kind) as t
  join agentdb.alert as a on a.alert_id = t.alert_id;
  v_payload := case
    when v_alerts = 1 or v_rules > 1 and member.alert_id is not null
      then agentdb._incident_payload(member, kind)
    else agentdb._digest_payload(member, kind)
  end;
  v_payload := v_payload || jsonb_strip_nulls(
    jsonb_build_object('on_behalf_of', agentdb._for_whom(v_payload -> 'labels')));
  -- At its end that is known: `ended_by`.
  if v_reason is not null and kind <> 'resolved' then
    v_payload := v_payload || jsonb_build_object('reason', left(v_reason, 300));
  end if;
  if kind = 'firing' and member.told is not null and member.told <> 'resolved' then
    v_payload := v_payload || jsonb_strip_nulls(
      jsonb_build_object('news', agentdb._news(member.alert_group_id)));
  end if;
  if member.alert_id is null or v_alerts > 1 then
    v_payload := v_payload || (
      select jsonb_build_object(
        'group', format('G-%s', member.alert_group_id),
        'firing', count(*) filter (where m.state = 'firing'),
        'acknowledged', count(*) filter (where m.state = 'acknowledged'),
        'silenced', count(*) filter (where m.state in ('silenced', 'inhibited')),
        'resolved', count(*) filter (where m.state in ('resolved', 'gone')))
      from agentdb.group_alert as m
      where m.alert_group_id = member.alert_group_id);
  end if;
  return v_payload;
end;
$$;

comment on function agentdb._group_payload (agentdb.alert_group, text) is
  'The JSON that a receiver gets for a group: of its incident, or of all its alerts.';
