-- History: a row through time, a table at a moment, what a run did.  Present rows are read
-- with the rights of the caller: who may not see a table cannot see it by its past.

-- The key as the log writes it, whatever JSON the caller gave; a bare value will do where
-- the key is one column.
create or replace function agentdb._canonical_key (relation regclass, key jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
as $$
declare
  v_target integer := agentdb._target_of(relation);
  v_columns text[];
  v_select text;
  v_key jsonb := _canonical_key.key;
begin
  select array_agg(c.column_name::text order by c.key_place),
         string_agg(format('($1 ->> %L)::%s as %I', c.column_name::text,
           format_type(a.atttypid, a.atttypmod), c.column_name), ', ' order by c.key_place)
    into v_columns, v_select
  from agentdb.audit_column as c
  join pg_attribute as a on a.attrelid = relation and a.attnum = c.place
  where c.audit_target_id = v_target and c.key_place is not null;
  if v_columns is null then
    perform agentdb._refuse_history(relation, 'it has no primary key, so its rows have no names',
      format('select * from agentdb.audit where table_name = %L;', agentdb._table_name(relation)));
  elsif jsonb_typeof(v_key) <> 'object' and cardinality(v_columns) = 1 then
    v_key := jsonb_build_object(v_columns[1], v_key);
  end if;
  if v_key is null or not v_key ?& v_columns then
    perform agentdb._refuse(
      format('the key of %s is %s', agentdb._table_name(relation), array_to_string(v_columns, ', ')),
      'Give it as JSON: {"' || v_columns[1] || '": …}.');
  end if;
  execute format('select %s from (select %s) as o', agentdb._key_sql(v_target, 'o'), v_select)
    into v_key using v_key;
  return v_key;
end;
$$;

comment on function agentdb._canonical_key (regclass, jsonb) is
  'The key of a row as audit_log has it; raises ZA004, ZA006 or ZA033.';


create or replace function agentdb._target_of (relation regclass)
  returns integer
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_target integer := (
    select t.audit_target_id from agentdb.audit_target as t
    where t.table_oid = relation::oid and t.unaudited_at is null
  );
begin
  if v_target is null then
    raise exception '% is not audited', coalesce(agentdb._table_name(relation), 'NULL')
      using errcode = 'ZA006', hint = 'select table_name from agentdb.audited_table;';
  end if;
  return v_target;
end;
$$;

comment on function agentdb._target_of (regclass) is
  'The present attachment of a table; raises ZA006.';


create or replace function agentdb._refuse_history (relation regclass, problem text, hint text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'the past of % cannot be told: %', agentdb._table_name(relation), problem
    using errcode = 'ZA033', hint = hint;
end;
$$;

comment on function agentdb._refuse_history (regclass, text, text) is
  'Raises ZA033 where the log cannot answer.';


create or replace function agentdb.row_history (relation regclass, key jsonb)
  returns table (
    recorded_at timestamptz, operation text, old_values jsonb, new_values jsonb,
    agent_name text, run_id bigint, session_role text, statement bigint, audit_log_id bigint
  )
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key jsonb := agentdb._canonical_key(relation, key);
begin
  return query
    select l.recorded_at, l.operation, l.old_values, l.new_values, a.agent_name, l.run_id,
      l.session_role, l.statement, l.audit_log_id
    from agentdb.audit_log as l
    left join agentdb.agent as a on a.agent_id = l.agent_id
    where l.audit_target_id in (
        select t.audit_target_id from agentdb.audit_target as t
        where t.table_oid = relation::oid)
      and jsonb_hash_extended(l.row_key, 0) = jsonb_hash_extended(v_key, 0)
      and l.row_key = v_key
    order by l.audit_log_id;
end;
$$;

comment on function agentdb.row_history (regclass, jsonb) is
  'Everything that happened to a row, the oldest first; the key as JSON, or its bare value; raises ZA004, ZA006 or ZA033.';


-- The present row, and over it the oldest recorded value of each column that has changed
-- since; where the row was removed since, what it was then takes the present row's place.
create or replace function agentdb._past_sql (relation regclass, by_key boolean)
  returns text
  language sql
  stable
  return format(
    $past$
    with event as materialized (
      select l.audit_log_id, l.row_key, l.operation, l.old_values
      from agentdb.audit_log as l
      where l.audit_target_id = %1$s and l.recorded_at > $1 %2$s
    ),
    changed as (
      select e.row_key,
        min(e.audit_log_id) filter (where e.operation in ('delete', 'truncate')) as removed,
        (array_agg(e.operation order by e.audit_log_id))[1] as first_operation
      from event as e
      group by e.row_key
    ),
    former as (
      select e.row_key, jsonb_object_agg(v.key, v.value order by e.audit_log_id desc) as row_values
      from event as e
      join changed as c on c.row_key = e.row_key
      cross join lateral jsonb_each(e.old_values) as v
      where e.operation = 'update' and (c.removed is null or e.audit_log_id < c.removed)
      group by e.row_key
    ),
    present as (
      select %3$s as row_key, %4$s as row_values from %5$s as o %6$s
    )
    select p.row_key, p.row_values
    from present as p
    where not exists (select from changed as c where c.row_key = p.row_key)
    union all
    select c.row_key,
      coalesce(r.old_values, p.row_values) || coalesce(f.row_values, '{}')
    from changed as c
    left join former as f on f.row_key = c.row_key
    left join event as r on r.audit_log_id = c.removed
    left join present as p on p.row_key = c.row_key and c.removed is null
    where c.first_operation <> 'insert'$past$,
    agentdb._target_of(relation),
    case when by_key then
      'and jsonb_hash_extended(l.row_key, 0) = jsonb_hash_extended($2, 0) and l.row_key = $2'
    else '' end,
    agentdb._key_sql(agentdb._target_of(relation), 'o'),
    agentdb._row_sql(agentdb._target_of(relation), 'o'),
    relation,
    case when by_key then (
      select 'where ' || string_agg(format('o.%I = ($2 ->> %L)::%s', c.column_name,
        c.column_name::text, format_type(a.atttypid, a.atttypmod)), ' and ')
      from agentdb.audit_column as c
      join pg_attribute as a on a.attrelid = relation and a.attnum = c.place
      where c.audit_target_id = agentdb._target_of(relation) and c.key_place is not null
    ) else '' end
  );

comment on function agentdb._past_sql (regclass, boolean) is
  'SQL text: the rows of a table, or one of them, as they were at $1.';


create or replace function agentdb._check_past (relation regclass, at timestamptz)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_since timestamptz := (
    select greatest(t.audited_at, clock_timestamp() - (select max(p.audit_retention) from agentdb.policy as p))
    from agentdb.audit_target as t where t.audit_target_id = agentdb._target_of(relation)
  );
begin
  if at is null or at < v_since then
    perform agentdb._refuse_history(relation, format('it is recorded since %s', v_since),
      format('Ask for a moment since then, not for %s.', coalesce(at::text, 'NULL')));
  end if;
end;
$$;

comment on function agentdb._check_past (regclass, timestamptz) is
  'Raises ZA033 for a moment before the audit of a table began or its retention ends.';


create or replace function agentdb.table_as_of (relation regclass, at timestamptz)
  returns table (row_key jsonb, row_values jsonb)
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
begin
  perform agentdb._check_past(relation, at);
  if agentdb._key_sql(agentdb._target_of(relation), 'o') = 'null::jsonb' then
    perform agentdb._refuse_history(relation, 'it has no primary key, so its rows have no names',
      'Give it a primary key.');
  end if;
  return query execute agentdb._past_sql(relation, false) using at;
end;
$$;

comment on function agentdb.table_as_of (regclass, timestamptz) is
  'All rows of a table as they were at a moment; (row_values ->> column)::type gives a value back; raises ZA006 or ZA033.';


create or replace function agentdb.row_as_of (relation regclass, key jsonb, at timestamptz)
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
  v_row jsonb;
begin
  perform agentdb._check_past(relation, at);
  execute format('select p.row_values from (%s) as p', agentdb._past_sql(relation, true))
    into v_row using at, agentdb._canonical_key(relation, key);
  return v_row;
end;
$$;

comment on function agentdb.row_as_of (regclass, jsonb, timestamptz) is
  'A row as it was at a moment, NULL where it did not exist; raises ZA004, ZA006 or ZA033.';


create or replace function agentdb.run_changes (run bigint)
  returns table (
    recorded_at timestamptz, table_name text, operation text, row_key jsonb, old_values jsonb,
    new_values jsonb, statement bigint, audit_log_id bigint
  )
  language sql
  stable
begin atomic
  select l.recorded_at, t.table_name, l.operation, l.row_key, l.old_values, l.new_values,
    l.statement, l.audit_log_id
  from agentdb.audit_log as l
  join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
  where l.run_id = run_changes.run
  order by l.audit_log_id;
end;

comment on function agentdb.run_changes (bigint) is
  'Every row that a run changed, in order.';
