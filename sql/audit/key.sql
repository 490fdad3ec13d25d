-- Finding the rows of a key: where equal values can be spelled differently, by the
-- equality of its index, which no search_path decides.

-- The key as the log writes it, whatever JSON the caller gave; a bare value will do
-- where the key is one column.
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
           agentdb._codeless_type(a.atttypid, a.atttypmod), c.column_name),
           ', ' order by c.key_place)
    into v_columns, v_select
  from agentdb.audit_column as c
  join pg_attribute as a on a.attrelid = relation and a.attnum = c.place
  where c.audit_target_id = v_target and c.key_place is not null;
  if v_columns is null then
    perform agentdb._refuse_history(relation,
      'it has no primary key, so its rows have no names',
      format('select * from agentdb.audit where table_name = %L;',
        agentdb._table_name(relation)));
  elsif jsonb_typeof(v_key) <> 'object' and cardinality(v_columns) = 1 then
    v_key := jsonb_build_object(v_columns[1], v_key);
  end if;
  if v_key is null or not v_key ?& v_columns then
    perform agentdb._refuse(
      format('the key of %s is %s', agentdb._table_name(relation),
        array_to_string(v_columns, ', ')),
      'Give it as JSON: {"' || v_columns[1] || '": …}.');
  elsif agentdb._is_pseudonym(v_key) then
    return v_key;
  end if;
  begin
    execute format('select %s from (select %s) as o',
        agentdb._key_sql(v_target, 'o'), v_select)
      into v_key using v_key;
  exception when data_exception then
    perform agentdb._refuse(
      format('%s is no key of %s: %s', agentdb._clean_text(key::text, 200),
        agentdb._table_name(relation), sqlerrm),
      format('Give %s as the table has it.', array_to_string(v_columns, ', ')));
  end;
  return v_key;
end;
$$;

comment on function agentdb._canonical_key (regclass, jsonb) is
  'The key of a row as audit_log has it; raises ZA004, ZA006 or ZA033.';


-- A key is read with our rights: what a domain checks would run with them.  The value
-- is the same without its domain.
create or replace function agentdb._codeless_type (type oid, typmod integer)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_type text;
begin
  with recursive base (oid, next, typmod) as (
    select t.oid, t.typbasetype, _codeless_type.typmod
    from pg_type as t where t.oid = _codeless_type.type
    union all
    select t.oid, t.typbasetype, o.typtypmod
    from base as b
    join pg_type as o on o.oid = b.oid
    join pg_type as t on t.oid = b.next
  ),
  part (oid, within) as (
    select b.oid, false from base as b where b.next = 0
    union
    select s.oid, true
    from part as p
    join pg_type as t on t.oid = p.oid
    cross join lateral (
      select t.typelem
      union all select a.atttypid from pg_attribute as a
        where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
      union all select r.rngsubtype from pg_range as r
        where t.oid in (r.rngtypid, r.rngmultitypid)
    ) as s (oid)
    where s.oid <> 0
  )
  select format_type(b.oid, b.typmod) into v_type
  from base as b
  where b.next = 0
    and not exists (
      select from part as p
      join pg_type as t on t.oid = p.oid
      where p.within and t.typtype = 'd');
  if v_type is null then
    perform agentdb._refuse(
      format('a value of type %s cannot be given here: a part of it is a domain',
        format_type(type, typmod)),
      'Say how many rows instead, or look for them with SQL of your own.');
  end if;
  return v_type;
end;
$$;

comment on function agentdb._codeless_type (oid, integer) is
  'The name of the type below a domain, which runs nobody''s code; raises ZA004 for '
  'one that has a domain within.';


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


create or replace function agentdb._refuse_history (
  relation regclass,
  problem text,
  hint text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'the past of % is not known: %',
      agentdb._table_name(relation), problem
    using errcode = 'ZA033', hint = hint;
end;
$$;

comment on function agentdb._refuse_history (regclass, text, text) is
  'Raises ZA033 where the log cannot answer.';


-- Each side is a pattern: %1$I the column, %2$L its name in JSON, %3$s its type.
create or replace function agentdb._equal_sql (relation regclass, l text, r text)
  returns text
  language sql
  stable
begin atomic
  select string_agg(format('%s operator(%I.%s) %s',
      format(l, a.attname, a.attname::text, y.name), n.nspname, o.oprname,
      format(r, a.attname, a.attname::text, y.name)),
    ' and ' order by k.place)
  from pg_index as i
  cross join lateral unnest(i.indkey::int2[], i.indclass::oid[]) with ordinality
    as k (attnum, opclass, place)
  join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
  cross join lateral (
    select format_type(a.atttypid, a.atttypmod)
      || coalesce(' collate ' || nullif(a.attcollation, 0)::regcollation, '')
  ) as y (name)
  join pg_opclass as c on c.oid = k.opclass
  join pg_amop as m
    on m.amopfamily = c.opcfamily
    and m.amopstrategy = 3
    and m.amoplefttype = c.opcintype
    and m.amoprighttype = c.opcintype
  join pg_operator as o on o.oid = m.amopopr
  join pg_namespace as n on n.oid = o.oprnamespace
  where i.indrelid = relation and i.indisprimary and i.indimmediate;
end;

comment on function agentdb._equal_sql (regclass, text, text) is
  'SQL text: whether two keys of a table are equal.';


-- Where equal is identical, the index of the log finds them.
create or replace function agentdb._same_key_sql (relation regclass)
  returns text
  language sql
  stable
  return (
    select case
      when bool_and(c.exact) then
        'jsonb_hash_extended(l.row_key, 0) = jsonb_hash_extended($2, 0) '
        'and l.row_key = $2'
      -- A pseudonym is of no type.
      else agentdb._equal_sql(relation,
        '(case when l.salt is not null then l.row_key ->> %2$L end)::%3$s',
        '(case when not agentdb._is_pseudonym($2) then $2 ->> %2$L end)::%3$s') end
    from agentdb.audit_column as c
    where c.audit_target_id = agentdb._target_of(relation) and c.key_place is not null
  );

comment on function agentdb._same_key_sql (regclass) is
  'SQL text: whether a row l of the log has key $2.';


-- A column of the key may have had other names.
create or replace function agentdb._former_keys (relation regclass, key jsonb)
  returns jsonb[]
  language sql
  stable
begin atomic
  with shape (shape) as (
    select l.shape
    from agentdb.audit_layout as l
    join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
    where t.table_oid = relation::oid
  ),
  present (place, value) as (
    select c.place, _former_keys.key -> c.column_name::text
    from agentdb.audit_column as c
    where c.audit_target_id = agentdb._target_of(relation) and c.key_place is not null
  )
  select coalesce(array_agg(distinct k.key), '{}') || _former_keys.key
  from shape as s
  cross join lateral (
    select jsonb_object_agg(s.shape -> ('c' || p.place) ->> 'name', p.value)
      filter (where s.shape ? ('c' || p.place))
    from present as p
    having count(*) = count(s.shape -> ('c' || p.place))
  ) as k (key);
end;

comment on function agentdb._former_keys (regclass, jsonb) is
  'A key under all names that its columns had, that of now at the end.';
