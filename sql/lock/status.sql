-- What there is to see of locks: as they are now, and every tenure there has been.

create or replace view agentdb.lock_status as
  select
    l.lock_name, l.slot,
    case
      when l.run_id is null and v.live then 'cooling'
      when l.run_id is null then 'free'
      when v.live then 'held'
      else 'stale'
    end as state,
    r.label as holder,
    l.run_id, l.fence,
    case when l.run_id is not null then l.acquired_at end as acquired_at,
    case when l.run_id is not null then v.now - l.acquired_at end as held_for,
    case when l.run_id is not null or v.live then l.expires_at end as expires_at,
    case when l.run_id is not null or v.live then l.expires_at - v.now end as time_left,
    l.renewals,
    (
      select count(*) from agentdb.lock_waiter as w
      where w.lock_name = l.lock_name and w.until_at > v.now
    ) as waiting,
    (
      select coalesce(sum(d.denials), 0)::bigint from agentdb.lock_denial as d
      where d.lock_name = l.lock_name and d.last_at >= l.acquired_at
    ) as denied_since,
    l.run_id is not null and l.release_on_disconnect as release_on_disconnect
  from agentdb.lock as l
  left join agentdb.run as r on r.run_id = l.run_id
  cross join lateral (
    select clock_timestamp() as now
    offset 0
  ) as c
  cross join lateral (
    select c.now, agentdb._is_live(l.expires_at, l.renewed_at, c.now) as live
  ) as v;

comment on view agentdb.lock_status is
  'Each lock, and each slot of a semaphore: free, held, cooling or stale.';

comment on column agentdb.lock_status.lock_name is
  'The lock.';
comment on column agentdb.lock_status.slot is
  'The slot of a semaphore, from 1; 0 for a lock.';
comment on column agentdb.lock_status.state is
  'free, held, cooling (released, and kept from being taken), stale (expired and not '
  'released: anybody can take it).';
comment on column agentdb.lock_status.holder is
  'Who holds it, or held it when it expired.';
comment on column agentdb.lock_status.run_id is
  'The holder''s run.';
comment on column agentdb.lock_status.fence is
  'The number of the present or last tenure; it only grows.';
comment on column agentdb.lock_status.acquired_at is
  'When the holder took it.';
comment on column agentdb.lock_status.held_for is
  'How long ago that was.';
comment on column agentdb.lock_status.expires_at is
  'When it ends unless it is renewed.';
comment on column agentdb.lock_status.time_left is
  'How long until then; negative once it is stale.';
comment on column agentdb.lock_status.renewals is
  'How often the holder renewed it.';
comment on column agentdb.lock_status.waiting is
  'How many runs wait for it.';
comment on column agentdb.lock_status.denied_since is
  'Attempts that were denied since it was last acquired, at most one counted a second '
  'and run.';
comment on column agentdb.lock_status.release_on_disconnect is
  'Whether others may take it as soon as the holder''s sessions are gone.';


create or replace view agentdb.lock_history as
  select
    t.lock_name, t.slot, t.fence, a.agent_name, t.run_id, t.acquired_at, t.ended_at,
    coalesce(t.ended_at, clock_timestamp()) - t.acquired_at as held_for,
    t.expires_at, t.renewals, t.outcome, t.ended_by, t.reason
  from (
    select l.lock_name, l.slot, l.fence, l.agent_id, l.run_id, l.acquired_at,
      l.recorded_at as ended_at, l.expires_at, l.renewals, l.outcome, l.ended_by,
      l.reason
    from agentdb.lock_log as l
    union all
    select l.lock_name, l.slot, l.fence, l.agent_id, l.run_id, l.acquired_at,
      null, l.expires_at, l.renewals, null, null, null
    from agentdb.lock as l
    where l.run_id is not null
  ) as t
  left join agentdb.agent as a on a.agent_id = t.agent_id;

comment on view agentdb.lock_history is
  'Each time a run held a lock: since when, until when, and how it ended.';

comment on column agentdb.lock_history.lock_name is
  'The lock.';
comment on column agentdb.lock_history.slot is
  'The slot of a semaphore, from 1; 0 for a lock.';
comment on column agentdb.lock_history.fence is
  'The number of this tenure; a later one has a greater.';
comment on column agentdb.lock_history.agent_name is
  'Who held it.';
comment on column agentdb.lock_history.run_id is
  'In which run.';
comment on column agentdb.lock_history.acquired_at is
  'Since when.';
comment on column agentdb.lock_history.ended_at is
  'Until when; NULL for the present holder.';
comment on column agentdb.lock_history.held_for is
  'How long.';
comment on column agentdb.lock_history.expires_at is
  'When its time was, or will be, up.';
comment on column agentdb.lock_history.renewals is
  'How often it was renewed.';
comment on column agentdb.lock_history.outcome is
  'released, taken_over, expired, run_ended, abandoned, crashed, replaced, killed, '
  'forced; edited or deleted if a hand did it; NULL for the present holder.';
comment on column agentdb.lock_history.ended_by is
  'The login role that ended it.';
comment on column agentdb.lock_history.reason is
  'Why an operator ended it.';
