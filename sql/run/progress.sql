-- Progress: what the agent says it has reached, step by step.

create or replace function agentdb.log_progress (
  step text,
  details jsonb default null,
  run bigint default null
)
  returns table (
    run_id bigint, recorded_at timestamptz, alerting_silent_for interval, advice text
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_run record;
begin
  if step is null or step !~ '[^[:space:]]' then
    perform agentdb._refuse(
      'step must not be empty',
      'Name what was reached, for example: '
        'select * from agentdb.log_progress(''fetched page 3'');'
    );
  end if;
  details := agentdb._unquoted(details);
  v_run := agentdb._current_run(run);
  run_id := v_run.run_id;
  advice := v_run.advice;
  if v_run.capped then
    perform agentdb._count_steps(v_run.run_id, v_run.agent_id, array[step]);
    advice := agentdb._cap_advice(v_run.agent_id, advice);
  else
    insert into agentdb.progress_log as p (run_id, agent_id, step, details)
    values (
      v_run.run_id, v_run.agent_id, agentdb._clean_text(step, 500),
      agentdb._bounded_json(details, 65536)
    )
    returning p.recorded_at into log_progress.recorded_at;
  end if;
  if not exists (
    select from agentdb.runner as r
    where agentdb._is_watching(
      r.evaluated_at, r.flushed_at, r.sent_at, r.verified_at)
  ) then
    alerting_silent_for := agentdb._alerting_silent_for();
  end if;
  return next;
end;
$$;

comment on function agentdb.log_progress (text, jsonb, bigint) is
  'Records that the run reached a step; a step is evidence only while it is new; says '
  'for how long nobody has been watching, if so, and what the run should know; '
  'raises ZA001, ZA003 or ZA004.';


create or replace function agentdb._is_plain_step (step jsonb)
  returns boolean
  language sql
  immutable
  parallel safe
  return coalesce(agentdb._json_text(step, 'step') ~ '[^[:space:]]', false);

comment on function agentdb._is_plain_step (jsonb) is
  'Whether a step of a batch says something.';


create or replace function agentdb._plain_steps (
  steps jsonb,
  kind text default null
)
  returns text[]
  language sql
  immutable
  return array(
    select agentdb._json_text(s.item, 'step')
    from jsonb_array_elements(steps) with ordinality as s (item, place)
    where agentdb._is_plain_step(s.item)
      and (_plain_steps.kind is null or s.item ->> 'kind' = _plain_steps.kind)
    order by s.place
  );

comment on function agentdb._plain_steps (jsonb, text) is
  'The steps of a batch, or those of a kind in it, that say something.';


create or replace function agentdb._insert_plain_steps (
  run bigint,
  agent bigint,
  steps jsonb,
  kind text default null,
  at timestamptz default clock_timestamp()
)
  returns integer
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_recorded integer;
begin
  insert into agentdb.progress_log (recorded_at, run_id, agent_id, step, details)
  select agentdb._moment_in_batch(at, s.place), run, agent,
    agentdb._clean_text(agentdb._json_text(s.item, 'step'), 500),
    agentdb._bounded_json(d.details, 65536)
  from jsonb_array_elements(steps) with ordinality as s (item, place)
  cross join lateral (
    select agentdb._unquoted(nullif(s.item -> 'details', 'null')) as details offset 0
  ) as d
  where agentdb._is_plain_step(s.item)
    and (kind is null or s.item ->> 'kind' = kind)
  order by s.place;
  get diagnostics v_recorded = row_count;
  return v_recorded;
end;
$$;

comment on function agentdb._insert_plain_steps (
  bigint, bigint, jsonb, text, timestamptz) is
  'Records the steps of a batch, or those of a kind in it, that say something; returns '
  'how many these are.';


create or replace function agentdb.log_progress_many (
  steps jsonb,
  run bigint default null
)
  returns table (run_id bigint, recorded integer, refused jsonb, advice text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent_id bigint;
  v_capped boolean;
begin
  steps := agentdb._checked_batch(steps, 'step');
  select c.run_id, c.agent_id, c.advice, c.capped
    into log_progress_many.run_id, v_agent_id, log_progress_many.advice, v_capped
  from agentdb._current_run(log_progress_many.run) as c;
  if v_capped then
    recorded := 0;
    perform agentdb._count_steps(
      log_progress_many.run_id, v_agent_id, agentdb._plain_steps(steps));
    advice := agentdb._cap_advice(v_agent_id, advice);
  else
    recorded := agentdb._insert_plain_steps(
      log_progress_many.run_id, v_agent_id, steps);
  end if;
  if recorded < jsonb_array_length(steps) then
    refused := (
      select jsonb_agg(
        agentdb._refused_row(s.place, 'step must not be empty') order by s.place)
      from jsonb_array_elements(steps) with ordinality as s (item, place)
      where not agentdb._is_plain_step(s.item));
  end if;
  return next;
end;
$$;

comment on function agentdb.log_progress_many (jsonb, bigint) is
  'Records a JSON array of {step, details}; refused says which were not recorded, '
  '[{row, why}], by their place from 1 on, NULL for none; raises ZA001, ZA003 or '
  'ZA004.';
