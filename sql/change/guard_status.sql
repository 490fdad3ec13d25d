-- Putting the guard on tables and taking it off.  The triggers and grants are made with
-- the rights of whoever calls, the owner of the table.

create or replace function agentdb._check_guard (
  relation regclass,
  target integer,
  named text[],
  auto_approve jsonb
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_unknown text;
  v_hostile text := agentdb._hostile_reached(relation, agentdb._reached(relation));
begin
  if v_hostile is not null then
    perform agentdb._refuse_guard(relation,
      'an agent controls a part of it: ' || v_hostile,
      'Give these to the owner of the table, or revoke them; then guard it.');
  elsif not exists (
    select from agentdb.change_column as c
    where c.audit_target_id = target and c.key_place is not null
  ) then
    perform agentdb._refuse_guard(relation, 'it has no primary key',
      'Give it one: rows of a change are found by their key.');
  elsif current_setting('server_version_num')::integer < 150000 and (
    select c.relrowsecurity from pg_class as c where c.oid = relation
  ) then
    perform agentdb._refuse_guard(relation, 'it has row security',
      'Before PostgreSQL 15 a view cannot read with the rights of the agent.');
  elsif exists (
    select from pg_rewrite as w
    where w.ev_class = relation and w.ev_type <> '1' and w.is_instead
  ) then
    perform agentdb._refuse_guard(relation, 'a rule does something else INSTEAD',
      'Drop the rule, and let a trigger do it: a change could not be applied.');
  end if;
  select string_agg(distinct n.name, ', ') into v_unknown
  from unnest(named || array(
    select jsonb_array_elements_text(auto_approve -> 'columns'))) as n (name)
  where not exists (
    select from agentdb.change_column as c
    where c.audit_target_id = target and c.column_name = n.name
      and not c.generated and not c.hidden);
  if v_unknown is not null then
    perform agentdb._refuse(
      format('%s has no column %s to review', relation, v_unknown),
      'columns, context and auto_approve name columns that the audit records; what is '
        'not given is as it was guarded last, and ''{}'' is given.');
  elsif jsonb_typeof(auto_approve) <> 'object' or exists (
    select from jsonb_object_keys(auto_approve) as k (name)
    where k.name not in ('operations', 'columns', 'rows', 'condition')
  ) or jsonb_typeof(auto_approve -> 'rows') <> 'number'
    or jsonb_typeof(auto_approve -> 'condition') <> 'string'
    or not auto_approve -> 'operations' <@ '["insert", "update", "delete"]' then
    perform agentdb._refuse('auto_approve has members it cannot have',
      '{"operations": ["update"], "columns": ["note"], "rows": 3, '
        '"condition": "public.is_small"}');
  end if;
end;
$$;

comment on function agentdb._check_guard (regclass, integer, text[], jsonb) is
  'Raises ZA004 or ZA051 where a table cannot be guarded, or not so.';


-- Whoever guards a table has reviewers shown only what it may read itself.
create or replace function agentdb._check_named_reads (
  relation regclass,
  target integer,
  reads jsonb
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_fault text;
begin
  if reads is null then
    return;
  elsif jsonb_typeof(reads) = 'object' then
    select string_agg(format(case
        when g.table_oid is null then '%s is not guarded by its name with the schema'
        when not has_table_privilege(session_user, g.table_oid, 'select')
          then '%s is not yours to read'
        when jsonb_typeof(m.value) <> 'object' or k.names <> k.given
          then '%s needs its whole primary key and nothing else'
        else '%s is named by columns that the audit does not record' end, m.key), '; ')
      into v_fault
    from jsonb_each(reads) as m
    left join agentdb.guarded_table as g on g.table_name = m.key
    cross join lateral (
      select array(
          select c.column_name::text from agentdb.change_column as c
          where c.audit_target_id = g.audit_target_id and c.key_place is not null
          order by 1) as names,
        array(select e.key from jsonb_each(case jsonb_typeof(m.value)
          when 'object' then m.value else '{}' end) as e order by 1) as given
    ) as k
    where g.table_oid is null
      or not has_table_privilege(session_user, g.table_oid, 'select')
      or jsonb_typeof(m.value) <> 'object'
      or k.names <> k.given
      or exists (
        select from jsonb_each(m.value) as e
        where not exists (
          select from agentdb.change_column as c
          where c.audit_target_id = target
            and not c.hidden
            and to_jsonb(c.column_name) = e.value));
  else
    v_fault := 'it is no object';
  end if;
  if v_fault is not null then
    perform agentdb._refuse(format('reads of %s cannot be %s: %s', relation,
        agentdb._clean_text(reads::text, 200), v_fault),
      'Name guarded tables, and for each column of their key the column of this one '
        'that has its value: {"public.customer": {"id": "customer_id"}}.');
  end if;
end;
$$;

comment on function agentdb._check_named_reads (regclass, integer, jsonb) is
  'Raises ZA004 where the rows that changes of a table rest on are not named rightly.';


create or replace function agentdb._register_guard (
  relation regclass,
  columns text[],
  context text[],
  approvals integer,
  expires interval,
  apply text,
  validators text[],
  everybody boolean,
  auto_approve jsonb,
  reads jsonb
)
  returns text
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_target integer := agentdb._target_of(relation);
  v_condition text;
  v_former record;
  v_view text;
begin
  perform agentdb._check_audit(relation, '{}', '{}');
  perform agentdb._check_guard(relation, v_target, columns || context, auto_approve);
  perform agentdb._check_named_reads(relation, v_target, reads);
  v_condition := agentdb._condition_of(relation, auto_approve ->> 'condition');
  select string_agg(n.name, ', ') into v_view
  from unnest(validators) as n (name)
  where not exists (select from agentdb.agent as a where a.agent_name = n.name);
  if v_view is not null then
    perform agentdb._refuse('there is no agent ' || v_view,
      'validators names agents: select agent_name from agentdb.agent;');
  end if;
  lock table agentdb.guarded_table in share row exclusive mode;
  delete from agentdb.guarded_table as g where g.table_oid = relation::oid
  returning g.view_name, g.audit_target_id into v_former;
  select case when exists (
      select from agentdb.guarded_table as g where g.view_name = c.relname)
    then n.nspname || '_' || c.relname else c.relname end into v_view
  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
  where c.oid = relation;
  if v_former.view_name <> v_view then
    perform agentdb._drop_stage(v_former.view_name);
  end if;
  insert into agentdb.guarded_table (
    table_oid, table_name, audit_target_id, view_name, columns, context, approvals,
    expires, apply, validators, everybody, reads, auto_approve
  )
  values (
    relation, agentdb._table_name(relation), v_target, v_view, columns, context,
    approvals, expires, apply, validators, everybody, reads,
    case when v_condition is null then auto_approve
      else auto_approve || jsonb_build_object('condition', v_condition) end
  );
  update agentdb.audit_target as t
  set guard = (select to_jsonb(g) from agentdb.guarded_table as g
    where g.audit_target_id = v_target)
  where t.audit_target_id = v_target;
  perform agentdb._generate_stage(v_target);
  if v_former.audit_target_id <> v_target then
    execute format('drop function if exists agentdb.%I',
      '_propose_' || v_former.audit_target_id);
  end if;
  return v_view;
end;
$$;

comment on function agentdb._register_guard (
  regclass, text[], text[], integer, interval, text, text[], boolean, jsonb, jsonb
) is
  'Writes down that a table is guarded and makes its staging view; raises ZA004, '
  'ZA006, ZA030 or ZA051.';


create or replace function agentdb._refuse_unguarded (relation regclass)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception '% is not guarded', relation
    using errcode = 'ZA006', hint = 'select table_name from agentdb.guarded_table;';
end;
$$;

comment on function agentdb._refuse_unguarded (regclass) is
  'Raises ZA006 for a table that is not guarded.';


create or replace function agentdb._end_guard (relation regclass)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_guard record;
begin
  -- Whatever an agent controls of it by now.
  perform agentdb._check_table_owner(relation);
  delete from agentdb.guarded_table as g where g.table_oid = relation::oid
  returning g.view_name, g.audit_target_id into v_guard;
  if not found then
    perform agentdb._refuse_unguarded(relation);
  end if;
  -- One that is being decided just now ends when its table is looked at.
  perform agentdb._close_change(c.change_id, 'conflict', jsonb_build_object(
    'sqlstate', 'ZA051', 'message', relation || ' is not guarded any more'))
  from agentdb.change as c
  where c.state in ('open', 'pending', 'approved')
    and c.kind = 'stage'
    and exists (
      select from agentdb.change_row as r
      where r.change_id = c.change_id
        and r.audit_target_id = v_guard.audit_target_id)
  for no key update of c skip locked;
  perform agentdb._drop_stage(v_guard.view_name);
  execute format('drop function agentdb.%I', '_propose_' || v_guard.audit_target_id);
end;
$$;

comment on function agentdb._end_guard (regclass) is
  'Forgets that a table is guarded, ends its undecided changes and drops its staging '
  'view; raises ZA006 or ZA030.';
