-- The past: a table, or a row of it, as it was at a moment.  Present rows are read with
-- the rights of the caller: who may not see a table cannot see it by its past.

-- The tables whose rows SELECT shows, each with its attachment and the columns that it
-- has beside those of the first.
create or replace function agentdb._past_members (relation regclass)
  returns table (target integer, table_oid oid, extra text[])
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_child oid;
begin
  target := agentdb._target_of(relation);
  table_oid := relation;
  extra := '{}';
  return next;
  for v_child in select c.oid from agentdb._children_of(relation) as c (oid) loop
    select t.audit_target_id into target
    from agentdb.audit_target as t
    where t.table_oid = v_child and t.unaudited_at is null;
    if target is null or agentdb._key_sql(target, 'o')
      <> agentdb._key_sql(agentdb._target_of(relation), 'o') then
      perform agentdb._refuse_history(relation,
        format('%s inherits from it, and %s', agentdb._table_name(v_child),
          case when target is null then 'is not audited'
            else 'has another primary key' end),
        format('select * from agentdb.audit_table(%L);', agentdb._table_name(v_child)));
    end if;
    table_oid := v_child;
    extra := array(
      select a.attname::text from pg_attribute as a
      where a.attrelid = v_child and a.attnum > 0
      except
      select a.attname::text from pg_attribute as a
      where a.attrelid = relation and a.attnum > 0);
    return next;
  end loop;
end;
$$;

comment on function agentdb._past_members (regclass) is
  'A table and those that inherit from it, as they are recorded; raises ZA033 where '
  'one is not.';


-- The present rows and what happened since, put together by _rewind().
create or replace function agentdb._past_sql (relation regclass, by_key boolean)
  returns text
  language sql
  stable
  return (
    select format(
      $past$
    with event as materialized (
      select l.audit_target_id as target, l.audit_log_id, l.row_key, l.operation, l.xid,
        l.recorded_at, l.old_values%1$s as old_values, l.new_values%1$s as new_values
      from agentdb.audit_log as l
      where l.audit_target_id = any (%2$L) and l.recorded_at > $1%3$s
    ),
    changed as (
      select e.target, e.row_key,
        array_agg(e.operation order by e.audit_log_id desc) as operations,
        array_agg(e.xid order by e.audit_log_id desc) as xids,
        array_agg(e.recorded_at order by e.audit_log_id desc) as moments,
        array_agg(e.old_values order by e.audit_log_id desc) as olds,
        array_agg(e.new_values order by e.audit_log_id desc) as news
      from event as e
      group by e.target, e.row_key
    ),
    present as (
      select %4$s as target, %5$s as row_key, %6$s as row_values, o.tableoid
      from %7$s as o%8$s
    )
    select v.row_key, v.row_values - $3 as row_values
    from (
      select coalesce(p.row_key, c.row_key) as row_key,
        case when c.row_key is not null then
            agentdb._rewind(%7$L, c.row_key, p.row_values, %9$L, c.operations, c.xids,
              c.moments, c.olds, c.news)
          when p.tableoid = any ($4) then agentdb._refuse_row(%7$L, p.row_key,
            'a partition was attached since, and nothing tells the past')
          else p.row_values end as row_values
      from present as p
      full join changed as c on c.target = p.target and c.row_key = p.row_key
      offset 0
    ) as v
    where v.row_values is not null and %10$s$past$,
      case when count(*) > 1 then ' - case l.audit_target_id '
        || string_agg(format('when %s then %L::text[]', m.target, m.extra), ' ')
        || ' end' else '' end,
      array_agg(m.target),
      case when by_key then ' and ' || agentdb._same_key_sql(relation) else '' end,
      case when count(*) > 1 then 'case o.tableoid '
        || string_agg(format('when %s then %s', m.table_oid, m.target), ' ')
        || ' end' else agentdb._target_of(relation)::text end,
      agentdb._key_sql(agentdb._target_of(relation), 'o'),
      agentdb._row_sql(agentdb._target_of(relation), 'o'),
      relation,
      case when by_key then ' where ' || agentdb._equal_sql(relation, 'o.%1$I',
        '($2 ->> %2$L)::%3$s') else '' end,
      row_security_active(relation),
      case when row_security_active(relation) then agentdb._visible_sql(relation)
        else 'true' end
    )
    from agentdb._past_members(relation) as m
  );

comment on function agentdb._past_sql (regclass, boolean) is
  'SQL text: the rows of a table, or those of key $2, as they were at $1, without the '
  'columns $3; rows of the partitions $4 must have come since.';


create or replace function agentdb._gaps (target integer)
  returns table (gap text, hint text, began_at timestamptz, ended_at timestamptz)
  language sql
  stable
