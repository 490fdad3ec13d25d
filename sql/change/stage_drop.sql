-- Dropping a staging view.  What people have built on it stops that and is named; what
-- an agent has, a temporary view of a session for example, stops nobody.

create or replace function agentdb._only_agents_lean (class oid, object oid)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agents oid[] := agentdb._agents_roles();
begin
  return (
    with recursive leaning (classid, objid) as (
      select class, object
      union
      select n.classid, n.objid
      from leaning as l
      cross join lateral (
        select d.classid, d.objid from pg_depend as d
        where d.refclassid = l.classid and d.refobjid = l.objid
        union all
        select 'pg_class'::regclass, r.ev_class from pg_rewrite as r
        where l.classid = 'pg_rewrite'::regclass and r.oid = l.objid
        union all
        select 'pg_class'::regclass, p.polrelid from pg_policy as p
        where l.classid = 'pg_policy'::regclass and p.oid = l.objid
        union all
        select 'pg_class'::regclass, a.adrelid from pg_attrdef as a
        where l.classid = 'pg_attrdef'::regclass and a.oid = l.objid
        union all
        select 'pg_class'::regclass, k.conrelid from pg_constraint as k
        where l.classid = 'pg_constraint'::regclass and k.oid = l.objid
          and k.conrelid <> 0
        union all
        select 'pg_class'::regclass, t.tgrelid from pg_trigger as t
        where l.classid = 'pg_trigger'::regclass and t.oid = l.objid
        offset 0
      ) as n (classid, objid)
    )
    select coalesce(bool_and(o.owner = any (v_agents)), false)
    from leaning as l
    cross join lateral (
      select c.relowner from pg_class as c
      where l.classid = 'pg_class'::regclass and c.oid = l.objid
      union all
      select p.proowner from pg_proc as p
      where l.classid = 'pg_proc'::regclass and p.oid = l.objid
      union all
      select t.typowner from pg_type as t
      where l.classid = 'pg_type'::regclass and t.oid = l.objid
    ) as o (owner)
    where o.owner <> 'agentdb_owner'::regrole
  );
end;
$$;

comment on function agentdb._only_agents_lean (oid, oid) is
  'Whether something is built on one of our objects, and all that is an agent''s.';


create or replace function agentdb._drop_stage (view_name text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_view regclass := to_regclass(format('agentdb_stage.%I', view_name));
begin
  if v_view is null then
    return;
  end if;
  execute format('drop view %s %s', v_view, case
    when agentdb._only_agents_lean('pg_class'::regclass, v_view) then 'cascade' end);
end;
$$;

comment on function agentdb._drop_stage (text) is
  'Drops a staging view, if it is there, with what agents have built on it.';


-- Before all is uninstalled: they may have built on functions that they may call, too.
create or replace function agentdb._drop_leaning ()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_function regprocedure;
begin
  perform agentdb._drop_stage(c.relname::text)
  from pg_class as c
  where c.relnamespace = 'agentdb_stage'::regnamespace and c.relkind = 'v';
  for v_function in
    select p.oid from pg_proc as p
    where p.pronamespace = 'agentdb'::regnamespace
      and exists (
        select from pg_depend as d
        where d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid)
      and agentdb._only_agents_lean('pg_proc'::regclass, p.oid)
  loop
    execute format('drop function if exists %s cascade', v_function);
  end loop;
end;
$$;

comment on function agentdb._drop_leaning () is
  'Drops the staging views, and of our functions those on which an agent has built.';
