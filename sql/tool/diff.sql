-- What tools said against what the audit has: a call of a writing tool that returned ok
-- and wrote no row, and rows that no call of a writing tool accounts for.

create or replace function agentdb._writes (writes jsonb, relation text, operation text)
  returns boolean
  language sql
  immutable
  return exists (
    select from jsonb_array_elements(writes) as w (item)
    where w.item ->> 'table' in (relation, split_part(relation, '.', 2))
      and coalesce(w.item ->> 'operation', operation) = operation
  );

comment on function agentdb._writes (jsonb, text, text) is
  'Tells whether a tool is registered as doing this to a table.';


-- What a run wrote, and what it staged, when it did: submitted and decided later, by
-- somebody else, it is still what the call has done.
create or replace function agentdb._row_event (run bigint)
  returns table (
    recorded_at timestamptz, audit_target_id integer, operation text, row_key jsonb
  )
  language sql
  stable
begin atomic
  select a.recorded_at, a.audit_target_id, a.operation, a.row_key
  from agentdb.audit_log as a
  where a.run_id = run and a.change_id is null
  union all
  select s.staged_at, r.audit_target_id, r.operation, r.row_key
  from agentdb.change as c
  join agentdb.change_row as r on r.change_id = c.change_id
  cross join unnest(r.staged_at) as s (staged_at)
  where c.run_id = run and (c.submitted_at is not null or c.state = 'open');
end;

comment on function agentdb._row_event (bigint) is
  'The rows that a run wrote directly, and those that it staged.';


-- A row belongs to the first call that was logged after it: calls are logged when they
-- have returned.
create or replace function agentdb.tool_diff (run bigint)
  returns table (
    finding text, tool text, tool_call_log_id bigint, table_name text, operation text,
    row_key jsonb, recorded_at timestamptz
  )
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  -- A run has as many calls and rows as it likes: each is to be read once.
  set enable_nestloop = off
as $$
begin
  return query
  with call as materialized (
    select l.tool_call_log_id, l.tool, l.ok, l.recorded_at, t.writes,
      lag(l.recorded_at) over (order by l.recorded_at, l.tool_call_log_id) as former_at,
      row_number() over (order by l.recorded_at, l.tool_call_log_id) as place
    from agentdb.tool_call_log as l
    left join agentdb.tool_alias as n on n.alias = l.tool
    left join agentdb.tool as t on t.tool_name = coalesce(n.tool_name, l.tool)
    where l.run_id = run
  ),
  event as (
    select c.recorded_at, c.place, null::integer as audit_target_id,
      null::text as operation, null::jsonb as row_key
    from call as c
    union all
    select a.recorded_at, null, a.audit_target_id, a.operation, a.row_key
    from agentdb._row_event(run) as a
  ),
  deed as materialized (
    select e.recorded_at, t.table_name, e.operation, e.row_key,
      c.tool_call_log_id, c.tool, c.ok,
      coalesce(agentdb._writes(c.writes, t.table_name, e.operation), false) as covered
    from (
      select o.recorded_at, o.audit_target_id, o.operation, o.row_key,
        min(o.place) over (order by o.recorded_at desc) as place
      from event as o
    ) as e
    join agentdb.audit_target as t on t.audit_target_id = e.audit_target_id
    left join call as c on c.place = e.place
  )
  select
    case when d.covered then 'written by a call that failed'
      else 'written without a call' end,
    case when d.covered then d.tool end,
    case when d.covered then d.tool_call_log_id end,
    d.table_name, d.operation, d.row_key, d.recorded_at
  from deed as d
  where not d.covered or not d.ok
  union all
  select 'nothing written', c.tool, c.tool_call_log_id, null, null, null, c.recorded_at
  from call as c
  where c.ok
    and jsonb_array_length(c.writes) > 0
    and not exists (
      select from deed as d
      where d.tool_call_log_id = c.tool_call_log_id and d.covered
    )
    and agentdb._unrecorded(
      array(select w.item ->> 'table' from jsonb_array_elements(c.writes) as w (item)),
      coalesce(c.former_at, (select r.started_at from agentdb.run as r
        where r.run_id = tool_diff.run)), c.recorded_at) is null;
end;
$$;

comment on function agentdb.tool_diff (bigint) is
  'Calls of a run that said ok and neither wrote nor staged anything, and rows that no '
  'call accounts for; only tools that are registered with what they write count.';


create or replace function agentdb.rule_unknown_tool (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'run', f.run_id::text),
    count(*)::double precision,
    jsonb_build_object(
      'summary', format('%s made up %s: %s', a.agent_name,
        agentdb._how_many(count(*), 'call'),
        left(string_agg(distinct l.tool, ', '), 200)),
      'severity', case when count(*) >= p.unknown_tool_critical then 'critical'
        else 'warning' end,
      'policy', p.policy_name,
      'threshold', p.unknown_tool_critical,
      'calls', to_jsonb((array_agg(
        l.tool_call_log_id order by l.tool_call_log_id desc))[1:10])
    )
  from agentdb.tool_fault as f
  join agentdb.tool_call_log as l
    on l.run_id = f.run_id and l.tool_call_log_id = f.tool_call_log_id
  join agentdb.agent as a on a.agent_id = l.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where f.fault = 'unknown'
    and f.found_at <= as_of
    and f.found_at > as_of - p.unknown_tool_window
    and f.found_at > as_of - (
      select max(w.unknown_tool_window) from agentdb.policy as w
    )
  group by a.agent_name, f.run_id, p.policy_name, p.unknown_tool_critical;
end;

comment on function agentdb.rule_unknown_tool (timestamptz) is
  'Runs that called tools which their agent does not have, within '
  'policy.unknown_tool_window; critical from policy.unknown_tool_critical on.';


create or replace view agentdb.unknown_tool as
  select r.labels, r.value, r.annotations
  from agentdb.rule_unknown_tool(statement_timestamp()) as r;

comment on view agentdb.unknown_tool is
  'Rule: calls of tools that do not exist.';

select agentdb._declare_rule(
  rule_name => 'unknown_tool',
  severity => 'warning',
  health => 'lost',
  why => 'An agent that makes tools up has lost touch with what it can do.',
  evidence => $$
    select c.recorded_at, c.tool, c.detail, c.args
    from agentdb.faulty_call as c
    where c.run_id = (:labels ->> 'run')::bigint and c.fault = 'unknown'
    order by c.recorded_at desc
    limit 10
  $$,
  ends_when => 'no such call is left in policy.unknown_tool_window',
  remedy => $$
    Register the tool, or correct the list of tools in the prompt of {agent}.
    agentdb prompt {agent}
    agentdb timeline {run}
  $$
);
