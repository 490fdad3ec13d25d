-- Tables that were altered: a migration is everyday life.  Nothing is lost meanwhile:
-- the capture function records by its general form until it is made anew for the new
-- shape, never within a write, and what waits for a reviewer is tried again.

create or replace view agentdb.altered_table as
  select t.audit_target_id, t.table_name, 'capture function' as part
  from agentdb.audit_target as t
  join pg_class as c on c.oid = t.table_oid
  where t.unaudited_at is null
    and (t.layout <> agentdb._layout_now(t.table_oid)
      or t.table_name <> agentdb._table_name(t.table_oid))
  union all
  select g.audit_target_id, g.table_name, 'staging view'
  from agentdb.guarded_table as g
  join pg_class as c on c.oid = g.table_oid
  where g.layout <> agentdb._stage_layout(g.audit_target_id)
    -- to_regclass() would want a right on the schema of whoever reads this.
    or not exists (
      select from pg_class as v
      join pg_namespace as n on n.oid = v.relnamespace
      where n.nspname = 'agentdb_stage' and v.relname = g.view_name);

comment on view agentdb.altered_table is
  'Audited and guarded tables that were altered, until maintain_tables() or the runner '
  'has adapted to it; every write is recorded meanwhile.';
comment on column agentdb.altered_table.audit_target_id is
  'The attachment of the audit.';
comment on column agentdb.altered_table.table_name is
  'The table.';
comment on column agentdb.altered_table.part is
  'What is made anew: its capture function, or its staging view.';


-- The state is another one only where the outcome is.
create or replace function agentdb._retry_change (change bigint)
  returns text
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_effects jsonb := (
    select c.effects from agentdb.change as c where c.change_id = change);
  v_fault text := agentdb._change_fault(change);
  v_end record;
begin
  if v_fault is not null then
    perform agentdb._close_change(change, 'conflict',
      jsonb_build_object('sqlstate', 'ZA051', 'message', v_fault));
    return 'conflict: ' || v_fault;
  end if;
  select a.effects, a.problem into v_end
  from agentdb._attempt(change, agentdb._basis(change), true, false, null) as a;
  if v_end.problem is null and v_end.effects <> v_effects then
    v_end.problem := jsonb_build_object('sqlstate', 'ZA052', 'message', format(
      'its tables were altered: it would write %s now, and %s was reviewed',
      v_end.effects, v_effects));
  end if;
  if v_end.problem is not null then
    perform agentdb._close_change(change, 'conflict', v_end.problem
      || jsonb_build_object('conflicts', agentdb._conflicts(change, 20, true)));
    return 'conflict: ' || (v_end.problem ->> 'message');
  end if;
  update agentdb.change_table as t
  set layout = agentdb._layout_now(t.table_oid)
  where t.change_id = change;
  return 'the same on the altered table';
end;
$$;

comment on function agentdb._retry_change (bigint) is
  'Tries an undecided change again on tables that were altered: it stays as it is, or '
  'ends as a conflict that says why.';


create or replace function agentdb._retry_changes ()
  returns table (action text, object text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_change_id bigint;
begin
  for v_change_id in
    select c.change_id
    from agentdb.change as c
    where c.state in ('pending', 'approved')
      and agentdb._all_guarded(c.change_id)
      and exists (
        select from agentdb.change_table as t
        where t.change_id = c.change_id
          and (t.layout, t.table_name) is distinct from
            (agentdb._layout_now(t.table_oid), agentdb._table_name(t.table_oid)))
    order by c.change_id
    limit 100
    for no key update skip locked
  loop
    exit when clock_timestamp() > statement_timestamp() + interval '10 seconds';
    object := 'change ' || v_change_id;
    begin
      action := 'tried again: ' || agentdb._retry_change(v_change_id);
    exception when others then
      -- A lock, a deadlock, a stop: the next time.
      action := 'not tried again: ' || sqlerrm;
    end;
    return next;
  end loop;
end;
$$;

comment on function agentdb._retry_changes () is
  'Tries the undecided changes of altered tables again, a hundred at a time.';


create or replace function agentdb._maintain_tables ()
  returns table (action text, object text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
  set "TimeZone" = 'UTC'
as $$
begin
  return query select * from agentdb._maintain_audit();
  return query select * from agentdb._maintain_guards();
  return query select * from agentdb._maintain_fences();
  return query select * from agentdb._retry_changes();
  return query select * from agentdb._settle_suspensions();
end;
$$;

comment on function agentdb._maintain_tables () is
  'The part of maintain_tables() that needs no right of a table''s owner.';


create or replace function agentdb.maintain_tables ()
  returns table (action text, object text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  return query select * from agentdb._maintain_tables();
  return query select * from agentdb._repair_tables();
end;
$$;

comment on function agentdb.maintain_tables () is
  'Adapts the audit, staging views and undecided changes to tables that were altered, '
  'renamed or dropped, and says what it did; the runner calls it every half minute.';


-- Only a superuser can make an event trigger of it.  Any role's ALTER TABLE fires that:
-- what is not audited costs a look, and nobody is held up by a failure of ours.
create or replace function agentdb.follow_alter_table ()
  returns event_trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  if exists (
    select from pg_event_trigger_ddl_commands() as d
    join agentdb.audit_target as t on t.table_oid = d.objid and t.unaudited_at is null
    where d.classid = 'pg_class'::regclass
  ) then
    perform agentdb._maintain_audit();
    perform agentdb._maintain_guards();
  end if;
exception when lock_not_available then
  raise notice 'another session adapts altered tables; the runner sees to this one';
end;
$$;

comment on function agentdb.follow_alter_table () is
  'For an event trigger on ddl_command_end: adapts the audit and the staging view to '
  'ALTER TABLE in its own transaction.';


-- ALTER COLUMN … TYPE is refused while a view shows the column.  The guard stays on.
create or replace function agentdb.drop_staging_view (relation regclass)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
declare
  v_view text;
begin
  perform agentdb._check_table_owner(relation);
  select g.view_name into v_view
  from agentdb.guarded_table as g where g.table_oid = relation::oid;
  if not found then
    perform agentdb._refuse_unguarded(relation);
  end if;
  perform agentdb._drop_stage(v_view);
end;
$$;

comment on function agentdb.drop_staging_view (regclass) is
  'Takes the staging view out of the way of a migration of a guarded table, which '
  'stays guarded; maintain_tables() makes it again, in the same transaction at best; '
  'raises ZA006 or ZA030.';
