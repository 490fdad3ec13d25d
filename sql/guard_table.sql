-- The calls: guard_table and unguard_table.

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
    where t.tgfoid = 'agentdb._guard'::regproc
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
  v_part regclass;
begin
  execute format('create trigger "00_agentdb_guard" before insert or update or delete '
    'on %s for each %s execute function agentdb._guard(%L)', relation,
    (
      select case when c.relkind = 'p' or c.relispartition then 'row'
        else 'statement' end
      from pg_class as c where c.oid = relation
    ), whom);
  for v_part in
    select coalesce(p.relid, relation) from (select) as one
    left join pg_partition_tree(relation) as p on true
  loop
    execute format('alter table only %s enable always trigger "00_agentdb_guard"',
      v_part);
    execute format('create trigger "00_agentdb_guard_truncate" before truncate on %s '
      'for each statement execute function agentdb._guard(%L)', v_part, whom);
    execute format(
      'alter table only %s enable always trigger "00_agentdb_guard_truncate"', v_part);
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
    execute format('grant usage on sequence %s to agentdb_applier, agentdb_agent',
      v_sequence);
  end loop;
  if current_setting('server_version_num')::integer < 150000 then
    execute format('grant select on %s to agentdb_owner', relation);
  end if;
end;
$$;

comment on function agentdb._lend_table (regclass) is
  'Lets agentdb_applier write a table, and agents take numbers from its sequences, '
  'with the rights of the caller.';


create or replace function agentdb.guard_table (
  relation regclass,
  columns text[] default null,
  approvals integer default 1,
  expires interval default '24 hours',
  auto_approve jsonb default null,
  apply text default 'approval',
  validators text[] default '{}',
  context text[] default '{}',
  everybody boolean default false
)
  returns table (table_name text, staging_view text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
declare
  v_child regclass;
begin
  if not exists (
    select from agentdb.audit_target as t
    where t.table_oid = relation::oid and t.unaudited_at is null
  ) then
    perform agentdb.audit_table(relation);
  end if;
  perform agentdb._lend_table(relation);
  staging_view := format('agentdb_stage.%I', agentdb._register_guard(relation, columns,
    context, approvals, expires, apply, validators, everybody, auto_approve));
  if auto_approve ? 'condition' then
    execute format('grant execute on function %s(jsonb, jsonb) to agentdb_owner',
      to_regprocedure((auto_approve ->> 'condition') || '(jsonb,jsonb)')::regproc);
  end if;
  perform agentdb._drop_guard(relation);
  perform agentdb._create_guard(relation,
    case when everybody then 'everybody' else 'agents' end);
  guard_table.table_name := relation::text;
  return next;
  -- Each table of an inheritance tree holds rows of its own.
  for v_child in
    select i.inhrelid from pg_inherits as i
    join pg_class as c on c.oid = i.inhparent and c.relkind = 'r'
    where i.inhparent = relation::oid
  loop
    return query select * from agentdb.guard_table(v_child, columns, approvals, expires,
      auto_approve, apply, validators, context, everybody);
  end loop;
end;
$$;

comment on function agentdb.guard_table (
  regclass, text[], integer, interval, jsonb, text, text[], text[], boolean
) is
  'Lets agents write a table only through changes that somebody else approves; audits '
  'it where it is not; raises ZA004, ZA030 or ZA051.';


create or replace function agentdb.unguard_table (relation regclass)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
begin
  perform agentdb._end_guard(relation);
  perform agentdb._drop_guard(relation);
  execute format('revoke all on %s from agentdb_applier', relation);
end;
$$;

comment on function agentdb.unguard_table (regclass) is
  'Ends the guard of a table; its undecided changes cannot be applied any more; raises '
  'ZA006 or ZA030.';


create or replace function agentdb._maintain_guards ()
  returns table (action text, object text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_target integer;
begin
  -- A table restored from a dump has another number, which maintain() knows by now.
  update agentdb.guarded_table as g
  set table_oid = t.table_oid,
      table_name = t.table_name
  from agentdb.audit_target as t
  where t.audit_target_id = g.audit_target_id
    and t.unaudited_at is null
    and (t.table_oid, t.table_name) <> (g.table_oid, g.table_name);
  for v_target, object in
    delete from agentdb.guarded_table as g
    where not exists (select from pg_class as c where c.oid = g.table_oid)
    returning g.audit_target_id, g.table_name
  loop
    execute format('drop function if exists agentdb.%I', '_propose_' || v_target);
    action := 'unguarded (dropped)';
    return next;
  end loop;
  for v_target, object in
    select g.audit_target_id, g.table_name
    from agentdb.guarded_table as g
    join agentdb.audit_target as t
      on t.audit_target_id = g.audit_target_id and t.unaudited_at is null
    join pg_class as c on c.oid = g.table_oid
    where g.layout <> agentdb._stage_layout(g.audit_target_id)
    order by g.audit_target_id
  loop
    -- Whoever reads the view in a long transaction, or has built another on it, must
    -- not hold up all other maintenance.
    begin
      perform agentdb._generate_stage(v_target);
      action := 'staging view regenerated';
    exception when others then
      action := 'staging view not regenerated: ' || sqlerrm;
    end;
    return next;
  end loop;
end;
$$;

comment on function agentdb._maintain_guards () is
  'Adapts staging views to tables that were altered, and forgets tables that were '
  'dropped.';


-- A new generator means new functions.
do $$
begin
  update agentdb.guarded_table set layout = '';
  perform from agentdb._maintain_guards();
end;
$$;
