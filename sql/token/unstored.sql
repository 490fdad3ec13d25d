-- Tokens of an agent above its cap (activity/unstored.sql): no row of the log, but
-- budgets and costs have them all the same.

-- Models are told apart as far as 20 a run: names, too, take space.
create or replace function agentdb._counted_models (run bigint, models text[])
  returns text[]
  language sql
  stable
  return array(
    select m.model
    from (
      (select c.model, 0 as place from agentdb.run_cost as c
        where c.run_id = run limit 20)
      union all
      (select u.model, 1 from agentdb.event_unstored as u where u.run_id = run limit 20)
      union all
      select n.model, 2 from unnest(models) as n (model) where n.model is not null
    ) as m
    group by m.model
    order by min(m.place), m.model
    limit 20
  );

comment on function agentdb._counted_models (bigint, text[]) is
  'The models of a run that are counted by their names.';


-- As many ids of responses are remembered again as a policy lets be stored by default:
-- past that a usage counts as often as it is reported, and a budget ends too early
-- rather than too late.
create or replace function agentdb._remembers_usage (agent bigint)
  returns boolean
  language sql
  stable
  return not exists (
    select from agentdb.event_day as d
    where d.agent_id = agent
      and d.day_at = date_bin('1 day', statement_timestamp(), 'epoch')
      and d.unstored >= 200000
  );

comment on function agentdb._remembers_usage (bigint) is
  'Whether the ids of responses that an agent above its cap reports are still kept.';


create or replace function agentdb._fresh_usages (
  agent bigint,
  usages jsonb,
  kind text
)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_remembers boolean := agentdb._remembers_usage(agent);
  v_fresh jsonb;
begin
  with item as materialized (
    select e.place, e.item, k.key,
      row_number() over (partition by k.key order by e.place) as turn
    from jsonb_array_elements(usages) with ordinality as e (item, place)
    cross join lateral (
      select case when length(e.item ->> 'response_id') >= 16
        then agentdb._event_key('tokens', e.item ->> 'response_id') end as key
    ) as k
    where kind is null or e.item ->> 'kind' = kind
  ),
  seen as (
    insert into agentdb.event_key as k (agent_id, key)
    select agent, i.key from item as i
    where v_remembers and i.key is not null and i.turn = 1
    order by i.key
    on conflict on constraint event_key_pkey do nothing
    returning k.key
  )
  select jsonb_agg(i.item order by i.place) into v_fresh
  from item as i
  where i.key is null
    or i.turn = 1 and case when v_remembers
      then i.key in (select s.key from seen as s)
      else not exists (
        select from agentdb.event_key as k where k.agent_id = agent and k.key = i.key)
      end;
  return coalesce(v_fresh, '[]');
end;
$$;

comment on function agentdb._fresh_usages (bigint, jsonb, text) is
  'The usages of a batch, or those of a kind in it, that nobody has reported before.';


create or replace function agentdb._count_usages (
  run bigint,
  agent bigint,
  usages jsonb,
  kind text default null
)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_fresh jsonb := agentdb._fresh_usages(agent, usages, kind);
  v_models text[] := agentdb._counted_models(run, array(
    select e.item ->> 'model' from jsonb_array_elements(v_fresh) as e (item)));
begin
  insert into agentdb.event_unstored as u (
    run_id, half_hour_at, model, pid, agent_id, model_calls, unpriced_calls,
    input_tokens, cached_input_tokens, output_tokens, cost, input_cost,
    cached_input_cost, output_cost, last_tokens_at
  )
  select run, date_bin('30 minutes', v_now, 'epoch'),
    case when e.item ->> 'model' = any (v_models) then e.item ->> 'model' else '' end,
    pg_backend_pid(), agent, count(*),
    count(*) filter (where e.item ->> 'cost' is null),
    sum((e.item ->> 'input')::bigint),
    sum(coalesce((e.item ->> 'cached_input')::bigint, 0)),
    sum(coalesce((e.item ->> 'output')::bigint, 0)),
    coalesce(sum(round((e.item ->> 'cost')::numeric, 9)), 0),
    coalesce(sum(round((e.item ->> 'input_cost')::numeric, 9)), 0),
    coalesce(sum(round((e.item ->> 'cached_input_cost')::numeric, 9)), 0),
    coalesce(sum(round((e.item ->> 'output_cost')::numeric, 9)), 0), v_now
  from jsonb_array_elements(v_fresh) as e (item)
  group by 3
  on conflict on constraint event_unstored_pkey do update
  set model_calls = u.model_calls + excluded.model_calls,
      unpriced_calls = u.unpriced_calls + excluded.unpriced_calls,
      input_tokens = u.input_tokens + excluded.input_tokens,
      cached_input_tokens = u.cached_input_tokens + excluded.cached_input_tokens,
      output_tokens = u.output_tokens + excluded.output_tokens,
      cost = u.cost + excluded.cost,
      input_cost = u.input_cost + excluded.input_cost,
      cached_input_cost = u.cached_input_cost + excluded.cached_input_cost,
      output_cost = u.output_cost + excluded.output_cost,
      last_tokens_at = excluded.last_tokens_at;
  return jsonb_array_length(v_fresh);
end;
$$;

comment on function agentdb._count_usages (bigint, bigint, jsonb, text) is
  'Counts the usages of a batch, or those of a kind in it, that are not stored; '
  'budgets have them; returns how many were new.';
