-- Rules about what is refused by an error.  Such a refusal leaves no row: the counters
-- say who was refused what how often, and between which looks.  What it was about is
-- told by the calls that failed with its SQLSTATE, where somebody logs them.

create or replace function agentdb._refusal_state (kind text)
  returns text
  language sql
  immutable
  return case kind when 'fence' then 'ZA020' when 'approval' then 'ZA055'
    when 'guard' then 'ZA050' when 'blast' then 'ZA031' when 'stop' then 'ZA040' end;

comment on function agentdb._refusal_state (text) is
  'The SQLSTATE of a kind of refusal.';


-- The newest of the failed calls that name the SQLSTATE, or say it in its words.
create or replace function agentdb._calls_refused (
  agent bigint,
  kind text,
  since timestamptz,
  until timestamptz
)
  returns table (calls bigint[], said text, tool text)
  language sql
  stable
begin atomic
  select
    (array_agg(l.tool_call_log_id order by l.tool_call_log_id desc))[1:10],
    left((array_agg(l.error order by l.tool_call_log_id desc))[1], 200),
    mode() within group (order by l.tool)
  from agentdb.tool_call_log as l
  where l.agent_id = agent
    and not l.ok
    and l.recorded_at > since
    and l.recorded_at <= until
    and (l.error ~ ('\m' || agentdb._refusal_state(kind) || '\M')
      or l.error ~ case kind when 'fence' then 'does not hold lock'
        when 'approval' then 'may not decide change'
        when 'guard' then 'directly: it is guarded'
        when 'blast' then '(changes|change or remove) more than [0-9]+ rows'
        else 'was killed: ' end);
end;

comment on function agentdb._calls_refused (bigint, text, timestamptz, timestamptz) is
  'The failed calls of an agent that a kind of refusal ended, and what the last said.';


create or replace function agentdb._refused_agents (as_of timestamptz)
  returns table (
    kind text, agent_id bigint, agent_name text, role_name name, policy_name text,
    refused bigint, others text, told text, calls bigint[], tool text
  )
  language sql
  stable
begin atomic
  select r.kind, r.agent_id, a.agent_name, r.role_name, p.policy_name, r.refused,
    r.others,
    concat(
      format(' between %s and %s', agentdb._utc(r.since_at), agentdb._utc(r.seen_at)),
      '; some of it may be of ' || r.others,
      '; last: ' || c.said,
      case when c.said is null then '; of what is known no more: the refusal rolled it '
        'back, and no call that failed says it' end),
    c.calls, c.tool
  from (
    select f.kind, f.agent_id, coalesce(g.role_name, f.role_name) as role_name,
      sum(f.refused)::bigint as refused,
      string_agg(distinct left(f.others, 200), ', ') as others,
      min(f.since_at) as since_at, max(f.seen_at) as seen_at
    from agentdb._refusals(as_of, (
      select max(w.refusal_window) from agentdb.policy as w)) as f
    left join agentdb.agent as g on g.agent_id = f.agent_id
    join agentdb.policy as w on w.policy_name = coalesce(g.policy_name, 'default')
    where f.seen_at > as_of - w.refusal_window
    group by f.kind, f.agent_id, coalesce(g.role_name, f.role_name)
  ) as r
  left join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = coalesce(a.policy_name, 'default')
  cross join lateral agentdb._calls_refused(
    r.agent_id, r.kind, r.since_at - interval '1 minute', as_of) as c;
end;

comment on function agentdb._refused_agents (timestamptz) is
  'Who was refused by an error within policy.refusal_window before a moment, with what '
  'is known of it.';


