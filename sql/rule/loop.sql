-- Silent loops: an agent that does the same again and gets nowhere.  Only the calls
-- since the last evidence count, so that 2,400 inserts are no loop while their rows
-- are audited, nor polling while its results change.

create or replace function agentdb._call_since (as_of timestamptz)
  returns table (
    run_id bigint, policy_name text, tool_call_log_id bigint, place bigint, tool text,
    recorded_at timestamptz, ok boolean, call bigint, shape bigint, result bigint,
    known boolean, large boolean, poll boolean, effect boolean, limited boolean
  )
  language sql
  stable
begin atomic
  with tail as (
    select l.run_id, count(*) as calls
    from agentdb._uncounted_tool_calls() as l
    group by l.run_id
  )
  select
    w.run_id, p.policy_name, l.tool_call_log_id, l.place, l.tool, l.recorded_at, l.ok,
    -- Calls whose arguments nobody told are not known to be the same.
    coalesce(l.call_signature, -l.tool_call_log_id),
    coalesce(l.shape_signature, -l.tool_call_log_id),
    coalesce(l.result_signature, l.result_size, -1), l.result_signature is not null,
    l.ok and coalesce(l.result_size, 0) >= p.silent_loop_result_size,
    coalesce(t.poll, false), coalesce(t.effect, false),
    agentdb._is_rate_limited(l.ok, l.error)
  from agentdb._working_run(as_of) as w
  join agentdb.agent as a on a.agent_id = w.agent_id
  join agentdb.policy as p
    on p.policy_name = a.policy_name
    and p.silent_loop_window is not null
  left join agentdb.run_activity as v on v.run_id = w.run_id
  left join tail as n on n.run_id = w.run_id
  cross join lateral (
    select
      c.tool_call_log_id, c.recorded_at, c.tool, c.ok, c.result_size, c.call_signature,
      c.shape_signature, c.result_signature, c.error,
      row_number() over (order by c.tool_call_log_id desc) as place
    from agentdb.tool_call_log as c
    where c.run_id = w.run_id
      and c.recorded_at > as_of - p.silent_loop_window
      and c.recorded_at <= as_of
    order by c.tool_call_log_id desc
    limit p.silent_loop_calls
  ) as l
  left join agentdb.tool as t on t.tool_name = l.tool
  -- Most runs have done too little since their last evidence to be looked at.
  where (coalesce(v.calls_since, 0) + coalesce(n.calls, 0)
        >= least(p.silent_loop_same, p.silent_loop_failures)
      or greatest(v.last_tool_call_at, v.evidence_at) > as_of)
    -- Not within: it would look through all that came before.
    and l.recorded_at > w.since;
end;

comment on function agentdb._call_since (timestamptz) is
  'The calls of each working run since its last evidence, place 1 the latest, where '
  'they are enough to be a loop.';


-- Each pattern is a kind of loop; one run may show several.
create or replace function agentdb._loop_pattern (as_of timestamptz)
  returns table (
    run_id bigint, pattern text, count bigint, tool text, critical boolean,
    threshold bigint, setting text, since timestamptz, until timestamptz, calls bigint[]
  )
  language sql
  stable
