-- Thinking without doing: a loop that no call shows.

-- A model that answers itself calls no tool at all.
create or replace function agentdb._idle_thought (as_of timestamptz)
  returns table (
    run_id bigint, count bigint, since timestamptz, until timestamptz
  )
  language sql
  stable
begin atomic
  with tail as (
    select l.run_id, count(*) as calls
    from agentdb._uncounted_tokens() as l
    group by l.run_id
  )
  select w.run_id, t.count, t.since, t.until
  from agentdb._working_run(as_of) as w
  join agentdb.agent as a on a.agent_id = w.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  left join agentdb.run_activity as v on v.run_id = w.run_id
  left join tail as n on n.run_id = w.run_id
  cross join lateral (
    select count(*) as count, min(l.recorded_at) as since, max(l.recorded_at) as until
    from (
      select k.recorded_at
      from agentdb.token_log as k
      where k.run_id = w.run_id
        and k.recorded_at > as_of - p.silent_loop_window
        and k.recorded_at <= as_of
      order by k.token_log_id desc
      limit greatest(p.silent_loop_calls, p.silent_loop_model_calls)
    ) as l
    where l.recorded_at > greatest(w.since, (
      select c.recorded_at
      from agentdb.tool_call_log as c
      where c.run_id = w.run_id
        and c.recorded_at between w.since and as_of
      order by c.tool_call_log_id desc
      limit 1
    ))
  ) as t
  where p.silent_loop_window is not null
    and (coalesce(v.model_calls_since, 0) + coalesce(n.calls, 0)
        >= p.silent_loop_model_calls
      or greatest(v.last_tokens_at, v.last_tool_call_at, v.evidence_at) > as_of)
    and t.count >= p.silent_loop_model_calls;
end;

comment on function agentdb._idle_thought (timestamptz) is
  'Working runs with many model calls and no tool call since their last evidence.';
