-- What the facts of a table are made from: rows of the catalogue, by their numbers.

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
    where c.castsource = any (types) or c.casttarget = any (types)
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