begin atomic
  with call as materialized (
    select
      c.*, min(c.place) filter (where c.ok) over (
        partition by c.run_id, c.tool) as tool_ok,
      min(c.place) filter (where c.ok) over (
        partition by c.run_id, c.call) as call_ok,
      -- What was tried in between changed the answer: that is edit and test, no loop.
      c.place + 1 < lag(c.place) over (partition by c.run_id, c.call
          order by c.place desc)
        and c.place = max(c.place) over (
          partition by c.run_id, c.call, c.result) as fresh
    from agentdb._call_since(as_of) as c
  ),
  kind as materialized (
    select
      c.run_id, c.policy_name, c.call, c.result, c.ok, min(c.tool) as tool,
      min(c.shape) as shape, count(*) as count, bool_and(c.known) as known,
      -- Whoever is told to come back later polls, and knows it.
      bool_and(c.large) as large, bool_or(c.poll or c.limited) as poll,
      bool_or(c.effect) as effect,
      min(c.recorded_at) as since, max(c.recorded_at) as until,
      (array_agg(c.tool_call_log_id))[1:10] as calls,
      count(*) over (partition by c.run_id) as kinds
    from call as c
    -- That a call failed is over once it has succeeded.
    where c.ok or coalesce(c.place < c.call_ok, true)
    group by c.run_id, c.policy_name, c.call, c.result, c.ok
  )
  select
    k.run_id, 'the same call with the same result', k.count, k.tool,
    k.count >= case when k.poll
      then p.silent_loop_poll_critical else p.silent_loop_same_critical end,
    case when k.poll then p.silent_loop_poll else p.silent_loop_same end,
    case when k.poll then 'silent_loop_poll' else 'silent_loop_same' end, k.since,
    k.until, k.calls
  from kind as k
  join agentdb.policy as p on p.policy_name = k.policy_name
  where k.count
    >= case when k.poll then p.silent_loop_poll else p.silent_loop_same end
  union all
  select
    f.run_id, 'the same call failing', f.count, f.tool,
    f.count >= case when f.poll then p.silent_loop_poll_critical
      else p.silent_loop_failures_critical end,
    case when f.poll then p.silent_loop_poll else p.silent_loop_failures end,
    case when f.poll then 'silent_loop_poll' else 'silent_loop_failures' end,
    f.since, f.until, f.calls
  from (
    select
      c.run_id, c.policy_name, min(c.tool) as tool, bool_and(c.limited) as poll,
      count(*) filter (where c.fresh is not true) as count,
      min(c.recorded_at) as since, max(c.recorded_at) as until,
      (array_agg(c.tool_call_log_id order by c.place))[1:10] as calls
    from call as c
    where not c.ok
      and coalesce(c.place < c.call_ok, true)
    group by c.run_id, c.call, c.policy_name
  ) as f
  join agentdb.policy as p on p.policy_name = f.policy_name
  where f.count
    >= case when f.poll then p.silent_loop_poll else p.silent_loop_failures end
  union all
  select
    c.run_id, 'a tool failing whatever the arguments', count(*), c.tool,
    count(*) >= p.silent_loop_failures_critical, p.silent_loop_failures,
    'silent_loop_failures', min(c.recorded_at), max(c.recorded_at),
    (array_agg(c.tool_call_log_id order by c.place))[1:10]
  from call as c
  join agentdb.policy as p on p.policy_name = c.policy_name
  where not c.ok
    and not c.limited
    and coalesce(c.place < c.tool_ok, true)
  group by c.run_id, c.tool, p.policy_name
  having count(*) >= p.silent_loop_failures and count(distinct c.call) > 1
  union all
  select
    k.run_id, 'the same result whatever the arguments', sum(k.count)::bigint, k.tool,
    false, p.silent_loop_results, 'silent_loop_results', min(k.since),
    max(k.until), array_agg(k.calls[1])
  from kind as k
  join agentdb.policy as p on p.policy_name = k.policy_name
  where k.known and k.large and not k.poll and not k.effect
  group by k.run_id, k.tool, k.result, p.policy_name
  having count(*) >= p.silent_loop_results
  union all
  select
    k.run_id, 'the same call but for numbers and ids', sum(k.count)::bigint, k.tool,
    false, p.silent_loop_cosmetic, 'silent_loop_cosmetic', min(k.since),
    max(k.until), array_agg(k.calls[1])
  from kind as k
  join agentdb.policy as p on p.policy_name = k.policy_name
  where k.known and not k.poll and not k.effect
  group by k.run_id, k.tool, k.shape, k.result, p.policy_name
  having sum(k.count) >= p.silent_loop_cosmetic
    and count(*) > 1
    -- Between edits that say "applied" other calls bring something new.
    and max(k.kinds) - count(*) <= p.silent_loop_diversity * sum(k.count)
  union all
  select
    k.run_id, 'hardly a call that is new', sum(k.count)::bigint,
    string_agg(distinct k.tool, ', '), true, p.silent_loop_diversity_calls,
    'silent_loop_diversity_calls', min(k.since), max(k.until), array_agg(k.calls[1])
  from kind as k
  join agentdb.policy as p on p.policy_name = k.policy_name
  where not k.poll
  group by k.run_id, p.policy_name
  having sum(k.count) >= p.silent_loop_diversity_calls
    and count(*) <= p.silent_loop_diversity * sum(k.count)
  union all
  select
    c.run_id, format('a cycle of %s calls', c.period), c.laps,
    string_agg(distinct c.tool, ', '), false, c.laps, 'silent_loop_laps',
    min(d.recorded_at), max(c.recorded_at),
    array_agg(c.tool_call_log_id order by c.place)
  from (
    select c.*, b.period, p.silent_loop_laps as laps
    from call as c
    join agentdb.policy as p on p.policy_name = c.policy_name
    cross join generate_series(2, 6) as b (period)
    where c.place <= b.period * (p.silent_loop_laps - 1)
      -- In a cycle each call comes back in every lap: most runs need no further look.
      and c.run_id in (select k.run_id from kind as k where k.count >= 2)
    -- First each call's place a lap before, else every two calls of a run are compared.
    offset 0
  ) as c
  join call as d
    on d.run_id = c.run_id
    and d.place = c.place + c.period
    and (d.call, d.result, d.ok) = (c.call, c.result, c.ok)
  group by c.run_id, c.period, c.laps
  having count(*) = c.period * (c.laps - 1)
    and count(distinct c.call) > 1
    and not bool_and(c.poll);
