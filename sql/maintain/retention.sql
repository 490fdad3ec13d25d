-- Retention of what is not partitioned: it follows its run, an alert or the clock.

-- What only an open run needs goes a day after its end: ids of calls, which make a
-- retry count once, tokens, reservations.  The run itself stays as long as its logs do.
create or replace function agentdb._forget_runs (keep interval)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_count bigint;
begin
  delete from agentdb.tool_call as c
  using agentdb.run as r
  where r.run_id = c.run_id
    and r.ended_at < clock_timestamp() - interval '1 day';
  delete from agentdb.run_token as t
  using agentdb.run as r
  where r.run_id = t.run_id
    and r.ended_at < clock_timestamp() - interval '1 day';
  -- A session that is connected still may have to be known as a killed one's.
  delete from agentdb.run_session as s
  using agentdb.run as r
  where r.run_id = s.run_id
    and r.ended_at < clock_timestamp() - interval '1 day'
    and not agentdb._is_connected(s.pid, s.backend_started_at, s.server_started_at);
  delete from agentdb.token_reservation as v
  using agentdb.run as r
  where r.run_id = v.run_id
    and r.ended_at < clock_timestamp() - interval '1 day';
  -- No window is longer than a day.
  delete from agentdb.run_blast as b
  where b.slice_at < clock_timestamp() - interval '2 days';
  delete from agentdb.run as r
  where r.ended_at < clock_timestamp() - keep;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function agentdb._forget_runs (interval) is
  'Removes runs that ended before the retention, and earlier what only open runs need; '
  'returns how many runs.';


create or replace function agentdb._forget_alerts (keep interval)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_count bigint;
begin
  delete from agentdb.alert as a
  where a.state = 'resolved'
    and not a.flush
    and a.seen_at < clock_timestamp() - keep
    and not exists (
      select from agentdb.notification as n
      where n.alert_id = a.alert_id and n.state = 'queued'
    )
    and not exists (
      select from agentdb.group_alert as m where m.alert_id = a.alert_id
    );
  get diagnostics v_count = row_count;
  delete from agentdb.notification as n
  where n.state <> 'queued'
    and n.created_at < clock_timestamp() - keep;
  delete from agentdb.alert_group as g
  where g.look_at = 'infinity'
    and g.told_at < clock_timestamp() - keep
    and not exists (
      select from agentdb.group_alert as m where m.alert_group_id = g.alert_group_id
    )
    and not exists (
      select from agentdb.notification as n
      where n.alert_group_id = g.alert_group_id and n.state = 'queued'
    );
  delete from agentdb.silence as s
  where s.ends_at < clock_timestamp() - keep;
  delete from agentdb.runner as r
  where greatest(r.evaluated_at, r.flushed_at, r.sent_at, r.started_at)
    < clock_timestamp() - interval '7 days';
  delete from agentdb.token_half_hour as h
  where h.half_hour_at < clock_timestamp() - greatest(keep, interval '30 days', (
    select max(p.token_rate_baseline) from agentdb.policy as p
  ) + interval '2 days');
  delete from agentdb.call_hour as h
  where h.hour_at < clock_timestamp() - greatest(keep, interval '30 days');
  delete from agentdb.event_day as d
  where d.day_at < clock_timestamp() - greatest(keep, interval '30 days');
  delete from agentdb.agent_day as d
  where d.day_at < clock_timestamp() - greatest(keep, interval '100 days');
  delete from agentdb.drift as d
  where d.day_at < clock_timestamp() - greatest(keep, interval '100 days');
  delete from agentdb.tool_day as d
  where d.day_at < clock_timestamp() - greatest(keep, (
    select max(p.tool_errors_baseline) from agentdb.policy as p
  ) + interval '1 day');
  perform agentdb._forget_minutes();
  return v_count;
end;
$$;

comment on function agentdb._forget_alerts (interval) is
  'Removes alerts resolved before the retention with their messages, runners silent '
  'for a '
  'week, and hours no baseline needs; returns how many alerts.';


-- What makes an event count once is kept as long as the event.
create or replace function agentdb._forget_intake (keep interval)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_count bigint;
begin
  delete from agentdb.event_key as k
  where k.recorded_at < clock_timestamp() - keep;
  delete from agentdb.unproven_hour as h
  where h.hour_at < clock_timestamp() - keep;
  delete from agentdb.intake_problem as p
  where p.last_at < clock_timestamp() - keep;
  delete from agentdb.refusal as r
  where r.seen_at < clock_timestamp() - keep;
  delete from agentdb.intake_session as s
  where s.last_at < clock_timestamp() - keep;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function agentdb._forget_intake (interval) is
  'Removes what is known of the sessions and events of emitters before the retention; '
  'returns how many sessions.';