begin atomic
  select agentdb._gap_text(g.began_at, g.ended_at, g.suspended_by, g.reason),
    case when g.suspended_by is null then format('It is known again since '
        'agentdb.audit_table(%L), or since agentdb.maintain() may do that.',
        g.table_name)
      else 'It is known again a minute after agentdb.unsuspend(), once the '
        'transactions of that time have ended.' end,
    g.began_at, g.ended_at
  from agentdb.recording_gap as g
  where g.audit_target_id = target
  union all
  -- Not looked at yet.
  select agentdb._gap_text(t.in_place_at, null, null, m.missed),
    format('select * from agentdb.maintain_tables(); or select * from '
      'agentdb.audit_table(%L); then ask for a moment since.', t.table_name),
    t.in_place_at, null
  from agentdb.audit_target as t
  cross join lateral agentdb._record_missed(t.audit_target_id) as m (missed)
  where t.audit_target_id = target and m.missed is not null;
end;

comment on function agentdb._gaps (integer) is
  'The gaps in the record of a table, with what ends one that is open.';


create or replace function agentdb._check_past (relation regclass, at timestamptz)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_since timestamptz := (
    select greatest(t.audited_at, clock_timestamp()
      - (select max(p.audit_retention) from agentdb.policy as p),
      (select max(d.day + 1)::timestamp at time zone 'UTC'
        from agentdb.removed_day as d))
    from agentdb.audit_target as t
    where t.audit_target_id = agentdb._target_of(relation)
  );
  v_gap text;
  v_hint text;
  v_ended_at timestamptz;
  v_fault text;
begin
  select g.gap, g.ended_at, g.hint into v_gap, v_ended_at, v_hint
  from agentdb._gaps(agentdb._target_of(relation)) as g
  where coalesce(g.ended_at > at, true)
  order by g.ended_at desc nulls first, g.began_at
  limit 1;
  if v_gap is not null then
    perform agentdb._refuse_history(relation, v_gap, case when v_ended_at is null
      then v_hint else format('Ask for a moment since %s.', v_ended_at) end);
  end if;
  if at is null or at < v_since then
    perform agentdb._refuse_history(relation,
      format('it is recorded since %s', v_since),
      format('Ask for a moment since then, not for %s.', coalesce(at::text, 'NULL')));
  end if;
  select s.fault, s.since into v_fault, v_ended_at
  from agentdb._shape_at(agentdb._target_of(relation), at) as s;
  if v_fault is not null then
    perform agentdb._refuse_history(relation, v_fault, case when v_ended_at is null
      then 'select * from agentdb.maintain_tables(); then ask for a moment since.'
      else format('Ask for a moment since %s.', v_ended_at) end);
  end if;
end;
$$;

comment on function agentdb._check_past (regclass, timestamptz) is
  'Raises ZA033 for a moment before the audit of a table began, its retention ends or '
  'a gap in its record does, or its columns were others.';


create or replace function agentdb._past (
  relation regclass,
  at timestamptz,
  key jsonb
)
  returns table (row_key jsonb, row_values jsonb)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_shape jsonb;
  v_now jsonb := agentdb._shape_now(agentdb._target_of(relation));
  v_member record;
begin
  for v_member in select m.table_oid from agentdb._past_members(relation) as m loop
    perform agentdb._check_past(v_member.table_oid::regclass, at);
    perform agentdb._check_erased(v_member.table_oid::regclass, at, key);
  end loop;
  select s.shape into v_shape
  from agentdb._shape_at(agentdb._target_of(relation), at) as s;
  return query execute agentdb._past_sql(relation, key is not null)
    using at, key,
      array(select agentdb._shape_columns(v_now) except
        select agentdb._shape_columns(v_shape)),
      array(select substr(n.name, 2)::oid from jsonb_object_keys(v_now) as n (name)
        where n.name ~ '^p[0-9]' and not v_shape ? n.name);
end;
$$;

comment on function agentdb._past (regclass, timestamptz, jsonb) is
  'The rows of a table, or those of a key, as they were at a moment; raises ZA033.';


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
  if agentdb._key_sql(agentdb._target_of(relation), 'o') = 'null::jsonb' then
    perform agentdb._refuse_history(relation,
      'it has no primary key, so its rows have no names',
      'Give it a primary key.');
  end if;
  return query select * from agentdb._past(relation, at, null);
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
  select p.row_values into v_row
  from agentdb._past(relation, at, agentdb._canonical_key(relation, key)) as p;
  return v_row;
end;
$$;

comment on function agentdb.row_as_of (regclass, jsonb, timestamptz) is
  'A row as it was at a moment, NULL where it did not exist; raises ZA004, ZA006 or '
  'ZA033.';
