-- Questions: an agent that cannot know asks a person instead of trying again.

create or replace function agentdb._check_options (options jsonb)
  returns text[]
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_options text[];
begin
  if options is null or options = 'null' then
    return null;
  elsif jsonb_typeof(options) = 'array' then
    v_options := array(
      select case jsonb_typeof(o.item) when 'string' then o.item #>> '{}' end
      from jsonb_array_elements(options) with ordinality as o (item, place)
      order by o.place limit 11);
  end if;
  if coalesce(cardinality(v_options), 0) not between 2 and 10
    or exists (
      select from unnest(v_options) as o (text)
      group by o.text
      having count(*) > 1 or not agentdb._is_clean_name(o.text, 100)) then
    perform agentdb._refuse('options must be 2 to 10 different short texts, or NULL',
      'Send options => ''["yes", "no"]'', each of at most 100 visible characters.');
  end if;
  return v_options;
end;
$$;

comment on function agentdb._check_options (jsonb) is
  'The answers to choose from, NULL for any; raises ZA004.';


create or replace function agentdb._check_questions (agent bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_open bigint;
  v_day bigint;
  v_max_open integer;
  v_max_day integer;
begin
  -- Questions of an agent go one at a time, or two would pass at once.
  perform from agentdb.agent as a where a.agent_id = agent for no key update;
  select count(*) filter (where q.answer is null and r.ended_at is null),
    count(*) filter (where q.asked_at > clock_timestamp() - interval '1 day')
    into v_open, v_day
  from agentdb.question as q
  join agentdb.run as r on r.run_id = q.run_id
  where q.agent_id = agent;
  select p.max_questions, p.max_questions_day into v_max_open, v_max_day
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where a.agent_id = agent;
  if v_open >= v_max_open or v_day >= v_max_day then
    raise exception
        'agent % has % open questions and asked % in a day, and may % and %',
        (select a.agent_name from agentdb.agent as a where a.agent_id = agent),
        v_open, v_day, v_max_open, v_max_day
      using errcode = 'ZA005',
            hint = 'Wait for the answers: select * from agentdb.answer_of(question => '
              'n); or end the run: select * from agentdb.end_run('
              'outcome => ''failed'', summary => ''…'');';
  end if;
end;
$$;

comment on function agentdb._check_questions (bigint) is
  'Raises ZA005 where an agent asks more than its policy allows.';


create or replace function agentdb.ask_human (
  question text,
  options jsonb default null,
  urgency text default 'normal',
  run bigint default null
)
  returns table (question_id bigint, run_id bigint, hint text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_options text[];
  v_agent bigint;
begin
  select c.run_id, c.agent_id into ask_human.run_id, v_agent
  from agentdb._current_run(run) as c;
  perform agentdb._check_said(question, 'question', 2000);
  v_options := agentdb._check_options(agentdb._unquoted(options));
  if urgency is null or urgency not in ('low', 'normal', 'high') then
    perform agentdb._refuse(
      format('urgency must be low, normal or high, got %s',
        coalesce(quote_literal(agentdb._clean_text(urgency, 20)), 'NULL')),
      'high wakes somebody up; leave it out where an answer in working hours will do.');
  end if;
  perform agentdb._check_questions(v_agent);
  insert into agentdb.question as q (run_id, agent_id, question, options, urgency)
  values (ask_human.run_id, v_agent, ask_human.question, v_options, ask_human.urgency)
  returning q.question_id into ask_human.question_id;
  hint := format('People are told.  Do something else, or look in a minute: select '
    '* from agentdb.answer_of(question => %s);', ask_human.question_id);
  return next;
end;
$$;

comment on function agentdb.ask_human (text, jsonb, text, bigint) is
  'Asks people, who are told through the receivers; answer_of() reads the answer; a '
  'run that waits is not taken for stuck for policy.max_question_wait; raises ZA001, '
  'ZA003, ZA004, ZA005, ZA040 or ZA041.';


create or replace function agentdb.answer_of (
  question bigint,
  run bigint default null
)
  returns table (
    question_id bigint, state text, answer text, comment text, answered_by text,
    answered_at timestamptz
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent bigint;
begin
  select c.agent_id into v_agent from agentdb._current_run(run) as c;
  return query
    select q.question_id, s.state, q.answer, q.comment, q.answered_by, q.answered_at
    from agentdb.question as q
    join agentdb.run as r on r.run_id = q.run_id
    cross join lateral (
      select case
        when q.answer is not null then 'answered'
        when r.ended_at is not null then 'closed'
        else 'open'
      end as state
    ) as s
    where q.question_id = answer_of.question
      and q.agent_id = v_agent;
  if not found then
    raise exception 'there is no question % of this agent',
        coalesce(question::text, 'NULL')
      using errcode = 'ZA006', hint = 'Use the question_id that ask_human() returned.';
  end if;
end;
$$;

comment on function agentdb.answer_of (bigint, bigint) is
  'The state of a question of the agent (open, answered, or closed with its run) and '
  'the answer; raises ZA001, ZA003 or ZA006.';


create or replace function agentdb.answer_question (
  question bigint,
  answer text,
  comment text default null
)
  returns table (question_id bigint, run_id bigint, agent_name text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_question agentdb.question;
  v_ended timestamptz;
begin
  if agentdb._is_agent() then
    raise exception 'an agent does not answer questions'
      using errcode = 'ZA055', hint = 'A person answers, as agentdb_operator or '
        'agentdb_reviewer.';
  end if;
  perform agentdb._check_said(answer, 'answer', 2000);
  if comment is not null then
    perform agentdb._check_said(comment, 'comment', 2000);
  end if;
  select q.* into v_question
  from agentdb.question as q
  where q.question_id = answer_question.question for update;
  if not found then
    raise exception 'there is no question Q-%',
        coalesce(answer_question.question::text, 'NULL')
      using errcode = 'ZA006', hint = 'agentdb questions lists those that are open.';
  end if;
  select r.ended_at into v_ended
  from agentdb.run as r where r.run_id = v_question.run_id;
  if v_question.answer is not null or v_ended is not null then
    raise exception 'question Q-% is closed', v_question.question_id
      using errcode = 'ZA077',
            detail = coalesce(v_question.answered_by || ' answered: '
              || v_question.answer, 'The run that asked has ended.'),
            hint = 'agentdb questions lists those that are open.';
  elsif answer <> all (v_question.options) then
    perform agentdb._refuse('the answer is none of the options',
      format('Choose one of: %s.', array_to_string(v_question.options, ', ')));
  end if;
  update agentdb.question as q
  set answer = answer_question.answer,
      comment = answer_question.comment,
      answered_by = agentdb._said_by(),
      answered_at = clock_timestamp()
  where q.question_id = v_question.question_id;
  return query
    select v_question.question_id, v_question.run_id, a.agent_name
    from agentdb.agent as a where a.agent_id = v_question.agent_id;
end;
$$;

comment on function agentdb.answer_question (bigint, text, text) is
  'Answers an agent''s question, once; raises ZA004, ZA006, ZA055 or ZA077.';


create or replace view agentdb.open_question as
  select q.question_id, a.agent_name, q.run_id, q.urgency, q.asked_at,
    clock_timestamp() - q.asked_at as waited, q.options, q.question
  from agentdb.question as q
  join agentdb.agent as a on a.agent_id = q.agent_id
  join agentdb.run as r on r.run_id = q.run_id
  where q.answer is null
    and r.ended_at is null;

comment on view agentdb.open_question is
  'Questions of agents that wait for an answer.';
comment on column agentdb.open_question.question_id is
  'The number, shown as Q-5.';
comment on column agentdb.open_question.agent_name is
  'Who asks.';
comment on column agentdb.open_question.run_id is
  'In which run.';
comment on column agentdb.open_question.urgency is
  'low, normal or high, as the agent sees it.';
comment on column agentdb.open_question.asked_at is
  'When.';
comment on column agentdb.open_question.waited is
  'How long ago that was.';
comment on column agentdb.open_question.options is
  'The answers to choose from; NULL is any.';
comment on column agentdb.open_question.question is
  'What is asked.';
