-- The rule about rights that are missing: what tools failed with, by kind, and what
-- explain_access says of it.  Only calls that failed count; one that succeeded may
-- quote whatever it has read.

create or replace function agentdb._denial (error text)
  returns text
  language sql
  immutable
  parallel safe
  return case
    when error ~* 'row[- ]level security' then 'row_security'
    when error ~ '\m42P01\M'
      or error ~ '(relation|table|view) "?[^" ]{1,130}"? does not exist'
      then 'missing_table'
    when error ~ '\m42501\M'
      or error ~ 'permission denied for [a-z ]{1,40}|must be owner of'
      then 'grant'
    when error ~ '\m(EACCES|EPERM)\M|\[Errno 13\]|: Permission denied'
      or error ~ '(^|[^[:alpha:]])Permission denied: .?/' then 'file_mode'
    when error ~* '\m(http|status|code)[^0-9a-z]{0,3}401\M|\m401 Unauthorized'
      then 'http_401'
    when error ~* '\m(http|status|code)[^0-9a-z]{0,3}403\M|\m403 Forbidden'
      then 'http_403'
  end;

comment on function agentdb._denial (text) is
  'Which right an error says is missing: grant, row_security, missing_table, '
  'file_mode, http_401 or http_403; NULL for any other error.';


create or replace function agentdb._denied_object (
  kind text,
  error text,
  args jsonb,
  tool text
)
  returns text
  language sql
  immutable
  return agentdb._clean_line(coalesce(
    case
      when kind in ('grant', 'row_security', 'missing_table') then coalesce(
        agentdb._relation_in(error), 'schema ' || agentdb._schema_in(error),
        substring(left(error, 4000) from
          '(?:denied for|owner of) ((?:function|sequence|database) [^[:space:]]+)'))
      -- The folder: that file after file in it is refused is one fault.
      when kind = 'file_mode' then regexp_replace((agentdb._paths_in(null, error)
        || agentdb._paths_in(args, null))[1], '(.)/[^/]*$', '\1')
      else substring(left(concat(error, ' ', args), 8000)
        from 'https?://([^/[:space:]"''?#]{1,200})')
    end, tool), 200);

comment on function agentdb._denied_object (text, text, jsonb, text) is
  'What a right is missing for: a table, schema, folder or host, else the tool.';


-- What it was told about is an agent's words: what is no name of a table is not asked.
create or replace function agentdb._explained (
  relation text,
  args jsonb,
  role_name name
)
  returns table (detail text, fix text)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select e.detail, e.fix
    from agentdb.explain_access(relation, coalesce(lower(substring(
      left(args::text, 8000) from '(?i)\m(insert|update|delete)\M')), 'select'),
      role_name::text) as e
    limit 3;
exception when others then
  return;
end;
$$;

comment on function agentdb._explained (text, jsonb, name) is
  'What explain_access says of a table for what a call tried; no row where it cannot '
  'be asked.';


-- The newest 300 failures of an agent: whoever fails by the thousand is told of by
-- them, and reading all would hold up the rule for everybody.
create or replace function agentdb._denied_calls (as_of timestamptz)
  returns table (
    agent_id bigint, run_id bigint, kind text, object text, denied bigint,
    first_at timestamptz, last_at timestamptz, last_error text, last_args jsonb,
    tools text, tool text, calls bigint[], place bigint, objects bigint
  )
  language sql
  stable
begin atomic
  select l.agent_id, l.run_id, k.kind, o.object, count(*),
    min(l.recorded_at), max(l.recorded_at),
    left((array_agg(l.error order by l.recorded_at desc))[1], 200),
    (array_agg(l.args order by l.recorded_at desc))[1],
    left(string_agg(distinct l.tool, ', '), 100),
    mode() within group (order by l.tool),
    (array_agg(l.tool_call_log_id order by l.recorded_at desc))[1:10],
    row_number() over (
      partition by l.run_id order by count(*) desc, max(l.recorded_at)),
    count(*) over (partition by l.run_id, k.kind)
  from (
    select l.*, row_number() over (
      partition by l.agent_id order by l.recorded_at desc) as age
    from agentdb.tool_call_log as l
    where not l.ok
      and l.recorded_at <= as_of
      and l.recorded_at > as_of - (
        select max(w.access_denied_window) from agentdb.policy as w)
  ) as l
  -- Each is read once.
  cross join lateral (select agentdb._denial(l.error) as kind offset 0) as k
  cross join lateral (
    select agentdb._denied_object(k.kind, l.error, l.args, l.tool) as object offset 0
  ) as o
  where l.age <= 300
    and k.kind is not null
  group by l.agent_id, l.run_id, k.kind, o.object;
