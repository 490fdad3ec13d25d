-- The trigger function of an audited table, as text.

-- A label in front of every variable: a column of the user's table may have any name.
create or replace function agentdb._capture_function (target integer)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_level text := (
    select t.level from agentdb.audit_target as t where t.audit_target_id = target);
begin
  return format($capture$
#variable_conflict use_column
<<capture>>
declare
  v_now timestamptz := clock_timestamp();
  v_statement bigint;
  v_writer record;
  v_agent_id bigint;
  v_run_id bigint;
  v_change_id bigint;
  v_changed bigint;
  v_same boolean;
  v_old record;
  v_new record;
  v_old_values jsonb;
  v_new_values jsonb;
  v_output jsonb;
  -- One test that costs next to nothing spares nearly all statements what follows
  -- from it: nothing is suspended, no change is applied, and nobody is an agent.
  v_special boolean := pg_sequence_last_value('agentdb.suspension_seq') > 0
    or current_setting('agentdb.applying', true) <> ''
    or pg_has_role(session_user, 'agentdb_agent', 'member');
begin
%1$s
%2$s
  v_statement := nextval('agentdb.audit_statement_seq');
%3$s
  return null;
end;
$capture$,
    agentdb._special_sql(target, v_level),
    agentdb._begin_sql(target, v_level),
    case v_level when 'row' then agentdb._row_write_sql(target)
      else agentdb._statement_write_sql(target) end);
end;
$$;

comment on function agentdb._capture_function (integer) is
  'PL/pgSQL text: the body of the trigger function of an audited table.';


create or replace function agentdb._blast_sql (target integer, level text)
  returns text
  language sql
  stable
  return (
    select case when t.refuse_blast and _blast_sql.level = 'statement' then
      format($refuse$
  if pg_has_role(session_user, 'agentdb_agent', 'member') then
    if tg_op = 'INSERT' then
      select count(*) into capture.v_changed from agentdb_new;
    else
      select count(*) into capture.v_changed from agentdb_old;
    end if;
    perform agentdb._check_blast(%L, tg_op, v_changed, v_agent_id, v_run_id,
      v_change_id);
  end if;$refuse$, t.table_name) else '' end
    from agentdb.audit_target as t
    where t.audit_target_id = target
  );

comment on function agentdb._blast_sql (integer, text) is
  'PL/pgSQL text: refuses an agent''s statement over its limit, where the table says '
  'so.';


-- Without a row nobody writes: a stopped agent's statement that finds none is no error.
create or replace function agentdb._special_sql (target integer, level text)
  returns text
  language sql
  stable
  return format($special$
  if v_special then
    -- Before all that could be broken.
    if coalesce(pg_sequence_last_value('agentdb.suspension_seq'), 0) > 0
      and agentdb._is_suspended('audit', tg_relid) then
      perform agentdb._pass_suspended('audit', tg_relid);
      return null;
    end if;
    -- What is rolled back for certain leaves no record.
    if coalesce(current_setting('agentdb.applying', true), '') <> ''
      and agentdb._is_trial() then
%1$s
      return null;
    end if;
    if current_setting('agentdb.applying', true) <> ''
      or pg_has_role(session_user, 'agentdb_agent', 'member') then
%2$s
      v_writer := agentdb._writer();
      v_agent_id := v_writer.agent_id;
      v_run_id := v_writer.run_id;
      v_change_id := v_writer.change_id;
%1$s
    end if;
  end if;$special$,
    agentdb._blast_sql(target, level),
    case level when 'statement' then $present$
      if tg_op = 'DELETE' then
        perform from agentdb_old limit 1;
      else
        perform from agentdb_new limit 1;
      end if;
      if not found then
        return null;
      end if;$present$ end
  );

comment on function agentdb._special_sql (integer, text) is
  'PL/pgSQL text: a table whose audit is suspended, a trial, and who writes.';


-- The fingerprint is folded into the plan: see _layout().
create or replace function agentdb._begin_sql (target integer, level text)
  returns text
  language sql
  stable
  return (
    select format($begin$
  v_same := agentdb._layout(%1$L::regclass) = %2$L;
  -- Restored from a dump it has another number.  A condition with a query in it costs
  -- a microsecond more.
  if not v_same then
    perform agentdb._follow_restored()
    where tg_relid <> %1$s and not exists (
      select from pg_partition_ancestors(tg_relid) as a where a.relid = %1$s);
  end if;$begin$, t.table_oid, t.layout)
      || case _begin_sql.level when 'row' then format($row$
  if tg_op <> 'INSERT' then
    %s;
  end if;
  if tg_op <> 'DELETE' then
    %s;
  end if;$row$,
        agentdb._image_sql(target, 'old'), agentdb._image_sql(target, 'new'))
      else '' end
    from agentdb.audit_target as t
    where t.audit_target_id = target
  );

comment on function agentdb._begin_sql (integer, text) is
  'PL/pgSQL text: whether the table is as it was, and the images of a row.';


