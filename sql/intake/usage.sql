-- Tokens, steps and the two ends of a session, as emitters report them.

create or replace function agentdb._untold (item jsonb)
  returns text[]
  language sql
  immutable
  parallel safe
  return nullif(array(
    select k.key
    from unnest('{input,cached_input,output,reasoning}'::text[]) as k (key)
    where agentdb._count_of(item, k.key) is null), '{}');

comment on function agentdb._untold (jsonb) is
  'Which counts of tokens an element does not tell, NULL where it tells all.';


create or replace function agentdb._record_usage (
  events agentdb.intake_event[],
  recorded_by text
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.token_log (
    run_id, agent_id, recorded_at, input_tokens, cached_input_tokens, output_tokens,
    reasoning_tokens, cost, model, recorded_by, happened_at, untold
  )
  select e.run_id, e.agent_id,
    agentdb._recorded_at(_record_usage.recorded_by, e.happened_at),
    coalesce(agentdb._count_of(e.event, 'input'), 0),
    coalesce(agentdb._count_of(e.event, 'cached_input'), 0),
    coalesce(agentdb._count_of(e.event, 'output'), 0),
    coalesce(agentdb._count_of(e.event, 'reasoning'), 0),
    round(agentdb._json_text(e.event, 'cost')::numeric, 9),
    agentdb._clean_line(agentdb._json_text(e.event, 'model'), 200),
    _record_usage.recorded_by, e.happened_at, agentdb._untold(e.event)
  from unnest(events) with ordinality as e
  where e.status is null and e.kind = 'tokens'
  order by e.ordinality;
$$;

comment on function agentdb._record_usage (agentdb.intake_event[], text) is
  'Records the tokens of the model calls of a batch.';


create or replace function agentdb._record_steps (
  events agentdb.intake_event[],
  recorded_by text
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.progress_log (
    run_id, agent_id, recorded_at, step, details, recorded_by, happened_at
  )
  select e.run_id, e.agent_id,
    agentdb._recorded_at(_record_steps.recorded_by, e.happened_at),
    agentdb._clean_text(agentdb._json_text(e.event, 'step'), 500),
    agentdb._bounded_json(nullif(e.event -> 'details', 'null'), 65536),
    _record_steps.recorded_by, e.happened_at
  from unnest(events) with ordinality as e
  where e.status is null and e.kind = 'progress'
  order by e.ordinality;
$$;

comment on function agentdb._record_steps (agentdb.intake_event[], text) is
  'Records the steps of a batch.';


-- Of runs that emitters opened: what an agent says of its own run is not overwritten.
create or replace function agentdb._record_starts (events agentdb.intake_event[])
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update agentdb.run as r
  set purpose = coalesce(r.purpose, s.purpose),
      on_behalf_of = coalesce(r.on_behalf_of, s.on_behalf_of)
  from (
    select e.run_id,
      max(agentdb._clean_line(agentdb._json_text(e.event, 'purpose'), 500)) as purpose,
      max(agentdb._clean_line(agentdb._json_text(e.event, 'on_behalf_of'), 200))
        as on_behalf_of
    from unnest(events) as e
    where e.status is null and e.kind = 'start'
    group by e.run_id
    offset 0
  ) as s
  where r.run_id = s.run_id
    and r.opened_by is not null
    and coalesce(s.purpose, s.on_behalf_of) is not null;
$$;

comment on function agentdb._record_starts (agentdb.intake_event[]) is
  'Writes down what the sessions of a batch were started for.';


-- An emitter ends what an emitter opened; threads end with their conversation.
create or replace function agentdb._record_ends (events agentdb.intake_event[])
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  select from (
    select distinct on (r.run_id) r.run_id,
      coalesce(agentdb._json_text(e.event, 'outcome'), 'succeeded') as outcome,
      case when r.run_id = e.run_id then agentdb._json_text(e.event, 'summary') end
        as summary
    from unnest(events) as e
    cross join lateral agentdb.run_tree(e.run_id) as t
    join agentdb.run as r on r.run_id = t.run_id
    where e.status is null and e.kind = 'end'
      and r.opened_by is not null and r.ended_at is null
      -- Who was killed is ended by the kill.
      and not exists (
        select from agentdb.run_stop as s
        where s.run_id = r.run_id and s.kind = 'killed')
    order by r.run_id, r.run_id = e.run_id desc
  ) as n
  cross join lateral agentdb._end_run(
    n.run_id, n.outcome, summary => n.summary) as f;
$$;

comment on function agentdb._record_ends (agentdb.intake_event[]) is
  'Ends the runs of the sessions that end in a batch.';
