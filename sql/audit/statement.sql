-- What a statement changed, as the text of one INSERT.  The same text is compiled into
-- the trigger function and, where the table has been altered since, made anew each
-- time.

create or replace function agentdb._capture_sql (
  target integer,
  operation text,
  context text,
  old_rows text default 'agentdb_old',
  new_rows text default 'agentdb_new'
)
  returns text
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_old text := agentdb._rows_sql(target, old_rows);
  v_new text := agentdb._rows_sql(target, new_rows);
  v_head text := format(
    'insert into agentdb.audit_log (recorded_at, statement, session_role, agent_id,
       run_id, change_id, application_name, client_addr, audit_target_id, operation,
       row_key, old_values, new_values)
     select %s, %s, ', context, target);
begin
  if operation = 'INSERT' then
    return v_head || format(E'''insert'', %s, null, %s\nfrom %s as n',
      agentdb._key_sql(target, 'n'), agentdb._row_sql(target, 'n'), v_new);
  elsif operation = 'DELETE' then
    return v_head || format(E'''delete'', %s, %s, null\nfrom %s as o',
      agentdb._key_sql(target, 'o'), agentdb._row_sql(target, 'o'), v_old);
  elsif agentdb._key_sql(target, 'n') = 'null::jsonb' then
    return v_head || agentdb._paired_sql(target, v_old, v_new);
  end if;
  return v_head || agentdb._joined_sql(target, v_old, v_new);
end;
$$;

comment on function agentdb._capture_sql (integer, text, text, text, text) is
  'SQL text: writes what a statement changed into audit_log.';


create or replace function agentdb._difference_sql (target integer, row_name text)
  returns text
  language sql
  stable
  return (
    select agentdb._object_sql(array_agg(
      format('case when %s then jsonb_build_object(%L, %s) else ''{}'' end',
        agentdb._changed_sql('o', 'n', c.column_name, c.exact), c.column_name::text,
        agentdb._value_sql(row_name, c.column_name, c.form, c.redacted))
      order by c.place))
    from agentdb.audit_column as c
    where c.audit_target_id = target and not c.excluded and c.key_place is null
  );

comment on function agentdb._difference_sql (integer, text) is
  'SQL text: the changed columns of a row o or n as JSON.';


-- A row whose key changed has no partner: a delete and an insert.
create or replace function agentdb._joined_sql (
  target integer,
  old_rows text,
  new_rows text
)
  returns text
  language sql
  stable
  return (
    select format(
      E'd.* from (\n'
      ' select case when %2$s then ''insert'' when %3$s then ''delete'' '
      'else ''update'' end as operation,\n'
      ' case when %3$s then %4$s else %5$s end as row_key,\n'
      ' case when %2$s then null when %3$s then %6$s else %8$s end as old_values,\n'
      ' case when %3$s then null when %2$s then %7$s else %9$s end as new_values\n'
      ' from %10$s as o full join %11$s as n on %1$s\n'
      ' offset 0) as d\n'
      'where d.operation <> ''update'' or d.new_values <> ''{}''',
      string_agg(
        format(
          case when c.exact then 'o.%1$I = n.%1$I'
            else 'row(o.%1$I)::record *= row(n.%1$I)::record' end,
          c.column_name),
        ' and ' order by c.key_place),
      min(format('num_nulls(o.%I) = 1', c.column_name)) filter (where c.key_place = 1),
      min(format('num_nulls(n.%I) = 1', c.column_name)) filter (where c.key_place = 1),
      agentdb._key_sql(target, 'o'), agentdb._key_sql(target, 'n'),
      agentdb._row_sql(target, 'o'), agentdb._row_sql(target, 'n'),
      agentdb._difference_sql(target, 'o'), agentdb._difference_sql(target, 'n'),
      old_rows, new_rows
    )
    from agentdb.audit_column as c
    where c.audit_target_id = target and c.key_place is not null
  );

comment on function agentdb._joined_sql (integer, text, text) is
  'SQL text: what an update changed in a table that has a primary key.';


-- Without a key rows have no name.  An ordinary table hands over both images of a row
-- together, so their order pairs them; the log has them whole.
create or replace function agentdb._paired_sql (
  target integer,
  old_rows text,
  new_rows text
)
  returns text
  language sql
  stable
  return format(
    E'''update'', null::jsonb, d.old_values, d.new_values from (\n'
    ' select a.old_values, b.new_values\n'
    ' from (select row_number() over () as place, row(o.*) as image,\n'
    '   %1$s as old_values from %3$s as o) as a\n'
    ' join (select row_number() over () as place, row(n.*) as image,\n'
    '   %2$s as new_values from %4$s as n) as b\n'
    '   on a.place = b.place\n'
    ' where record_image_ne(a.image, b.image)%5$s offset 0) as d',
    agentdb._row_sql(target, 'o'), agentdb._row_sql(target, 'n'), old_rows, new_rows,
    case when exists (
      select from agentdb.audit_column as c
      where c.audit_target_id = target and c.excluded
    ) then ' and a.old_values::text <> b.new_values::text' else '' end
  );

comment on function agentdb._paired_sql (integer, text, text) is
  'SQL text: what an update changed in a table without a primary key.';


create or replace function agentdb._context_sql ()
  returns text
  language sql
  immutable
  return 'capture.v_now, capture.v_statement, session_user, capture.v_agent_id, '
    'capture.v_run_id, capture.v_change_id, current_setting(''application_name''), '
    'inet_client_addr()';

comment on function agentdb._context_sql () is
  'SQL text: who, when and from where, the same for all rows of a statement.';


create or replace function agentdb._log_sql (
  target integer,
  operation text,
  row_key text,
  old_values text,
  new_values text
)
  returns text
  language sql
  immutable
  return format(
    'insert into agentdb.audit_log (recorded_at, statement, session_role, agent_id,
       run_id, change_id, application_name, client_addr, audit_target_id, operation,
       row_key, old_values, new_values)
     values (%s, %s, %L, %s, %s, %s);',
    agentdb._context_sql(), target, operation, row_key, old_values, new_values
  );

comment on function agentdb._log_sql (integer, text, text, text, text) is
  'PL/pgSQL text: writes one row into audit_log.';
