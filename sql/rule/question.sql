-- Rules about questions: that one is asked, and that nobody answers.

create or replace function agentdb._question_labels (asked agentdb.question)
  returns jsonb
  language sql
  stable
  return jsonb_build_object(
    'agent', (
      select a.agent_name from agentdb.agent as a
      where a.agent_id = (asked).agent_id),
    'run', (asked).run_id::text,
    'question', 'Q-' || (asked).question_id
  );

comment on function agentdb._question_labels (agentdb.question) is
  'What tells an alert about a question from others.';


-- In two halves, so that each finds its few rows by an index.
create or replace function agentdb._open_at (as_of timestamptz)
  returns setof agentdb.question
  language sql
  stable
begin atomic
  select q.*
  from (
    select o.* from agentdb.question as o where o.answer is null
    union all
    select o.* from agentdb.question as o where o.answered_at > as_of
  ) as q
  join agentdb.run as r on r.run_id = q.run_id
  where q.asked_at <= as_of
    and coalesce(r.ended_at > as_of, true);
end;

comment on function agentdb._open_at (timestamptz) is
  'The questions that waited for an answer at a moment.';


create or replace function agentdb.rule_question_asked (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    agentdb._question_labels(q),
    extract(epoch from as_of - q.asked_at)::double precision,
    jsonb_strip_nulls(jsonb_build_object(
      'summary', format('run %s asks: %s', q.run_id, q.question),
      'severity', case q.urgency when 'high' then 'critical' when 'normal'
        then 'warning' else 'info' end,
      'options', q.options,
      'next', jsonb_build_array(format('agentdb answer Q-%s …', q.question_id))
    ))
  from agentdb._open_at(as_of) as q;
end;

comment on function agentdb.rule_question_asked (timestamptz) is
  'Questions that wait for an answer.';


create or replace view agentdb.question_asked as
  select r.labels, r.value, r.annotations
  from agentdb.rule_question_asked(statement_timestamp()) as r;

comment on view agentdb.question_asked is
  'Rule: agents that ask people something.';

select agentdb._declare_rule(
  rule_name => 'question_asked',
  severity => 'warning',
  health => 'waiting',
  why => 'An agent that asks is better than one that guesses, if somebody answers.',
  evidence => $$
    select q.question_id, q.asked_at, q.urgency, q.question, q.options
    from agentdb.question as q
    where 'Q-' || q.question_id = :labels ->> 'question'
  $$,
  ends_when => 'somebody answers {question}, or run {run} ends',
  remedy => $$
    Answer it; the agent reads the answer and goes on.
    agentdb questions
    agentdb answer {question} …
  $$,
  ends_with_run => true,
  evaluate_every => '2 seconds'
);


create or replace function agentdb.rule_unanswered_question (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    agentdb._question_labels(q),
    extract(epoch from as_of - q.asked_at)::double precision,
    jsonb_build_object(
      'summary', format('nobody has answered run %s for %s; the limit is %s; it asks: '
        '%s', q.run_id, agentdb._span(as_of - q.asked_at), agentdb._span(l.after),
        q.question),
      'policy', p.policy_name,
      'setting', 'unanswered_question_after',
      'threshold', extract(epoch from l.after),
      'next', jsonb_build_array(format('agentdb answer Q-%s …', q.question_id))
    )
  from agentdb._open_at(as_of) as q
  join agentdb.agent as a on a.agent_id = q.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral (
    select p.unanswered_question_after / case q.urgency when 'high' then 4 else 1 end
      as after
  ) as l
  where q.asked_at < as_of - l.after;
end;

comment on function agentdb.rule_unanswered_question (timestamptz) is
  'Questions that nobody has answered for policy.unanswered_question_after, or a '
  'quarter of it where they are urgent.';


create or replace view agentdb.unanswered_question as
  select r.labels, r.value, r.annotations
  from agentdb.rule_unanswered_question(statement_timestamp()) as r;

comment on view agentdb.unanswered_question is
  'Rule: questions of agents that nobody answers.';

select agentdb._declare_rule(
  rule_name => 'unanswered_question',
  severity => 'critical',
  health => 'waiting',
  why => 'A run that waits for people who do not answer does nothing at all.',
  evidence => $$
    select q.question_id, q.asked_at, q.urgency, q.question, q.options
    from agentdb.question as q
    where 'Q-' || q.question_id = :labels ->> 'question'
  $$,
  ends_when => 'somebody answers {question}, or run {run} ends',
  remedy => $$
    Answer it; the agent does nothing until then.
    agentdb questions
    agentdb answer {question} …
  $$,
  ends_with_run => true
);
