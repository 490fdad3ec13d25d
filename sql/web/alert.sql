-- Alerts, as people of the page handle them.

create or replace function agentdb.acknowledge_alert_for (
  person text,
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
  perform agentdb._act_for(person, 'agentdb.acknowledge_alert(bigint, text, interval)',
    jsonb_build_object('alert', alert, 'comment', comment, 'lasts', lasts::text));
  return query select * from agentdb.acknowledge_alert(alert, comment, lasts);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.acknowledge_alert_for (text, bigint, text, interval) is
  'acknowledge_alert() for a person of the page, as its role may; raises what that '
  'raises, and 42501.';


create or replace function agentdb.acknowledge_group_for (
  person text,
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
  v_done bigint;
begin
  perform agentdb._act_for(person, 'agentdb.acknowledge_group(bigint, text, interval)',
    jsonb_build_object(
      'alert_group', alert_group, 'comment', comment, 'lasts', lasts::text));
  v_done := agentdb.acknowledge_group(alert_group, comment, lasts);
  perform agentdb._end_act();
  return v_done;
end;
$$;

comment on function agentdb.acknowledge_group_for (text, bigint, text, interval) is
  'acknowledge_group() for a person of the page, as its role may; raises what that '
  'raises, and 42501.';


create or replace function agentdb.unacknowledge_alert_for (person text, alert bigint)
  returns boolean
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
declare
  v_done boolean;
begin
  perform agentdb._act_for(person, 'agentdb.unacknowledge_alert(bigint)',
    jsonb_build_object('alert', alert));
  v_done := agentdb.unacknowledge_alert(alert);
  perform agentdb._end_act();
  return v_done;
end;
$$;

comment on function agentdb.unacknowledge_alert_for (text, bigint) is
  'unacknowledge_alert() for a person of the page, as its role may; raises what that '
  'raises, and 42501.';


create or replace function agentdb.unacknowledge_group_for (
  person text,
  alert_group bigint
)
  returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
declare
  v_done bigint;
begin
  perform agentdb._act_for(person, 'agentdb.unacknowledge_group(bigint)',
    jsonb_build_object('alert_group', alert_group));
  v_done := agentdb.unacknowledge_group(alert_group);
  perform agentdb._end_act();
  return v_done;
end;
$$;

comment on function agentdb.unacknowledge_group_for (text, bigint) is
  'unacknowledge_group() for a person of the page, as its role may; raises what that '
  'raises, and 42501.';


create or replace function agentdb.resolve_alert_for (
  person text,
  alert bigint,
  reason text
)
  returns table (alert_id bigint, rule_name text, lasted interval)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.resolve_alert(bigint, text)',
    jsonb_build_object('alert', alert, 'reason', reason));
  return query select * from agentdb.resolve_alert(alert, reason);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.resolve_alert_for (text, bigint, text) is
  'resolve_alert() for a person of the page, as its role may; raises what that '
  'raises, and 42501.';


create or replace function agentdb.resolve_group_for (
  person text,
  alert_group bigint,
  reason text
)
  returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
declare
  v_done bigint;
begin
  perform agentdb._act_for(person, 'agentdb.resolve_group(bigint, text)',
    jsonb_build_object('alert_group', alert_group, 'reason', reason));
  v_done := agentdb.resolve_group(alert_group, reason);
  perform agentdb._end_act();
  return v_done;
end;
$$;

comment on function agentdb.resolve_group_for (text, bigint, text) is
  'resolve_group() for a person of the page, as its role may; raises what that '
  'raises, and 42501.';


create or replace function agentdb.silence_alerts_for (
  person text,
  matchers text,
  lasts interval,
  comment text
)
  returns table (silence_id bigint, ends_at timestamptz, alerts bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.silence_alerts(text, interval, text)',
    jsonb_build_object('matchers', matchers, 'lasts', lasts::text, 'comment', comment));
  return query select * from agentdb.silence_alerts(matchers, lasts, comment);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.silence_alerts_for (text, text, interval, text) is
  'silence_alerts() for a person of the page, as its role may; raises what that '
  'raises, and 42501.';


create or replace function agentdb.end_silence_for (person text, silence bigint)
  returns table (silence_id bigint, alerts bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.end_silence(bigint)',
    jsonb_build_object('silence', silence));
  return query select * from agentdb.end_silence(silence);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.end_silence_for (text, bigint) is
  'end_silence() for a person of the page, as its role may; raises what that raises, '
  'and 42501.';
