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
  v_agent_id bigint;
begin
  if step is null or step !~ '[^[:space:]]' then
    perform agentdb._refuse(
      'step must not be empty',
      'Name what was reached, for example: '
        'select * from agentdb.log_progress(''fetched page 3'');'
    );
  end if;
  select c.run_id, c.agent_id, c.advice
    into log_progress.run_id, v_agent_id, log_progress.advice
  from agentdb._current_run(log_progress.run) as c;
  insert into agentdb.progress_log as p (run_id, agent_id, step, details)
  values (
    log_progress.run_id, v_agent_id, agentdb._clean_text(step, 500),
    agentdb._bounded_json(agentdb._unquoted(log_progress.details), 65536)
  )
  returning p.recorded_at into log_progress.recorded_at;
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


create or replace function agentdb.log_progress_many (
  steps jsonb,
  run bigint default null
)
  returns table (run_id bigint, recorded integer, advice text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent_id bigint;
begin
  steps := agentdb._unquoted(steps);
  perform agentdb._check_rows(steps, 'step');
  select c.run_id, c.agent_id, c.advice
    into log_progress_many.run_id, v_agent_id, log_progress_many.advice
  from agentdb._current_run(log_progress_many.run) as c;
  insert into agentdb.progress_log (run_id, agent_id, step, details)
  select
    log_progress_many.run_id, v_agent_id,
    agentdb._clean_text(agentdb._json_text(s.item, 'step'), 500),
    agentdb._bounded_json(agentdb._unquoted(nullif(s.item -> 'details', 'null')), 65536)
  from jsonb_array_elements(steps) with ordinality as s (item, place)
  order by s.place;
  get diagnostics recorded = row_count;
  return next;
end;
$$;

comment on function agentdb.log_progress_many (jsonb, bigint) is
  'Records a JSON array of {step, details} in one call, all or none; raises ZA001, '
  'ZA003 or ZA004.';
