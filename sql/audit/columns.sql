-- Columns of an audited table: how a value becomes JSON, and how two are compared.
--
-- (old_values ->> column)::type gives back every value exactly.  What JSON would blur
-- is kept as the type's own text: json keeps its spaces, an array its bounds, a float
-- its -0. Types that are not PostgreSQL's own go through their output function, never
-- through a cast: whoever makes a type may make its casts, and would run code as our
-- owner.

create or replace function agentdb._table_name (table_oid oid)
  returns text
  language sql
  stable
  return (
    select format('%I.%I', n.nspname, c.relname)
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = table_oid
  );

comment on function agentdb._table_name (oid) is
  'The name of a table with its schema, quoted where it must be.';


create or replace function agentdb._base_type (type oid)
  returns oid
  language sql
  stable
begin atomic
  with recursive base (oid, next) as (
    select t.oid, t.typbasetype from pg_type as t where t.oid = _base_type.type
    union all
    select t.oid, t.typbasetype from base as b join pg_type as t on t.oid = b.next
  )
  select b.oid from base as b where b.next = 0;
end;

comment on function agentdb._base_type (oid) is
  'The type that a domain is made of, in the end; any other type itself.';


-- Equal means identical: not so for numeric without a scale, floats, json, citext and
-- many more.  Which = an enum has is decided by the casts of whoever made it.
create or replace function agentdb._is_exact (
  type oid,
  typmod integer,
  collation_id oid
)
  returns boolean
  language sql
  stable
  return (
    select t.oid in (
        'bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype,
        'oid'::regtype, 'uuid'::regtype, 'date'::regtype, 'timestamp'::regtype,
        'timestamptz'::regtype,
        'bytea'::regtype
      )
      or t.oid = 'numeric'::regtype and typmod >= 0
      or t.oid in ('text'::regtype, 'varchar'::regtype) and coalesce(
        (select c.collisdeterministic from pg_collation as c
          where c.oid = collation_id),
        true
      )
    from pg_type as t
    where t.oid = agentdb._base_type(_is_exact.type)
  );

comment on function agentdb._is_exact (oid, integer, oid) is
  'Whether two values of a type that are equal are also identical.';


create or replace view agentdb.audit_column as
  select
    t.audit_target_id,
    a.attnum as place,
    a.attname as column_name,
    b.oid as base_type,
    case
      when b.oid = 'jsonb'::regtype then 'jsonb'
      when b.oid in ('float4'::regtype, 'float8'::regtype) then 'float'
      when b.oid = 'json'::regtype or b.typcategory = 'A' or b.typtype = 'c'
        or b.oid >= 16384 then 'text'
      else 'plain'
    end as form,
    -- The whole row may go to to_jsonb() only where no type can bring its own cast.
    b.oid < 16384 as safe,
    agentdb._is_exact(a.atttypid, a.atttypmod, a.attcollation) as exact,
    a.attname = any (t.redacted) or a.attnum = any (t.redacted_places) as redacted,
    a.attname = any (t.excluded) or a.attnum = any (t.excluded_places) as excluded,
    k.place as key_place
  from agentdb.audit_target as t
  join pg_attribute as a
    on a.attrelid = t.table_oid and a.attnum > 0 and not a.attisdropped
  join pg_type as d on d.oid = a.atttypid
  join pg_type as b on b.oid = case
    when d.typtype = 'd' then agentdb._base_type(d.oid) else d.oid end
  left join pg_index as i
    on i.indrelid = t.table_oid and i.indisprimary and i.indimmediate
  left join lateral unnest(i.indkey) with ordinality as k (attnum, place)
    on k.attnum = a.attnum
  where t.unaudited_at is null;

comment on view agentdb.audit_column is
  'The columns of audited tables as they are now, and how each is recorded.';
comment on column agentdb.audit_column.audit_target_id is
  'The attachment.';
comment on column agentdb.audit_column.place is
  'Number of the column in its table.';
comment on column agentdb.audit_column.column_name is
  'The column.';
comment on column agentdb.audit_column.base_type is
  'Its type, below all domains.';
comment on column agentdb.audit_column.form is
  'How its values become JSON: plain, or so that ->> gives them back exactly.';
comment on column agentdb.audit_column.safe is
  'Whether no cast of a user can be involved.';
comment on column agentdb.audit_column.exact is
  'Whether = finds every change.';
