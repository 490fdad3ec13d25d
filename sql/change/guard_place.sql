-- What a guard puts on its table: triggers and rights, made with the rights of whoever
-- calls, the owner of the table.

create or replace function agentdb._drop_guard (relation regclass)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_trigger record;
begin
  for v_trigger in
    select t.tgname, t.tgrelid::regclass as name
    from pg_trigger as t
    where t.tgfoid in ('agentdb._guard'::regproc, 'agentdb._guard_role'::regproc)
      and t.tgparentid = 0
      and (t.tgrelid = relation
        or t.tgrelid in (select r.relid from pg_partition_tree(relation) as r))
  loop
    execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.name);
  end loop;
end;
$$;

comment on function agentdb._drop_guard (regclass) is
  'Drops the guard triggers of a table and its partitions, with the rights of the '
  'caller.';


-- A partition can be written by its own name: row triggers are inherited by all,
-- TRUNCATE is refused at each that exists.
create or replace function agentdb._create_guard (relation regclass, whom text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_level text := (
    select case when c.relkind = 'p' or c.relispartition then 'row' else 'statement' end
    from pg_class as c where c.oid = relation
  );
  v_part regclass;
  v_name name;
begin
  execute format('create trigger "00_agentdb_guard" before insert or update or delete '
    'on %s for each %s execute function agentdb._guard(%L)', relation, v_level, whom);
  execute format('create trigger "00_agentdb_guard_role" '
    'before insert or update or delete on %s for each %s '
    'when (current_user <> session_user) execute function agentdb._guard_role()',
    relation, v_level);
  for v_part in
    select coalesce(p.relid, relation) from (select) as one
    left join pg_partition_tree(relation) as p on true
  loop
    execute format('create trigger "00_agentdb_guard_truncate" before truncate on %s '
      'for each statement execute function agentdb._guard(%L)', v_part, whom);
    execute format('create trigger "00_agentdb_guard_truncate_role" '
      'before truncate on %s for each statement '
      'when (current_user <> session_user) execute function agentdb._guard_role()',
      v_part);
    foreach v_name in array array['00_agentdb_guard', '00_agentdb_guard_role',
      '00_agentdb_guard_truncate', '00_agentdb_guard_truncate_role']
    loop
      execute format('alter table only %s enable always trigger %I', v_part, v_name);
    end loop;
  end loop;
end;
$$;

comment on function agentdb._create_guard (regclass, text) is
  'Creates the guard triggers of a table and its partitions, with the rights of the '
  'caller.';


create or replace function agentdb._lend_table (relation regclass)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_schema name;
  v_role name;
  v_sequence regclass;
  v_key text := (
    select string_agg(distinct format('%I', a.attname), ', ')
    from pg_index as x
    join pg_attribute as a on a.attrelid = x.indrelid and a.attnum = any (x.indkey)
    where x.indrelid = relation
      and x.indisunique
      and not exists (
        select from agentdb.audit_target as t
        where t.table_oid = relation::oid and t.unaudited_at is null
          and a.attname = any (t.excluded || t.redacted))
  );
begin
  select n.nspname into v_schema
  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
  where c.oid = relation;
  execute format('grant select, insert, update, delete on %s to agentdb_applier',
    relation);
  -- The staging view names the table, the change writes it.
  foreach v_role in array array['agentdb_applier', 'agentdb_owner'] loop
    if not has_schema_privilege(v_role, v_schema, 'usage') then
      execute format('grant usage on schema %I to %I', v_schema, v_role);
    end if;
  end loop;
  for v_sequence in
    select d.objid from pg_depend as d
    join pg_class as c on c.oid = d.objid and c.relkind = 'S'
    where d.classid = 'pg_class'::regclass
      and d.refclassid = 'pg_class'::regclass
      and d.refobjid = relation::oid
      and d.deptype in ('a', 'i')
  loop
    execute format('grant usage on sequence %s to agentdb_applier, agentdb_owner',
      v_sequence);
    execute format('revoke usage on sequence %s from agentdb_agent', v_sequence);
  end loop;
  if current_setting('server_version_num')::integer < 150000 then
    execute format('grant select on %s to agentdb_owner', relation);
  elsif v_key is not null then
    -- Whether a unique value is taken is looked up as a row is staged.
    execute format('grant select (%s) on %s to agentdb_owner', v_key, relation);
  end if;
end;
$$;

comment on function agentdb._lend_table (regclass) is
  'Lets agentdb_applier write a table, and its staging view draw numbers from its '
  'sequences, with the rights of the caller.';


-- A child that agents write directly needs a parent that is applied already.
create or replace function agentdb._note_children (relation regclass)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_children text := (
    select string_agg(distinct k.conrelid::regclass::text, ', ')
    from pg_constraint as k
    where k.contype = 'f'
      and k.confrelid = relation
      and k.conrelid <> relation
      and not exists (
        select from agentdb.guarded_table as g where g.table_oid = k.conrelid)
  );
begin
  if v_children is not null then
    raise notice '% refers to % and is not guarded', v_children, relation
      using hint = format('A row that an agent stages in %s is not there until it is '
        'applied: what it writes to %s directly meanwhile fails on the foreign key '
        '(23503).  Guard these too, and both are staged as one change.',
        relation, v_children);
  end if;
end;
$$;

comment on function agentdb._note_children (regclass) is
  'Names the tables that refer to a guarded one and are not guarded themselves.';


create or replace function agentdb._place_guard (
  relation regclass,
  everybody boolean,
  condition text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if condition is not null then
    execute format('grant execute on function %s(jsonb, jsonb) to agentdb_owner',
      to_regprocedure(condition || '(jsonb,jsonb)')::regproc);
  end if;
  perform agentdb._drop_guard(relation);
  perform agentdb._create_guard(relation,
    case when everybody then 'everybody' else 'agents' end);
  perform agentdb._note_children(relation);
end;
$$;

comment on function agentdb._place_guard (regclass, boolean, text) is
  'Puts the triggers of a guard on its table, with the rights of the caller.';
