-- Claims about rows, decided by the audit alone, both ways: claimed and not done, with
-- another verb than claimed, and done but not claimed.

create or replace function agentdb._audited_name (relation text)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_names text[];
begin
  select array_agg(t.table_name order by t.table_name) into v_names
  from agentdb.audit_target as t
  where t.unaudited_at is null
    and relation in (t.table_name, split_part(t.table_name, '.', 2));
  if cardinality(v_names) = 1 then
    return v_names[1];
  elsif v_names is null then
    raise exception 'no audited table is called %',
        coalesce(agentdb._clean_text(relation, 200), 'NULL')
      using errcode = 'ZA006',
            detail = 'Audited are: ' || coalesce((
              select string_agg(t.table_name, ', ' order by t.table_name)
              from agentdb.audit_target as t where t.unaudited_at is null), 'none'),
            hint = 'Name one of these; a claim about any other could not be checked.';
  end if;
  raise exception '% is the name of % audited tables', relation, cardinality(v_names)
    using errcode = 'ZA004',
          hint = 'Name its schema too: ' || array_to_string(v_names, ' or ');
end;
$$;

comment on function agentdb._audited_name (text) is
  'The full name of an audited table, whose schema may be left out; raises ZA004 or '
  'ZA006.';


create or replace function agentdb.claim_rows (
  relation text,
  operation text,
  keys jsonb default null,
  count bigint default null,
  run bigint default null,
  new_values jsonb default null
)
  returns table (claim_id bigint, state text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_name text := agentdb._audited_name(relation);
  v_keys jsonb := agentdb._unquoted(keys);
  v_given jsonb := nullif(agentdb._unquoted(claim_rows.new_values), 'null');
  v_values jsonb;
begin
  v_keys := case jsonb_typeof(v_keys) when 'array' then nullif(v_keys, '[]')
    when 'null' then null else '[]'::jsonb || v_keys end;
  if operation is null or operation not in ('insert', 'update', 'delete') then
    perform agentdb._refuse(
      format('%L is no operation', agentdb._clean_text(operation, 50)),
      'Say insert, update or delete.');
  elsif v_keys is null and count is null and v_given is null then
    perform agentdb._refuse(
      'neither keys nor count is given',
      'Say which rows, keys => ''[{"id": 7}]'', or how many, count => 7.');
  elsif count < 0 or jsonb_array_length(v_keys) > 1000 then
    perform agentdb._refuse(
      'count must not be negative, and keys be at most 1000',
      'Claim in several calls, or say only how many rows: count => 7.');
  end if;
  select jsonb_agg(agentdb._canonical_key(t.table_oid::regclass, k.key)
      order by k.place)
    into v_keys
  from jsonb_array_elements(v_keys) with ordinality as k (key, place)
  join agentdb.audit_target as t
    on t.table_name = v_name and t.unaudited_at is null;
  if v_given is not null then
    select coalesce(v_keys, v.keys), v.vals into v_keys, v_values
    from agentdb.audit_target as t
    cross join lateral agentdb._claimed_values(
      t.table_oid::regclass, operation, v_given) as v
    where t.table_name = v_name and t.unaudited_at is null;
  end if;
  return query
    select c.claim_id, c.state
    from agentdb._add_claim('rows', v_name, jsonb_strip_nulls(jsonb_build_object(
      'operation', operation, 'keys', v_keys, 'count', count))
      || case when v_values is null then '{}'
        else jsonb_build_object('values', v_values) end, null, run) as c;
end;
$$;

comment on function agentdb.claim_rows (text, text, jsonb, bigint, bigint, jsonb) is
  'Claims that the run inserted, updated or deleted rows of an audited table, by key '
  'or by count, and what it left in them: columns that the role may read; raises '
  'ZA001, ZA003, ZA004, ZA005, ZA006, ZA033 or 42501.';


-- What is staged is not done yet: a claim about it is judged by what was applied, and
-- one about what that cascades to.  Who stages again and again does not put it off.
create or replace function agentdb._awaits_decision (
  run bigint,
  relation text,
  claimed_at timestamptz,
  as_of timestamptz
)
  returns boolean
  language sql
  stable
  return exists (
    select from agentdb.change as c
    where c.run_id = run
      and c.kind = 'stage'
      and c.opened_at <= least(as_of, claimed_at + interval '1 day')
      and (c.state in ('open', 'pending', 'approved') or c.closed_at > as_of)
      and (
        c.effects ?| array[relation || ' inserted', relation || ' updated',
          relation || ' deleted']
        or exists (
          select from agentdb.change_row as r
          join agentdb.audit_target as t on t.audit_target_id = r.audit_target_id
          where r.change_id = c.change_id and t.table_name = relation)
      )
  );

comment on function agentdb._awaits_decision (bigint, text, timestamptz, timestamptz) is
  'Whether a change to a table that a run opened until a day after a claim was not '
  'decided yet at a moment.';


create or replace function agentdb._unapplied (run bigint, relation text)
  returns jsonb
  language sql
  stable
  return (
    select jsonb_object_agg(c.change_id,
      concat_ws(': ', c.state, c.problem ->> 'message'))
    from agentdb.change as c
    join agentdb.change_table as t
      on t.change_id = c.change_id and t.table_name = relation
    where c.run_id = run
      and c.kind = 'stage'
      and c.state in ('rejected', 'withdrawn', 'expired', 'conflict')
  );

comment on function agentdb._unapplied (bigint, text) is
  'The changes of a run to a table that came to nothing, and why.';


-- All at once: a run of many rows is read once, not once for each claim or key.  Of
-- the size of JSON arrays the planner knows nothing, and would loop over them.
create or replace function agentdb._row_verdicts (run bigint)
  returns table (claim_id bigint, verdict text, evidence jsonb)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set enable_nestloop = off
as $$
begin
  return query
    with deed as materialized (
      select d.table_name, d.row_key, d.operation, d.operations
      from agentdb._deeds(run) as d
    ),
    counted as (
      select d.table_name, o.claimed, count(*) as rows
      from deed as d
      cross join unnest('{insert,update,delete}'::text[]) as o (claimed)
      where agentdb._did(d.operation, d.operations, o.claimed)
      group by d.table_name, o.claimed
    ),
    keyed as (
      select k.claim_id,
        jsonb_agg(k.row_key) filter (where coalesce(d.operation, 'none') = 'none')
          as missing,
        jsonb_agg(jsonb_build_object('key', k.row_key, 'done', d.operation))
          filter (where d.operation <> 'none'
            and not agentdb._did(d.operation, d.operations, k.operation)) as wrong
      from agentdb._claimed_keys(run) as k
      left join deed as d on d.table_name = k.table_name and d.row_key = k.row_key
      where k.row_key is not null
      group by k.claim_id
    )
    select c.claim_id,
      case when k.missing is null and k.wrong is null
        and coalesce(n.rows, 0) = coalesce((c.expectation ->> 'count')::bigint,
          case when c.expectation ? 'keys' then n.rows else greatest(n.rows, 1) end, 0)
        and f.wrong is null
          then case when f.unknown is null then 'verified' else 'unreachable' end
        -- What was not recorded may be what was claimed.
        when u.unrecorded is not null then 'unreachable'
        else 'refuted' end,
      jsonb_strip_nulls(jsonb_build_object('rows', coalesce(n.rows, 0),
        'claimed', c.expectation -> 'count',
        'not_done', k.missing, 'done_otherwise', k.wrong,
        'not_applied', agentdb._unapplied(run, c.target),
        'not_recorded', u.unrecorded, 'not_written', f.unknown))
        || coalesce(f.wrong, '{}')
    from agentdb.claim as c
    join agentdb.run as r on r.run_id = c.run_id
    cross join lateral agentdb._unrecorded(array[c.target], r.started_at,
      coalesce(r.ended_at, clock_timestamp())) as u (unrecorded)
    left join agentdb._value_faults(run) as f on f.claim_id = c.claim_id
    left join keyed as k on k.claim_id = c.claim_id
    left join counted as n
      on n.table_name = c.target and n.claimed = c.expectation ->> 'operation'
    where c.run_id = run and c.kind = 'rows' and c.state = 'pending';
end;
$$;

comment on function agentdb._row_verdicts (bigint) is
  'Decides the pending claims of a run about rows by the run''s audit.';


create or replace function agentdb._claimed_keys (run bigint)
  returns table (claim_id bigint, table_name text, operation text, row_key jsonb)
  language sql
  stable
begin atomic
  select c.claim_id, c.target, c.expectation ->> 'operation', k.key
  from agentdb.claim as c
  left join jsonb_array_elements(c.expectation -> 'keys') as k (key) on true
  where c.run_id = run and c.kind = 'rows';
end;

comment on function agentdb._claimed_keys (bigint) is
  'The rows that a run claims, by their keys; a claim of a number has no key.';


create or replace function agentdb.row_diff (run bigint)
  returns table (table_name text, operation text, row_key jsonb, finding text)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set enable_nestloop = off
as $$
begin
  return query
    with deed as materialized (
      select d.table_name, d.row_key, d.operation, d.operations
      from agentdb._deeds(run) as d
    ),
    claimed as materialized (
      select distinct k.table_name, k.operation, k.row_key
      from agentdb._claimed_keys(run) as k
    )
    select d.table_name, d.operation, d.row_key, 'not claimed'
    from deed as d
    where d.operation <> 'none'
      and not exists (
        select from claimed as c
        where c.table_name = d.table_name and c.row_key is null
          and agentdb._did(d.operation, d.operations, c.operation)
      )
      and not exists (
        select from claimed as c
        where c.table_name = d.table_name and c.row_key = d.row_key
          and agentdb._did(d.operation, d.operations, c.operation)
      )
    union all
    select c.table_name, c.operation, c.row_key,
      coalesce('done otherwise: ' || nullif(d.operation, 'none'), 'not done')
    from claimed as c
    left join deed as d on d.table_name = c.table_name and d.row_key = c.row_key
    where c.row_key is not null
      and agentdb._did(d.operation, d.operations, c.operation) is not true;
end;
$$;

comment on function agentdb.row_diff (bigint) is
  'Rows that a run changed and did not claim, and rows that it claimed and did not '
  'change or changed otherwise.';
