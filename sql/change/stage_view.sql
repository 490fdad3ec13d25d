-- Staging views: agentdb_stage.<table> shows a guarded table with the session's own
-- changes laid over it, and takes INSERT, UPDATE and DELETE.

-- Three branches, so that a condition on any column can use the table's indexes:
-- untouched rows, rows with staged values, staged rows.  A lock would reach none of
-- them and nobody would know: PostgreSQL refuses one that could meet an outer join,
-- which its planner then drops.
create or replace function agentdb._stage_view_sql (target integer, view_name text)
  returns text
  language sql
  stable
  return (
    select format($view$
 create or replace view agentdb_stage.%1$I %2$s as
with staged as materialized (select * from agentdb.staged_rows(%5$s))
select shown.* from (
select %3$s from %4$s as t
where %9$s not exists (select from staged as i where i.row_key = %6$s)
union all
select %11$s from (
  select %7$s from staged as i
  join %4$s as t on %8$s
  where %9$s i.operation = 'update') as s
union all
select %11$s from (
  select %10$s from staged as i
  where i.operation = 'insert') as s) as shown
left join pg_am as unlockable on unlockable.oid = 0$view$,
      view_name,
      case when current_setting('server_version_num')::integer >= 150000
        then 'with (security_invoker = true)' else '' end,
      string_agg(format('t.%I', c.column_name), ', ' order by c.place),
      t.table_oid::regclass,
      target,
      agentdb._key_sql(target, 't'),
      string_agg(
        case when c.hidden
          then format('t.%I', c.column_name)
          else format('case when i.new_values ? %1$L '
            'then (i.new_values ->> %1$L)::%2$s else t.%3$I end as %3$I',
            c.column_name::text, c.full_type, c.column_name) end,
        ', ' order by c.place) filter (where not c.generated),
      string_agg(format('t.%I = (i.row_key ->> %L)::%s', c.column_name,
        c.column_name::text, c.type_name), ' and ' order by c.key_place)
        filter (where c.key_place is not null),
      -- Before version 15 a view reads with its owner's rights: ask for the reader's.
      case when current_setting('server_version_num')::integer >= 150000 then ''
        -- As a regclass, which a dump writes by name.
        else format('has_table_privilege(session_user, %L::regclass, ''select'') and ',
          t.table_oid::regclass) end,
      string_agg(format('(i.new_values ->> %L)::%s as %I', c.column_name::text,
        c.full_type, c.column_name), ', ' order by c.place)
        filter (where not c.generated),
      string_agg(case when c.generated
          then format('(%s)::%s as %I', c.generation, c.full_type, c.column_name)
        else format('s.%I', c.column_name) end, ', ' order by c.place)
    )
    from agentdb.audit_target as t
    join (
      select k.*, format_type(a.atttypid, a.atttypmod) as full_type
      from agentdb.change_column as k
      join agentdb.audit_target as o on o.audit_target_id = k.audit_target_id
      join pg_attribute as a on a.attrelid = o.table_oid and a.attnum = k.place
    ) as c on c.audit_target_id = t.audit_target_id
    where t.audit_target_id = target
    group by t.table_oid
  );

comment on function agentdb._stage_view_sql (integer, text) is
  'SQL text: a staging view.';


-- Of a default what is stored: to spell it out, PostgreSQL locks the table, and whoever
-- holds that in a long transaction would hold up the maintenance of all others.
create or replace function agentdb._stage_layout (target integer)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select md5(concat(t.table_oid::regclass, agentdb._layout_now(t.table_oid),
      string_agg(
        concat_ws(' ', c.place, c.hidden, c.generated, a.attidentity, d.adbin), ','
        order by c.place),
      -- Which generator made it.
      '2'))
    from agentdb.audit_target as t
    join agentdb.change_column as c on c.audit_target_id = t.audit_target_id
    join pg_attribute as a on a.attrelid = t.table_oid and a.attnum = c.place
    left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where t.audit_target_id = target
    group by t.table_oid
  );
end;
$$;

comment on function agentdb._stage_layout (integer) is
  'A fingerprint of all that a staging view is made from; NULL where the table is not '
  'audited.';


