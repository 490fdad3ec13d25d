-- Answers to agents' questions, and locks that must not wait for their end.

create or replace function agentdb.answer_question_for (
  person text,
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
begin
  perform agentdb._act_for(person, 'agentdb.answer_question(bigint, text, text)',
    jsonb_build_object('question', question, 'answer', answer, 'comment', comment));
  return query select * from agentdb.answer_question(question, answer, comment);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.answer_question_for (text, bigint, text, text) is
  'answer_question() for a person of the page, as its role may; raises what that '
  'raises, and 42501.';


create or replace function agentdb.force_release_lock_for (
  person text,
  name text,
  reason text,
  slot integer default null
)
  returns table (fence bigint, holder text, held_for interval, was text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.force_release_lock(text, text, integer)',
    jsonb_build_object('name', name, 'reason', reason, 'slot', slot));
  return query select * from agentdb.force_release_lock(name, reason, slot);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.force_release_lock_for (text, text, text, integer) is
  'force_release_lock() for a person of the page, as its role may; raises what that '
  'raises, and 42501.';
