-- Quiet hours: what can wait until the morning does.

create or replace function agentdb._check_zone (time_zone text)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (select from pg_timezone_names as z where z.name = time_zone) then
    perform agentdb._refuse(
      format('%L is no time zone', agentdb._clean_text(time_zone, 100)),
      'Use a name such as Europe/Vienna: select name from pg_timezone_names;');
  end if;
end;
$$;

comment on function agentdb._check_zone (text) is
  'Raises ZA004 for what is no time zone.';


-- A wall clock shows some times twice a year, and some not at all: PostgreSQL decides.
create or replace function agentdb._next_time (
  at time,
  time_zone text,
  after timestamptz
)
  returns timestamptz
  language sql
  stable
  return (
    select min(t.moment)
    from generate_series(-1, 2) as d (day)
    cross join lateral (
      select ((after at time zone time_zone)::date + d.day + at)
        at time zone time_zone as moment
    ) as t
    where t.moment > after
  );

comment on function agentdb._next_time (time, text, timestamptz) is
  'When a wall clock shows a time next, after a moment.';


create or replace function agentdb._quiet_until (
  receiver text,
  severity text,
  at timestamptz
)
  returns timestamptz
  language sql
  stable
  return (
    select e.ends_at
    from agentdb.quiet_hours as q
    cross join lateral (
      select agentdb._next_time(q.ends, q.time_zone, at) as ends_at,
        agentdb._next_time(q.begins, q.time_zone, at) as begins_at
    ) as e
    where q.receiver_name = receiver
      and coalesce(agentdb._severity_rank(severity), 1)
        <= agentdb._severity_rank(q.max_severity)
      -- Within them the end comes before the next beginning.
      and e.ends_at < e.begins_at
  );

comment on function agentdb._quiet_until (text, text, timestamptz) is
  'When the quiet hours end in which a receiver is not told of a severity; NULL where '
  'it may be told.';


-- It waits for groups, and so alone, as whoever wakes them.
create or replace function agentdb._look_again (receiver text)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  lock table agentdb.alert_kin in share update exclusive mode;
  update agentdb.alert_group as g
  set look_at = clock_timestamp()
  where g.receiver_name = receiver
    and exists (
      select from agentdb.group_alert as m where m.alert_group_id = g.alert_group_id);
$$;

comment on function agentdb._look_again (text) is
  'Has all that a receiver is told of looked at anew.';


create or replace function agentdb.set_quiet_hours (
  receiver text,
  begins time,
  ends time,
  time_zone text default 'UTC',
  max_severity text default 'warning'
)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._check_receiver(receiver);
  perform agentdb._check_zone(time_zone);
  if agentdb._severity_rank(max_severity) is null then
    perform agentdb._refuse(
      format('%L is no severity', agentdb._clean_text(max_severity, 100)),
      'Use info, warning or critical.');
  end if;
  if begins = ends or begins is null or ends is null then
    perform agentdb._refuse('quiet hours begin and end at different times',
      'Write set_quiet_hours(''phone'', ''22:00'', ''07:00'', ''Europe/Vienna'').');
  end if;
  insert into agentdb.quiet_hours as q (
    receiver_name, begins, ends, time_zone, max_severity
  )
  values (receiver, set_quiet_hours.begins, set_quiet_hours.ends,
    set_quiet_hours.time_zone, set_quiet_hours.max_severity)
  on conflict on constraint quiet_hours_pkey do update
  set begins = excluded.begins,
      ends = excluded.ends,
      time_zone = excluded.time_zone,
      max_severity = excluded.max_severity;
  perform agentdb._look_again(receiver);
end;
$$;

comment on function agentdb.set_quiet_hours (text, time, time, text, text) is
  'Has a receiver not told of what is no more severe between two times of the day, '
  'each day; it is told at their end of what fires then; raises ZA004 or ZA006.';


create or replace function agentdb.unset_quiet_hours (receiver text)
  returns boolean
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  delete from agentdb.quiet_hours as q where q.receiver_name = receiver;
  if not found then
    return false;
  end if;
  perform agentdb._look_again(receiver);
  return true;
end;
$$;

comment on function agentdb.unset_quiet_hours (text) is
  'Ends the quiet hours of a receiver for good; false where it has none.';
