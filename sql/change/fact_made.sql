-- Making the facts of a table, and the list of what they are made from.

-- With partitions and children, and what foreign keys take along.
create or replace function agentdb._reached (table_oid oid)
  returns oid[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with recursive reached (oid) as (
    select _reached.table_oid
    union
    select n.oid
    from reached as r
    cross join lateral (
      select i.inhrelid from pg_inherits as i where i.inhparent = r.oid
      union all
      select a.relid from pg_partition_ancestors(r.oid) as a
      union all
      select k.conrelid
      from pg_trigger as t
      join pg_constraint as k on k.oid = t.tgconstraint
      where t.tgrelid = r.oid
        and k.contype = 'f'
        and k.confrelid = r.oid
        and (k.confdeltype in ('c', 'n', 'd') or k.confupdtype in ('c', 'n', 'd'))
    ) as n (oid)
  )
  select array_agg(r.oid) from reached as r;
$$;

comment on function agentdb._reached (oid) is
  'The tables that a write of a table can write where no trigger or rule does more.';


create or replace function agentdb._attached (tables oid[], types oid[])
  returns table (classid oid, objid oid)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select 'pg_trigger'::regclass, t.oid from pg_trigger as t
  where t.tgrelid = any (tables)
  union all
  select 'pg_attrdef'::regclass, d.oid from pg_attrdef as d
  where d.adrelid = any (tables)
  union all
  select 'pg_constraint'::regclass, k.oid from pg_constraint as k
  where k.conrelid = any (tables) or k.contypid = any (types)
  union all
  select 'pg_policy'::regclass, p.oid from pg_policy as p
  where p.polrelid = any (tables)
  union all
  select 'pg_class'::regclass, i.indexrelid from pg_index as i
  where i.indrelid = any (tables)
  union all
  -- Sequences of identity columns belong to the table.
  select 'pg_depend'::regclass, d.objid from pg_depend as d
  where d.refclassid = 'pg_class'::regclass
    and d.refobjid = any (tables)
    and d.classid = 'pg_class'::regclass
    and d.deptype in ('a', 'i');
$$;

comment on function agentdb._attached (oid[], oid[]) is
  'What belongs to tables and the types of their values, a pg_depend being a relation.';


create or replace function agentdb._counted (
  table_oid oid,
  out relations oid[],
  out types oid[],
  out functions oid[],
  out schemas oid[],
  out collations oid[],
  out reached oid[]
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_used record;
begin
  reached := agentdb._reached(table_oid);
  types := array(
    select distinct t from unnest(reached) as r (oid)
    cross join lateral agentdb._types_of(r.oid) as t);
  select array_agg(distinct u.oid) filter (where u.class = 'pg_class'::regclass)
      as relations,
    array_agg(distinct u.oid)
      filter (where u.class = 'pg_proc'::regclass and u.oid >= 16384) as functions,
    array_agg(distinct u.oid) filter (where u.class = 'pg_type'::regclass) as types,
    array_agg(distinct u.oid)
      filter (where u.class = 'pg_collation'::regclass) as collations
    into v_used
  from (
    select d.refclassid as class, d.refobjid as oid
    from agentdb._attached(reached, types) as a
    join pg_depend as d on d.classid = a.classid and d.objid = a.objid
    union all
    select 'pg_class'::regclass, a.objid from agentdb._attached(reached, types) as a
    where a.classid = 'pg_depend'::regclass
    union all
    select 'pg_proc'::regclass, o.oprcode
    from agentdb._attached(reached, types) as a
    join pg_depend as d on d.classid = a.classid and d.objid = a.objid
    join pg_operator as o
      on o.oid = d.refobjid and d.refclassid = 'pg_operator'::regclass
    union all
    select 'pg_proc'::regclass, c.castfunc from pg_cast as c
    where c.castsource = any (types)
  ) as u;
  -- A new generator means new statements.
  functions := v_used.functions || 'agentdb._part_sql'::regproc::oid;
  relations := reached || v_used.relations || array(
    select t.typrelid from pg_type as t
    where t.oid = any (types) and t.typrelid <> 0);
  types := types || v_used.types;
  collations := v_used.collations || array(
    select a.attcollation from pg_attribute as a
    where a.attrelid = table_oid and a.attcollation <> 0);
  schemas := array(
    select c.relnamespace from pg_class as c where c.oid = any (relations)
    union select t.typnamespace from pg_type as t where t.oid = any (types)
    union select p.pronamespace from pg_proc as p where p.oid = any (functions)
    union select n.oid from pg_namespace as n where n.nspname = 'public');
end;
$$;

comment on function agentdb._counted (oid) is
  'The rows of the catalogue that the facts of a table are made from, by their '
  'numbers.';


-- Members that do not inherit may come to.
create or replace function agentdb._counted_roles ()
  returns oid[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with recursive member (oid) as (
    select r.oid from pg_roles as r
    where r.rolname = 'agentdb_agent'
      or r.rolname in (select a.role_name from agentdb.agent as a)
    union
    select m.member from member as r join pg_auth_members as m on m.roleid = r.oid
  )
  select array(
    select m.oid from member as m
    union select unnest(agentdb._agents_roles()));
$$;

comment on function agentdb._counted_roles () is
  'The roles that an agent can act as, or could if their memberships were others.';


-- Where nothing of anybody's runs along, a write writes what it reaches and no more.
create or replace function agentdb._is_closed (reached oid[], functions oid[])
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return cardinality(reached) <= 100
    and not exists (
      select from pg_rewrite as r
      where r.ev_class = any (reached) and r.ev_type <> '1')
    and not exists (
      select from pg_proc as p
      where p.oid = any (functions) and p.pronamespace <> 'agentdb'::regnamespace)
    and not exists (
      select from agentdb.application_trigger as t where t.table_oid = any (reached));
end;
$$;

comment on function agentdb._is_closed (oid[], oid[]) is
  'Whether tables have no rule and no function of anybody''s that could write others.';


create or replace function agentdb._columns_now (target integer)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_object_agg(c.column_name, jsonb_build_object(
    'place', c.place,
    'is', concat_ws(', ', format_type(a.atttypid, a.atttypmod),
      (select format('collation %s', a.attcollation::regcollation)
        where a.attcollation not in (0, 100)),
      case when c.generated
        then 'generated as ' || pg_get_expr(d.adbin, d.adrelid) end,
      'part ' || c.key_place || ' of the key')))
  from agentdb.change_column as c
  join agentdb.audit_target as t on t.audit_target_id = c.audit_target_id
  join pg_attribute as a on a.attrelid = t.table_oid and a.attnum = c.place
  left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where c.audit_target_id = target;
$$;

comment on function agentdb._columns_now (integer) is
  'The columns of an audited table, each with its place and what a value of it means.';


-- Whatever comes to be special changes a row of the catalogue that always counts.
create or replace function agentdb._is_special (f agentdb.change_fact)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select exists (select from unnest(f.types) as t (oid) where t.oid >= 16384)
    or exists (select from unnest(f.collations) as c (oid) where c.oid >= 16384)
    or exists (
      select from pg_class as c
      where c.oid = any (f.relations)
        and (c.relhasrules or c.relhassubclass or c.relispartition))
    or not exists (select from pg_namespace as n where n.nspname = 'public');
$$;

comment on function agentdb._is_special (agentdb.change_fact) is
  'Whether a table has what most do not: types of users, rules, children.';


-- One statement, and so one moment: no fact is younger than its fingerprint.
create or replace function agentdb._made_fact (target integer)
  returns agentdb.change_fact
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_fact agentdb.change_fact;
  v_counted record;
begin
  select t.table_oid into v_fact.table_oid
  from agentdb.audit_target as t where t.audit_target_id = target;
  select c.* into v_counted from agentdb._counted(v_fact.table_oid) as c;
  v_fact.audit_target_id := target;
  v_fact.relations := v_counted.relations;
  v_fact.types := v_counted.types;
  v_fact.functions := v_counted.functions;
  v_fact.schemas := v_counted.schemas;
  v_fact.collations := v_counted.collations;
  v_fact.roles := agentdb._counted_roles();
  v_fact.special := agentdb._is_special(v_fact);
  v_fact.fingerprint := agentdb._fingerprint(v_fact);
  v_fact.table_name := agentdb._table_name(v_fact.table_oid);
  v_fact.layout := agentdb._layout_now(v_fact.table_oid);
  v_fact.columns := agentdb._columns_now(target);
  v_fact.policies := agentdb._policies_now(v_fact.table_oid);
  v_fact.hostile := agentdb._hostile_part(v_fact.table_oid);
  v_fact.keyed := exists (
    select from agentdb.audit_column as c
    where c.audit_target_id = target and c.key_place is not null);
  v_fact.ruled := exists (
    select from pg_rewrite as r
    where r.ev_class = v_fact.table_oid and r.ev_type <> '1');
  v_fact.triggered := exists (
    select from agentdb.application_trigger as t
    where t.table_oid = v_fact.table_oid
      or t.table_oid in (select p.relid from pg_partition_tree(v_fact.table_oid) as p));
  v_fact.path := agentdb._schemas_open(v_fact.table_oid);
  v_fact.written := case when agentdb._is_closed(v_counted.reached, v_fact.functions)
    then v_counted.reached end;
  v_fact.names := array(
    select agentdb._table_name(coalesce(pg_partition_root(r.oid), r.oid))
    from unnest(v_fact.written) with ordinality as r (oid, place)
    order by r.place);
  return v_fact;
end;
$$;

comment on function agentdb._made_fact (integer) is
  'The facts of a table, looked up.';


-- Triggers of the application find its tables, but nothing that an agent could have
-- put in their way.
create or replace function agentdb._schemas_open (table_oid oid)
  returns text[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select array(
    select quote_ident(n.nspname)
    from pg_namespace as n
    where (n.nspname = 'public' or n.oid = (
        select c.relnamespace from pg_class as c where c.oid = _schemas_open.table_oid))
      and not exists (
        select from agentdb.agent as a
        join pg_roles as r on r.rolname = a.role_name
        where has_schema_privilege(r.oid, n.oid, 'create'))
    order by n.nspname = 'public');
$$;

comment on function agentdb._schemas_open (oid) is
  'Of the schema of a table and public those in which no agent can create anything.';
