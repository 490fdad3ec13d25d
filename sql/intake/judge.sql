-- Judge: may an agent whose hooks ask go on?  What an answer says is read by a model,
-- which has nothing else to read.

create or replace function agentdb._stop_verdict (
  run bigint,
  agent bigint,
  out killed boolean,
  out reason text
)
  language sql
  stable
begin atomic
  with recursive above (run_id, parent_run_id) as (
    select r.run_id, r.parent_run_id from agentdb.run as r where r.run_id = run
    union
    select r.run_id, r.parent_run_id
    from above as b
    join agentdb.run as r on r.run_id = b.parent_run_id
  )
  select s.kind = 'killed', case s.kind
    when 'killed' then format('%s was killed: %s.  Stop now: do nothing more for this '
      'work, call no other tool and do not try again.  A person decides what comes '
      'next.', s.what, s.reason)
    else format('%s is paused: %s.  Do nothing now; try the same call again in a '
      'minute.', s.what, s.reason)
  end
  from (
    select 'This agent' as what, a.kind, a.reason
    from agentdb.agent_stop as a where a.agent_id = agent
    union all
    select 'This session', k.kind, k.reason
    from above as b
    join agentdb.run_stop as k on k.run_id = b.run_id
  ) as s
  order by s.kind = 'killed' desc
  limit 1;
end;

comment on function agentdb._stop_verdict (bigint, bigint) is
  'Why a run may not go on, told to its model: it, a run above it or its agent was '
  'stopped; NULL where none was.';


create or replace function agentdb._tool_verdict (agent bigint, tool text)
  returns text
  language sql
  stable
begin atomic
  select case
    when tool = any (p.denied_tools) then format('The tool %s is not allowed here '
      '(policy %s).  Reach your goal without it, or say that you cannot.', tool,
      p.policy_name)
    when p.deny_unknown_tools
      and exists (select from agentdb.agent_tool as t where t.agent_id = agent)
      and not exists (
        select from agentdb.agent_tool as t
        where t.agent_id = agent
          and t.tool_name = coalesce((select n.tool_name from agentdb.tool_alias as n
            where n.alias = tool), tool))
      then format('There is no tool %s for you.  Use one that you were given; nearest: '
        '%s.', agentdb._clean_line(tool, 200),
        coalesce(agentdb._nearest_tools(agent, tool), 'none'))
  end
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where a.agent_id = agent;
end;

comment on function agentdb._tool_verdict (bigint, text) is
  'Why an agent may not use a tool, told to its model; NULL where it may.';


create or replace function agentdb._budget_verdict (
  run bigint,
  agent bigint,
  conversation text
)
  returns text
  language sql
  stable
begin atomic
  select format('The budget of this %s is spent: %s of %s.  Stop here, and report what '
    'is done and what is left; a person may raise it.',
    case b.scope when 'agent_day' then 'agent for today' else b.scope end,
    case when b.spent >= b.max_tokens then format('%s tokens', b.spent)
      else 'cost ' || round(b.cost, 2) end,
    case when b.spent >= b.max_tokens then b.max_tokens::text
      else b.max_cost::text end)
  from agentdb._budget(run, agent, conversation) as b
  where b.spent >= b.max_tokens or b.cost >= b.max_cost
  order by b.scope
  limit 1;
end;

comment on function agentdb._budget_verdict (bigint, bigint, text) is
  'Why a run has nothing left to spend, told to its model; NULL where it has.';


-- People have been alerted to the loop, and this call is what it repeats.
create or replace function agentdb._loop_verdict (
  run bigint,
  agent_name text,
  tool text,
  args jsonb,
  same integer,
  loop_window interval
)
  returns text
  language sql
  stable
begin atomic
  select format('You are in a loop: %s with these arguments was called %s times within '
    '%s.  Do not call it like that again; do something else, or report what keeps '
    'you.', tool, c.calls, agentdb._span(loop_window))
  from (
    select count(*) as calls
    from agentdb.tool_call_log as l
    where l.run_id = run
      and l.recorded_at > clock_timestamp() - loop_window
      and l.call_signature = agentdb._call_signature(
        _loop_verdict.tool, _loop_verdict.args)
      and exists (
        select from agentdb.alert as f
        where f.rule_name in ('silent_loop', 'repeated_tool_call')
          and f.state = 'firing'
          and f.labels ->> 'agent' = _loop_verdict.agent_name
          and f.labels ->> 'run' = run::text)
  ) as c
  where c.calls >= same;
end;

comment on function agentdb._loop_verdict (bigint, text, text, jsonb, integer, interval)
  is 'Why a call would go on with a loop, told to its model; NULL where it would not.';


create or replace function agentdb.judge_call (
  agent text,
  conversation text,
  thread text default null,
  tool text default null,
  args jsonb default null
)
  returns table (
    allowed boolean, reason text, run_id bigint, over boolean, advice text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent agentdb.agent;
  v_policy agentdb.policy;
  v_conversation text := coalesce(nullif(conversation, ''), 'unnamed');
begin
  select a.* into v_agent from agentdb.agent as a where a.agent_name = agent;
  if not found then
    perform agentdb._agent_of(agent);
  end if;
  select p.* into v_policy
  from agentdb.policy as p where p.policy_name = v_agent.policy_name;
  select r.run_id, n.advice into judge_call.run_id, advice
  from (values (coalesce(thread, ''), 1), ('', 2)) as t (thread, place)
  cross join lateral agentdb._session_run_id(
    v_agent.agent_id, v_conversation, t.thread) as r
  join agentdb.run as n on n.run_id = r.run_id
  order by t.place
  limit 1;
  select s.killed, s.reason into over, reason
  from agentdb._stop_verdict(judge_call.run_id, v_agent.agent_id) as s;
  over := coalesce(over, false);
  reason := coalesce(reason, agentdb._tool_verdict(v_agent.agent_id, tool));
  if reason is not null then
    advice := null;
  else
    reason := agentdb._budget_verdict(
      judge_call.run_id, v_agent.agent_id, v_conversation);
    if reason is not null then
      perform agentdb._note_spent_budget(
        judge_call.run_id, v_agent.agent_id, v_conversation);
    end if;
  end if;
  reason := coalesce(
    reason,
    agentdb._loop_verdict(judge_call.run_id, v_agent.agent_name, tool,
      -- As it is kept, and so known again.
      agentdb._bounded_json(agentdb._unquoted(args), 65536), v_policy.silent_loop_same,
      coalesce(v_policy.silent_loop_window, '2 hours'))
  );
  allowed := reason is null;
  return next;
end;
$$;

comment on function agentdb.judge_call (text, text, text, text, jsonb) is
  'Whether an agent may make a call, and if not why, told to its model: stopped, '
  'denied by its policy, without budget, or looping; over where it was killed and has '
  'nothing more to do.  Advice is what the last evaluation has to say to the run: '
  'beside a reason it is what the reason says; raises ZA006.';
