-- Numbers of new rows: staging draws them from the sequence of the table, as an INSERT
-- does, and for whoever could INSERT.  Nobody else uses them up.

create or replace function agentdb.next_number (sequence regclass)
  returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_table oid := agentdb._numbered_table(sequence);
begin
  if v_table is null then
    perform agentdb._refuse(
      format('%s numbers no guarded table', coalesce(sequence::text, 'NULL')),
      'The staging view of a table draws its numbers: insert into it without them.');
  elsif not has_any_column_privilege(session_user, v_table, 'insert')
    and not has_sequence_privilege(session_user, sequence, 'usage') then
    raise exception '% may not draw numbers of %', session_user, sequence
      using errcode = '42501',
            hint = format('Give the row a number of your own; or have somebody grant '
              'usage on sequence %s to %I: it could use them up.', sequence,
              session_user);
  end if;
  return nextval(sequence);
end;
$$;

comment on function agentdb.next_number (regclass) is
  'The next number of a guarded table''s own sequence, for whoever may INSERT there: '
  'the default of its staging view; raises 42501 or ZA004.';


create or replace function agentdb._numbered_table (sequence oid)
  returns oid
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select g.table_oid
  from pg_depend as d
  -- A partition depends on its table in the same way.
  join pg_class as s on s.oid = d.objid and s.relkind = 'S'
  join agentdb.guarded_table as g on g.table_oid = d.refobjid
  where d.classid = 'pg_class'::regclass
    and d.objid = _numbered_table.sequence
    and d.refclassid = 'pg_class'::regclass
    and d.deptype in ('a', 'i');
$$;

comment on function agentdb._numbered_table (oid) is
  'The guarded table to whose column a sequence belongs; NULL for any other.';


-- Other sequences are drawn from with the rights of whoever stages.
create or replace function agentdb._staged_default (target integer, place smallint)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select case when bool_and(agentdb._numbered_table(s.oid) is not null
      and has_sequence_privilege('agentdb_owner', s.oid, 'usage'))
    then regexp_replace(c.default_expression, '\mnextval\(', 'agentdb.next_number(',
      'g')
    else c.default_expression end
  from agentdb.change_column as c
  join agentdb.audit_target as t on t.audit_target_id = c.audit_target_id
  left join lateral (
    select p.oid
    from pg_attrdef as a
    join pg_depend as d on d.classid = 'pg_attrdef'::regclass and d.objid = a.oid
    join pg_class as p on p.oid = d.refobjid and p.relkind = 'S'
    where a.adrelid = t.table_oid and a.adnum = c.place
      and d.refclassid = 'pg_class'::regclass
    union
    select p.oid
    from pg_depend as d
    join pg_class as p on p.oid = d.objid and p.relkind = 'S'
    where d.classid = 'pg_class'::regclass
      and d.refclassid = 'pg_class'::regclass
      and (d.refobjid, d.refobjsubid, d.deptype) = (t.table_oid, c.place, 'i')
  ) as s on true
  where c.audit_target_id = target and c.place = _staged_default.place and not c.hidden
  group by c.default_expression;
$$;

comment on function agentdb._staged_default (integer, smallint) is
  'SQL text: what a staging view gives a column that an INSERT leaves out; NULL where '
  'that is nothing.';


-- Who may insert some columns leaves out the others, which no trigger can see: they
-- have their default.  The table gives them that itself.  Only what PostgreSQL itself
-- can compute: it runs with our rights.
create or replace function agentdb._given_values (target integer, new_values jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table oid := (
    select g.table_oid from agentdb.guarded_table as g
    where g.audit_target_id = target);
  v_column record;
  v_default jsonb;
  v_given jsonb := new_values;
begin
  for v_column in
    select c.column_name::text as name, format('select jsonb_build_array(%s) -> 0 '
      'from (select (%s)::%s as %I) as n', agentdb._value_sql('n', c.column_name,
        c.form, false), c.default_expression, c.type_name, c.column_name) as statement
    from agentdb.change_column as c
    where c.audit_target_id = target
      and not c.hidden and not c.generated and c.key_place is null
      and c.default_expression is not null
      and c.default_expression !~* '\mnextval\M'
      and c.base_type < 16384
      and not has_column_privilege(session_user, v_table, c.place, 'insert')
      and not exists (
        select from pg_attrdef as a
        join pg_depend as d on d.classid = 'pg_attrdef'::regclass and d.objid = a.oid
        where a.adrelid = v_table and a.adnum = c.place
          and d.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass,
            'pg_type'::regclass))
  loop
    execute v_column.statement into v_default;
    if v_given -> v_column.name = v_default then
      v_given := v_given - v_column.name;
    end if;
  end loop;
  return v_given;
end;
$$;

comment on function agentdb._given_values (integer, jsonb) is
  'A new row without columns that the session''s role may not insert and that have '
  'their default.';
