-- Resolving: a person says that an alert is over.  It ends this episode: what its rule
-- goes on reporting, no more severe than it was, does not fire again until it has been
-- gone for as long as the rule needs to see that (keep_firing).

create or replace function agentdb._dismiss (alerts bigint[], reason text)
  returns bigint[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_alerts bigint[];
begin
  v_alerts := array(
    select a.alert_id from agentdb.alert as a
    where a.alert_id = any (alerts) and a.state = 'firing'
    order by a.alert_id for no key update);
  with resolved as (
    update agentdb.alert as a
    set state = 'resolved',
        resolved_at = clock_timestamp(),
        end_reason = format('resolved by %s: %s', agentdb._said_by(),
          _dismiss.reason),
        dismissed_severity = a.severity,
        acknowledged_at = null,
        acknowledged_by = null,
        acknowledged_until = null,
        acknowledge_comment = null,
        acknowledged_severity = null
    where a.alert_id = any (v_alerts)
    returning a.*
  ),
  logged as (
    insert into agentdb.alert_log (
      alert_id, rule_name, from_state, to_state, episode, value, recorded_by, comment
    )
    select a.alert_id, a.rule_name, 'firing', 'resolved', a.episode, a.value,
      agentdb._said_by(), _dismiss.reason
    from resolved as a
  )
  select coalesce(array_agg(a.alert_id), '{}') into v_alerts from resolved as a;
  perform agentdb._tell_groups(agentdb._wake_groups(v_alerts, clock_timestamp()));
  return v_alerts;
end;
$$;

comment on function agentdb._dismiss (bigint[], text) is
  'Ends those of the alerts that fire, and returns them.';


create or replace function agentdb.resolve_alert (alert bigint, reason text)
  returns table (alert_id bigint, rule_name text, lasted interval)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
begin
  perform agentdb._check_said(reason, 'reason', 500, true);
  if agentdb._dismiss(array[alert], reason) = '{}' then
    if not exists (select from agentdb.alert as a where a.alert_id = alert) then
      raise exception 'there is no alert A-%', coalesce(alert::text, 'NULL')
        using errcode = 'ZA006', hint = 'agentdb alerts lists what fires.';
    end if;
    perform agentdb._refuse_alert('alert A-' || alert,
      agentdb._why_not_firing(alert));
  end if;
  return query
    select a.alert_id, a.rule_name, a.resolved_at - a.firing_at
    from agentdb.alert as a where a.alert_id = alert;
end;
$$;

comment on function agentdb.resolve_alert (bigint, text) is
  'Ends an alert by a person''s decision, until its rule has seen it gone or it gets '
  'more severe; raises ZA004, ZA006 or ZA075.';


create or replace function agentdb.resolve_group (alert_group bigint, reason text)
  returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
declare
  v_alerts bigint[];
begin
  perform agentdb._check_said(reason, 'reason', 500, true);
  v_alerts := agentdb._dismiss(agentdb._members(alert_group), reason);
  if v_alerts = '{}' then
    perform agentdb._refuse_alert(
      'group G-' || coalesce(alert_group::text, 'NULL'), null);
  end if;
  return cardinality(v_alerts);
end;
$$;

comment on function agentdb.resolve_group (bigint, text) is
  'Ends all alerts of a group that fire now, by a person''s decision, and returns how '
  'many; raises ZA004 or ZA075.';
