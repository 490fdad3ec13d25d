-- The board: what a person sees at one look, of alerting, incidents, agents and locks.
-- The page of agentdb serve reads these; psql can too.

create or replace view agentdb.alerting_status as
  select
    h.runners, h.working, r.rules, r.failing, r.evaluated_at, r.oldest_at,
    -- By number: an index on when each was sent would cost every message.
    (
      select n.finished_at
      from agentdb.notification as n
      where n.state = 'sent'
      order by n.notification_id desc
      limit 1
    ) as sent_at,
    (
      select count(*) from agentdb.notification as n where n.state = 'queued'
    ) as queued,
    (
      select count(*)
      from agentdb.notification as n
      where n.state = 'dead'
        and n.kind <> 'test'
        and n.finished_at > clock_timestamp() - interval '7 days'
    ) as dead_letters
  from (
    select count(*) as runners, count(*) filter (where u.healthy) as working
    from agentdb.runner_health as u
  ) as h
  cross join (
    select count(*) as rules, count(*) filter (where a.failures > 0) as failing,
      max(a.evaluated_at) as evaluated_at, min(a.evaluated_at) as oldest_at
    from agentdb.alert_rule as a
    where a.enabled
  ) as r;

comment on view agentdb.alerting_status is
  'One row: whether anybody looks and is told, from the database''s own records.';
comment on column agentdb.alerting_status.runners is
  'Runners that have reported.';
comment on column agentdb.alerting_status.working is
  'Those whose every loop has done a lap lately.';
comment on column agentdb.alerting_status.rules is
  'Rules that are enabled.';
comment on column agentdb.alerting_status.failing is
  'Those whose last evaluation failed.';
comment on column agentdb.alerting_status.evaluated_at is
  'When a rule was last evaluated.';
comment on column agentdb.alerting_status.oldest_at is
  'When the rule that has waited longest was.';
comment on column agentdb.alerting_status.sent_at is
  'When the newest message that was delivered was delivered.';
comment on column agentdb.alerting_status.queued is
  'Messages that wait for their delivery.';
comment on column agentdb.alerting_status.dead_letters is
  'Messages that were given up within 7 days.';


-- Of several receivers each has a group of its own; that of the first stands for all.
create or replace view agentdb.incident as
  select
    a.alert_group_id,
    (array_agg(a.alert_id order by a.follows, a.rank, a.since))[1] as alert_id,
    (array_agg(a.rule_name order by a.follows, a.rank, a.since))[1] as rule_name,
    (array_agg(a.severity order by a.rank))[1] as severity,
    (array_agg(a.summary order by a.follows, a.rank, a.since))[1] as summary,
    case
      when bool_and(a.silence_id is not null) then 'silenced'
      when bool_and(a.silence_id is not null or a.acknowledged_by is not null)
        then 'acknowledged'
      else 'firing'
    end as state,
    count(*) as alerts,
    array_agg(distinct a.labels ->> 'agent') filter (where a.labels ? 'agent')
      as agents,
    min(a.since) as since,
    string_agg(distinct a.acknowledged_by, ', ') as acknowledged_by
  from (
    select s.*,
      array_position(array['critical', 'warning', 'info'], s.severity) as rank,
      exists (
        select
        from agentdb.alert_kin as c
        join agentdb.alert_kin as k on k.kin = c.kin and k.cause
        join agentdb.alert as e on e.alert_id = k.alert_id and e.state = 'firing'
        where c.alert_id = s.alert_id and not c.cause
      ) as follows,
      (
        select min(m.alert_group_id)
        from agentdb.group_alert as m where m.alert_id = s.alert_id
      ) as alert_group_id
    from agentdb.active_alert as s
    where s.state = 'firing'
  ) as a
  -- What no receiver is told of is an incident all the same.
  group by a.alert_group_id, case when a.alert_group_id is null then a.alert_id end;

comment on view agentdb.incident is
  'What fires now, a row a group: what people are told together.';
comment on column agentdb.incident.alert_group_id is
  'Its number, shown as G-7; NULL where no receiver is told.';
comment on column agentdb.incident.alert_id is
  'Its cause, else its worst alert.';
comment on column agentdb.incident.rule_name is
  'The rule of that.';
comment on column agentdb.incident.severity is
  'How severe the worst of it is.';
comment on column agentdb.incident.summary is
  'That in a sentence.';
comment on column agentdb.incident.state is
  'firing; acknowledged or silenced where all of it is.';
comment on column agentdb.incident.alerts is
  'How many alerts it has.';
comment on column agentdb.incident.agents is
  'The agents that they are about.';
comment on column agentdb.incident.since is
  'When the first of them began to fire.';
comment on column agentdb.incident.acknowledged_by is
  'Who sees to it.';


