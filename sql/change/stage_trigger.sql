-- What takes INSERT, UPDATE and DELETE on a staging view: a trigger function, generated
-- for each table, so that a row costs no planning.

-- PostgreSQL passes at most 100 arguments to a function.
create or replace function agentdb._stage_object_sql (
  target integer,
  row_name text,
  with_generated boolean default false
)
  returns text
  language sql
  stable
  return (
    select agentdb._object_sql(array_agg(p.part order by p.place))
    from (
      select c.place / 40 as place,
        format('jsonb_build_object(%s)', string_agg(format('%L, %s',
          c.column_name::text, agentdb._value_sql(row_name, c.column_name, c.form,
            false)), ', ' order by c.place)) as part
      from agentdb.change_column as c
      where c.audit_target_id = target
        and not c.hidden
        and (with_generated or not c.generated)
      group by c.place / 40
    ) as p
  );

comment on function agentdb._stage_object_sql (integer, text, boolean) is
  'SQL text: a row as JSON, with what a change can have of it, or all that is shown.';


create or replace function agentdb._stage_changed_sql (target integer)
  returns text
  language sql
  stable
  return (
    select string_agg(format($changed$
    if %1$s then
      v_old := v_old || jsonb_build_object(%2$L, %3$s);
      v_new := v_new || jsonb_build_object(%2$L, %4$s);
    end if;$changed$,
      agentdb._changed_sql('o', 'n', c.column_name, c.exact), c.column_name::text,
      agentdb._value_sql('o', c.column_name, c.form, false),
      agentdb._value_sql('n', c.column_name, c.form, false)), '' order by c.place)
    from agentdb.change_column as c
    where c.audit_target_id = target and not c.hidden and not c.generated
  );

comment on function agentdb._stage_changed_sql (integer) is
  'PL/pgSQL text: puts together in which columns a row n differs from a row o.';


-- RETURNING, and whoever judges the row, see what the database would compute.  It runs
-- with our rights: only what PostgreSQL itself has, and NULL where that is not enough.
create or replace function agentdb._generation_sql (target integer)
  returns text
  language sql
  stable
  return (
    select coalesce(string_agg(
      case when g.computable
        then format('n.%I := (select %s from (values (%s)) as r (%s));',
          g.column_name, g.generation, b.given, b.names)
        else format('n.%I := null;', g.column_name) end,
      E'\n  ' order by g.place), '')
    from agentdb.change_column as g
    cross join (
      select string_agg(format('n.%I', c.column_name), ', ' order by c.place) as given,
        string_agg(format('%I', c.column_name), ', ' order by c.place) as names
      from agentdb.change_column as c
      where c.audit_target_id = target and not c.generated
    ) as b
    where g.audit_target_id = target and g.generated
  );

comment on function agentdb._generation_sql (integer) is
  'PL/pgSQL text: gives the generated columns of a row n their values.';


-- A row that the statement has met before is left out of its count and of RETURNING.
create or replace function agentdb._propose_sql (target integer)
  returns text
  language sql
  stable
  return (
    select format($propose$
#variable_conflict use_column
declare
  o record;
  n record;
  v_old jsonb := '{}';
  v_new jsonb := '{}';
  v_present boolean := false;
  v_holder jsonb;
begin
  -- PL/pgSQL must know what o is, whatever becomes of it.
  if tg_op = 'INSERT' then
    o := new;
  else
    o := old;
  end if;
  if tg_op = 'DELETE' then
    if agentdb._stage_row(%1$s, 'delete', %2$s, null, %4$s, %9$s, null, false) then
      return old;
    end if;
    return null;
  end if;
  n := new;
  %7$s
  %11$s
  %12$s
  if tg_op = 'INSERT' then
    v_new := %5$s;
    if not has_table_privilege(session_user, %13$L::regclass, 'insert') then
      v_new := agentdb._given_values(%1$s, v_new);
    end if;
    perform agentdb._stage_row(%1$s, 'insert', %3$s, v_new, null, null, %10$s,
      v_present);
    return n;
  end if;
  %8$s
  -- Nothing is written where the row is only named, as what a change rests on.
  if v_new = '{}' and current_setting('agentdb.reads', true) = 'on' then
    perform agentdb._stage_read(%1$s, %2$s, %4$s);
    return n;
  end if;
  if agentdb._stage_row(%1$s, 'update', %2$s, v_new, v_old, %9$s, %10$s, v_present,
    case when %6$s then %3$s end) then
    return n;
  end if;
  return null;
end;
$propose$,
      target, agentdb._key_sql(target, 'o'), agentdb._key_sql(target, 'n'),
      agentdb._stage_object_sql(target, 'o'),
      agentdb._stage_object_sql(target, 'n'),
      (
        select string_agg(agentdb._changed_sql('o', 'n', c.column_name, c.exact),
          ' or ')
        from agentdb.change_column as c
        where c.audit_target_id = target and c.key_place is not null
      ),
      agentdb._stage_check_sql(target),
      agentdb._stage_changed_sql(target),
      agentdb._stage_object_sql(target, 'o', true),
      agentdb._stage_object_sql(target, 'n', true),
      agentdb._generation_sql(target),
      agentdb._taken_sql(target),
      (
        select t.table_oid::regclass from agentdb.audit_target as t
        where t.audit_target_id = target
      )
    )
  );

comment on function agentdb._propose_sql (integer) is
  'PL/pgSQL text: the trigger function of a staging view.';
