-- Performing a change: its statement under pinned settings, with all deferred checks,
-- and what it wrote where.

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


-- What an agent has deferred itself must not run here, where the guard is open.
create or replace function agentdb._deferred ()
  returns text
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_roles oid[];
begin
  -- Most databases have none.
  if not exists (
    select from pg_trigger as t
    join pg_class as c on c.oid = t.tgrelid
    where t.tgdeferrable and c.relnamespace <> 'agentdb'::regnamespace
  ) then
    return 'all';
  end if;
  v_roles := agentdb._agents_roles();
  return (
    select case when bool_and(k.harmless) is not false then 'all'
      else string_agg(k.name, ', ') filter (where k.harmless) end
    from (
      select format('%I.%I', n.nspname, k.conname) as name,
        bool_and(c.relowner <> all (v_roles) and p.proowner <> all (v_roles))
          as harmless
      from pg_trigger as t
      join pg_constraint as k on k.oid = t.tgconstraint
      join pg_namespace as n on n.oid = k.connamespace
      join pg_class as c on c.oid = t.tgrelid
      join pg_proc as p on p.oid = t.tgfoid
      where t.tgdeferrable
      group by n.nspname, k.conname
    ) as k
  );
end;
$$;

comment on function agentdb._deferred () is
  'SQL text: the deferrable constraints in which no agent has a part.';


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
  v_statement text := agentdb._change_sql(change, false);
  v_before jsonb := agentdb._written();
  v_after jsonb;
  v_matched bigint;
  v_otherwise bigint := 0;
begin
  perform set_config('search_path', agentdb._apply_path(change), true);
  begin
    if agentdb._has_rules(change) then
      v_matched := agentdb._execute_in_parts(change);
    elsif agentdb._is_ordered(change) then
      v_matched := agentdb._execute_in_order(change);
    else
      execute v_statement into v_matched;
    end if;
  exception when unique_violation or exclusion_violation then
    begin
      -- What was rolled back counts as written.
      v_before := agentdb._written();
      v_matched := agentdb._execute_in_order(change);
    exception when unique_violation or exclusion_violation then
      v_before := agentdb._written();
      v_matched := agentdb._execute_by_detour(change);
    end;
  end;
  execute format('set constraints %s immediate', agentdb._deferred());
  perform set_config('search_path', 'pg_catalog, pg_temp', true);
  if v_matched <> (
    select count(*) from agentdb.change_row as r
    where r.change_id = change and r.operation <> 'check'
  ) then
    raise exception 'change % does not match its rows any more', change
      using errcode = 'ZA052';
  end if;
  v_after := agentdb._written();
  if agentdb._has_triggers(change) then
    v_otherwise := agentdb._check_outcome(change);
  end if;
  return (
    select coalesce(jsonb_object_agg(w.key,
      w.value::bigint - coalesce((v_before ->> w.key)::bigint, 0)), '{}')
    from jsonb_each_text(v_after) as w
    where w.value is distinct from v_before ->> w.key
  ) || case when v_otherwise > 0
    then jsonb_build_object('rows that triggers write otherwise', v_otherwise)
    else '{}' end;
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