end;

comment on function agentdb._denied_calls (timestamptz) is
  'What runs failed to get for want of a right, by kind and object.';


-- Of a run that tries everything the twenty that it tried most are enough.  What an
-- agent cannot change itself (a grant, a policy) is told at once; a name or a path that
-- was wrong once is a slip.
-- Once is how an agent finds out what it may do; it is trouble where nothing follows.
create or replace function agentdb._is_stuck_since (
  run bigint,
  call bigint,
  denied_at timestamptz,
  as_of timestamptz
)
  returns boolean
  language sql
  stable
  return denied_at <= as_of - interval '1 minute'
    and not exists (
      select
      from agentdb.tool_call_log as l
      where l.run_id = run
        and l.tool_call_log_id > call
        and l.recorded_at > denied_at
        and l.recorded_at <= as_of
        and l.ok)
    and not exists (
      select
      from agentdb.progress_log as l
      where l.run_id = run
        and l.recorded_at > denied_at
        and l.recorded_at <= as_of);

comment on function agentdb._is_stuck_since (bigint, bigint, timestamptz, timestamptz)
  is 'Whether a run got nothing done in the minute, or longer, after it was denied '
  'something.';


create or replace function agentdb.rule_access_denied (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'run', d.run_id::text, 'kind', d.kind,
      'object', d.object),
    d.denied::double precision,
    jsonb_strip_nulls(jsonb_build_object(
      'summary', format('%s may not use %s (%s): %s of %s failed within %s; %s',
        a.agent_name, concat(d.object, case when d.objects >= p.tool_errors_count
          then format(' nor %s others', d.objects - 1) end), replace(d.kind, '_', ' '),
        agentdb._how_many(d.denied, 'call'), d.tools,
        agentdb._within(d.first_at, d.last_at),
        coalesce(e.details, 'last: ' || d.last_error)),
      'policy', p.policy_name,
      'setting', 'access_denied_count',
      'threshold', p.access_denied_count,
      'fix', e.fixes,
      'error', d.last_error,
      'tool', d.tool,
      'calls', to_jsonb(d.calls)
    ))
  from agentdb._denied_calls(as_of) as d
  join agentdb.agent as a on a.agent_id = d.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral (
    select string_agg(x.detail, '; ') as details, to_jsonb(array_agg(x.fix)
      filter (where x.fix is not null)) as fixes
    from agentdb._explained(
      case when d.kind in ('grant', 'row_security', 'missing_table')
        and a.role_name <> 'agentdb_intake' then d.object end,
      d.last_args, a.role_name) as x
  ) as e
  where d.last_at > as_of - p.access_denied_window
    and d.place <= 20
    and (d.denied >= p.access_denied_count
      -- Who is refused one thing after the other, as many as are errors of a tool,
      -- looks around.
      or d.kind in ('grant', 'row_security') and (
        d.place = 1 and d.objects >= p.tool_errors_count
        or agentdb._is_stuck_since(d.run_id, d.calls[1], d.last_at, as_of)));
end;

comment on function agentdb.rule_access_denied (timestamptz) is
  'Runs whose calls failed for want of a right within policy.access_denied_window: a '
  'grant or a policy at once, what is missing or forbidden elsewhere from '
  'policy.access_denied_count on.';


create or replace view agentdb.access_denied as
  select r.labels, r.value, r.annotations
  from agentdb.rule_access_denied(statement_timestamp()) as r;

comment on view agentdb.access_denied is
  'Rule: runs that lack a right, by kind, with what gives it.';

select agentdb._declare_rule(
  rule_name => 'access_denied',
  severity => 'warning',
  health => 'failing',
  why => 'A right that is missing comes by no retry, and looks like a table that is '
          'not there.',
  evidence => $$
    select l.recorded_at, l.tool, l.error, l.args
    from agentdb.tool_call_log as l
    where l.run_id = (:labels ->> 'run')::bigint
      and not l.ok
      and agentdb._denial(l.error) = :labels ->> 'kind'
      and agentdb._denied_object(:labels ->> 'kind', l.error, l.args, l.tool)
        = :labels ->> 'object'
      and l.recorded_at <= :at
    order by l.recorded_at desc
    limit 10
  $$,
  ends_when => 'no such call is left in policy.access_denied_window',
  remedy => $$
    Grant what {agent} is meant to do, and nothing else; or tell it what it may use.
    agentdb why {agent}
    agentdb timeline {run}
  $$,
  group_by => '{rule,agent,run}',
  ends_with_run => true
);
