-- Performing a change: its statement under pinned settings, with all deferred checks,
-- and what it wrote where.

-- The statistics of the session's own transaction count what triggers and cascades do,
-- in tables that are not audited too.
create or replace function agentdb._written (tables oid[], names text[])
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if tables is null then
    return agentdb._written_anywhere();
  elsif cardinality(tables) = 1 then
    return jsonb_strip_nulls(jsonb_build_object(
      names[1] || ' inserted',
      nullif(pg_stat_get_xact_tuples_inserted(tables[1]), 0),
      names[1] || ' updated',
      nullif(pg_stat_get_xact_tuples_updated(tables[1]), 0),
      names[1] || ' deleted',
      nullif(pg_stat_get_xact_tuples_deleted(tables[1]), 0)));
  end if;
  return (
    select coalesce(jsonb_object_agg(w.what, w.count), '{}')
    from (
      select concat(t.name, ' ', o.operation) as what, sum(o.count) as count
      from unnest(tables, names) as t (oid, name)
      cross join lateral (values
        ('inserted', pg_stat_get_xact_tuples_inserted(t.oid)),
        ('updated', pg_stat_get_xact_tuples_updated(t.oid)),
        ('deleted', pg_stat_get_xact_tuples_deleted(t.oid))
      ) as o (operation, count)
      where o.count > 0
      group by 1
    ) as w
  );
end;
$$;

comment on function agentdb._written (oid[], text[]) is
  'How many rows of which tables the transaction has written so far, of some or all.';


create or replace function agentdb._written_anywhere ()
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select coalesce(jsonb_object_agg(w.what, w.count), '{}')
    from (
      -- The schema of temporary tables is another one in each session.
      select format('%s %s', case c.relpersistence
          when 't' then format('pg_temp.%I', c.relname)
          else agentdb._table_name(coalesce(pg_partition_root(c.oid), c.oid)) end,
        o.operation) as what, sum(o.count) as count
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
    ) as w
  );
end;
$$;

comment on function agentdb._written_anywhere () is
  'The same for all tables, where triggers may write any.';


-- What an agent has deferred itself must not run here, where the guard is open.  What
-- others have in sessions of their own never does; what the role may not name is
-- checked by the commit.
create or replace function agentdb._deferred (role_name name)
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
    where t.tgdeferrable
      and (select c.relnamespace from pg_class as c where c.oid = t.tgrelid)
        <> 'agentdb'::regnamespace
  ) then
    return null;
  end if;
  v_roles := agentdb._agents_roles();
  return (
    select case when bool_and(k.harmless) is not false then 'all'
      else string_agg(k.name, ', ') filter (where k.harmless
        and has_schema_privilege(role_name, k.schema, 'usage')) end
    from (
      select format('%I.%I', n.nspname, k.conname) as name, n.oid as schema,
        bool_and(c.relowner <> all (v_roles) and p.proowner <> all (v_roles))
          as harmless
      from pg_trigger as t
      join pg_constraint as k on k.oid = t.tgconstraint
      join pg_namespace as n on n.oid = k.connamespace
      join pg_class as c on c.oid = t.tgrelid
      join pg_proc as p on p.oid = t.tgfoid
      where t.tgdeferrable
        and (c.relpersistence <> 't' or c.relnamespace = pg_my_temp_schema())
      group by n.oid, n.nspname, k.conname
    ) as k
  );
end;
$$;

comment on function agentdb._deferred (name) is
  'SQL text: the deferrable constraints in which no agent has a part and that a role '
  'may name; NULL where there is none to check.';


-- Settings that say what a text means are pinned: it may run in an agent's session.
create or replace function agentdb._perform (
  change bigint,
  manner agentdb.change_manner
)
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
  v_before jsonb := agentdb._written(manner.written, manner.names);
  v_after jsonb;
  v_path text;
  v_matched bigint;
  v_otherwise bigint := 0;
begin
  v_path := set_config('search_path', manner.search_path, true);
  begin
    if manner.ruled then
      v_matched := agentdb._execute_in_parts(change, manner.search_path);
    elsif manner.row_count > 1 and agentdb._is_ordered(change) then
      v_matched := agentdb._execute_in_order(change, manner.search_path);
    elsif manner.parts = 1 then
      execute manner.statement using change;
      get diagnostics v_matched = row_count;
    else
      execute manner.statement into v_matched using change;
    end if;
  exception when unique_violation or exclusion_violation then
    begin
      -- What was rolled back counts as written.
      v_before := agentdb._written(manner.written, manner.names);
      v_matched := agentdb._execute_in_order(change, manner.search_path);
    exception when unique_violation or exclusion_violation then
      v_before := agentdb._written(manner.written, manner.names);
      v_matched := agentdb._execute_by_detour(change, manner.search_path);
    end;
  end;
  if manner.constraints is not null then
    execute format('set constraints %s immediate', manner.constraints);
  end if;
  v_path := set_config('search_path', 'pg_catalog, pg_temp', true);
  if v_matched <> manner.row_count then
    raise exception 'change % does not match its rows any more', change
      using errcode = 'ZA052';
  end if;
  v_after := agentdb._written(manner.written, manner.names);
  if manner.compared then
    v_otherwise := agentdb._check_outcome(change);
  end if;
  if v_before = '{}' and v_otherwise = 0 then
    return v_after;
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

comment on function agentdb._perform (bigint, agentdb.change_manner) is
  'Applies the rows of a change with the rights of the caller, all or none, and '
  'returns what was written where; raises ZA052.';


grant create on schema agentdb to agentdb_applier;
grant usage on schema agentdb to agentdb_applier;
set local role agentdb_applier;

create or replace function agentdb._perform_as_applier (
  change bigint,
  manner agentdb.change_manner
)
  returns jsonb
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return agentdb._perform(change, manner);
end;
$$;

comment on function agentdb._perform_as_applier (bigint, agentdb.change_manner) is
  'Applies the rows of a change as agentdb_applier, which may write guarded tables.';

revoke all on function agentdb._perform_as_applier from public;
grant execute on function agentdb._perform_as_applier to agentdb_owner;

set local role agentdb_owner;
revoke create on schema agentdb from agentdb_applier;
