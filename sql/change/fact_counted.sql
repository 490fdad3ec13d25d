-- What the facts of a table are made from: rows of the catalogue, by their numbers.

create or replace function agentdb._counted (
  table_oid oid,
  out relations oid[],
  out types oid[],
  out functions oid[],
  out schemas oid[],
  out collations oid[],
  out reached oid[],
  out others oid[]
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
    array_agg(distinct u.oid) filter (where u.class = 'pg_namespace'::regclass)
      as schemas,
    array_agg(distinct u.oid)
      filter (where u.class = 'pg_collation'::regclass) as collations,
    array_agg(distinct u.oid) filter (where u.class not in ('pg_class'::regclass,
      'pg_proc'::regclass, 'pg_type'::regclass, 'pg_namespace'::regclass,
      'pg_collation'::regclass, 'pg_trigger'::regclass, 'pg_attrdef'::regclass,
      'pg_constraint'::regclass, 'pg_policy'::regclass, 'pg_rewrite'::regclass))
      as others
    into v_used
  from (
    select m.classid as class, m.objid as oid from agentdb._made_of(reached) as m
    union all
    select 'pg_proc'::regclass, o.oprcode
    from agentdb._made_of(reached) as m
    join pg_operator as o on o.oid = m.objid and m.classid = 'pg_operator'::regclass
    union all
    select 'pg_proc'::regclass, c.castfunc from pg_cast as c
    where c.castsource = any (types) or c.casttarget = any (types)
  ) as u;
  -- A new generator means new statements.
  functions := v_used.functions || 'agentdb._part_sql'::regproc::oid;
  relations := reached || v_used.relations;
  types := types || v_used.types;
  collations := v_used.collations || array(
    select a.attcollation from pg_attribute as a
    where a.attrelid = table_oid and a.attcollation <> 0);
  schemas := v_used.schemas || array(
    select p.pronamespace from pg_proc as p where p.oid = any (functions)
    union select n.oid from pg_namespace as n where n.nspname = 'public');
  others := coalesce(v_used.others, '{}');
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
