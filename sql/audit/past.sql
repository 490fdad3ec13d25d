-- The past: a table, or a row of it, as it was at a moment.  Present rows are read with
-- the rights of the caller: who may not see a table cannot see it by its past.

-- The present row, and over it the oldest recorded value of each column that has
-- changed since; where the row was removed since, what it was then takes the present
-- row's place.
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
        min(e.audit_log_id)
          filter (where e.operation in ('delete', 'truncate')) as removed,
        (array_agg(e.operation order by e.audit_log_id))[1] as first_operation
      from event as e
      group by e.row_key
    ),
    former as (
      select e.row_key,
        jsonb_object_agg(v.key, v.value order by e.audit_log_id desc) as row_values
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
      'and jsonb_hash_extended(l.row_key, 0) = jsonb_hash_extended($2, 0) '
      'and l.row_key = $2'
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
    select greatest(t.audited_at, clock_timestamp()
      - (select max(p.audit_retention) from agentdb.policy as p))
    from agentdb.audit_target as t
    where t.audit_target_id = agentdb._target_of(relation)
  );
  v_gap text;
  v_ended_at timestamptz;
begin
  select agentdb._gap_text(g.began_at, g.ended_at, g.suspended_by, g.reason), g.ended_at
    into v_gap, v_ended_at
  from agentdb.recording_gap as g
  where g.audit_target_id = agentdb._target_of(relation)
    and coalesce(g.ended_at > at, true)
  order by g.ended_at desc nulls first, g.began_at
  limit 1;
  if v_gap is not null then
    perform agentdb._refuse_history(relation, v_gap, case when v_ended_at is null
      then 'It is known again a minute after agentdb.unsuspend(), once the '
        'transactions of that time have ended.'
      else format('Ask for a moment since %s.', v_ended_at) end);
  end if;
  if at is null or at < v_since then
    perform agentdb._refuse_history(relation,
      format('it is recorded since %s', v_since),
      format('Ask for a moment since then, not for %s.', coalesce(at::text, 'NULL')));
  end if;
end;
$$;

comment on function agentdb._check_past (regclass, timestamptz) is
  'Raises ZA033 for a moment before the audit of a table began, its retention ends or '
  'a gap in its record does.';


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
    perform agentdb._refuse_history(relation,
      'it has no primary key, so its rows have no names',
      'Give it a primary key.');
  end if;
  return query execute agentdb._past_sql(relation, false) using at;
end;
$$;

comment on function agentdb.table_as_of (regclass, timestamptz) is
  'All rows of a table as they were at a moment; (row_values ->> column)::type gives '
  'a value back; raises ZA006 or ZA033.';


create or replace function agentdb.row_as_of (
  relation regclass,
  key jsonb,
  at timestamptz
)
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
  execute format('select p.row_values from (%s) as p',
      agentdb._past_sql(relation, true))
    into v_row using at, agentdb._canonical_key(relation, key);
  return v_row;
end;
$$;

comment on function agentdb.row_as_of (regclass, jsonb, timestamptz) is
  'A row as it was at a moment, NULL where it did not exist; raises ZA004, ZA006 or '
  'ZA033.';
