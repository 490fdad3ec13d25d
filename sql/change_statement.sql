-- A change as one statement, with a data-modifying CTE for each table and operation:
-- foreign keys are checked at its end, so the order of the tables does not matter.  The
-- expected values are part of its conditions: a row that was changed meanwhile, also by
-- a transaction that it waited for, does not match.

-- How many rows of the change name each column, in new_values or in expected.
create or replace function agentdb._column_uses (
  change bigint,
  target integer,
  operation text,
  expected boolean
)
  returns table (
    column_name name, type_name text, exact boolean, always boolean,
    default_expression text, place smallint
  )
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    with part as (
      select case when _column_uses.expected then r.expected else r.new_values end
        as object
      from agentdb.change_row as r
      where r.change_id = change
        and r.audit_target_id = target
        and r.operation = _column_uses.operation
    ),
    use as (
      select k.name, count(*) as uses
      from part as p cross join lateral jsonb_object_keys(p.object) as k (name)
      group by k.name
    )
    select c.column_name, c.type_name, c.exact,
      u.uses = (select count(*) from part), c.default_expression, c.place
    from use as u
    join agentdb.change_column as c
      on c.audit_target_id = target and c.column_name = u.name and not c.generated
    order by c.place;
end;
$$;

comment on function agentdb._column_uses (bigint, integer, text, boolean) is
  'The columns that rows of a change set or expect, and whether all of them do.';


create or replace function agentdb._match_sql (
  change bigint,
  target integer,
  operation text
)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return concat(
    format('i.change_id = %s and i.audit_target_id = %s and i.operation = %L',
      change, target, operation),
    (
      select string_agg(format(' and t.%I = %s', c.column_name,
        agentdb._typed_sql('i.row_key', c.column_name, c.type_name)), '')
      from agentdb.change_column as c
      where c.audit_target_id = target and c.key_place is not null
    ),
    (
      select string_agg(format(
        case when u.always then ' and %2$s'
          else ' and (not i.expected ? %1$L or %2$s)' end,
        u.column_name::text,
        format(
          case when u.exact then 't.%I is not distinct from %s'
            else 'record_image_eq(row(t.%I), row(%s))' end,
          u.column_name,
          agentdb._typed_sql('i.expected', u.column_name, u.type_name))), '')
      from agentdb._column_uses(change, target, operation, true) as u
    )
  );
end;
$$;

comment on function agentdb._match_sql (bigint, integer, text) is
  'SQL text: a row of the change is that of the table, and as it was expected.';


create or replace function agentdb._part_sql (
  change bigint,
  target integer,
  operation text
)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table text := (
    select case c.relkind when 'p' then '' else 'only ' end
      || agentdb._table_name(c.oid)
    from agentdb.audit_target as t
    join pg_class as c on c.oid = t.table_oid
    where t.audit_target_id = target
  );
begin
  if operation = 'delete' then
    return format('delete from %s as t using agentdb.change_row as i where %s',
      v_table, agentdb._match_sql(change, target, operation));
  elsif operation = 'update' then
    return (
      select format('update %s as t set %s from agentdb.change_row as i where %s',
        v_table,
        string_agg(format(
          case when u.always then '%2$I = %3$s'
            else '%2$I = case when i.new_values ? %1$L then %3$s else t.%2$I end' end,
          u.column_name::text, u.column_name,
          agentdb._typed_sql('i.new_values', u.column_name, u.type_name)), ', '),
        agentdb._match_sql(change, target, operation))
      from agentdb._column_uses(change, target, operation, false) as u);
  end if;
  return (
    select format('insert into %s (%s) overriding system value select %s '
      'from agentdb.change_row as i where i.change_id = %s and i.audit_target_id = %s '
      'and i.operation = ''insert'' order by i.place',
      replace(v_table, 'only ', ''),
      string_agg(format('%I', u.column_name), ', ' order by u.place),
      string_agg(format(
        case when u.always then '%2$s'
          else 'case when i.new_values ? %1$L then %2$s else %3$s end' end,
        u.column_name::text,
        agentdb._typed_sql('i.new_values', u.column_name, u.type_name),
        coalesce(u.default_expression, 'null')), ', ' order by u.place),
      change, target)
    from agentdb._column_uses(change, target, operation, false) as u);
end;
$$;

comment on function agentdb._part_sql (bigint, integer, text) is
  'SQL text: what a change does to one table by one operation.';