-- What others have built on the view stays, where its columns do.
create or replace function agentdb._place_stage (target integer, view_name text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_column record;
begin
  begin
    execute agentdb._stage_view_sql(target, view_name);
  exception when invalid_table_definition then
    perform agentdb._drop_stage(view_name);
    execute agentdb._stage_view_sql(target, view_name);
  end;
  for v_column in
    select a.attname as name,
      coalesce('set default ' || n.expression, 'drop default') as action
    from pg_attribute as a
    left join agentdb.change_column as c
      on c.audit_target_id = target and c.column_name = a.attname
    cross join lateral (
      select agentdb._staged_default(target, c.place) as expression
    ) as n
    where a.attrelid = format('agentdb_stage.%I', view_name)::regclass
      and (a.atthasdef or n.expression is not null)
  loop
    execute format('alter view agentdb_stage.%I alter column %I %s', view_name,
      v_column.name, v_column.action);
  end loop;
end;
$$;

comment on function agentdb._place_stage (integer, text) is
  'Creates or replaces a staging view with its defaults.';


-- They cost nothing where the whole table may be updated.
create or replace function agentdb._place_column_triggers (
  target integer,
  view_name text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_column record;
  v_table regclass := (
    select t.table_oid from agentdb.audit_target as t where t.audit_target_id = target);
begin
  for v_column in
    select a.attname as name, a.attnum as place
    from pg_attribute as a
    where a.attrelid = format('agentdb_stage.%I', view_name)::regclass and a.attnum > 0
  loop
    execute format('create or replace trigger agentdb_set_%s '
      'before update of %I on agentdb_stage.%I '
      'for each statement '
      'when (not has_table_privilege(session_user, %L::regclass, ''update'')) '
      'execute function agentdb._check_set(%L)',
      v_column.place, v_column.name, view_name, v_table, v_column.name);
  end loop;
end;
$$;

comment on function agentdb._place_column_triggers (integer, text) is
  'Has a staging view look whether who sets a column may do so.';


create or replace function agentdb._generate_stage (target integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := '_propose_' || target;
  v_view text;
begin
  if agentdb._key_sql(target, 'n') = 'null::jsonb' then
    perform agentdb._refuse_guard((select t.table_oid::regclass
        from agentdb.audit_target as t where t.audit_target_id = target),
      'it has no primary key', 'Give it one: rows of a change are found by their key.');
  end if;
  update agentdb.guarded_table as g
  set layout = agentdb._stage_layout(target)
  where g.audit_target_id = target
  returning g.view_name into v_view;
  execute format('create or replace function agentdb.%I () returns trigger '
    'language plpgsql security definer set search_path = pg_catalog, pg_temp '
    'set extra_float_digits = 1 set "TimeZone" = ''UTC'' '
    'set "DateStyle" = ''ISO, YMD'' set "IntervalStyle" = ''postgres'' '
    'set bytea_output = ''hex'' set lc_monetary = ''C'' as %L',
    v_name, agentdb._propose_sql(target));
  execute format('revoke all on function agentdb.%I from public', v_name);
  execute format('comment on function agentdb.%I is %L', v_name,
    'Trigger function, generated: stages what is written to a staging view.');
  perform agentdb._place_stage(target, v_view);
  execute format('create or replace trigger agentdb_propose '
    'instead of insert or update or delete on agentdb_stage.%I '
    'for each row execute function agentdb.%I()', v_view, v_name);
  execute format('create or replace trigger agentdb_statement '
    'before insert or update or delete on agentdb_stage.%I '
    'for each statement execute function agentdb._begin_statement(%L)', v_view,
    (select t.table_oid::regclass::text from agentdb.audit_target as t
      where t.audit_target_id = target));
  perform agentdb._place_column_triggers(target, v_view);
  execute format('create or replace trigger agentdb_check '
    'instead of insert or update or delete on agentdb_stage.%I '
    'for each row execute function agentdb._check_policies(%L, %L)', v_view,
    (select t.table_oid::regclass::text from agentdb.audit_target as t
      where t.audit_target_id = target),
    (select c.relname from agentdb.audit_target as t
      join pg_class as c on c.oid = t.table_oid where t.audit_target_id = target));
  execute format('grant select, insert, update, delete on agentdb_stage.%I to '
    'agentdb_agent, agentdb_operator, agentdb_reviewer', v_view);
end;
$$;

comment on function agentdb._generate_stage (integer) is
  'Makes the staging view of a guarded table for its present layout.';
