-- Alerts: a rule's row becomes an alert with a life (pending, firing, resolved).  The
-- runner only carries rows from a view to ingest(); every decision is taken here, so
-- any number of runners may work at once and psql can do what a runner does.

create or replace function agentdb._advance_alerts (
  rule_name text,
  at timestamptz,
  truncated boolean
)
  returns table (to_state text)
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with fired as (
    update agentdb.alert as a
    set state = 'firing',
        firing_at = _advance_alerts.at,
        flush = true
    from agentdb.alert_rule as r
    where r.rule_name = _advance_alerts.rule_name
      and a.rule_name = r.rule_name
      and a.state = 'pending'
      and a.seen_at = _advance_alerts.at
      and a.active_at + r.fire_after <= _advance_alerts.at
    returning
      a.alert_id, 'pending' as from_state, 'firing' as to_state, a.episode, a.value,
      null as comment
  ),
  -- A truncated answer proves nothing about the alerts it does not name.
  gone as (
    update agentdb.alert as a
    set state = 'resolved',
        resolved_at = _advance_alerts.at,
        end_reason = agentdb._end_reason(former),
        -- The end of an episode before this one may still have to be sent.
        flush = a.flush or a.state = 'firing',
        acknowledged_at = null, acknowledged_until = null, acknowledged_by = null,
        acknowledge_comment = null, acknowledged_severity = null
    from agentdb.alert_rule as r, agentdb.alert as former
    where not _advance_alerts.truncated
      and r.rule_name = _advance_alerts.rule_name
      and a.rule_name = r.rule_name
      and former.alert_id = a.alert_id
      and a.seen_at < _advance_alerts.at
      and (a.state = 'pending'
        or (a.state = 'firing' and (a.seen_at + r.keep_firing < _advance_alerts.at
          or agentdb._is_over(former))))
    returning
      a.alert_id, former.state as from_state, 'resolved' as to_state, a.episode,
      a.value, a.end_reason as comment
  ),
  waiting as (
    select a.alert_id, null as from_state, 'pending' as to_state, a.episode, a.value,
      null as comment
    from agentdb.alert as a
    join agentdb.alert_rule as r on r.rule_name = a.rule_name
    where a.rule_name = _advance_alerts.rule_name
      and a.state = 'pending'
      and a.active_at = _advance_alerts.at
      and r.fire_after > '0'
  )
  insert into agentdb.alert_log as l (
    alert_id, rule_name, from_state, to_state, episode, value, comment
  )
  select
    c.alert_id, _advance_alerts.rule_name, c.from_state, c.to_state, c.episode,
    c.value, c.comment
  from (
    select * from fired union all select * from gone union all select * from waiting
  ) as c
  returning l.to_state;
$$;

comment on function agentdb._advance_alerts (text, timestamptz, boolean) is
  'Fires what has been pending for fire_after, resolves what is gone for '
  'keep_firing or whose run has ended, and logs both with what ended it.';


create or replace function agentdb._forget_dismissals (rule_name text, at timestamptz)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update agentdb.alert as a
  set dismissed_severity = null
  from agentdb.alert_rule as r
  where r.rule_name = _forget_dismissals.rule_name
    and a.rule_name = r.rule_name
    and a.dismissed_severity is not null
    and a.seen_at < _forget_dismissals.at
    and a.seen_at + r.keep_firing < _forget_dismissals.at;
$$;

comment on function agentdb._forget_dismissals (text, timestamptz) is
  'Lets alerts that a person ended fire again, where they have been gone.';


-- What a DBA asked for by alert_rule.action; a rule that names no run means the agent.
create or replace function agentdb._act_on (rule_name text, fired_at timestamptz)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_action text;
  v_agent text;
  v_run bigint;
  v_reason text;
