-- Acknowledging: a person says "I am at it", and nobody is told again or escalated to
-- until the alert is resolved or the time is over.

create or replace function agentdb._refuse_alert (what text, detail text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception '% does not fire', what
    using errcode = 'ZA075',
          detail = coalesce(detail, 'It has not fired, or its end is long ago.'),
          hint = 'agentdb alerts lists what fires.';
end;
$$;

comment on function agentdb._refuse_alert (text, text) is
  'Raises ZA075 for an alert that is over or never was, with what ended it.';


create or replace function agentdb._why_not_firing (alert bigint)
  returns text
  language sql
  stable
  return (
    select case a.state
      when 'pending' then format('It is pending: nobody is notified before its rule '
        'has reported it for %s.', agentdb._span(r.fire_after))
      when 'resolved' then format('It was over at %s UTC: %s.',
        to_char(a.resolved_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
        a.end_reason)
    end
    from agentdb.alert as a
    join agentdb.alert_rule as r on r.rule_name = a.rule_name
    where a.alert_id = alert
  );

comment on function agentdb._why_not_firing (bigint) is
  'When and by what an alert ended, or what it waits for; NULL where neither is known.';


-- First the alerts are locked, then their groups: a flush that has them is waited for,
-- so that what it queued is seen and taken back here.
create or replace function agentdb._acknowledge (
  alerts bigint[],
  comment text,
  lasts interval
)
  returns bigint[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_alerts bigint[];
begin
  perform agentdb._check_said(comment, 'comment', 500, true);
  if lasts is not null then
    perform agentdb._check_lasting(lasts, '30 days', 'an acknowledgement');
  end if;
  v_alerts := array(
    select a.alert_id from agentdb.alert as a
    where a.alert_id = any (alerts) and a.state = 'firing'
    order by a.alert_id for no key update);
  with acknowledged as (
    update agentdb.alert as a
    set acknowledged_at = clock_timestamp(),
        acknowledged_by = agentdb._said_by(),
        acknowledged_until = coalesce(clock_timestamp() + lasts, 'infinity'),
        acknowledge_comment = comment,
        acknowledged_severity = a.severity
    where a.alert_id = any (v_alerts)
    returning a.*
  ),
  logged as (
    insert into agentdb.alert_log (
      alert_id, rule_name, from_state, to_state, episode, value, recorded_by, comment
    )
    select a.alert_id, a.rule_name, 'firing', 'acknowledged', a.episode, a.value,
      agentdb._said_by(), _acknowledge.comment
    from acknowledged as a
  )
  select coalesce(array_agg(a.alert_id), '{}') into v_alerts from acknowledged as a;
  perform agentdb._tell_groups(agentdb._wake_groups(v_alerts, clock_timestamp()));
  return v_alerts;
end;
$$;

comment on function agentdb._acknowledge (bigint[], text, interval) is
  'Acknowledges those of the alerts that fire, and returns them; raises ZA004.';


create or replace function agentdb._unacknowledge (alerts bigint[])
  returns bigint[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_alerts bigint[];
begin
  v_alerts := array(
    select a.alert_id from agentdb.alert as a
    where a.alert_id = any (alerts) and a.acknowledged_at is not null
    order by a.alert_id for no key update);
  with given_back as (
    update agentdb.alert as a
    set acknowledged_at = null,
        acknowledged_by = null,
        acknowledged_until = null,
        acknowledge_comment = null,
        acknowledged_severity = null
    where a.alert_id = any (v_alerts)
    returning a.*
  ),
  logged as (
    insert into agentdb.alert_log (
      alert_id, rule_name, from_state, to_state, episode, value, recorded_by
    )
    select a.alert_id, a.rule_name, 'acknowledged', a.state, a.episode, a.value,
      agentdb._said_by()
    from given_back as a
  )
  select coalesce(array_agg(a.alert_id), '{}') into v_alerts from given_back as a;
  perform agentdb._wake_groups(v_alerts, clock_timestamp());
  return v_alerts;
end;
$$;

comment on function agentdb._unacknowledge (bigint[]) is
  'Takes acknowledgements back and returns the alerts that had one.';


create or replace function agentdb._members (alert_group bigint)
  returns bigint[]
  language sql
  stable
  return coalesce((
    select array_agg(m.alert_id) from agentdb.group_alert as m
    where m.alert_group_id = alert_group
  ), '{}');

comment on function agentdb._members (bigint) is
  'The alerts of a group.';


create or replace function agentdb.acknowledge_alert (
  alert bigint,
  comment text,
  lasts interval default null
)
  returns table (alert_id bigint, acknowledged_until timestamptz)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
begin
  if agentdb._acknowledge(array[alert], comment, lasts) = '{}' then
    perform agentdb._refuse_alert('alert A-' || coalesce(alert::text, 'NULL'),
      agentdb._why_not_firing(alert));
  end if;
  return query
    select a.alert_id, a.acknowledged_until
    from agentdb.alert as a where a.alert_id = alert;
end;
$$;

comment on function agentdb.acknowledge_alert (bigint, text, interval) is
  'Says that the caller sees to an alert: nobody is told again or escalated to until '
  'it is resolved, or for so long; raises ZA004 or ZA075.';


create or replace function agentdb.acknowledge_group (
  alert_group bigint,
  comment text,
  lasts interval default null
)
  returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
declare
  v_alerts bigint[] := agentdb._acknowledge(
    agentdb._members(alert_group), comment, lasts);
begin
  if v_alerts = '{}' then
    perform agentdb._refuse_alert(
      'group G-' || coalesce(alert_group::text, 'NULL'), null);
  end if;
  return cardinality(v_alerts);
end;
$$;

comment on function agentdb.acknowledge_group (bigint, text, interval) is
  'Acknowledges all alerts of a group that fire now and returns how many; raises ZA004 '
  'or ZA075.';


create or replace function agentdb.unacknowledge_alert (alert bigint)
  returns boolean
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
begin
  return agentdb._unacknowledge(array[alert]) <> '{}';
end;
$$;

comment on function agentdb.unacknowledge_alert (bigint) is
  'Takes an acknowledgement back, so that the alert is told again; false where there '
  'is none.';


create or replace function agentdb.unacknowledge_group (alert_group bigint)
  returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
begin
  return cardinality(agentdb._unacknowledge(agentdb._members(alert_group)));
end;
$$;

comment on function agentdb.unacknowledge_group (bigint) is
  'Takes the acknowledgements of a group''s alerts back and returns how many.';
