-- The calls: guard_table and unguard_table.

-- What is not given is as it was last; '{}' and 'null' are given.
create or replace function agentdb._guard_arguments (
  relation regclass,
  columns text[],
  approvals integer,
  expires interval,
  auto_approve jsonb,
  apply text,
  validators text[],
  context text[],
  everybody boolean,
  reads jsonb
)
  returns agentdb.guarded_table
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_populate_record(null::agentdb.guarded_table,
    '{"approvals": 1, "expires": "24 hours", "apply": "approval", "validators": [],
      "context": [], "everybody": false}'
    || coalesce((
      select t.guard from agentdb.audit_target as t
      where t.table_oid = relation::oid and t.unaudited_at is null), '{}')
    || jsonb_strip_nulls(jsonb_build_object('approvals', approvals,
      'expires', expires, 'apply', apply, 'validators', validators,
      'context', context, 'everybody', everybody))
    || case when columns is null then '{}'
      else jsonb_build_object('columns', nullif(columns, '{}')) end
    || case when auto_approve is null then '{}'
      else jsonb_build_object('auto_approve', nullif(auto_approve, 'null')) end
    || case when reads is null then '{}'
      else jsonb_build_object('reads', nullif(reads, 'null')) end);
$$;

comment on function agentdb._guard_arguments (
  regclass, text[], integer, interval, jsonb, text, text[], text[], boolean, jsonb
) is
  'How a table is guarded: as given, else as it was guarded last, else as usual.';


create or replace function agentdb.guard_table (
  relation regclass,
  columns text[] default null,
  approvals integer default null,
  expires interval default null,
  auto_approve jsonb default null,
  apply text default null,
  validators text[] default null,
  context text[] default null,
  everybody boolean default null,
  reads jsonb default null
)
  returns table (table_name text, staging_view text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
declare
  v_how record;
  v_child regclass;
begin
  if not exists (
    select from agentdb.audit_target as t
    where t.table_oid = relation::oid and t.unaudited_at is null
  ) then
    perform agentdb.audit_table(relation);
  end if;
  select a.* into v_how
  from agentdb._guard_arguments(relation, columns, approvals, expires, auto_approve,
    apply, validators, context, everybody, reads) as a;
  perform agentdb._lend_table(relation);
  staging_view := format('agentdb_stage.%I', agentdb._register_guard(relation,
    v_how.columns, v_how.context, v_how.approvals, v_how.expires, v_how.apply,
    v_how.validators, v_how.everybody, v_how.auto_approve, v_how.reads));
  perform agentdb._place_guard(relation, v_how.everybody,
    v_how.auto_approve ->> 'condition');
  guard_table.table_name := relation::text;
  return next;
  -- Each table of an inheritance tree holds rows of its own.
  for v_child in
    select i.inhrelid from pg_inherits as i
    join pg_class as c on c.oid = i.inhparent and c.relkind = 'r'
    where i.inhparent = relation::oid
  loop
    return query select * from agentdb.guard_table(v_child, columns, approvals, expires,
      auto_approve, apply, validators, context, everybody, reads);
  end loop;
end;
$$;

comment on function agentdb.guard_table (
  regclass, text[], integer, interval, jsonb, text, text[], text[], boolean, jsonb
) is
  'Lets agents write a table only through changes that somebody else approves; audits '
  'it where it is not; what is not given is as it was guarded last; raises ZA004, '
  'ZA030 or ZA051.';


create or replace function agentdb.unguard_table (relation regclass)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
declare
  v_sequence regclass;
begin
  perform agentdb._end_guard(relation);
  perform agentdb._drop_guard(relation);
  execute format('revoke all on %s from agentdb_applier', relation);
  execute format('revoke select on %s from agentdb_owner', relation);
  for v_sequence in
    select a.objid from agentdb._attached(relation) as a
    join pg_class as c on c.oid = a.objid and c.relkind = 'S'
    where a.classid = 'pg_class'::regclass
  loop
    execute format('revoke all on sequence %s from agentdb_applier, agentdb_owner',
      v_sequence);
  end loop;
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
      or not exists (
        select from pg_class as v
        where v.relnamespace = 'agentdb_stage'::regnamespace
          and v.relname = g.view_name)
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
