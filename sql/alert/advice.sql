-- Advice: the agent is the first to be told.  What an evaluation finds is left on the
-- row of the run, which every call of the run reads anyway.

-- Of others it names nobody: what an agent is told of itself is its own.
create or replace function agentdb._found_advice ()
  returns table (run_id bigint, place integer, said text)
  language sql
  stable
begin atomic
  select r.run_id, 1, format('You repeat yourself: %s.  Do not go on with it: try '
      'another way, ask a person, or end the run.',
    rtrim(left(a.annotations ->> 'summary', 400), '.'))
  from agentdb.alert as a
  join agentdb.agent as g on g.agent_name = a.labels ->> 'agent'
  join agentdb.run as r
    on r.run_id = agentdb._labelled_run(a.labels)
    and r.agent_id = g.agent_id
  where a.rule_name = 'silent_loop' and a.state = 'firing'
  union all
  select r.run_id, 2, left(a.annotations ->> 'advice', 300)
  from agentdb.alert as a
  join agentdb.agent as g on g.agent_name = a.labels ->> 'agent'
  join agentdb.run as r
    on r.ended_at is null
    and case a.labels ->> 'scope'
      when 'tree' then r.run_id in (
        select m.run_id
        from agentdb._tree_members(agentdb._labelled_run(a.labels)) as m)
      when 'run' then r.run_id = agentdb._labelled_run(a.labels)
      when 'conversation'
        then r.agent_id = g.agent_id and r.conversation = a.labels ->> 'conversation'
      else r.agent_id = g.agent_id
    end
  where a.rule_name in ('budget_low', 'event_cap') and a.state = 'firing'
  union all
  select q.run_id, 3, format('Your question %s is not answered yet, since %s: '
    'select * from agentdb.answer_of(question => %s);', q.question_id,
    agentdb._utc(q.asked_at), q.question_id)
  from agentdb.question as q
  where q.answer is null
  union all
  select w.run_id, 3, format('You wait for lock %s, since %s; another run has it.',
    w.lock_name, agentdb._utc(w.since_at))
  from agentdb.lock_waiter as w
  where w.until_at > clock_timestamp()
  union all
  select c.run_id, 3, format('Your change %s waits for a reviewer, since %s.',
    c.change_id, agentdb._utc(c.submitted_at))
  from agentdb.change as c
  where c.state = 'pending' and c.run_id is not null;
end;

comment on function agentdb._found_advice () is
  'What there is to say to the agents of runs: what they repeat, which budget runs '
  'low, that nothing more is stored today, whom they wait for.';


-- A run that is just being written keeps what it has until the next evaluation.
create or replace function agentdb._pass_advice ()
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with found as materialized (
    select f.run_id, agentdb._clean_line(string_agg(f.said, '  ' order by f.place,
      f.said), 1000) as advice
    from agentdb._found_advice() as f
    group by f.run_id
  ),
  altered as (
    select r.run_id, f.advice
    from agentdb.run as r
    left join found as f on f.run_id = r.run_id
    where r.ended_at is null
      and r.advice is distinct from f.advice
    for no key update of r skip locked
  )
  update agentdb.run as r
  set advice = n.advice
  from altered as n
  where r.run_id = n.run_id;
$$;

comment on function agentdb._pass_advice () is
  'Leaves on the rows of open runs what their agents are to be told.';
