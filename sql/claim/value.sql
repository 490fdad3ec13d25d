-- Values that are claimed: what a row that a run wrote holds in the end.  They are
-- compared with what the run itself has recorded.  A verdict is an answer, so a role
-- may claim only columns that it may read, and none that the audit does not show.

-- As the log has them, whatever JSON they were given as: the settings are those of the
-- capture functions.
create or replace function agentdb._canonical_values (relation regclass, given jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set extra_float_digits = 1
  set "TimeZone" = 'UTC'
  set "DateStyle" = 'ISO, YMD'
  set "IntervalStyle" = 'postgres'
  set bytea_output = 'hex'
  set lc_monetary = 'C'
as $$
declare
  v_target integer := agentdb._target_of(relation);
  v_parts text[];
  v_columns text;
  v_values jsonb;
begin
  select array_agg(format('jsonb_build_object(%L, %s)', c.column_name::text,
      agentdb._value_sql('o', c.column_name, c.form, false)) order by c.place),
    string_agg(format('%I %s', c.column_name,
      agentdb._codeless_type(a.atttypid, a.atttypmod)), ', ' order by c.place)
    into v_parts, v_columns
  from agentdb.audit_column as c
  join pg_attribute as a on a.attrelid = relation and a.attnum = c.place
  where c.audit_target_id = v_target and given ? c.column_name::text;
  execute format('select %s from jsonb_to_record($1) as o (%s)',
      agentdb._object_sql(v_parts), v_columns)
    into v_values using given;
  return v_values;
exception when data_exception then
  perform agentdb._refuse(
    format('%s are no values of %s: %s', agentdb._clean_text(given::text, 200),
      agentdb._table_name(relation), sqlerrm),
    'Give each as the table has it.');
end;
$$;

comment on function agentdb._canonical_values (regclass, jsonb) is
  'Values of columns as audit_log has them; raises ZA004.';


create or replace function agentdb._check_claimed_columns (
  relation regclass,
  names text[]
)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text;
  v_hidden boolean;
  v_known boolean;
begin
  foreach v_name in array names
  loop
    select c.redacted or c.excluded, true into v_hidden, v_known
    from agentdb.audit_column as c
    where c.audit_target_id = agentdb._target_of(relation)
      and c.column_name::text = v_name;
    if v_known is null then
      perform agentdb._refuse(
        format('%s has no column %s', agentdb._table_name(relation),
          agentdb._clean_text(v_name, 100)), 'Name columns of the table.');
    elsif not has_column_privilege(session_user, relation, v_name::name, 'select') then
      raise exception '% may not read column % of %', session_user, v_name,
          agentdb._table_name(relation)
        using errcode = '42501',
              detail = 'Whether a claim is true would tell what the column holds.',
              hint = 'Leave this column out of what you claim.';
    elsif v_hidden then
      perform agentdb._refuse(
        format('what column %s of %s holds is not recorded', v_name,
          agentdb._table_name(relation)),
        'Leave it out: a claim about it could not be checked.');
    end if;
  end loop;
end;
$$;

comment on function agentdb._check_claimed_columns (regclass, text[]) is
  'Raises 42501 for a column that the role may not read, ZA004 for one that is not '
  'recorded.';


-- An object is meant for all rows of the claim; an array has the key in each element.
create or replace function agentdb._claimed_values (
  relation regclass,
  operation text,
  given jsonb,
  out keys jsonb,
  out vals jsonb
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key text[] := (
    select array_agg(c.column_name::text) from agentdb.audit_column as c
    where c.audit_target_id = agentdb._target_of(relation) and c.key_place is not null);
  v_each jsonb := case jsonb_typeof(given) when 'array' then given
    else jsonb_build_array(given) end;
begin
  if operation = 'delete' or v_key is null then
    perform agentdb._refuse(
      format(case when v_key is null then '%s has no primary key, so its rows have no '
        'names' else 'a row of %s that is gone has no values' end,
        agentdb._table_name(relation)), 'Leave out new_values.');
  elsif jsonb_typeof(given) not in ('object', 'array')
    or jsonb_array_length(v_each) not between 1 and 1000
    or exists (select from jsonb_array_elements(v_each) as e (item)
      where jsonb_typeof(e.item) <> 'object'
        or e.item - case jsonb_typeof(given) when 'array' then v_key else '{}' end
          = '{}') then
    perform agentdb._refuse('new_values are none that can be looked up',
      'Give an object of columns, {"state": "paid"}, for all rows; or at most 1000 of '
        'them with their keys, [{"id": 7, "state": "paid"}].');
  end if;
  perform agentdb._check_claimed_columns(relation, array(
    select distinct k.name from jsonb_array_elements(v_each) as e (item)
    cross join jsonb_object_keys(e.item) as k (name)));
  if jsonb_typeof(given) = 'object' then
    vals := agentdb._canonical_values(relation, given);
    return;
  end if;
  select jsonb_agg(agentdb._canonical_key(relation, e.item) order by e.place),
    jsonb_agg(jsonb_build_object('key', agentdb._canonical_key(relation, e.item),
      'values', agentdb._canonical_values(relation, e.item - v_key)) order by e.place)
    into _claimed_values.keys, vals
  from jsonb_array_elements(v_each) with ordinality as e (item, place);
end;
$$;

comment on function agentdb._claimed_values (regclass, text, jsonb) is
  'The keys and values of a claim about values, as they are kept; raises ZA004, ZA033 '
  'or 42501.';


create or replace function agentdb._left_values (run bigint)
  returns table (table_name text, row_key jsonb, col text, recorded jsonb)
  language sql
  stable
begin atomic
  select t.table_name, a.row_key, k.name,
    (array_agg(a.new_values -> k.name order by a.audit_log_id desc))[1]
  from agentdb.audit_log as a
  join agentdb.audit_target as t on t.audit_target_id = a.audit_target_id
  cross join lateral jsonb_object_keys(a.new_values) as k (name)
  where a.run_id = run
    and a.row_key is not null
    and t.table_name in (
      select c.target from agentdb.claim as c
      where c.run_id = run and c.kind = 'rows' and c.expectation ? 'values')
  group by t.table_name, a.row_key, k.name;
end;

comment on function agentdb._left_values (bigint) is
  'What a run left in the columns that it wrote, of tables whose values it claims.';


-- What the run did not write in a row was there before, or was not: nobody says.
create or replace function agentdb._value_faults (run bigint)
  returns table (claim_id bigint, wrong jsonb, unknown jsonb)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set enable_nestloop = off
as $$
begin
  return query
    with written as materialized (
      select l.table_name, l.row_key, l.col, l.recorded
      from agentdb._left_values(run) as l
    ),
    claimed as materialized (
      select c.claim_id, c.target, e.item -> 'key' as row_key, v.key as col,
        v.value as claimed
      from agentdb.claim as c
      cross join lateral jsonb_array_elements(c.expectation -> 'values') as e (item)
      cross join lateral jsonb_each(e.item -> 'values') as v
      where c.run_id = run and c.kind = 'rows' and c.state = 'pending'
        and jsonb_typeof(c.expectation -> 'values') = 'array'
      union all
      select c.claim_id, c.target, r.row_key, v.key, v.value
      from agentdb.claim as c
      cross join lateral (
        select k.key as row_key
        from jsonb_array_elements(c.expectation -> 'keys') as k (key)
        union all
        select d.row_key
        from agentdb._deeds(run) as d
        where not c.expectation ? 'keys' and d.table_name = c.target
          and agentdb._did(d.operation, d.operations, c.expectation ->> 'operation')
      ) as r
      cross join lateral jsonb_each(c.expectation -> 'values') as v
      where c.run_id = run and c.kind = 'rows' and c.state = 'pending'
        and jsonb_typeof(c.expectation -> 'values') = 'object'
    ),
    fault as (
      select c.claim_id, c.row_key, c.col, c.claimed, w.recorded,
        w.col is null as unwritten,
        row_number() over (partition by c.claim_id, w.col is null
          order by c.row_key, c.col) as place
      from claimed as c
      left join written as w
        on w.table_name = c.target and w.row_key = c.row_key and w.col = c.col
      where w.recorded is distinct from c.claimed
    )
    select f.claim_id,
      case when bool_or(not f.unwritten) then jsonb_build_object('other_values',
        jsonb_agg(jsonb_build_object('key', f.row_key, 'column', f.col,
          'claimed', f.claimed, 'recorded', f.recorded) order by f.place)
          filter (where not f.unwritten and f.place <= 20)) end,
      jsonb_agg(jsonb_build_object('key', f.row_key, 'column', f.col)
        order by f.place) filter (where f.unwritten and f.place <= 20)
    from fault as f
    group by f.claim_id;
end;
$$;

comment on function agentdb._value_faults (bigint) is
  'Where the values that a run claims are not those that it wrote, and which it wrote '
  'none; up to 20 each.';
