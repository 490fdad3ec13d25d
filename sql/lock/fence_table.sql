-- Putting fences on tables and taking them off, and which there are.

create or replace view agentdb.fence_fault as
  select f.table_name, f.lock_name, w.fault
  from agentdb.fence_target as f
  left join pg_class as c on c.oid = f.table_oid
  cross join lateral (
    select 'the table is gone' as fault where c.oid is null
    union all
    select format('trigger %s on %s is %s', n.tgname, r.oid::regclass,
      case when t.oid is null then 'missing' when t.tgenabled <> 'A' then 'disabled'
        else 'replaced' end)
    from (
      select f.table_oid, c.relkind = 'p' or c.relispartition where c.oid is not null
      union
      select p.oid, true from agentdb._parts_of(c.oid) as p (oid)
    ) as r (oid, truncated)
    cross join unnest(array['agentdb_fence', 'agentdb_fence_truncate']) as n (tgname)
    left join pg_trigger as t on t.tgrelid = r.oid and t.tgname = n.tgname
    where (n.tgname = 'agentdb_fence' or r.truncated)
      and (t.tgenabled is distinct from 'A'
        or t.tgqual is not null
        or t.tgfoid <> 'agentdb._check_fence'::regproc
        or t.tgargs <> convert_to(f.lock_name, 'UTF8') || '\x00')
  ) as w;

comment on view agentdb.fence_fault is
  'What keeps a fence from holding, whatever was done to its table since; empty where '
  'all is well.';
comment on column agentdb.fence_fault.table_name is
  'The table.';
comment on column agentdb.fence_fault.lock_name is
  'The lock that the writing run must hold.';
comment on column agentdb.fence_fault.fault is
  'What is wrong.';


create or replace view agentdb.fenced_table as
  select
    coalesce(format('%I.%I', n.nspname, c.relname), f.table_name) as table_name,
    f.lock_name,
    not exists (
      select from agentdb.fence_fault as x where x.table_name = f.table_name
    ) as enabled,
    f.table_oid
  from agentdb.fence_target as f
  left join pg_class as c on c.oid = f.table_oid
  left join pg_namespace as n on n.oid = c.relnamespace;

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
  v_table regclass;
begin
  begin
    v_table := to_regclass(table_name);
  -- Text that is no name at all is the name of no table.
  exception when syntax_error or invalid_name or feature_not_supported then
    null;
  end;
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


-- What is written down outlives the triggers.  By session_user, for the rights here are
-- ours.
create or replace function agentdb._note_fence (relation regclass, lock_name text)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not pg_has_role(session_user, (
      select c.relowner from pg_class as c where c.oid = relation), 'MEMBER') then
    perform agentdb._refuse(format('%s does not own %s', session_user, relation),
      'Log in as a member of its owner.');
  end if;
  delete from agentdb.fence_target as f where f.table_oid = relation::oid;
  insert into agentdb.fence_target (table_oid, table_name, lock_name)
  select c.oid, format('%I.%I', n.nspname, c.relname), _note_fence.lock_name
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  where c.oid = relation and _note_fence.lock_name is not null;
end;
$$;

comment on function agentdb._note_fence (regclass, text) is
  'Writes down that a table is fenced by a lock, or is not any more; raises ZA004.';


-- A table restored from a dump has another number; its trigger knows which lock.
create or replace function agentdb._maintain_fences ()
  returns table (action text, object text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.fence_target as f
  set table_oid = c.oid
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  join pg_trigger as t on t.tgrelid = c.oid
  where format('%I.%I', n.nspname, c.relname) = f.table_name
    and t.tgfoid = 'agentdb._check_fence'::regproc
    and t.tgname = 'agentdb_fence'
    and c.oid <> f.table_oid
    and not exists (
      select from agentdb.fence_target as o where o.table_oid = c.oid);
  update agentdb.fence_target as f
  set table_name = format('%I.%I', n.nspname, c.relname)
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  where c.oid = f.table_oid and f.table_name <> format('%I.%I', n.nspname, c.relname);
  return query
    delete from agentdb.fence_target as f
    where not exists (select from pg_class as c where c.oid = f.table_oid)
      and not exists (
        select from pg_class as c
        join pg_namespace as n on n.oid = c.relnamespace
        where format('%I.%I', n.nspname, c.relname) = f.table_name)
    returning 'unfenced (dropped)', f.table_name;
end;
$$;

comment on function agentdb._maintain_fences () is
  'Follows fenced tables that were restored, renamed or dropped.';


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
  perform agentdb._note_fence(v_table, lock_name);
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
  v_trigger record;
begin
  select f.table_name, f.lock_name into unfenced_table, lock
  from agentdb.fenced_table as f
  where f.table_oid = v_table;
  for v_trigger in
    select t.tgname, t.tgrelid::regclass as name
    from pg_trigger as t
    where t.tgfoid = 'agentdb._check_fence'::regproc
      and t.tgparentid = 0
      and (t.tgrelid = v_table
        or t.tgrelid in (select p.relid from pg_partition_tree(v_table) as p))
  loop
    execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.name);
  end loop;
  if unfenced_table is not null then
    perform agentdb._note_fence(v_table, null);
    return next;
  end if;
end;
$$;

comment on function agentdb.unfence_table (text) is
  'Takes the fence off a table; called by the table''s owner; no row where there was '
  'none; raises ZA004 or ZA006.';


-- Restored from a dump, they are found again.
do $$
begin
  perform from agentdb._maintain_fences();
end;
$$;
