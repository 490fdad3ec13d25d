-- Which runs have lately said or written something, and where the two disagree.

create or replace function agentdb._declared_tables (agent bigint)
  returns text
  language sql
  stable
begin atomic
  select string_agg(distinct w.item ->> 'table', ', ' order by w.item ->> 'table')
  from agentdb.agent_tool as g
  join agentdb.tool as t on t.tool_name = g.tool_name
  cross join lateral jsonb_array_elements(t.writes) as w (item)
  where g.agent_id = agent;
end;

comment on function agentdb._declared_tables (bigint) is
  'The tables that the tools of an agent are registered to write, NULL for none.';


-- Those that logged something, and those that wrote without a word.
create or replace function agentdb._recent_writer (as_of timestamptz)
  returns table (run_id bigint, agent_id bigint)
  language sql
  stable
begin atomic
  with writing as materialized (
    select t.tool_name from agentdb.tool as t where jsonb_array_length(t.writes) > 0
  ),
  telling as materialized (
    select distinct g.agent_id
    from agentdb.agent_tool as g
    join writing as w on w.tool_name = g.tool_name
  ),
  recent as materialized (
    select l.run_id, l.agent_id
    from agentdb.tool_call_log as l
    where l.recorded_at <= as_of
      and l.recorded_at > as_of - (
        select max(w.tool_diff_window) from agentdb.policy as w)
      and exists (select from writing)
    union
    select l.run_id, l.agent_id
    from agentdb.audit_log as l
    where l.recorded_at <= as_of
      and l.recorded_at > as_of - (
        select max(w.tool_diff_window) from agentdb.policy as w)
      and l.run_id is not null
      and l.change_id is null
      and l.agent_id in (select g.agent_id from telling as g)
  )
  select r.run_id, r.agent_id
  from recent as r
  where r.agent_id in (select g.agent_id from telling as g)
    or exists (
      select
      from agentdb.tool_call_log as l
      left join agentdb.tool_alias as n on n.alias = l.tool
      where l.run_id = r.run_id
        and coalesce(n.tool_name, l.tool) in (select w.tool_name from writing as w));
end;

comment on function agentdb._recent_writer (timestamptz) is
  'The runs that said or wrote something within policy.tool_diff_window and of which '
  'some tool is known by what it writes: only of these more can be known.';


-- Transactions of the last seconds may still be on their way.
create or replace function agentdb._recent_diff (as_of timestamptz)
  returns table (
    agent_name text, policy_name text, run_id bigint, finding text, what text,
    count bigint, calls bigint[], outside text
  )
  language sql
  stable
begin atomic
  select a.agent_name, p.policy_name, r.run_id, d.finding,
    coalesce(d.tool, d.operation || ' of ' || d.table_name), count(*),
    (array_agg(d.tool_call_log_id order by d.tool_call_log_id desc)
      filter (where d.tool_call_log_id is not null))[1:10],
    -- A table that none of its tools writes, whatever they do to it.
    min(case when d.table_name is not null and not exists (
        select from agentdb.agent_tool as g
        join agentdb.tool as t on t.tool_name = g.tool_name
        where g.agent_id = a.agent_id
          and agentdb._writes(t.writes, d.table_name, d.operation))
      then agentdb._declared_tables(a.agent_id) end)
  from agentdb._recent_writer(as_of) as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral agentdb.tool_diff(r.run_id) as d
  where d.recorded_at <= as_of - interval '5 seconds'
    and d.recorded_at > as_of - p.tool_diff_window
  group by 1, 2, 3, 4, 5;
end;

comment on function agentdb._recent_diff (timestamptz) is
  'What tools said against what the audit has, for the runs of '
  'policy.tool_diff_window.';


create or replace function agentdb.rule_unbacked_tool_call (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', d.agent_name, 'run', d.run_id::text, 'tool', d.what),
    d.count::double precision,
    jsonb_build_object(
      'summary', format(
        '%s of %s by %s said ok and wrote nothing',
        agentdb._how_many(d.count, 'call'), d.what, d.agent_name),
      'policy', d.policy_name,
      'calls', to_jsonb(d.calls)
    )
  from agentdb._recent_diff(as_of) as d
  where d.finding = 'nothing written';
end;

comment on function agentdb.rule_unbacked_tool_call (timestamptz) is
  'Calls of writing tools within policy.tool_diff_window that returned ok without an '
  'audited row.';


create or replace view agentdb.unbacked_tool_call as
  select r.labels, r.value, r.annotations
  from agentdb.rule_unbacked_tool_call(statement_timestamp()) as r;

comment on view agentdb.unbacked_tool_call is
  'Rule: tool calls that said ok and changed nothing.';

select agentdb._declare_rule(
  rule_name => 'unbacked_tool_call',
  severity => 'critical',
  health => 'unproven',
  why => 'A tool that says ok and changes nothing makes its agent believe what is not '
          'so.',
  evidence => $$
    select d.recorded_at, d.finding, d.tool, d.tool_call_log_id
    from agentdb.tool_diff((:labels ->> 'run')::bigint) as d
    where d.finding = 'nothing written' and d.tool = :labels ->> 'tool'
    order by d.recorded_at desc
    limit 10
  $$,
  ends_when => 'no such call is left in policy.tool_diff_window',
  remedy => $$
    The tool reported success and wrote nothing: fix {tool}, or register what it
    writes; do not trust what the run says it did.
    agentdb timeline {run}
  $$,
  group_by => '{rule,agent,run}'
);


create or replace function agentdb.rule_unannounced_write (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', d.agent_name, 'run', d.run_id::text, 'what', d.what),
    d.count::double precision,
    jsonb_build_object(
      'summary', format('%s by %s: %s, %s%s', agentdb._how_many(d.count, 'row'),
        d.agent_name, d.what, d.finding,
        '; its tools write only ' || left(d.outside, 300)),
      'policy', d.policy_name
    )
  from agentdb._recent_diff(as_of) as d
  where d.finding <> 'nothing written';
end;

comment on function agentdb.rule_unannounced_write (timestamptz) is
  'Rows within policy.tool_diff_window that no successful call of a writing tool '
  'accounts for.';


create or replace view agentdb.unannounced_write as
  select r.labels, r.value, r.annotations
  from agentdb.rule_unannounced_write(statement_timestamp()) as r;

comment on view agentdb.unannounced_write is
  'Rule: rows that an agent wrote and no tool call accounts for.';

select agentdb._declare_rule(
  rule_name => 'unannounced_write',
  severity => 'warning',
  health => 'unproven',
  why => 'A row that no call accounts for was written behind the back of whoever '
          'reads it.',
  evidence => $$
    select d.recorded_at, d.finding, d.tool, d.table_name, d.operation, d.row_key
    from agentdb.tool_diff((:labels ->> 'run')::bigint) as d
    where d.finding <> 'nothing written'
    order by d.recorded_at desc
    limit 10
  $$,
  ends_when => 'no such row is left in policy.tool_diff_window',
  remedy => $$
    Find out what wrote the rows; take them back, or log the tool that wrote them.
    agentdb audit {table} --by {run}
    agentdb timeline {run}
    agentdb undo {run} --dry-run
  $$,
  group_by => '{rule,agent,run}'
);
