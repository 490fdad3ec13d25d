-- The guard: a guarded table is written by agents only through an approved change.  It
-- judges by the login role, so it holds whatever the way: MERGE, upsert, COPY, a
-- cascade, functions of the application, TRUNCATE, a partition by its own name.

-- Only a transaction that is applying a change of guarded tables has such a row in
-- change_pass, and no agent can write one.
create or replace function agentdb._guard ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent boolean;
  v_agent_id bigint;
  v_open boolean;
begin
  -- Before all that could be broken.
  if coalesce(pg_sequence_last_value('agentdb.suspension_seq'), 0) > 0
    and agentdb._is_suspended('guard', tg_relid) then
    perform agentdb._pass_suspended('guard', tg_relid);
    return case when tg_op = 'DELETE' then old else new end;
  end if;
  -- The setting only says where to look.
  v_open := current_setting('agentdb.applying', true) <> '' and exists (
    select from agentdb.change_pass as p
    where p.xid = pg_current_xact_id_if_assigned() and p.opens_guard);
  if not coalesce(v_open, false) then
    v_agent := agentdb._is_agent();
    if v_agent then
      select w.agent_id into v_agent_id from agentdb._writer() as w;
    end if;
    v_open := not v_agent and tg_argv[0] <> 'everybody' or exists (
      select from agentdb.change_pass as p
      where p.xid = pg_current_xact_id_if_assigned() and p.opens_guard);
  end if;
  if not v_open then
    perform agentdb._count_refusal('guard', v_agent_id);
    perform agentdb._refuse_direct(tg_op,
      format('%I.%I', tg_table_schema, tg_table_name), tg_relid);
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end;
$$;

comment on function agentdb._guard () is
  'Trigger function on users'' tables: refuses writes of agents outside an approved '
  'change.';


-- Fires only where somebody acts in a session of somebody else, and runs as that one: a
-- function with our rights would not see who that is.  What an agent owns writes
-- nothing, whoever logged in, and what runs as agentdb_applier only the tables of its
-- change.
create or replace function agentdb._guard_role ()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if current_user = 'agentdb_applier' then
    if not agentdb._may_apply(tg_relid) then
      raise exception 'a change may not % %.%, which is none of its tables',
          lower(tg_op), tg_table_schema, tg_table_name
        using errcode = 'ZA050',
              hint = 'A trigger that writes other guarded tables does so with the '
                'rights of its own owner: make its function security definer.';
    end if;
  -- A superuser is a member of all, as whoever installed may be.
  elsif pg_has_role('agentdb_agent', 'member')
    and not pg_has_role('agentdb_owner', 'member') then
    raise exception '% may not % %.% directly in a session of %: it is guarded',
        current_user, lower(tg_op), tg_table_schema, tg_table_name, session_user
      using errcode = 'ZA050',
            detail = 'What a function writes for its owner is the owner''s; nothing '
              'was changed.',
            hint = 'Let it write the staging view of the table instead.';
  end if;
  return case when tg_op = 'DELETE' then old else new end;
end;
$$;

comment on function agentdb._guard_role () is
  'Trigger function on users'' tables: refuses writes of agents'' functions in '
  'others'' sessions, and of a change in tables that are not its own.';


create or replace function agentdb._may_apply (table_oid oid)
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
as $$
begin
  return exists (
    select
    from agentdb.change_pass as p
    join agentdb.change_table as t on t.change_id = any (p.change_id || p.basis)
    join agentdb.change_fact as f on f.change_fact_id = t.change_fact_id
    where p.xid = pg_current_xact_id_if_assigned()
      and _may_apply.table_oid = any (f.reached));
end;
$$;

comment on function agentdb._may_apply (oid) is
  'Whether a table is one that the change being applied may write.';


