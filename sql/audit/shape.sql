-- The shape of an audited table: what its recorded values mean.  Each shape is kept
-- with the time for which it is known to have held, so that the past is shown under
-- the columns of its moment, or refused where they were others.

create or replace function agentdb._types_of (table_oid oid)
  returns setof oid
  language sql
  stable
begin atomic
  with recursive part (oid) as (
    select a.atttypid from pg_attribute as a
    where a.attrelid = _types_of.table_oid and a.attnum > 0 and not a.attisdropped
    union
    select s.oid
    from part as p
    join pg_type as t on t.oid = p.oid
    cross join lateral (
      select t.typbasetype
      union all select t.typelem
      union all select a.atttypid from pg_attribute as a
        where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
      union all select r.rngsubtype from pg_range as r
        where t.oid in (r.rngtypid, r.rngmultitypid)
    ) as s (oid)
    where s.oid <> 0
  )
  select p.oid from part as p;
end;

comment on function agentdb._types_of (oid) is
  'All types that the values of a table are made of.';


-- Facts may be added without a change of what was recorded before: columns (c), labels
-- of enums (e), composite types (t) and partitions (p).
create or replace function agentdb._children_of (table_oid oid)
  returns setof oid
  language sql
  stable
begin atomic
  with recursive child (oid) as (
    select i.inhrelid from pg_inherits as i
    join pg_class as c on c.oid = i.inhparent and c.relkind = 'r'
    where i.inhparent = _children_of.table_oid
    union
    select i.inhrelid from child as p join pg_inherits as i on i.inhparent = p.oid
  )
  select c.oid from child as c;
end;

comment on function agentdb._children_of (oid) is
  'The tables that inherit from an ordinary table, whose rows SELECT shows with it.';


create or replace function agentdb._shape_now (target integer)
  returns jsonb
  language sql
  stable
begin atomic
  select jsonb_object_agg(f.name, f.value)
  from (
    select 'key' as name,
      coalesce(jsonb_agg(c.place order by c.key_place)
        filter (where c.key_place is not null), '[]') as value
    from agentdb.audit_column as c
    where c.audit_target_id = target
    union all
    select 'c' || c.place, jsonb_strip_nulls(jsonb_build_object(
      'name', c.column_name,
      'type', format_type(a.atttypid, a.atttypmod),
      'collation', nullif(a.attcollation, 0)::regcollation::text,
      'expression', case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid)
        end,
      -- The same where a column that it names was renamed; not so after a restore.
      'tree', case when a.attgenerated <> ''
        then md5(regexp_replace(d.adbin::text, ':location -?\d+', '', 'g')) end,
      'recorded', case when c.excluded then 'not at all'
        when c.redacted then 'redacted' end))
    from agentdb.audit_column as c
    join agentdb.audit_target as t on t.audit_target_id = c.audit_target_id
    join pg_attribute as a on a.attrelid = t.table_oid and a.attnum = c.place
    left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where c.audit_target_id = target
    union all
    select format('e %s %s', format_type(e.enumtypid, null), e.enumsortorder),
      to_jsonb(e.enumlabel)
    from agentdb.audit_target as t
    cross join lateral agentdb._types_of(t.table_oid) as y (oid)
    join pg_enum as e on e.enumtypid = y.oid
    where t.audit_target_id = target
    union all
    select 't ' || format_type(y.oid, null),
      jsonb_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod))
        order by a.attnum)
    from agentdb.audit_target as t
    cross join lateral agentdb._types_of(t.table_oid) as y (oid)
    join pg_type as d on d.oid = y.oid
    join pg_attribute as a
      on a.attrelid = d.typrelid and a.attnum > 0 and not a.attisdropped
    where t.audit_target_id = target and y.oid >= 16384
    group by y.oid
    union all
    select 'p' || p.oid, '{}'
    from agentdb.audit_target as t
    cross join lateral agentdb._parts_of(t.table_oid) as p (oid)
    join pg_class as c on c.oid = p.oid and c.relkind <> 'p'
    where t.audit_target_id = target
    union all
    -- With those that are dropped.
    select 'places', to_jsonb(c.relnatts)
    from agentdb.audit_target as t
    join pg_class as c on c.oid = t.table_oid
    where t.audit_target_id = target
    union all
    select 'children', coalesce(jsonb_agg(m.oid::bigint order by m.oid), '[]')
    from agentdb.audit_target as t
    cross join lateral agentdb._children_of(t.table_oid) as m (oid)
    where t.audit_target_id = target
  ) as f;
end;

comment on function agentdb._shape_now (integer) is
  'What the recorded values of a table mean now: its columns, key, types, partitions '
  'and children.';


