-- The rule about a run that wipes in pieces: each statement is small, the sum is not.

create or replace function agentdb.rule_wide_run (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', w.agent_name, 'run', w.run_id::text),
    w.rows::double precision,
    jsonb_build_object(
      'summary', format('%s; %s rows are a lot for one run', w.told, p.wide_run_rows),
      'severity', case when w.rows > 2.5 * p.wide_run_rows then 'critical'
        else 'warning' end,
      'policy', p.policy_name,
      'setting', 'wide_run_rows',
      'threshold', p.wide_run_rows,
      'removed', w.removed,
      'statements', w.statements
    )
  from agentdb._run_breadth(as_of) as w
  join agentdb.policy as p on p.policy_name = w.policy_name
  where w.rows > p.wide_run_rows;
end;

comment on function agentdb.rule_wide_run (timestamptz) is
  'Runs that updated, deleted or truncated more than policy.wide_run_rows rows of '
  'audited tables within policy.blast_radius_window, whatever their statements; '
  'critical from two and a half times as many.';


create or replace view agentdb.wide_run as
  select r.labels, r.value, r.annotations
  from agentdb.rule_wide_run(statement_timestamp()) as r;

comment on view agentdb.wide_run is
  'Rule: runs that change or remove very many rows, in however small pieces.';

select agentdb._declare_rule(
  rule_name => 'wide_run',
  severity => 'warning',
  health => 'harmful',
  why => 'Whoever empties a table 500 rows at a time has emptied it all the same.',
  evidence => $$
    select t.table_name, l.operation, count(*) as rows,
      count(distinct l.statement) as statements, min(l.recorded_at) as first_at,
      max(l.recorded_at) as last_at
    from agentdb.audit_log as l
    join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
    where l.run_id is not distinct from (:labels ->> 'run')::bigint
      and l.operation in ('update', 'delete', 'truncate')
      and l.recorded_at > :at - interval '1 day'
      and l.recorded_at <= :at
    group by t.table_name, l.operation
    order by rows desc
    limit 10
  $$,
  ends_when => 'fewer rows are left in policy.blast_radius_window',
  remedy => $$
    See what it changed.  If it is meant, raise policy.wide_run_rows for its agent;
    else stop it and take it back.
    agentdb timeline {run}
    agentdb kill {run} --reason …
    agentdb undo {run} --dry-run
  $$
);