create or replace function agentdb._refuse_direct (
  operation text,
  table_name text,
  table_oid oid
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_view text := (
    select format('agentdb_stage.%I', g.view_name)
    from agentdb.guarded_table as g
    where g.table_oid in (
      select a.relid from pg_partition_ancestors(_refuse_direct.table_oid) as a
      union all select _refuse_direct.table_oid)
    limit 1
  );
begin
  raise exception '% may not % % directly: it is guarded', session_user,
      lower(operation), table_name
    using errcode = 'ZA050',
          detail = 'Somebody else must approve what changes in this table; nothing was '
            'changed.',
          hint = case when operation = 'TRUNCATE' then format(
              'Stage the rows to delete: delete from %s where …;', v_view)
            else format('Write the same INSERT, UPDATE or DELETE on %s instead: it '
              'becomes a change that a reviewer approves when the transaction commits.',
              v_view) end;
end;
$$;

comment on function agentdb._refuse_direct (text, text, oid) is
  'Raises ZA050 for a write that has to be staged.';


-- -0 and 0, 1.0 and 1.00, a NaN that was computed: one value in another form.  Not so
-- what = holds for equal although people see two: an interval, citext.
create or replace function agentdb._is_comparable (base_type oid)
  returns boolean
  language sql
  stable
  return (
    select coalesce(nullif(t.typelem, 0), t.oid) = any (array[
      'numeric', 'float4', 'float8', 'bool', 'int2', 'int4', 'int8', 'oid', 'uuid',
      'date', 'timestamp', 'timestamptz', 'bytea']::regtype[])
    from pg_type as t
    where t.oid = base_type
      and (t.typelem = 0 or t.typcategory = 'A')
  );

comment on function agentdb._is_comparable (oid) is
  'Whether values of a type, or of the elements of an array, that are = are one value.';


create or replace function agentdb._is_same (one jsonb, other jsonb)
  returns boolean
  language sql
  immutable
  return one = other
    or one in ('0', '"-0"') and other in ('0', '"-0"')
    or one is null and other is null;

comment on function agentdb._is_same (jsonb, jsonb) is
  'Tells whether two values are one, as they are recorded.';


create or replace view agentdb.change_column as
  select
    c.audit_target_id, c.place, c.column_name, format_type(a.atttypid, -1) as type_name,
    c.base_type, c.form, c.exact, agentdb._is_comparable(c.base_type) as comparable,
    c.key_place,
    c.redacted or c.excluded as hidden,
    a.attgenerated <> '' as generated,
    case when a.attgenerated <> '' then pg_get_expr(d.adbin, d.adrelid) end
      as generation,
    a.attgenerated <> '' and not exists (
      select from pg_depend as p
      -- Before version 15 it is the column that depends on what it is computed by.
      where (p.classid = 'pg_attrdef'::regclass and p.objid = d.oid
          or (p.classid, p.objid, p.objsubid)
            = ('pg_class'::regclass, a.attrelid, a.attnum))
        and p.refclassid in ('pg_proc'::regclass, 'pg_operator'::regclass,
          'pg_type'::regclass)) as computable,
    case
      -- Not by the name of the table: whoever asks may not look into its schema.
      when a.attidentity <> '' then (
        select format('nextval(%L)', agentdb._table_name(s.objid))
        from pg_depend as s
        where s.classid = 'pg_class'::regclass
          and s.refclassid = 'pg_class'::regclass
          and (s.refobjid, s.refobjsubid, s.deptype) = (a.attrelid, a.attnum, 'i'))
      when a.attgenerated = '' then pg_get_expr(d.adbin, d.adrelid)
    end as default_expression
  from agentdb.audit_column as c
  join agentdb.audit_target as t on t.audit_target_id = c.audit_target_id
  join pg_attribute as a on a.attrelid = t.table_oid and a.attnum = c.place
  left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum;

comment on view agentdb.change_column is
  'The columns of audited tables as changes see them.';
comment on column agentdb.change_column.audit_target_id is
  'The attachment of the audit.';
comment on column agentdb.change_column.place is
  'Number of the column in its table.';
comment on column agentdb.change_column.column_name is
  'The column.';
comment on column agentdb.change_column.type_name is
  'Its type, without a length.';
comment on column agentdb.change_column.base_type is
  'Its type, below all domains.';
comment on column agentdb.change_column.form is
  'How its values become JSON.';
comment on column agentdb.change_column.exact is
  'Whether = finds every change.';
comment on column agentdb.change_column.comparable is
  'Whether two of its values that are not identical but = are one to a person.';
comment on column agentdb.change_column.key_place is
  'Its place in the primary key; NULL outside it.';
comment on column agentdb.change_column.hidden is
  'Whether the audit does not record its values, so that no change can have them.';
comment on column agentdb.change_column.generated is
  'Whether the database computes it.';
comment on column agentdb.change_column.generation is
  'The expression of a generated column.';
comment on column agentdb.change_column.computable is
  'Whether that needs nothing but what PostgreSQL itself has: whoever computes it runs '
  'nobody else''s code.';
comment on column agentdb.change_column.default_expression is
  'What an INSERT without it gets.';


-- It runs while an agent stages: only with the rights of its own owner.
create or replace function agentdb._condition_of (relation regclass, name text)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_function text := (
    select format('%I.%I', n.nspname, p.proname)
    from pg_proc as p
    join pg_namespace as n on n.oid = p.pronamespace
    join pg_class as c on c.oid = relation
    where p.oid = to_regprocedure(name || '(jsonb,jsonb)')
      and p.prosecdef
      and p.prorettype = 'boolean'::regtype
      and p.proowner <> all (agentdb._agents_roles())
      and (p.proowner = c.relowner
        or (select r.rolsuper from pg_roles as r where r.oid = p.proowner))
  );
begin
  if name is not null and v_function is null then
    perform agentdb._refuse(format('%L is no condition for %s', name, relation),
      'A condition is a security definer function of the owner of the table that takes '
        'the old and the new values (jsonb, jsonb) of a row and returns boolean; name '
        'it with its schema.');
  end if;
  return v_function;
end;
$$;

comment on function agentdb._condition_of (regclass, text) is
  'The quoted name of a function that may decide about changes; raises ZA004.';


create or replace function agentdb._refuse_guard (
  relation regclass,
  problem text,
  hint text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception '% cannot be guarded: %', relation, problem
    using errcode = 'ZA051', hint = hint;
end;
$$;

comment on function agentdb._refuse_guard (regclass, text, text) is
  'Raises ZA051 for a table that cannot be guarded.';