end;

comment on function agentdb._loop_pattern (timestamptz) is
  'Patterns of repetition in the calls of working runs since their last evidence.';


create or replace function agentdb.rule_silent_loop (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select distinct on (f.run_id)
    jsonb_build_object('agent', a.agent_name, 'run', r.run_id::text),
    f.count::double precision,
    jsonb_build_object(
      'summary', format('run %s of %s is stuck in a loop: %s, %s times in %s%s',
        r.run_id, a.agent_name, f.pattern, f.count, agentdb._within(f.since, f.until),
        ' (' || left(f.tool, 200) || ')'),
      'severity', case when bool_or(f.critical) over (partition by f.run_id)
        then 'critical' else 'warning' end,
      'pattern', f.pattern,
      'policy', a.policy_name,
      'setting', f.setting,
      'threshold', f.threshold,
      'since', f.since,
      'calls', f.calls,
      -- Where the tool fails, that is what others may know better.
      'tool', case when f.pattern like '%failing%' then f.tool end
    )
  from (
    select * from agentdb._loop_pattern(as_of)
    union all
    select
      t.run_id, 'model calls without a tool call', t.count, null, false,
      p.silent_loop_model_calls, 'silent_loop_model_calls', t.since, t.until, null
    from agentdb._idle_thought(as_of) as t
    join agentdb.run as r on r.run_id = t.run_id
    join agentdb.agent as a on a.agent_id = r.agent_id
    join agentdb.policy as p on p.policy_name = a.policy_name
  ) as f
  join agentdb.run as r on r.run_id = f.run_id
  join agentdb.agent as a on a.agent_id = r.agent_id
  -- The most telling pattern speaks for the run, as loud as the worst of them.
  order by f.run_id, f.setting = 'silent_loop_diversity_calls',
    f.setting <> 'silent_loop_laps', f.critical desc, f.count desc, f.pattern;
end;

comment on function agentdb.rule_silent_loop (timestamptz) is
  'Working runs whose calls since their last evidence repeat themselves, by the '
  'thresholds policy.silent_loop_*.';


create or replace view agentdb.silent_loop as
  select r.labels, r.value, r.annotations
  from agentdb.rule_silent_loop(statement_timestamp()) as r;

comment on view agentdb.silent_loop is
  'Rule: runs that do the same again and again and reach nothing.';

select agentdb._declare_rule(
  rule_name => 'silent_loop',
  severity => 'warning',
  health => 'looping',
  why => 'The same again and again, and nothing comes of it: it ends when somebody '
          'ends it.',
  evidence => $$
    select l.recorded_at, l.tool, l.ok, l.result_size, l.error, l.args
    from agentdb.tool_call_log as l
    where l.run_id = (:labels ->> 'run')::bigint
      and l.tool_call_log_id = any (:calls)
    union all
    (select t.recorded_at, '(model call)', true, t.output_tokens, null, null
      from agentdb.token_log as t
      where t.run_id = (:labels ->> 'run')::bigint and t.recorded_at <= :at
        and cardinality(:calls) = 0 order by 1 desc limit 10)
    order by 1 desc
  $$,
  ends_when => 'run {run} logs a new step or makes an audited write, its failing call '
                'succeeds, or it ends',
  remedy => $$
    See what it repeats; if nothing new will come of it, stop the run.
    agentdb timeline {run}
    agentdb kill {run} --reason …
  $$,
  ends_with_run => true,
  keep_firing => '2 minutes'
);
