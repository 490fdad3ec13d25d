-- Putting fences on tables and taking them off, and which there are.

create or replace view agentdb.fenced_table as
  select
    format('%I.%I', n.nspname, c.relname) as table_name,
    convert_from(substring(t.tgargs from 1 for octet_length(t.tgargs) - 1), 'UTF8')
      as lock_name,
    t.tgenabled = 'A' as enabled,
    c.oid as table_oid
  from pg_trigger as t
  join pg_class as c on c.oid = t.tgrelid
  join pg_namespace as n on n.oid = c.relnamespace
  where t.tgfoid = 'agentdb._check_fence'::regproc
    and t.tgname = 'agentdb_fence'
    and t.tgparentid = 0;

comment on view agentdb.fenced_table is
  'The tables that only the holder of a lock may write.';

comment on column agentdb.fenced_table.table_name is
  'The table, with its schema.';
comment on column agentdb.fenced_table.lock_name is
  'The lock that the writing run must hold.';
comment on column agentdb.fenced_table.enabled is
  'Whether the fence is in force for every session.';
comment on column agentdb.fenced_table.table_oid is
  'Its number in this database.';


create or replace function agentdb._fence_target (table_name text)
  returns regclass
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table regclass := to_regclass(table_name);
begin
  if v_table is null then
    raise exception 'there is no table %',
        coalesce(agentdb._clean_text(table_name, 200), 'NULL')
      using errcode = 'ZA006', hint = 'Write the schema in front of it: public.report.';
  elsif not exists (
    select from pg_class as c
    where c.oid = v_table
      and c.relkind in ('r', 'p')
      and c.relpersistence <> 't'
      and c.relnamespace not in ('agentdb'::regnamespace, 'pg_catalog'::regnamespace)
      and not c.relispartition
      and (c.relkind = 'p' or not c.relhassubclass)
  ) then
    perform agentdb._refuse(
      format('%s cannot be fenced', v_table),
      'Fence an ordinary or partitioned table of the application, without inheritance.'
    );
  end if;
  return v_table;
end;
$$;

comment on function agentdb._fence_target (text) is
  'Returns the table of a name, or raises ZA004 or ZA006.';


create or replace function agentdb._add_fence (
  target regclass,
  root boolean,
  lock_name text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_partitioned boolean := exists (
    select from pg_partition_tree(target) as p
  );
begin
  if root then
    execute format(
      'create trigger agentdb_fence before insert or update or delete %s on %s
         for each %s execute function agentdb._check_fence(%L)',
      case when not v_partitioned then 'or truncate' end, target,
      case when v_partitioned then 'row' else 'statement' end, lock_name
    );
  end if;
  if v_partitioned then
    execute format(
      'create trigger agentdb_fence_truncate before truncate on %s
         for each statement execute function agentdb._check_fence(%L)',
      target, lock_name
    );
    execute format(
      'alter table only %s enable always trigger agentdb_fence_truncate', target
    );
  end if;
  execute format('alter table only %s enable always trigger agentdb_fence', target);
end;
$$;

comment on function agentdb._add_fence (regclass, boolean, text) is
  'Puts the triggers of a fence on a table or partition.';


-- The caller makes the triggers, so only the owner of a table can fence it.  A write
-- can go straight to a partition: row triggers are inherited by all, truncation is
-- refused at each that exists.
create or replace function agentdb.fence_table (table_name text, lock_name text)
  returns table (fenced_table text, lock text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
declare
  v_table regclass := agentdb._fence_target(table_name);
  v_part regclass;
begin
  if not agentdb._is_clean_name(lock_name, 200) then
    perform agentdb._refuse(
      format('%L is no name for a lock', agentdb._clean_text(lock_name, 100)),
      'Use 1 to 200 visible characters on one line.'
    );
  end if;
  perform agentdb.unfence_table(table_name);
  for v_part in
    select p.relid from pg_partition_tree(v_table) as p order by p.level
  loop
    perform agentdb._add_fence(v_part, v_part = v_table, lock_name);
  end loop;
  if not exists (select from pg_partition_tree(v_table)) then
    perform agentdb._add_fence(v_table, true, lock_name);
  end if;
  return query select v_table::text, fence_table.lock_name;
end;
$$;

comment on function agentdb.fence_table (text, text) is
  'Lets only the run that holds a lock write a table; called by the table''s owner; '
  'raises ZA004, ZA006, and ZA020 at the writes it refuses.';


create or replace function agentdb.unfence_table (table_name text)
  returns table (unfenced_table text, lock text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
declare
  v_table regclass := agentdb._fence_target(table_name);
  v_part regclass;
begin
  select f.table_name, f.lock_name into unfenced_table, lock
  from agentdb.fenced_table as f
  join pg_class as c on c.oid = v_table
  join pg_namespace as n on n.oid = c.relnamespace
  where f.table_name = format('%I.%I', n.nspname, c.relname);
  if not found then
    return;
  end if;
  for v_part in select p.relid from pg_partition_tree(v_table) as p loop
    execute format('drop trigger if exists agentdb_fence_truncate on %s', v_part);
  end loop;
  execute format('drop trigger agentdb_fence on %s', v_table);
  return next;
end;
$$;

comment on function agentdb.unfence_table (text) is
  'Takes the fence off a table; called by the table''s owner; no row where there was '
  'none; raises ZA004 or ZA006.';
