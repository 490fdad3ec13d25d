-- How a run or an agent ended, and the alerts that a stop ends with it.

create or replace function agentdb._run_end (run bigint)
  returns text
  language sql
  stable
  return (
    select case when s.run_id is null
      then concat_ws(': ', format('run %s ended', r.run_id),
        agentdb._run_state(r.run_id, r.outcome), r.end_reason)
      else format('run %s was %s by %s: %s', r.run_id, s.kind, s.stopped_by, s.reason)
    end
    from agentdb.run as r
    left join agentdb.run_stop as s on s.run_id = r.run_id
    where r.run_id = run
      and (r.ended_at is not null or s.run_id is not null)
  );

comment on function agentdb._run_end (bigint) is
  'How a run ended or who stopped it, NULL while it goes on.';


create or replace function agentdb._agent_end (agent text, since timestamptz)
  returns text
  language sql
  stable
  return (
    select format('agent %s was %s by %s: %s', a.agent_name, s.kind, s.stopped_by,
      s.reason)
    from agentdb.agent as a
    join agentdb.agent_stop as s on s.agent_id = a.agent_id
    where a.agent_name = _agent_end.agent
      and s.stopped_at >= since
  );

comment on function agentdb._agent_end (text, timestamptz) is
  'Who has stopped an agent since a moment.';


-- Whoever killed has seen to it.  An evaluation that began before, and alerts that a
-- runner is at, are left to that: a kill waits for nobody.
create or replace function agentdb._end_alerts (run bigint, agent bigint)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with mine as (
    select a.alert_id
    from agentdb.alert as a
    join agentdb.alert_rule as r on r.rule_name = a.rule_name and r.ends_with_run
    where a.state = 'firing'
      and a.labels ->> 'agent' = (
        select g.agent_name from agentdb.agent as g
        where g.agent_id = _end_alerts.agent)
      and a.labels ->> 'run' is not distinct from run::text
    for no key update of a skip locked
  ),
  ended as (
    update agentdb.alert as a
    set state = 'resolved',
        resolved_at = clock_timestamp(),
        end_reason = coalesce(agentdb._run_end(run),
          agentdb._agent_end(a.labels ->> 'agent', '-infinity')),
        dismissed_severity = 'critical',
        flush = true,
        acknowledged_at = null,
        acknowledged_until = null,
        acknowledged_by = null,
        acknowledge_comment = null,
        acknowledged_severity = null
    from mine as m
    where a.alert_id = m.alert_id
    returning a.*
  )
  insert into agentdb.alert_log (
    alert_id, rule_name, from_state, to_state, episode, value, comment
  )
  select e.alert_id, e.rule_name, 'firing', 'resolved', e.episode, e.value, e.end_reason
  from ended as e;
$$;

comment on function agentdb._end_alerts (bigint, bigint) is
  'Ends the alerts that end with a run which was killed or, where it is NULL, with its '
  'agent.';