begin
  for v_action, v_agent, v_run, v_reason in
    select r.action, a.labels ->> 'agent', n.run_id, format('A-%s %s: %s', a.alert_id,
      a.rule_name, coalesce(a.annotations ->> 'summary', ''))
    from agentdb.alert as a
    join agentdb.alert_rule as r on r.rule_name = a.rule_name
    left join agentdb.run as n
      on n.run_id = case
        when a.labels ->> 'run' ~ '^[0-9]{1,18}$' then (a.labels ->> 'run')::bigint
      end
      and n.ended_at is null
    where a.rule_name = _act_on.rule_name
      and a.state = 'firing'
      and a.firing_at = _act_on.fired_at
      and r.action <> 'notify'
      -- A run that has ended by itself, or an agent that is no more, needs no stopping.
      and (n.run_id is not null or not a.labels ? 'run')
      and exists (
        select from agentdb.agent as g where g.agent_name = a.labels ->> 'agent')
  loop
    if v_action = 'block' then
      perform agentdb.pause_agent(v_agent, v_reason);
    elsif v_run is not null then
      perform agentdb.kill_run(v_run, v_reason);
    else
      perform agentdb.kill_agent(v_agent, v_reason);
    end if;
  end loop;
end;
$$;

comment on function agentdb._act_on (text, timestamptz) is
  'Pauses or kills what alerts of a rule that just fired name, where '
  'alert_rule.action says '
  'so.';


-- What was imported is asked about the past, and alerts nobody.
create or replace function agentdb._of_the_present (instances jsonb)
  returns jsonb
  language sql
  stable
  return case
    when exists (select from agentdb.agent as a where a.imported) then (
      select coalesce(jsonb_agg(i.item order by i.place), '[]')
      from jsonb_array_elements(instances) with ordinality as i (item, place)
      where not exists (
        select from agentdb.agent as a
        where a.imported and a.agent_name = i.item -> 'labels' ->> 'agent'))
    else instances
  end;

comment on function agentdb._of_the_present (jsonb) is
  'The rows of a rule but those about agents that are known from files of the past.';


create or replace function agentdb.ingest (
  rule_name text,
  evaluation bigint,
  instances jsonb,
  truncated boolean default false,
  duration_ms double precision default null
)
  returns table (pending integer, firing integer, resolved integer)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_now timestamptz := clock_timestamp();
begin
  -- Most rules have nothing to say most of the time.
  if instances is distinct from '[]' then
    perform agentdb._check_instances(instances);
    instances := agentdb._of_the_present(instances);
  end if;
  update agentdb.alert_rule as r
  set evaluated_at = v_now,
      evaluation_ms = duration_ms,
      alerts = jsonb_array_length(instances),
      truncated = ingest.truncated,
      failures = 0,
      error = null
  where r.rule_name = ingest.rule_name
    and r.evaluation = ingest.evaluation;
  -- Somebody newer has evaluated the rule: this answer is out of date.
  if not found then
    return;
  end if;
  pending := 0;
  firing := 0;
  resolved := 0;
  -- In the order in which people's decisions lock them.
  perform from agentdb.alert as a
  where a.rule_name = ingest.rule_name
    and (a.state <> 'resolved' or a.dismissed_severity is not null)
  order by a.alert_id for no key update;
  if found or instances <> '[]' then
    perform agentdb._lapse_acknowledgements(ingest.rule_name, instances);
    perform agentdb._touch_alerts(ingest.rule_name, instances, v_now);
    if not ingest.truncated then
      perform agentdb._forget_dismissals(ingest.rule_name, v_now);
    end if;
    select
      count(*) filter (where a.to_state = 'pending'),
      count(*) filter (where a.to_state = 'firing'),
      count(*) filter (where a.to_state = 'resolved')
    into pending, firing, resolved
    from agentdb._advance_alerts(ingest.rule_name, v_now, ingest.truncated) as a;
    perform agentdb._act_on(ingest.rule_name, v_now);
  end if;
  return next;
  -- Whoever is told of something most often hears it by these.
  if ingest.rule_name in ('silent_loop', 'budget_low') then
    perform agentdb._pass_advice();
  end if;
end;
$$;

comment on function agentdb.ingest (text, bigint, jsonb, boolean, double precision) is
  'Turns the rows of one evaluation into alerts and says how many changed; no row '
  'when the evaluation is out of date; raises ZA004.';
