-- The rule about locks that ran out unreleased and went to another run.

-- What the former holder did after its time was over is what whoever has the lock now
-- does not expect.
create or replace function agentdb.rule_lock_taken_over (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('lock', h.lock_name, 'agent', a.agent_name,
      'run', h.run_id::text),
    extract(epoch from h.recorded_at - h.expires_at)::double precision,
    jsonb_strip_nulls(jsonb_build_object(
      'summary', format(
        'lock %s of run %s of %s expired at %s unreleased and was taken over at %s%s; '
          'since then run %s made %s and wrote %s', h.lock_name, h.run_id, a.agent_name,
        agentdb._utc(h.expires_at), agentdb._utc(h.recorded_at),
        format(' by run %s of %s', n.run_id, n.agent_name), h.run_id,
        agentdb._how_many(d.calls, 'call'), agentdb._how_many(d.rows, 'audited row')),
      'severity', case when d.rows > 0 then 'critical' else 'warning' end,
      'policy', p.policy_name,
      'threshold', 0,
      'fence', h.fence,
      'successor', n.run_id::text,
      'calls_after', d.calls,
      'rows_after', d.rows
    ))
  from (
    -- A run may lose a lock more than once: the last time counts.
    select distinct on (l.lock_name, l.run_id)
      l.lock_name, l.slot, l.fence, l.agent_id, l.run_id, l.recorded_at, l.expires_at
    from agentdb.lock_log as l
    where l.outcome = 'taken_over'
      and l.recorded_at > l.expires_at
      and l.recorded_at <= as_of
      and l.recorded_at > as_of - (
        select max(w.lock_taken_over_window) from agentdb.policy as w)
    order by l.lock_name, l.run_id, l.recorded_at desc
  ) as h
  join agentdb.agent as a on a.agent_id = h.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  left join lateral (
    select s.run_id, g.agent_name
    from (
      select l.run_id, l.agent_id, l.fence from agentdb.lock as l
      where l.lock_name = h.lock_name and l.run_id is not null
      union all
      select g.run_id, g.agent_id, g.fence from agentdb.lock_log as g
      where g.lock_name = h.lock_name and g.recorded_at > h.recorded_at
    ) as s
    join agentdb.agent as g on g.agent_id = s.agent_id
    where s.fence > h.fence
    order by s.fence
    limit 1
  ) as n on true
  cross join lateral (
    select
      (select count(*) from agentdb.tool_call_log as c
        where c.run_id = h.run_id
          and c.recorded_at > h.expires_at and c.recorded_at <= as_of) as calls,
      (select count(*) from agentdb.audit_log as w
        where w.run_id = h.run_id and w.change_id is null
          and w.recorded_at > h.expires_at and w.recorded_at <= as_of) as rows
  ) as d
  where n.run_id is distinct from h.run_id
    and h.recorded_at > as_of - p.lock_taken_over_window;
end;

comment on function agentdb.rule_lock_taken_over (timestamptz) is
  'Locks that expired unreleased and were taken by another run within '
  'policy.lock_taken_over_window; critical where the former holder has written since.';


create or replace view agentdb.lock_taken_over as
  select r.labels, r.value, r.annotations
  from agentdb.rule_lock_taken_over(statement_timestamp()) as r;

comment on view agentdb.lock_taken_over is
  'Rule: locks that ran out unreleased and were taken over, and what their former '
  'holders did after.';

select agentdb._declare_rule(
  rule_name => 'lock_taken_over',
  severity => 'warning',
  health => 'blocked',
  why => 'Two runs that both believe to hold a lock do the same work twice.',
  evidence => $$
    select l.at, l.what, l.detail
    from (
      select c.recorded_at as at, 'call of ' || c.tool as what, c.error as detail
      from agentdb.tool_call_log as c
      where c.run_id = (:labels ->> 'run')::bigint
      union all
      select w.recorded_at, w.operation || ' of ' || t.table_name, w.row_key::text
      from agentdb.audit_log as w
      join agentdb.audit_target as t on t.audit_target_id = w.audit_target_id
      where w.run_id = (:labels ->> 'run')::bigint
    ) as l
    where l.at <= :at
      and l.at > (
        select max(h.expires_at) from agentdb.lock_log as h
        where h.lock_name = :labels ->> 'lock'
          and h.run_id = (:labels ->> 'run')::bigint
          and h.outcome = 'taken_over')
    order by l.at desc
    limit 10
  $$,
  ends_when => 'policy.lock_taken_over_window is over',
  remedy => $$
    See whether both have done the same; stop the former holder if it goes on, and give
    the lock a longer ttl or have it renewed.
    agentdb timeline {run}
    agentdb kill {run} --reason …
    agentdb undo {run} --dry-run
  $$
);
