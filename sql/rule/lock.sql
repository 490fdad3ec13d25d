-- Rules about locks: expired and not released, held too long, fought over, in the way
-- of a schedule.

-- Tenures that lasted at a moment; those of today are the rows of the locks.
create or replace function agentdb._tenure (as_of timestamptz)
  returns table (
    lock_name text, slot integer, fence bigint, agent_id bigint, run_id bigint,
    acquired_at timestamptz, expires_at timestamptz, renewals integer
  )
  language sql
  stable
begin atomic
  select l.lock_name, l.slot, l.fence, l.agent_id, l.run_id, l.acquired_at,
    l.expires_at, l.renewals
  from agentdb.lock as l
  where l.run_id is not null and l.acquired_at <= as_of
  union all
  select h.lock_name, h.slot, h.fence, h.agent_id, h.run_id, h.acquired_at,
    h.expires_at, h.renewals
  from agentdb.lock_log as h
  where h.acquired_at <= as_of and h.recorded_at > as_of;
end;

comment on function agentdb._tenure (timestamptz) is
  'The locks that were held, or expired and not released, at a moment.';


create or replace function agentdb.rule_stale_lock (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('lock', t.lock_name, 'slot', t.slot, 'agent', a.agent_name,
      'run', t.run_id::text),
    extract(epoch from as_of - t.expires_at)::double precision,
    jsonb_build_object(
      'summary', format(
        'lock %s expired at %s and run %s of %s has not released it',
        t.lock_name, agentdb._utc(t.expires_at), t.run_id, a.agent_name
      ),
      'policy', p.policy_name,
      'threshold', 0,
      'fence', t.fence
    )
  from agentdb._tenure(as_of) as t
  join agentdb.agent as a on a.agent_id = t.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where t.expires_at <= as_of;
end;

comment on function agentdb.rule_stale_lock (timestamptz) is
  'Locks whose holder neither released nor renewed them in time.';


create or replace view agentdb.stale_lock as
  select r.labels, r.value, r.annotations
  from agentdb.rule_stale_lock(statement_timestamp()) as r;

comment on view agentdb.stale_lock is
  'Rule: locks that have expired and were not released, the sign of a crashed or '
  'hanging holder.';

select agentdb._declare_rule(
  rule_name => 'stale_lock',
  severity => 'warning',
  health => 'blocking',
  why => 'A lock that expired unreleased had a holder that crashed or hangs.',
  evidence => $$
    select h.lock_name, h.fence, h.agent_name, h.run_id, h.acquired_at, h.expires_at,
      h.renewals, h.ended_at, h.outcome
    from agentdb.lock_history as h
    where h.lock_name = :labels ->> 'lock'
    order by h.fence desc
    limit 10
  $$,
  ends_when => 'the lock is renewed, released or taken by another run',
  remedy => $$
    The holder has crashed or hangs.  Whoever wants the lock gets it; to free it now:
    agentdb lock release {lock} --reason …
    agentdb kill {run} --reason …
  $$,
  ends_with_run => true
);


create or replace function agentdb.rule_lock_held_too_long (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('lock', t.lock_name, 'slot', t.slot, 'agent', a.agent_name,
      'run', t.run_id::text),
    extract(epoch from as_of - t.acquired_at)::double precision,
    jsonb_build_object(
      'summary', format(
        'run %s of %s has held lock %s since %s and renewed it %s times; the '
          'limit is %s',
        t.run_id, a.agent_name, t.lock_name, agentdb._utc(t.acquired_at),
        t.renewals, agentdb._span(p.lock_held_too_long_after)
      ),
      'policy', p.policy_name,
      'setting', 'lock_held_too_long_after',
      'threshold', extract(epoch from p.lock_held_too_long_after),
      'fence', t.fence
    )
  from agentdb._tenure(as_of) as t
  join agentdb.agent as a on a.agent_id = t.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where t.acquired_at < as_of - p.lock_held_too_long_after;
end;

comment on function agentdb.rule_lock_held_too_long (timestamptz) is
  'Locks held for longer than policy.lock_held_too_long_after, renewals included.';


create or replace view agentdb.lock_held_too_long as
  select r.labels, r.value, r.annotations
  from agentdb.rule_lock_held_too_long(statement_timestamp()) as r;

comment on view agentdb.lock_held_too_long is
  'Rule: locks that one run keeps for too long.';

select agentdb._declare_rule(
  rule_name => 'lock_held_too_long',
  severity => 'warning',
  health => 'blocking',
  why => 'A holder that keeps renewing and never finishes keeps all others out.',
  evidence => $$
    select h.lock_name, h.fence, h.agent_name, h.run_id, h.acquired_at, h.expires_at,
      h.renewals, h.ended_at, h.outcome
    from agentdb.lock_history as h
    where h.lock_name = :labels ->> 'lock'
    order by h.fence desc
    limit 10
  $$,
  ends_when => 'run {run} gives the lock back or ends',
  remedy => $$
    If the holder is stuck, take the lock away (its writes to fenced tables fail
    from then on) or stop the run.
    agentdb timeline {run}
    agentdb lock release {lock} --reason …
    agentdb kill {run} --reason …
  $$,
  ends_with_run => true
);


create or replace function agentdb.rule_lock_contention (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('lock', d.lock_name),
    sum(d.denials)::double precision,
    jsonb_build_object(
      'summary', format(
        '%s attempts of %s runs were denied lock %s in %s', sum(d.denials),
        count(distinct d.run_id), d.lock_name,
        agentdb._within(min(d.first_at), max(d.last_at))
      ),
      'policy', min(p.policy_name),
      'setting', 'lock_contention_count',
      'threshold', min(p.lock_contention_count)
    )
  from agentdb.lock_denial as d
  join agentdb.agent as a on a.agent_id = d.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where d.first_at <= as_of
    and d.first_at > as_of - p.lock_contention_window
    -- Who stands in the queue for it asks again by and by.
    and not exists (
      select from agentdb.lock_waiter as w
      where w.lock_name = d.lock_name
        and w.run_id = d.run_id
        and w.since_at <= as_of
        and w.until_at > as_of - p.lock_contention_window)
    and d.first_at > as_of - (
      select max(w.lock_contention_window) from agentdb.policy as w
    )
  group by d.lock_name
  having sum(d.denials) >= min(p.lock_contention_count);
end;

comment on function agentdb.rule_lock_contention (timestamptz) is
  'Locks that were denied at least policy.lock_contention_count times in the window.';


create or replace view agentdb.lock_contention as
  select r.labels, r.value, r.annotations
  from agentdb.rule_lock_contention(statement_timestamp()) as r;

comment on view agentdb.lock_contention is
  'Rule: locks that many attempts do not get.';

select agentdb._declare_rule(
  rule_name => 'lock_contention',
  severity => 'warning',
  health => 'blocked',
  why => 'A lock that many do not get is held too long or too coarse.',
  evidence => $$
    select d.first_at, d.last_at, d.run_id, a.agent_name, d.denials
    from agentdb.lock_denial as d
    join agentdb.agent as a on a.agent_id = d.agent_id
    where d.lock_name = :labels ->> 'lock'
      and d.first_at <= :at
    order by d.first_at desc
    limit 10
  $$,
  ends_when => 'fewer attempts are denied in policy.lock_contention_window',
  remedy => $$
    See who holds the lock and for how long; take it away if the holder is stuck.
    agentdb locks
    agentdb lock release {lock} --reason …
  $$,
  keep_firing => '5 minutes'
);


-- Every tick that is denied ends quietly, and nothing is ever done: the silent outage.
create or replace function agentdb.rule_schedule_blocked (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'lock', d.lock_name),
    count(distinct d.run_id)::double precision,
    jsonb_build_object(
      'summary', format(
        '%s runs of %s in a row did not get lock %s, the first at %s',
        count(distinct d.run_id), a.agent_name, d.lock_name,
        agentdb._utc(min(d.first_at))
      ),
      'policy', p.policy_name,
      'setting', 'schedule_blocked_count',
      'threshold', p.schedule_blocked_count
    )
  from agentdb.lock_denial as d
  join agentdb.agent as a on a.agent_id = d.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where d.first_at <= as_of
    and d.first_at > as_of - interval '1 day'
    and not exists (
      select from agentdb.lock as l
      where l.lock_name = d.lock_name
        and l.agent_id = d.agent_id
        and l.acquired_at >= d.first_at
        and l.acquired_at <= as_of
    )
    and not exists (
      select from agentdb.lock_log as h
      where h.lock_name = d.lock_name
        and h.agent_id = d.agent_id
        and h.acquired_at >= d.first_at
        and h.acquired_at <= as_of
        and h.recorded_at >= d.first_at
        and h.recorded_at > as_of - interval '1 day'
    )
  group by a.agent_name, d.lock_name, p.policy_name, p.schedule_blocked_count
  having count(distinct d.run_id) >= p.schedule_blocked_count;
end;

comment on function agentdb.rule_schedule_blocked (timestamptz) is
  'Agents of which policy.schedule_blocked_count runs were denied a lock, and none '
  'has got it since.';


create or replace view agentdb.schedule_blocked as
  select r.labels, r.value, r.annotations
  from agentdb.rule_schedule_blocked(statement_timestamp()) as r;

comment on view agentdb.schedule_blocked is
  'Rule: agents whose ticks keep being denied a lock, so that nothing is done and '
  'nothing fails.';

select agentdb._declare_rule(
  rule_name => 'schedule_blocked',
  severity => 'critical',
  health => 'blocked',
  why => 'Ticks that do not get their lock end quietly, and nothing is ever done.',
  evidence => $$
    select s.lock_name, s.slot, s.state, s.holder, s.held_for, s.time_left, s.renewals,
      s.waiting, s.denied_since
    from agentdb.lock_status as s
    where s.lock_name = :labels ->> 'lock'
  $$,
  ends_when => 'agent {agent} gets lock {lock}',
  remedy => $$
    See who holds the lock; take it away if the holder is stuck.
    agentdb locks
    agentdb lock release {lock} --reason …
  $$
);
