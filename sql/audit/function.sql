-- The trigger function of an audited table, as text.

-- A label in front of every variable: a column of the user's table may have any name.
create or replace function agentdb._capture_function (target integer)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_level text;
  v_text text := $capture$
#variable_conflict use_column
<<capture>>
declare
  v_now timestamptz := clock_timestamp();
  v_application text := current_setting('application_name');
  v_address inet := inet_client_addr();
  v_statement bigint;
  v_agent_id bigint;
  v_run_id bigint;
  v_change_id bigint;
  v_changed bigint;
  v_same boolean;
  v_many boolean;
  v_old record;
  v_new record;
  v_old_values jsonb := '{}';
  v_new_values jsonb := '{}';
begin
  -- Before all that could be broken.
  if coalesce(pg_sequence_last_value('agentdb.suspension_seq'), 0) > 0
    and agentdb._is_suspended('audit', tg_relid) then
    perform agentdb._pass_suspended('audit', tg_relid);
    return null;
  end if;
  -- What is rolled back for certain leaves no record.
  if current_setting('agentdb.applying', true) <> '' and agentdb._is_trial() then
{blast}
    return null;
  end if;
{begin}
  v_statement := nextval('agentdb.audit_statement_seq');
  -- Only agents and changes have runs: tests that cost nothing spare all others the
  -- search.
  if pg_has_role(session_user, 'agentdb_agent', 'member')
    or current_setting('agentdb.applying', true) <> '' then
    select w.agent_id, w.run_id, w.change_id
      into capture.v_agent_id, capture.v_run_id, capture.v_change_id
    from agentdb._writer() as w;
  end if;
{blast}
{write}
  return null;
end;
$capture$;
begin
  select t.level into v_level
  from agentdb.audit_target as t where t.audit_target_id = target;
  v_text := replace(v_text, '{begin}', agentdb._begin_sql(target, v_level));
  v_text := replace(v_text, '{blast}', agentdb._blast_sql(target, v_level));
  return replace(v_text, '{write}', case v_level
    when 'row' then agentdb._row_write_sql(target)
    else agentdb._statement_write_sql(target) end);
end;
$$;

comment on function agentdb._capture_function (integer) is
  'PL/pgSQL text: the body of the trigger function of an audited table.';


-- No row, no record.  The fingerprint is folded into the plan: see _layout().
create or replace function agentdb._begin_sql (target integer, level text)
  returns text
  language sql
  stable
  return (
    select format(
      case _begin_sql.level when 'row' then $row$
  v_same := agentdb._layout_now(%1$s) = %2$L;
  if tg_op <> 'INSERT' then
    %3$s;
  end if;
  if tg_op <> 'DELETE' then
    %4$s;
  end if;$row$
      else $statement$
  if tg_op = 'INSERT' then
    select agentdb._layout(%1$s) = %2$L into capture.v_same from agentdb_new limit 1;
  elsif tg_op = 'DELETE' then
    select agentdb._layout(%1$s) = %2$L into capture.v_same from agentdb_old limit 1;
  else
    -- One query finds the usual case: one row, and the table is as it was.
    select * into v_old
    from %3$s as o
    where agentdb._layout(%1$s) = %2$L
      and not exists (select from agentdb_old offset 1);
    if found then
      select * into v_new from %4$s as n;
      v_same := true;
    else
      v_many := true;
      select agentdb._layout(%1$s) = %2$L into capture.v_same from agentdb_new limit 1;
    end if;
  end if;
  if v_same is null then
    return null;
  end if;$statement$ end || $restored$
  -- Restored from a dump it has another number.  A condition with a query in it costs
  -- a microsecond more.
  if not v_same then
    perform agentdb._follow_restored()
    where tg_relid <> %1$s and not exists (
      select from pg_partition_ancestors(tg_relid) as a where a.relid = %1$s);
  end if;$restored$,
      t.table_oid, t.layout,
      case _begin_sql.level when 'row' then agentdb._image_sql(target, 'old')
        else agentdb._rows_sql(target, 'agentdb_old') end,
      case _begin_sql.level when 'row' then agentdb._image_sql(target, 'new')
        else agentdb._rows_sql(target, 'agentdb_new') end)
    from agentdb.audit_target as t
    where t.audit_target_id = target
  );

comment on function agentdb._begin_sql (integer, text) is
  'PL/pgSQL text: whether there is a row, and whether the table is as it was.';


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
          '      v_old_values := v_old_values || jsonb_build_object(%2$L, %3$s);\n'
          '      v_new_values := v_new_values || jsonb_build_object(%2$L, %4$s);\n'
          '    end if;\n    ',
          agentdb._changed_sql('v_old', 'v_new', c.column_name, c.exact),
          c.column_name::text,
          agentdb._value_sql('v_old', c.column_name, c.form, c.redacted),
          agentdb._value_sql('v_new', c.column_name, c.form, c.redacted)),
        '' order by c.place) filter (where not c.excluded and c.key_place is null),
      E'if v_new_values <> ''{}'' then\n    ',
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
    execute agentdb._capture_sql(%1$s, tg_op,
        '$1, $2, session_user, $3, $4, $5, $6, $7')
      using v_now, v_statement, v_agent_id, v_run_id, v_change_id, v_application,
        v_address;
  elsif tg_op = 'INSERT' then
    %2$s;
  elsif tg_op = 'DELETE' then
    %3$s;%5$s
  else
    %4$s;
  end if;$write$,
    target,
    agentdb._capture_sql(target, 'INSERT', agentdb._context_sql()),
    agentdb._capture_sql(target, 'DELETE', agentdb._context_sql()),
    agentdb._capture_sql(target, 'UPDATE', agentdb._context_sql()),
    case when agentdb._key_sql(target, 'n') <> 'null::jsonb' then format($one$
  elsif v_many is null then
    -- To compare it here is cheaper than to start a wide plan.
    %s$one$, agentdb._one_row_sql(target)) else '' end
  );

comment on function agentdb._statement_write_sql (integer) is
  'PL/pgSQL text: writes what a statement changed.';


create or replace function agentdb._row_write_sql (target integer)
  returns text
  language sql
  stable
  return format($write$
  if not v_same then
    execute agentdb._capture_sql(%1$s, tg_op,
        '$1, $2, session_user, $3, $4, $5, $6, $7', '(select ($8).*)',
        '(select ($9).*)')
      using v_now, v_statement, v_agent_id, v_run_id, v_change_id, v_application,
        v_address, old, new;
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
