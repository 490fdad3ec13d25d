-- What an agent is told of its budgets.

create or replace function agentdb._budget_advice (scope text)
  returns text
  language sql
  immutable
  return case scope
    when 'conversation' then 'Begin a new conversation with a summary of this one, or '
      'read less: grep or head before whole files.'
    when 'run' then 'End this run; what is left is for another.'
    when 'tree' then 'This run and those that it was started with have used up what '
      'they may use together: start no other, and end with what is done.'
    else 'The agent''s budget of the day is used up: end the run and go on tomorrow, '
      'or have it raised: select * from agentdb.ask_human(question => ''…'');'
  end;

comment on function agentdb._budget_advice (text) is
  'What to do when a budget does not suffice.';


-- What is set aside is as good as used.
create or replace function agentdb._low_advice (
  scope text,
  max_tokens bigint,
  tokens_left bigint,
  low_share double precision,
  nearly_share double precision
)
  returns text
  language sql
  immutable
  return case when max_tokens - tokens_left >= max_tokens * low_share then format(
    'The %s is %s: %s of %s tokens are left.',
    case scope when 'agent_day' then 'budget of the agent for today'
      when 'tree' then 'budget of this run''s tree' else 'budget of this ' || scope end,
    case when max_tokens - tokens_left >= max_tokens * nearly_share
      then 'nearly spent' else 'running low' end,
    tokens_left, max_tokens)
  end;

comment on function agentdb._low_advice (
  text, bigint, bigint, double precision, double precision) is
  'What an agent is told of a budget that runs low; NULL where it does not.';


-- Not spent, only set aside: a shorter prompt or a new conversation would not help as
-- long as nobody settles.
create or replace function agentdb._reserved_advice (
  run bigint,
  agent bigint,
  conversation text,
  scope text
)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select case when _reserved_advice.scope = 'tree' then format('%s tokens are only '
      'reserved, by prompts of the tree of this run that are not settled: settle its '
      'own, or wait for the others and try again.', (
        select v.tokens
        from agentdb._root_of(run) as f
        cross join lateral agentdb._reserved(run, agent, conversation, f.run_id) as v
        where v.scope = 'tree'))
  else (
  select format('%s tokens are only reserved, by %s prompts that are not settled, the '
      'largest until %s: settle what was answered or cancelled (select * from '
      'agentdb.settle_tokens(reservation => %s, input => …, output => …, run => %s);), '
      'or wait for the others.',
    sum(v.tokens), count(*),
    agentdb._utc((array_agg(v.expires_at order by v.tokens desc))[1]),
    (array_agg(v.token_reservation_id order by v.tokens desc))[1],
    (array_agg(v.run_id order by v.tokens desc))[1])
  from agentdb.token_reservation as v
  where v.agent_id = agent
    and v.settled_at is null
    and v.expires_at > clock_timestamp()
    and case _reserved_advice.scope
      when 'run' then v.run_id = run
      when 'conversation' then v.conversation = _reserved_advice.conversation
      else true
    end)
  end;
$$;

comment on function agentdb._reserved_advice (bigint, bigint, text, text) is
  'What to do when only reservations that are not settled keep a budget from being '
  'enough.';