create or replace function agentdb._note_shape (target integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_shape jsonb := agentdb._shape_now(target);
begin
  update agentdb.audit_layout as l
  set last_at = clock_timestamp()
  where l.audit_target_id = target
    and l.shape = v_shape
    and l.audit_layout_id = (
      select max(o.audit_layout_id) from agentdb.audit_layout as o
      where o.audit_target_id = target);
  if not found then
    insert into agentdb.audit_layout (audit_target_id, shape, first_at)
    select t.audit_target_id, v_shape,
      case when exists (
        select from agentdb.audit_layout as o where o.audit_target_id = target
      ) then clock_timestamp() else t.audited_at end
    from agentdb.audit_target as t
    where t.audit_target_id = target;
  end if;
end;
$$;

comment on function agentdb._note_shape (integer) is
  'Notes that the shape of a table holds now, a new one as known from now on.';


create or replace function agentdb._shape_difference (former jsonb, later jsonb)
  returns text
  language sql
  stable
begin atomic
  select string_agg(
    case
      when f.key = 'key' then 'its primary key was another'
      when f.key ~ '^c[0-9]' and later -> f.key is null
        then format('column %s was dropped', f.value ->> 'name')
      when f.key ~ '^c[0-9]' then format('the %s of column %s was changed', (
          select string_agg(k.key, ' and ')
          from jsonb_each(later -> f.key || f.value) as k
          where f.value -> k.key is distinct from later -> f.key -> k.key
            and k.key not in ('name', 'tree')
        ), f.value ->> 'name')
      when f.key ~ '^p[0-9]' then 'a partition was detached or dropped'
      when f.key = 'children' then 'a table that inherits from it was added or removed'
      when f.key ~ '^e ' then format('label %s of an enum was renamed', f.value)
      else format('type %s was altered', substr(f.key, 3))
    end,
    ', ' order by f.key)
  from jsonb_each(former) as f
  where later -> f.key is distinct from f.value
    and f.key <> 'places'
    -- What a column is called makes no difference to its values.
    and case when f.key !~ '^c[0-9]' then true
      when f.value -> 'tree' = later -> f.key -> 'tree'
        then (later -> f.key) - 'name' - 'expression' is distinct from
          f.value - 'name' - 'expression'
      else (later -> f.key) - 'name' - 'tree'
        is distinct from f.value - 'name' - 'tree' end;
end;

comment on function agentdb._shape_difference (jsonb, jsonb) is
  'Says what keeps values recorded under one shape from being read under a later one; '
  'NULL where nothing does.';


create or replace function agentdb._column_names (shape jsonb)
  returns jsonb
  language sql
  immutable
begin atomic
  select jsonb_object_agg(c.key, coalesce(c.value -> 'name', c.value))
  from jsonb_each(shape) as c where c.key ~ '^(c[0-9]|places$)';
end;

comment on function agentdb._column_names (jsonb) is
  'The names of the columns of a shape by their places, and how many places there '
  'are.';


create or replace function agentdb._recorded_names (shape jsonb)
  returns text[]
  language sql
  immutable
begin atomic
  select array_agg(c.value ->> 'name')
  from jsonb_each(shape) as c
  where c.key ~ '^c[0-9]'
    and c.value ->> 'recorded' is distinct from 'not at all';
end;

comment on function agentdb._recorded_names (jsonb) is
  'The names of the columns of a shape that are recorded, if only by [redacted].';


create or replace function agentdb._columns_between (former jsonb, later jsonb)
  returns text
  language sql
  stable
begin atomic
  with changed as (
    select n.key, former -> n.key ->> 'name' as was, n.value ->> 'name' as is
    from jsonb_each(later) as n
    where n.key ~ '^c[0-9]'
      and former -> n.key -> 'name' is distinct from n.value -> 'name'
  )
  select string_agg(c.what, ', ')
  from (
    select case when n.was is null then format('column %s was added', n.is)
      else format('column %s was renamed to %s', n.was, n.is) end as what
    from changed as n
    union all
    select 'a column came and went'
    where (later -> 'places')::integer - (former -> 'places')::integer
      > (select count(*) from changed as n where n.was is null)
  ) as c;
end;

comment on function agentdb._columns_between (jsonb, jsonb) is
  'Says which columns came, went again or got another name between two shapes.';


-- The shape of a moment, if the log from there to now reads the same everywhere.
create or replace function agentdb._shape_at (
  target integer,
  at timestamptz,
  out shape jsonb,
  out fault text,
  out since timestamptz
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_later record;
  v_layout record;
begin
  select agentdb._shape_now(target) as shape, null::timestamptz as first_at
    into v_later;
  for v_layout in
    select l.shape, l.first_at, l.last_at
    from agentdb.audit_layout as l
    where l.audit_target_id = target
    order by l.audit_layout_id desc
  loop
    fault := agentdb._shape_difference(v_layout.shape, v_later.shape);
    shape := v_layout.shape;
    if fault is null and v_layout.last_at < at
      and (v_later.first_at is null or at < v_later.first_at) then
      fault := agentdb._columns_between(v_layout.shape, v_later.shape);
    end if;
    if fault is not null then
      since := v_later.first_at;
      fault := format('%s between %s and %s', fault, agentdb._utc(v_layout.last_at),
        coalesce(agentdb._utc(since), 'now'));
      return;
    end if;
    exit when v_layout.first_at <= at;
    v_later := v_layout;
  end loop;
end;
$$;

comment on function agentdb._shape_at (integer, timestamptz) is
  'The shape of a table at a moment; or what was altered since, and since when its '
  'shape is known.';