create or replace view agentdb.agent_board as
  select
    a.agent_name, r.open_runs, r.last_progress_at,
    t.half_hours[47] + t.half_hours[48] as tokens_hour,
    (
      select 2 * n.bound from agentdb.token_normal as n where n.agent_id = a.agent_id
    ) as normal_hour,
    t.half_hours,
    (
      select coalesce(sum(h.cost), 0)
      from agentdb.token_half_hour as h
      where h.agent_id = a.agent_id
        and h.half_hour_at >= date_bin('1 day', now(), 'epoch')
    ) as cost_today,
    (
      select count(*) from agentdb.lock as l
      where l.agent_id = a.agent_id and l.run_id is not null
    ) as locks_held,
    c.claims_verified, c.claims_refuted, c.claims_open,
    (
      select b.learned
      from agentdb.agent_baseline as b
      where b.agent_name = a.agent_name and b.measure = 'tokens'
    ) as learned
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral (
    select count(*) filter (where u.ended_at is null) as open_runs,
      max(v.last_progress_at) as last_progress_at
    from (
      select s.run_id, s.ended_at from agentdb.run as s
      where s.agent_id = a.agent_id
      order by s.started_at desc
      limit 50
    ) as u
    left join agentdb.run_activity as v on v.run_id = u.run_id
  ) as r
  cross join lateral (
    select array_agg(coalesce(agentdb._weight(h.input_tokens, h.cached_input_tokens,
      h.output_tokens, p.cached_input_weight, p.output_weight), 0)::bigint
      order by s.at) as half_hours
    from generate_series(
      date_bin('30 minutes', now(), 'epoch') - interval '1410 minutes', now(),
      interval '30 minutes') as s (at)
    left join agentdb.token_half_hour as h
      on h.agent_id = a.agent_id
      and h.half_hour_at = s.at
      -- So that the index leaves out what is older.
      and h.half_hour_at > now() - interval '1 day'
  ) as t
  cross join lateral (
    select count(*) filter (where k.state = 'verified') as claims_verified,
      count(*) filter (where k.state = 'refuted') as claims_refuted,
      count(*) filter (where k.state not in ('verified', 'refuted')) as claims_open
    from agentdb.claim as k
    where k.agent_id = a.agent_id
      and k.claimed_at > clock_timestamp() - interval '1 day'
  ) as c;

comment on view agentdb.agent_board is
  'The numbers of each agent, as of the last roll-up: what it uses against what is '
  'normal, holds and claims.';
comment on column agentdb.agent_board.agent_name is
  'The agent.';
comment on column agentdb.agent_board.open_runs is
  'How many of its 50 newest runs are open.';
comment on column agentdb.agent_board.last_progress_at is
  'When one of these last reached a step.';
comment on column agentdb.agent_board.tokens_hour is
  'Weighted tokens of this half hour and the one before it.';
comment on column agentdb.agent_board.normal_hour is
  'What it uses at most in an hour where all is well; NULL until that is known.';
comment on column agentdb.agent_board.half_hours is
  'Weighted tokens of the last 48 half hours, this one last.';
comment on column agentdb.agent_board.cost_today is
  'What its model calls cost since midnight UTC, as far as anybody knows.';
comment on column agentdb.agent_board.locks_held is
  'Locks and slots that it holds, stale ones too.';
comment on column agentdb.agent_board.claims_verified is
  'Claims of the last day that were found to be true.';
comment on column agentdb.agent_board.claims_refuted is
  'Claims of the last day that were found not to be.';
comment on column agentdb.agent_board.claims_open is
  'Claims of the last day that nobody could decide yet.';
comment on column agentdb.agent_board.learned is
  'How far it is known what is usual for it, such as learning, 3 of 7 days.';


create or replace view agentdb.lock_wait as
  select
    w.lock_name, a.agent_name as waiting_agent, w.run_id as waiting_run_id,
    w.since_at, w.until_at, h.agent_name as holding_agent,
    l.run_id as holding_run_id, nullif(l.slot, 0) as slot
  from agentdb.lock_waiter as w
  join agentdb.agent as a on a.agent_id = w.agent_id
  left join agentdb.lock as l on l.lock_name = w.lock_name and l.run_id is not null
  left join agentdb.agent as h on h.agent_id = l.agent_id
  where w.until_at > clock_timestamp();

comment on view agentdb.lock_wait is
  'Who waits for whom: a row for each run that waits and each holder of what it wants.';
comment on column agentdb.lock_wait.lock_name is
  'The lock that is waited for.';
comment on column agentdb.lock_wait.waiting_agent is
  'Who waits.';
comment on column agentdb.lock_wait.waiting_run_id is
  'In which run.';
comment on column agentdb.lock_wait.since_at is
  'Since when.';
comment on column agentdb.lock_wait.until_at is
  'When it gives up, unless it says so again.';
comment on column agentdb.lock_wait.holding_agent is
  'Who holds it.';
comment on column agentdb.lock_wait.holding_run_id is
  'In which run; NULL where it is free by now.';
comment on column agentdb.lock_wait.slot is
  'The slot of a semaphore; NULL for a lock.';