create or replace function agentdb.rule_stale_write (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', r.agent_name),
    r.refused::double precision,
    jsonb_build_object(
      'summary', format('%s of %s to a fenced table refused, for it did not hold the '
        'lock%s', agentdb._how_many(r.refused, 'write'), r.agent_name, r.told),
      'policy', r.policy_name,
      'threshold', 0,
      'calls', to_jsonb(r.calls),
      'tool', r.tool
    )
  from agentdb._refused_agents(as_of) as r
  where r.kind = 'fence' and r.agent_name is not null;
end;

comment on function agentdb.rule_stale_write (timestamptz) is
  'Agents whose writes to fenced tables were refused within policy.refusal_window.';


create or replace view agentdb.stale_write as
  select r.labels, r.value, r.annotations
  from agentdb.rule_stale_write(statement_timestamp()) as r;

comment on view agentdb.stale_write is
  'Rule: agents that wrote a fenced table without its lock, and were refused.';

select agentdb._declare_rule(
  rule_name => 'stale_write',
  severity => 'warning',
  health => 'blocked',
  why => 'Who writes without the lock has lost it, and does not know.',
  evidence => $$
    select h.ended_at, h.lock_name, h.fence, h.run_id, h.acquired_at, h.expires_at,
      h.outcome
    from agentdb.lock_history as h
    where h.agent_name = :labels ->> 'agent'
      and h.acquired_at <= :at
    order by h.acquired_at desc
    limit 10
  $$,
  ends_when => 'nothing more is refused for policy.refusal_window',
  remedy => $$
    Nothing was written.  Have {agent} renew its lock while it works, give it a longer
    ttl, or stop the run that slept past it.
    agentdb locks
    agentdb why {agent}
  $$
);


create or replace function agentdb.rule_self_approval (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('role', r.role_name),
    sum(r.refused)::double precision,
    jsonb_build_object(
      'summary', format('role %s tried %s to decide a change of its own, and was '
        'refused%s', r.role_name,
        agentdb._how_many(sum(r.refused)::bigint, 'time'), min(r.told)),
      -- A person may have forgotten whose it was.
      'severity', case when count(r.agent_id) > 0 then 'critical' else 'warning' end,
      'policy', min(r.policy_name),
      'threshold', 0,
      'agents', jsonb_agg(r.agent_name) filter (where r.agent_name is not null)
    )
  from agentdb._refused_agents(as_of) as r
  where r.kind = 'approval' and r.role_name is not null
  group by r.role_name;
end;

comment on function agentdb.rule_self_approval (timestamptz) is
  'Roles that tried to decide a change of their own within policy.refusal_window.';


create or replace view agentdb.self_approval as
  select r.labels, r.value, r.annotations
  from agentdb.rule_self_approval(statement_timestamp()) as r;

comment on view agentdb.self_approval is
  'Rule: roles that tried to decide what they had proposed themselves.';

select agentdb._declare_rule(
  rule_name => 'self_approval',
  severity => 'warning',
  health => 'harmful',
  why => 'Who approves what it proposed tries to get around the second pair of eyes.',
  evidence => $$
    select c.change_id, c.state, c.reason, c.tables, c.row_count, c.submitted_at
    from agentdb.change_summary as c
    where c.proposed_by = :labels ->> 'role'
      and c.submitted_at <= :at
    order by c.change_id desc
    limit 10
  $$,
  ends_when => 'it is not tried again for policy.refusal_window',
  remedy => $$
    Nothing was approved.  Look at what {role} has proposed, and decide it yourself;
    take agentdb_reviewer from a role that agents use.
    agentdb changes
  $$
);


create or replace function agentdb.rule_refused_write (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', r.agent_name, 'kind', r.kind),
    r.refused::double precision,
    jsonb_build_object(
      'summary', format('%s %s%s', r.agent_name, case r.kind
          when 'guard' then format('wrote guarded tables directly %s times and was '
            'refused', r.refused)
          when 'blast' then format('was refused %s statements over too many rows',
            r.refused)
          else format('went on after it was killed: %s calls and writes refused',
            r.refused) end, r.told),
      'policy', r.policy_name,
      'setting', 'refused_write_count',
      'threshold', p.refused_write_count,
      'calls', to_jsonb(r.calls),
      'tool', r.tool
    )
  from agentdb._refused_agents(as_of) as r
  join agentdb.policy as p on p.policy_name = r.policy_name
  where r.kind in ('guard', 'blast', 'stop')
    and r.agent_name is not null
    and r.refused >= p.refused_write_count;
end;

comment on function agentdb.rule_refused_write (timestamptz) is
  'Agents of which policy.refused_write_count writes were refused by a guard, by the '
  'limit of rows or after a kill, within policy.refusal_window.';


create or replace view agentdb.refused_write as
  select r.labels, r.value, r.annotations
  from agentdb.rule_refused_write(statement_timestamp()) as r;

comment on view agentdb.refused_write is
  'Rule: agents that keep trying what the database refuses.';

select agentdb._declare_rule(
  rule_name => 'refused_write',
  severity => 'warning',
  health => 'blocked',
  why => 'Who keeps trying what is refused looks for a way around, or cannot read.',
  evidence => $$
    select f.kind, f.refused, f.since_at, f.seen_at, f.others
    from agentdb.refusal as f
    join agentdb.agent as a on a.agent_id = f.agent_id
    where a.agent_name = :labels ->> 'agent'
      and f.kind = :labels ->> 'kind'
      and f.seen_at <= :at
    order by f.refusal_id desc
    limit 10
  $$,
  ends_when => 'fewer are refused in policy.refusal_window',
  remedy => $$
    Nothing was written.  Tell {agent} how it is done (the hint of the error says it),
    or stop it.
    agentdb why {agent}
    agentdb kill {agent} --reason …
  $$
);
