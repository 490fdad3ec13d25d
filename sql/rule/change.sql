-- Rules about changes: one that nobody decides, one that runs out or has run out, one
-- that could not be applied.

create or replace function agentdb._change_policy (change bigint)
  returns agentdb.policy
  language sql
  stable
  return (
    select p
    from agentdb.change as c
    left join agentdb.agent as a on a.agent_id = c.agent_id
    join agentdb.policy as p on p.policy_name = coalesce(a.policy_name, 'default')
    where c.change_id = change
  );

comment on function agentdb._change_policy (bigint) is
  'The thresholds for a change: of its agent''s policy, or of the default one.';


create or replace function agentdb._change_labels (change bigint)
  returns jsonb
  language sql
  stable
  return (
    select jsonb_strip_nulls(jsonb_build_object('change', c.change_id::text,
      'agent', a.agent_name, 'run', c.run_id::text, 'table', (
        select case when count(*) = 1 then min(t.table_name) end
        from agentdb.change_table as t where t.change_id = c.change_id)))
    from agentdb.change as c
    left join agentdb.agent as a on a.agent_id = c.agent_id
    where c.change_id = change
  );

comment on function agentdb._change_labels (bigint) is
  'What tells one change''s alert from another''s.';


create or replace function agentdb.rule_change_waiting (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select agentdb._change_labels(c.change_id),
    extract(epoch from as_of - c.submitted_at)::double precision,
    jsonb_build_object(
      'summary', format('change %s by %s of %s has waited for %s: %s',
        c.change_id, c.proposed_by, agentdb._how_many(c.row_count, 'row'),
        agentdb._span(as_of - c.submitted_at), left(c.reason, 200)),
      'policy', p.policy_name,
      'threshold', extract(epoch from p.change_waiting_after)
    )
  from agentdb.change as c
  cross join lateral agentdb._change_policy(c.change_id) as p
  where c.submitted_at < as_of - p.change_waiting_after
    and c.expires_at > as_of
    and (c.state in ('pending', 'approved') or c.closed_at > as_of);
end;

comment on function agentdb.rule_change_waiting (timestamptz) is
  'Changes that are not decided, or approved and not applied, after '
  'policy.change_waiting_after.';


create or replace view agentdb.change_waiting as
  select r.labels, r.value, r.annotations
  from agentdb.rule_change_waiting(statement_timestamp()) as r;

comment on view agentdb.change_waiting is
  'Rule: changes that wait too long for somebody to decide.';

select agentdb._declare_rule(
  rule_name => 'change_waiting',
  severity => 'warning',
  health => 'alerting',
  why => 'An agent that waits for an approval does nothing else.',
  evidence => $$
    select c.change_id, c.state, c.reason, c.tables, c.row_count, c.submitted_at
    from agentdb.change_summary as c
    where c.change_id = (:labels ->> 'change')::bigint
  $$,
  ends_when => 'change {change} is decided, or has expired',
  remedy => $$
    Decide it, or ask somebody who may.
    agentdb change show {change}
    agentdb approve {change}
    agentdb reject {change} --reason …
  $$
);


create or replace function agentdb.rule_change_expiring (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select agentdb._change_labels(c.change_id),
    extract(epoch from c.expires_at - as_of)::double precision,
    jsonb_build_object(
      'summary', format('change %s by %s expires in %s: %s', c.change_id,
        c.proposed_by, agentdb._span(c.expires_at - as_of), left(c.reason, 200)),
      'policy', p.policy_name,
      'threshold', extract(epoch from p.change_expiring_before)
    )
  from agentdb.change as c
  cross join lateral agentdb._change_policy(c.change_id) as p
  where c.submitted_at <= as_of
    and c.expires_at > as_of
    -- What lives no longer than the warning is warned of at its half.
    and c.expires_at - as_of < least(p.change_expiring_before,
      (c.expires_at - c.submitted_at) / 2)
    and (c.state in ('pending', 'approved') or c.closed_at > as_of);
end;

comment on function agentdb.rule_change_expiring (timestamptz) is
  'Changes that end undecided within policy.change_expiring_before.';


create or replace view agentdb.change_expiring as
  select r.labels, r.value, r.annotations
  from agentdb.rule_change_expiring(statement_timestamp()) as r;

comment on view agentdb.change_expiring is
  'Rule: changes that expire soon.';

select agentdb._declare_rule(
  rule_name => 'change_expiring',
  severity => 'warning',
  health => 'alerting',
  why => 'A change that nobody decides ends undone.',
  evidence => $$
    select c.change_id, c.state, c.reason, c.tables, c.row_count, c.expires_at
    from agentdb.change_summary as c
    where c.change_id = (:labels ->> 'change')::bigint
  $$,
  ends_when => 'change {change} is decided, or has expired',
  remedy => $$
    Decide it; once it has expired it must be staged anew.
    agentdb change show {change}
    agentdb approve {change}
    agentdb reject {change} --reason …
  $$
);


create or replace function agentdb.rule_change_expired (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select agentdb._change_labels(c.change_id),
    extract(epoch from c.closed_at - c.submitted_at)::double precision,
    jsonb_build_object(
      'summary', format('change %s by %s was not %s in time and is not done: %s',
        c.change_id, c.proposed_by,
        case when c.digest is not null and c.approvals <= (
          select count(*) from agentdb.change_decision as d
          where d.change_id = c.change_id
            and d.decision = 'approve'
            and d.digest = c.digest) then 'applied' else 'decided' end,
        left(c.reason, 200)),
      'policy', p.policy_name,
      'threshold', extract(epoch from c.expires_at - c.submitted_at)
    )
  from agentdb.change as c
  cross join lateral agentdb._change_policy(c.change_id) as p
  where c.state = 'expired'
    and c.submitted_at is not null
    and c.closed_at <= as_of
    and c.closed_at > as_of - p.change_conflict_window;
end;

comment on function agentdb.rule_change_expired (timestamptz) is
  'Changes that ended undecided, or approved and not applied, within '
  'policy.change_conflict_window.';


create or replace view agentdb.change_expired as
  select r.labels, r.value, r.annotations
  from agentdb.rule_change_expired(statement_timestamp()) as r;

comment on view agentdb.change_expired is
  'Rule: changes that nobody decided in time.';

select agentdb._declare_rule(
  rule_name => 'change_expired',
  severity => 'warning',
  health => 'alerting',
  why => 'What was proposed is not done, and whoever proposed it may think that it is.',
  evidence => $$
    select c.change_id, c.proposed_by, c.reason, c.submitted_at, c.closed_at
    from agentdb.change_summary as c
    where c.change_id = (:labels ->> 'change')::bigint
  $$,
  ends_when => 'policy.change_conflict_window is over',
  remedy => $$
    If it is still wanted, stage it anew on its rows as they are now, and approve it.
    agentdb change show {change}
    agentdb change rebase {change}
  $$,
  group_by => '{rule,agent}'
);


create or replace function agentdb.rule_change_conflict (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select agentdb._change_labels(c.change_id),
    jsonb_array_length(coalesce(c.problem -> 'conflicts', '[]'))::double precision,
    jsonb_build_object(
      'summary', left(format(
        'change %s by %s was approved and could not be applied: %s', c.change_id,
        c.proposed_by,
        coalesce(agentdb._conflict_text(c.problem -> 'conflicts'),
          c.problem ->> 'message')), 500),
      'policy', p.policy_name,
      'threshold', 0
    )
  from agentdb.change as c
  cross join lateral agentdb._change_policy(c.change_id) as p
  where c.state = 'conflict'
    and c.closed_at <= as_of
    and c.closed_at > as_of - p.change_conflict_window;
end;

comment on function agentdb.rule_change_conflict (timestamptz) is
  'Changes that ended in a conflict within policy.change_conflict_window.';


create or replace view agentdb.change_conflict as
  select r.labels, r.value, r.annotations
  from agentdb.rule_change_conflict(statement_timestamp()) as r;

comment on view agentdb.change_conflict is
  'Rule: approved changes that did not fit their rows any more.';

select agentdb._declare_rule(
  rule_name => 'change_conflict',
  severity => 'critical',
  health => 'alerting',
  why => 'What was approved was not done: the rows are not what was reviewed.',
  evidence => $$
    select c.change_id, c.proposed_by, c.reason, c.closed_at, c.problem
    from agentdb.change as c where c.change_id = (:labels ->> 'change')::bigint
  $$,
  ends_when => 'policy.change_conflict_window is over',
  remedy => $$
    The rows are not what was reviewed: stage it anew, or let the agent do so.
    agentdb change show {change}
    agentdb change rebase {change}
  $$,
  group_by => '{rule,agent,table}'
);