comment on column agentdb.audit_column.redacted is
  'Whether only the fact of a change is recorded.';
comment on column agentdb.audit_column.excluded is
  'Whether it is not recorded at all.';
comment on column agentdb.audit_column.key_place is
  'Its place in the primary key; NULL outside it, or where the key is deferrable.';


-- An expression for the value of a column of a row named o or n (or v_old or v_new).
create or replace function agentdb._value_sql (
  row_name text,
  col name,
  form text,
  redacted boolean
)
  returns text
  language sql
  immutable
  return case
    when redacted then '''[redacted]''::text'
    when form = 'plain' then format('%1$s.%2$I', row_name, col)
    when form = 'jsonb' then format(
      'case when jsonb_typeof(%1$s.%2$I) in (''object'', ''array'') then %1$s.%2$I '
      'else to_jsonb(%1$s.%2$I::text) end', row_name, col)
    when form = 'float' then format(
      'case when %1$s.%2$I = 0 and concat(%1$s.%2$I) = ''-0'' '
      'then to_jsonb(''-0''::text) else to_jsonb(%1$s.%2$I) end', row_name, col)
    else format(
      'case when num_nulls(%1$s.%2$I) = 0 then concat(%1$s.%2$I) end', row_name, col)
  end;

comment on function agentdb._value_sql (text, name, text, boolean) is
  'SQL text: the value of a column of a row, as it is recorded.';


create or replace function agentdb._changed_sql (
  o text,
  n text,
  col name,
  exact boolean
)
  returns text
  language sql
  immutable
  return format(
    case when exact then '%1$s.%3$I is distinct from %2$s.%3$I'
      else 'record_image_ne(row(%1$s.%3$I), row(%2$s.%3$I))' end,
    o, n, col
  );

comment on function agentdb._changed_sql (text, text, name, boolean) is
  'SQL text: whether a column differs between two rows.';


-- PostgreSQL passes at most 100 arguments to a function, and nests expressions on a
-- stack: 40 columns an object, 40 objects a bracket.
create or replace function agentdb._object_sql (parts text[])
  returns text
  language sql
  immutable
  return coalesce(
    (
      select string_agg(format('(%s)', g.text), E'\n || ' order by g.place)
      from (
        select p.place / 40 as place,
          string_agg(p.part, E'\n || ' order by p.place) as text
        from unnest(parts) with ordinality as p (part, place)
        group by p.place / 40
      ) as g
    ),
    '''{}''::jsonb'
  );

comment on function agentdb._object_sql (text[]) is
  'SQL text: JSON objects put together, whatever their number.';


create or replace function agentdb._key_sql (target integer, row_name text)
  returns text
  language sql
  stable
  return (
    select coalesce(
      'jsonb_build_object(' || string_agg(
        format('%L, %s', c.column_name::text,
          agentdb._value_sql(row_name, c.column_name, c.form, false)),
        ', ' order by c.key_place
      ) || ')', 'null::jsonb')
    from agentdb.audit_column as c
    where c.audit_target_id = target and c.key_place is not null
  );

comment on function agentdb._key_sql (integer, text) is
  'SQL text: the primary key of a row as JSON, NULL for a table without one.';


create or replace function agentdb._row_sql (target integer, row_name text)
  returns text
  language sql
  stable
  return (
    select case
      when bool_and(c.safe) and not bool_or(c.excluded) then
        concat(
          -- A column may be called o, hence o.*; of a variable that would not parse.
          format(case when row_name like 'v\_%' then 'to_jsonb(%s)'
            else 'to_jsonb(%s.*)' end, row_name),
          string_agg(
            format(E'\n || jsonb_build_object(%L, %s)', c.column_name::text,
              agentdb._value_sql(row_name, c.column_name, c.form, c.redacted)),
            '' order by c.place
          ) filter (where c.form <> 'plain' or c.redacted)
        )
      else agentdb._object_sql(
        array_agg(
          format('jsonb_build_object(%L, %s)', c.column_name::text,
            agentdb._value_sql(row_name, c.column_name, c.form, c.redacted))
          order by c.place
        ) filter (where not c.excluded)
      )
    end
    from agentdb.audit_column as c
    where c.audit_target_id = target
  );

comment on function agentdb._row_sql (integer, text) is
  'SQL text: a whole row as JSON, as it is recorded.';