-- What a change removes makes room for what it inserts.
create or replace function agentdb._change_sql (change bigint)
  returns text
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select case when count(*) = 0 then 'select 0' else format('with %s select %s',
      string_agg(format('c%s as (%s returning 1)', p.place, p.part), E',\n'
        order by p.place),
      string_agg(format('(select count(*) from c%s)', p.place), ' + '
        order by p.place)) end
    from (
      select row_number() over (
          order by array_position(array['delete', 'update'], o.operation), o.target
        ) as place,
        agentdb._part_sql(_change_sql.change, o.target, o.operation) as part
      from (
        select distinct r.audit_target_id as target, r.operation
        from agentdb.change_row as r
        where r.change_id = _change_sql.change
      ) as o
    ) as p
  );
end;
$$;

comment on function agentdb._change_sql (bigint) is
  'SQL text: the statement that applies a change and returns how many of its rows '
  'matched.';


-- The statistics of the session's own transaction count what triggers and cascades do,
-- in tables that are not audited too.
create or replace function agentdb._written ()
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_object_agg(w.what, w.count), '{}')
  from (
    select format('%s %s', agentdb._table_name(coalesce(pg_partition_root(c.oid),
        c.oid)), o.operation) as what, sum(o.count) as count
    from pg_class as c
    cross join lateral (values
      ('inserted', pg_stat_get_xact_tuples_inserted(c.oid)),
      ('updated', pg_stat_get_xact_tuples_updated(c.oid)),
      ('deleted', pg_stat_get_xact_tuples_deleted(c.oid))
    ) as o (operation, count)
    where c.relkind = 'r'
      and c.relnamespace not in ('agentdb'::regnamespace, 'pg_catalog'::regnamespace)
      and o.count > 0
    group by 1
  ) as w;
$$;

comment on function agentdb._written () is
  'How many rows of which tables the transaction has written so far.';


-- Triggers of the application find its tables, but nothing that an agent could have
-- put in their way.
create or replace function agentdb._apply_path (change bigint)
  returns text
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select concat_ws(', ', 'pg_catalog',
    (
      select string_agg(quote_ident(n.nspname), ', ' order by n.nspname = 'public')
      from pg_namespace as n
      where (n.nspname = 'public' or n.oid in (
          select c.relnamespace
          from agentdb.change_table as t
          join pg_class as c on c.oid = t.table_oid
          where t.change_id = _apply_path.change))
        and not exists (
          select from agentdb.agent as a
          join pg_roles as r on r.rolname = a.role_name
          where has_schema_privilege(r.oid, n.oid, 'create'))
    ), 'pg_temp');
$$;

comment on function agentdb._apply_path (bigint) is
  'The search path under which a change is applied.';


-- Settings that say what a text means are pinned: it may run in an agent's session.
create or replace function agentdb._perform (change bigint)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
  set "DateStyle" = 'ISO, YMD'
  set "IntervalStyle" = 'postgres'
  set lc_monetary = 'C'
  set array_nulls = on
  set standard_conforming_strings = on
  set transform_null_equals = off
  set work_mem = '64MB'
as $$
declare
  v_statement text := agentdb._change_sql(change);
  v_before jsonb := agentdb._written();
  v_after jsonb;
  v_matched bigint;
begin
  perform set_config('search_path', agentdb._apply_path(change), true);
  execute v_statement into v_matched;
  set constraints all immediate;
  perform set_config('search_path', 'pg_catalog, pg_temp', true);
  if v_matched <> (
    select count(*) from agentdb.change_row as r where r.change_id = change
  ) then
    raise exception 'change % does not match its rows any more', change
      using errcode = 'ZA052';
  end if;
  v_after := agentdb._written();
  return (
    select coalesce(jsonb_object_agg(w.key,
      w.value::bigint - coalesce((v_before ->> w.key)::bigint, 0)), '{}')
    from jsonb_each_text(v_after) as w
    where w.value is distinct from v_before ->> w.key
  );
end;
$$;

comment on function agentdb._perform (bigint) is
  'Applies the rows of a change with the rights of the caller, all or none, and '
  'returns what was written where; raises ZA052.';


grant create on schema agentdb to agentdb_applier;
grant usage on schema agentdb to agentdb_applier;
set local role agentdb_applier;

create or replace function agentdb._perform_as_applier (change bigint)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return agentdb._perform(change);
end;
$$;

comment on function agentdb._perform_as_applier (bigint) is
  'Applies the rows of a change as agentdb_applier, which may write guarded tables.';

revoke all on function agentdb._perform_as_applier from public;
grant execute on function agentdb._perform_as_applier to agentdb_owner;

set local role agentdb_owner;
revoke create on schema agentdb from agentdb_applier;
