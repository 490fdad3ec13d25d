-- The rule about too many rows: in one statement, or of one run within a window.

-- What a run changed and removed, over all audited tables; a TRUNCATE counts with the
-- rows that went.  New rows harm none that there are.
create or replace function agentdb._run_breadth (as_of timestamptz)
  returns table (
    agent_name text, run_id bigint, policy_name text, rows bigint, removed bigint,
    statements bigint, told text
  )
  language sql
  stable
begin atomic
  select a.agent_name, l.run_id, p.policy_name, count(*),
    count(*) filter (where l.operation in ('delete', 'truncate')),
    count(distinct l.statement),
    format('%s changed or removed %s rows of %s within %s, in %s statements',
      a.agent_name, count(*),
      left(string_agg(distinct t.table_name, ', '), 200),
      agentdb._within(min(l.recorded_at), max(l.recorded_at)),
      count(distinct l.statement))
  from agentdb.audit_log as l
  join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
  join agentdb.agent as a on a.agent_id = l.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where l.operation in ('update', 'delete', 'truncate')
    -- What was approved has been looked at.
    and l.change_id is null
    and l.recorded_at <= as_of
    and l.recorded_at > as_of - (
      select max(w.blast_radius_window) from agentdb.policy as w)
    and l.recorded_at > as_of - p.blast_radius_window
  group by a.agent_name, l.run_id, p.policy_name, p.wide_run_rows,
    p.blast_radius_window_rows
  having count(*) > least(p.wide_run_rows, p.blast_radius_window_rows);
end;

comment on function agentdb._run_breadth (timestamptz) is
  'Runs that updated, deleted or truncated more audited rows within '
  'policy.blast_radius_window than a person is to be told.';


create or replace function agentdb.rule_blast_radius (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object(
      'agent', a.agent_name, 'run', w.run_id::text, 'table', t.table_name),
    max(w.changed)::double precision,
    jsonb_build_object(
      'summary', format(
        'a %s of %s %s %s rows of %s; the limit is %s',
        case t.level when 'row' then 'transaction' else 'statement' end,
        a.agent_name,
        case (array_agg(w.operation order by w.changed desc))[1]
          when 'insert' then 'inserted' when 'update' then 'updated'
          when 'delete' then 'deleted' else 'truncated' end,
        max(w.changed), t.table_name, p.blast_radius_rows
      ),
      'policy', p.policy_name,
      'setting', 'blast_radius_rows',
      'threshold', p.blast_radius_rows
    )
  from (
    select l.agent_id, l.run_id, l.audit_target_id, l.operation, count(*) as changed,
      max(l.recorded_at) as recorded_at
    from agentdb.audit_log as l
    join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
    where l.agent_id is not null
      -- What was approved has been looked at.
      and l.change_id is null
      and l.recorded_at > as_of - interval '1 day'
      and l.recorded_at <= as_of
    group by l.agent_id, l.run_id, l.audit_target_id, l.xid, l.operation,
      case t.level when 'statement' then l.statement end
  ) as w
  join agentdb.agent as a on a.agent_id = w.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  join agentdb.audit_target as t on t.audit_target_id = w.audit_target_id
  where w.changed > p.blast_radius_rows
    and w.recorded_at > as_of - p.blast_radius_window
  group by a.agent_name, w.run_id, t.table_name, t.level, p.policy_name,
    p.blast_radius_rows
  union all
  select
    jsonb_build_object('agent', w.agent_name, 'run', w.run_id::text),
    w.rows::double precision,
    jsonb_build_object(
      'summary', format('%s; the limit is %s', w.told, p.blast_radius_window_rows),
      'policy', p.policy_name,
      'setting', 'blast_radius_window_rows',
      'threshold', p.blast_radius_window_rows,
      'removed', w.removed,
      'statements', w.statements
    )
  from agentdb._run_breadth(as_of) as w
  join agentdb.policy as p on p.policy_name = w.policy_name
  where w.rows > p.blast_radius_window_rows;
end;

comment on function agentdb.rule_blast_radius (timestamptz) is
  'Statements of agents that changed more rows of an audited table than '
  'policy.blast_radius_rows, and runs that changed or removed more than '
  'policy.blast_radius_window_rows in any number of them.';


create or replace view agentdb.blast_radius as
  select r.labels, r.value, r.annotations
  from agentdb.rule_blast_radius(statement_timestamp()) as r;

comment on view agentdb.blast_radius is
  'Rule: statements of agents that changed too many rows, and runs that did in pieces.';

select agentdb._declare_rule(
  rule_name => 'blast_radius',
  severity => 'critical',
  health => 'harmful',
  why => 'A forgotten WHERE changes every row at once; a loop does so in pieces.',
  evidence => $$
    select l.xid, l.statement, l.operation, count(*) as rows, min(l.recorded_at) as at
    from agentdb.audit_log as l
    join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
    where t.table_name = coalesce(:labels ->> 'table', t.table_name)
      and l.run_id is not distinct from (:labels ->> 'run')::bigint
      and l.recorded_at > :at - interval '1 day'
      and l.recorded_at <= :at
    group by 1, 2, 3
    order by 4 desc
    limit 10
  $$,
  ends_when => 'no such statement, or fewer rows, are left in '
    'policy.blast_radius_window',
  remedy => $$
    Stop the run if it goes on, look at what it changed, and take it back.
    agentdb kill {run} --reason …
    agentdb audit {table} --by {run}
    agentdb undo {run} --dry-run
  $$,
  group_by => '{rule,agent,run}'
);
