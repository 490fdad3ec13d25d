-- Health: whether all is well, alerting itself included, one row a question.

create or replace view agentdb.health_check as
  select 'runner' as check_name,
    case
      when count(*) filter (where h.healthy) = 0 then 'critical'
      when count(*) filter (where h.healthy and h.outdated) > 0
        or agentdb._refused_here('1 minute') is not null then 'warning'
      else 'ok'
    end as state,
    case
      when count(*) filter (where h.healthy) = 0 then coalesce(
        agentdb._refused_here('1 day'),
        case when count(*) = 0 then
          'no runner has ever reported: nobody is alerted; start agentdb run' end,
        'no runner works: ' || string_agg(
          format('loop %s of %s is late', array_to_string(h.late, ', '),
            h.runner_name), '; ' order by h.runner_name)
          filter (where cardinality(h.late) < 4) || '; see its log',
        format('no runner works: the last was heard %s ago; start agentdb run',
          agentdb._span(min(h.silent_for))))
      else concat(
        format('%s of %s runners work', count(*) filter (where h.healthy), count(*)),
        '; upgrade ' || string_agg(h.runner_name, ', ' order by h.runner_name)
          filter (where h.healthy and h.outdated)
          || ': the database is of a later release',
        '; another is refused: ' || agentdb._refused_here('1 minute'))
    end as detail
  from agentdb.runner_health as h
  union all
  select 'rules',
    case
      when count(*) filter (where r.failures > 0) > 0 then 'critical'
      when coalesce(bool_or(
        coalesce(r.evaluated_at, r.next_evaluation_at)
          < clock_timestamp() - 3 * r.evaluate_every - interval '30 seconds'
      ), true) then 'critical'
      else 'ok'
    end,
    coalesce(
      'failing: ' || string_agg(r.rule_name, ', ' order by r.rule_name)
        filter (where r.failures > 0),
      case when bool_and(r.evaluated_at is not null)
        then format('%s rules; the oldest answer is %s old', count(*),
          agentdb._span(clock_timestamp() - min(r.evaluated_at)))
        else format('%s of %s rules were never evaluated',
          count(*) filter (where r.evaluated_at is null), count(*)) end
    )
  from agentdb.alert_rule as r
  where r.enabled
  union all
  select 'alerts',
    case
      when count(*) filter (where a.state = 'firing' and a.severity = 'critical') > 0
        then 'critical'
      when count(*) filter (where a.state = 'firing' and a.severity = 'warning') > 0
        then 'warning'
      else 'ok'
    end,
    format('%s firing (%s critical), %s pending',
      count(*) filter (where a.state = 'firing'),
      count(*) filter (where a.state = 'firing' and a.severity = 'critical'),
      count(*) filter (where a.state = 'pending'))
  from agentdb.active_alert as a
  union all
  select 'delivery',
    case
      when count(*) filter (where n.state = 'dead') > 0
        or min(n.created_at) filter (where n.state = 'queued')
          < clock_timestamp() - interval '5 minutes' then 'critical'
      when count(*) filter (where n.state = 'queued' and n.attempt > 1) > 0
        then 'warning'
      else 'ok'
    end,
    format('%s waiting, %s given up in a day',
      count(*) filter (where n.state = 'queued'),
      count(*) filter (where n.state = 'dead'))
  from agentdb.notification as n
  -- Who tried a receiver out was told what came of it.
  where n.kind <> 'test'
    and (n.state = 'queued'
      or n.state = 'dead' and n.finished_at > clock_timestamp() - interval '1 day')
  union all
  select 'protection', 'warning', string_agg(
    format('the %s of %s is suspended until %s by %s (%s)', s.what, s.table_name,
      agentdb._utc(s.ends_at), s.suspended_by, left(s.reason, 100)), '; '
    order by s.since_at)
  from agentdb.suspension_status as s
  having count(*) > 0
  union all
  select 'runs', 'ok', format('%s open', count(*))
  from agentdb.run as r
  where r.ended_at is null
  union all
  select 'roll-up',
    case
      when s.rolled_at > clock_timestamp() - interval '1 minute' then 'ok'
      else 'warning'
    end,
    case s.rolled_at
      when '-infinity' then 'the totals of runs were never made'
      else format('the totals of runs are %s old',
        agentdb._span(clock_timestamp() - s.rolled_at))
    end
  from agentdb.roll_up_state as s
  union all
  select 'partitions',
    case when min(p.ahead) >= 1 then 'ok' else 'warning' end,
    format('prepared for the next %s days', greatest(min(p.ahead), 0))
  from (
    select coalesce(
      max(l.day) - (clock_timestamp() at time zone 'UTC')::date, 0) as ahead
    from agentdb.log_partition as l
    group by l.log_name
  ) as p;

comment on view agentdb.health_check is
  'One row a question: does alerting work, what fires, is delivery healthy; states '
  'ok, warning, critical.';
comment on column agentdb.health_check.check_name is
  'What was asked.';
comment on column agentdb.health_check.state is
  'ok, warning or critical.';
comment on column agentdb.health_check.detail is
  'The answer in words.';
