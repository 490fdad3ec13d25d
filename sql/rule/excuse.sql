-- Errors that are no sign that anything is wrong with a tool.

-- An error that names a parameter, or repeats what it was given, is about what was
-- asked; any other may be the tool's own.  A service that is down repeats the address
-- that it was asked for, and a missing right names the table.  Arguments of many
-- kilobytes are not searched: who sends them by the thousand would hold up the rule.
create or replace function agentdb._is_about_arguments (error text, args jsonb)
  returns boolean
  language sql
  immutable
  return case
    when pg_column_size(args) > 4000 or octet_length(args::text) > 4000
      or agentdb._error_class(error) in ('permission denied', 'timeout', 'rate limited')
      or error ~* '\m50[0-4] [a-z]|\m(http|status|code)[^0-9a-z]{0,3}5[0-9]{2}\M'
      or error ~* 'unavailable|connection|unreachable|server error|row.level security'
      then false
    else exists (
      select
      from (select left(error, 2000) as said) as e
      cross join jsonb_each_text(case jsonb_typeof(args) when 'object' then args end)
        as a
      where length(a.key) >= 4 and position(a.key in e.said) > 0
        or length(a.value) >= 6 and position(left(a.value, 30) in e.said) > 0
    )
  end;

comment on function agentdb._is_about_arguments (text, jsonb) is
  'Whether an error speaks of the arguments of its call.';


-- Of edit and test, the errors that something done in between has changed; those about
-- arguments that the agent has put right since; and of a service that asks to be called
-- later, what is still patience.
create or replace function agentdb._excused_errors (
  agent bigint,
  tool text,
  since timestamptz,
  patience integer,
  as_of timestamptz
)
  returns bigint
  language sql
  stable
begin atomic
  with call as (
    select l.tool, l.ok, l.error, l.args, l.call_signature, l.result_signature,
      row_number() over (partition by l.run_id order by l.tool_call_log_id) as place,
      l.run_id
    from agentdb.tool_call_log as l
    where l.agent_id = agent
      and l.recorded_at > since
      and l.recorded_at <= as_of
  ),
  good as (
    select c.run_id, max(c.place) as place
    from call as c
    where c.tool = _excused_errors.tool and c.ok
    group by c.run_id
  ),
  failed as (
    select agentdb._is_rate_limited(c.ok, c.error) as limited,
      -- Nothing is searched that has not been put right.
      case when c.place < g.place
        then agentdb._is_about_arguments(c.error, c.args) end as righted,
      c.place > 1 + lag(c.place) over w as tried,
      c.place = min(c.place) over (
        partition by c.run_id, c.call_signature, c.result_signature) as news
    from call as c
    left join good as g on g.run_id = c.run_id
    where c.tool = _excused_errors.tool and not c.ok
    window w as (partition by c.run_id, c.call_signature order by c.place)
  )
  select count(*) filter (where not f.limited
      and (f.tried and f.news or f.righted))
    + case when count(*) filter (where f.limited) < patience
      then count(*) filter (where f.limited) else 0 end
  from failed as f;
end;

comment on function agentdb._excused_errors (
  bigint, text, timestamptz, integer, timestamptz) is
  'How many failures of an agent''s calls of a tool are no sign that anything is wrong '
  'with it.';