create or replace function agentdb._one_row_sql (target integer)
  returns text
  language sql
  stable
  return (
    select concat(
      format(E'if %s then\n    %s\n    %s\n    else\n    ',
        string_agg(
          agentdb._changed_sql('v_old', 'v_new', c.column_name, c.exact), ' or ')
          filter (where c.key_place is not null),
        agentdb._log_sql(target, 'delete', agentdb._key_sql(target, 'v_old'),
          agentdb._row_sql(target, 'v_old'), 'null'),
        agentdb._log_sql(target, 'insert', agentdb._key_sql(target, 'v_new'), 'null',
          agentdb._row_sql(target, 'v_new'))),
      string_agg(
        format(
          E'if %1$s then\n'
          '      v_old_values := coalesce(v_old_values, ''{}'')'
          ' || jsonb_build_object(%2$L, %3$s);\n'
          '      v_new_values := coalesce(v_new_values, ''{}'')'
          ' || jsonb_build_object(%2$L, %4$s);\n'
          '    end if;\n    ',
          agentdb._changed_sql('v_old', 'v_new', c.column_name, c.exact),
          c.column_name::text,
          agentdb._value_sql('v_old', c.column_name, c.form, c.redacted),
          agentdb._value_sql('v_new', c.column_name, c.form, c.redacted)),
        '' order by c.place) filter (where not c.excluded and c.key_place is null),
      E'if v_new_values is not null then\n    ',
      agentdb._log_sql(target, 'update', agentdb._key_sql(target, 'v_new'),
        'capture.v_old_values', 'capture.v_new_values'),
      E'\n    end if;\n    end if;'
    )
    from agentdb.audit_column as c
    where c.audit_target_id = target
  );

comment on function agentdb._one_row_sql (integer) is
  'PL/pgSQL text: compares v_old and v_new column by column and writes the difference.';


create or replace function agentdb._statement_write_sql (target integer)
  returns text
  language sql
  stable
  return format($write$
  if not v_same then
    v_output := agentdb._pin_output();
    execute agentdb._capture_sql(%1$s, tg_op,
        '$1, $2, session_user, $3, $4, $5, $6, $7')
      using v_now, v_statement, v_agent_id, v_run_id, v_change_id,
        current_setting('application_name'), inet_client_addr();
    perform agentdb._pin_output(v_output);
  elsif tg_op = 'INSERT' then
    %2$s;
  elsif tg_op = 'DELETE' then
    %3$s;
  else%5$s
    %4$s;
  end if;$write$,
    target,
    agentdb._capture_sql(target, 'INSERT', agentdb._context_sql()),
    agentdb._capture_sql(target, 'DELETE', agentdb._context_sql()),
    agentdb._capture_sql(target, 'UPDATE', agentdb._context_sql()),
    case when agentdb._key_sql(target, 'n') <> 'null::jsonb' then format($one$
    select * into v_old
    from %s as o where not exists (select from agentdb_old offset 1);
    if found then
    select * into v_new from %s as n;
    -- To compare one row here is cheaper than to start a wide plan.
    %s
    return null;
    end if;
    perform from agentdb_old offset 1;
    if not found then
    return null;
    end if;$one$,
      agentdb._rows_sql(target, 'agentdb_old'),
      agentdb._rows_sql(target, 'agentdb_new'), agentdb._one_row_sql(target))
    else '' end
  );

comment on function agentdb._statement_write_sql (integer) is
  'PL/pgSQL text: writes what a statement changed.';


create or replace function agentdb._row_write_sql (target integer)
  returns text
  language sql
  stable
  return format($write$
  if not v_same then
    v_output := agentdb._pin_output();
    execute agentdb._capture_sql(%1$s, tg_op,
        '$1, $2, session_user, $3, $4, $5, $6, $7', '(select ($8).*)',
        '(select ($9).*)')
      using v_now, v_statement, v_agent_id, v_run_id, v_change_id,
        current_setting('application_name'), inet_client_addr(), old, new;
    perform agentdb._pin_output(v_output);
  elsif tg_op = 'INSERT' then
    %2$s
  elsif tg_op = 'DELETE' then
    %3$s
  else
    %4$s
  end if;$write$,
    target,
    agentdb._log_sql(target, 'insert', agentdb._key_sql(target, 'v_new'), 'null',
      agentdb._row_sql(target, 'v_new')),
    agentdb._log_sql(target, 'delete', agentdb._key_sql(target, 'v_old'),
      agentdb._row_sql(target, 'v_old'), 'null'),
    case when agentdb._key_sql(target, 'n') <> 'null::jsonb'
      then agentdb._one_row_sql(target)
      else format(
        E'if record_image_ne(v_old, v_new) then\n    %s\n    end if;',
        agentdb._log_sql(target, 'update', 'null::jsonb',
          agentdb._row_sql(target, 'v_old'), agentdb._row_sql(target, 'v_new'))) end
  );

comment on function agentdb._row_write_sql (integer) is
  'PL/pgSQL text: writes what happened to a row.';
