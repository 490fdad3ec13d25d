-- Problems: what came and could not be understood, kept by its kind with a sample.

-- More kinds than that are noise that somebody makes: they are counted as one.  Who
-- proves nothing has half of them: it hides no problem of an agent's emitter.
create or replace function agentdb.note_problem (recorded jsonb)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent text;
  v_path text;
  v_emitter text;
  v_reason text;
  v_count bigint;
begin
  recorded := agentdb._unquoted(recorded);
  if jsonb_typeof(recorded) is distinct from 'object' then
    perform agentdb._refuse('a problem is a JSON object',
      'Send {"reason": "malformed", "path": "/v1/traces", "emitter": "…", '
        '"agent": "…", "sample": "…"}.');
  end if;
  select
    coalesce(agentdb._clean_line(agentdb._json_text(recorded, 'agent'), 100), ''),
    coalesce(agentdb._clean_line(agentdb._json_text(recorded, 'path'), 100), ''),
    coalesce(agentdb._clean_line(agentdb._json_text(recorded, 'emitter'), 100), ''),
    coalesce(agentdb._clean_line(agentdb._json_text(recorded, 'reason'), 200), '')
    into v_agent, v_path, v_emitter, v_reason;
  v_count := greatest(coalesce(agentdb._count_of(recorded, 'count'), 1), 1);
  if not exists (
    select from agentdb.intake_problem as p
    where (p.reason, p.emitter, p.path) = (v_reason, v_emitter, v_path)
  ) and (
    select count(*) from agentdb.intake_problem as p
    where v_agent <> '' or p.agent_name = ''
  ) >= (case when v_agent = '' then 500 else 1000 end) then
    v_path := '';
    v_emitter := '';
    v_reason := 'too_many_kinds';
  end if;
  insert into agentdb.intake_problem as p (
    agent_name, path, emitter, reason, sample, count
  )
  values (v_agent, v_path, v_emitter, v_reason,
    agentdb._clean_text(recorded ->> 'sample', 4000), v_count)
  on conflict on constraint intake_problem_reason_key do update
  set count = least(p.count, 1000000000000) + excluded.count,
      agent_name = case when p.agent_name = excluded.agent_name then p.agent_name
        else '' end,
      last_at = clock_timestamp();
end;
$$;

comment on function agentdb.note_problem (jsonb) is
  'Writes down what could not be understood: {reason, path, emitter, agent, sample, '
  'count}; the same reason, emitter and path count up; raises ZA004.';


create or replace view agentdb.intake_problems as
  select p.intake_problem_id, p.last_at, p.first_at, p.count, p.reason, p.path,
    p.emitter, nullif(p.agent_name, '') as agent_name, p.sample
  from agentdb.intake_problem as p;

comment on view agentdb.intake_problems is
  'What came from emitters and could not be understood, by kind.';
comment on column agentdb.intake_problems.intake_problem_id is
  'Its number.';
comment on column agentdb.intake_problems.last_at is
  'When it came last.';
comment on column agentdb.intake_problems.first_at is
  'When it came first.';
comment on column agentdb.intake_problems.count is
  'How often.';
comment on column agentdb.intake_problems.reason is
  'What was wrong, such as malformed, unknown_dialect or field_vanished.';
comment on column agentdb.intake_problems.path is
  'Where it was sent to.';
comment on column agentdb.intake_problems.emitter is
  'What sent it, as it says itself.';
comment on column agentdb.intake_problems.agent_name is
  'The agent that it proved; NULL for none or several.';
comment on column agentdb.intake_problems.sample is
  'The beginning of the first.';
