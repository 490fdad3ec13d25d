-- What a table is made of, and whether an agent controls a part of it.

-- From the agents up, so that it costs what their memberships are, not what all roles
-- of the server are.
create or replace function agentdb._agents_roles ()
  returns oid[]
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    with recursive acting (oid) as (
      select r.oid
      from pg_roles as r
      where pg_has_role(r.oid, 'agentdb_agent', 'USAGE') and not r.rolsuper
        or r.rolname in (select a.role_name from agentdb.agent as a)
      union
      select m.roleid
      from acting as g
      join pg_auth_members as m on m.member = g.oid
    )
    select coalesce(array_agg(r.oid), '{}')
    from pg_roles as r
    where r.oid in (select g.oid from acting as g)
      or exists (
        select from acting as g join pg_roles as s on s.oid = g.oid where s.rolsuper)
      or r.rolname = 'pg_database_owner' and exists (
        select from acting as g join pg_database as d on d.datdba = g.oid
        where d.datname = current_database())
  );
end;
$$;

comment on function agentdb._agents_roles () is
  'The roles that an agent can act as.';


-- What comes with PostgreSQL is nobody else's, but for its schema public.  A foreign
-- key runs nothing of the table that it refers to.
create or replace function agentdb._made_of (tables oid[])
  returns table (classid oid, objid oid)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    with recursive part (classid, objid) as (
      select 'pg_class'::regclass::oid, t.oid from unnest(tables) as t (oid)
      union
      select n.classid, n.objid
      from part as p
      -- Object by object: the planner would rather read all that depends on anything.
      cross join lateral (
        select d.refclassid, d.refobjid
        from pg_depend as d
        where d.classid = p.classid
          and d.objid = p.objid
          and (d.refobjid >= 16384 or d.refclassid = 'pg_namespace'::regclass)
          and not (d.refclassid = 'pg_class'::regclass
            and p.classid in ('pg_constraint'::regclass, 'pg_trigger'::regclass))
        union all
        select a.classid, a.objid from agentdb._attached(p.objid) as a
        where p.classid = 'pg_class'::regclass and p.objid = any (tables)
        union all
        -- What reads another relation runs no more of it than this.
        select r.classid, r.objid from agentdb._read_with(p.objid) as r
        where p.classid = 'pg_class'::regclass
        union all
        select 'pg_constraint'::regclass, k.oid from pg_constraint as k
        where p.classid = 'pg_type'::regclass and k.contypid = p.objid
        union all
        -- The columns of a composite type.
        select 'pg_class'::regclass, t.typrelid from pg_type as t
        where p.classid = 'pg_type'::regclass and t.oid = p.objid and t.typrelid <> 0
        offset 0
      ) as n (classid, objid)
    )
    select p.classid, p.objid from part as p;
end;
$$;

comment on function agentdb._made_of (oid[]) is
  'All that tables are made of and that runs as they are written: what they depend on, '
  'and that in turn.';


create or replace function agentdb._attached (relation oid)
  returns table (classid oid, objid oid)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select 'pg_trigger'::regclass, t.oid from pg_trigger as t
  where t.tgrelid = _attached.relation
  union all
  select 'pg_attrdef'::regclass, d.oid from pg_attrdef as d
  where d.adrelid = _attached.relation
  union all
  select 'pg_constraint'::regclass, k.oid from pg_constraint as k
  where k.conrelid = _attached.relation
  union all
  select 'pg_class'::regclass, i.indexrelid from pg_index as i
  where i.indrelid = _attached.relation
  union all
  -- Sequences of identity columns belong to the table.
  select 'pg_class'::regclass, d.objid from pg_depend as d
  where d.refclassid = 'pg_class'::regclass
    and d.refobjid = _attached.relation
    and d.classid = 'pg_class'::regclass
    and d.deptype in ('a', 'i');
$$;

comment on function agentdb._attached (oid) is
  'What belongs to a table and runs as it is written.';


create or replace function agentdb._read_with (relation oid)
  returns table (classid oid, objid oid)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select 'pg_rewrite'::regclass, r.oid from pg_rewrite as r
  where r.ev_class = _read_with.relation
  union all
  select 'pg_policy'::regclass, p.oid from pg_policy as p
  where p.polrelid = _read_with.relation;
$$;

comment on function agentdb._read_with (oid) is
  'What belongs to a relation and runs as it is read: rules and policies.';


-- Asked when the facts of a table are made, and planned once a session.
create or replace function agentdb._hostile_part (table_oid oid)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_roles oid[] := agentdb._agents_roles();
  v_types oid[] := array(select o.oid from agentdb._types_of(table_oid) as o (oid));
begin
  return (
    select string_agg(h.what, ', ' order by h.what)
    from (
      select format('it belongs to %s', c.relowner::regrole)
      from pg_class as c
      where c.oid = _hostile_part.table_oid and c.relowner = any (v_roles)
      union
      select format('%s of %s', case o.classid
          when 'pg_proc'::regclass then 'function ' || o.objid::regproc
          when 'pg_type'::regclass then 'type ' || format_type(o.objid, null)
          else pg_describe_object(o.classid, o.objid, 0) end, o.role::regrole)
      from agentdb._owners_of(array[_hostile_part.table_oid]) as o
      where o.role = any (v_roles) and o.objid <> _hostile_part.table_oid
      union
      select format('cast from %s to %s by %s of %s', c.castsource::regtype,
        c.casttarget::regtype, c.castfunc::regproc, p.proowner::regrole)
      from pg_cast as c
      join pg_proc as p on p.oid = c.castfunc
      -- Values of a change come as text.
      where v_types && array[c.castsource, c.casttarget]
        and c.castfunc >= 16384 and p.proowner = any (v_roles)
      union
      select format('the right of %s to create triggers on it', r.oid::regrole)
      from pg_roles as r
      where r.oid = any (v_roles)
        and not r.rolsuper
        and has_table_privilege(r.oid, _hostile_part.table_oid, 'TRIGGER')
      union
      -- From version 17 on, which asks for it by this name only there.
      select format('the right of %s to maintain it',
        case x.grantee when 0 then 'everybody' else x.grantee::regrole::text end)
      from pg_class as c
      cross join lateral aclexplode(c.relacl) as x
      where c.oid = _hostile_part.table_oid
        and x.privilege_type = 'MAINTAIN'
        and (x.grantee = 0 or x.grantee = any (v_roles))
        and x.grantee <> c.relowner
    ) as h (what)
  );
end;
$$;

comment on function agentdb._hostile_part (oid) is
  'Names what an agent could use to run code inside the audit of a table, or to take a '
  'part of it away; NULL where there is nothing.';


create or replace function agentdb._owners_of (tables oid[])
  returns table (classid oid, objid oid, role oid)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select m.classid, m.objid, o.role
  from agentdb._made_of(tables) as m
  cross join lateral (
    select s.refobjid
    from pg_shdepend as s
    where s.dbid = (
        select d.oid from pg_database as d where d.datname = current_database())
      and s.classid = m.classid
      and s.objid = m.objid
      and s.objsubid = 0
      and s.deptype = 'o'
    union
    -- Of roles that come with PostgreSQL nothing is noted there.
    select n.nspowner from pg_namespace as n
    where m.classid = 'pg_namespace'::regclass and n.oid = m.objid
    offset 0
  ) as o (role);
$$;

comment on function agentdb._owners_of (oid[]) is
  'To whom all that tables are made of belongs.';


-- With partitions and children, what foreign keys take along and what rules name.
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
      union all
      -- What a rule writes, or reads.
      select d.refobjid
      from pg_rewrite as w
      join pg_depend as d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
      where w.ev_class = r.oid
        and w.ev_type <> '1'
        and d.refclassid = 'pg_class'::regclass
    ) as n (oid)
  )
  select array_agg(r.oid) from reached as r;
$$;

comment on function agentdb._reached (oid) is
  'The tables that a write of a table can write where no trigger does more.';


-- What runs as a cascade goes on runs in the session of who decides, too.
create or replace function agentdb._hostile_reached (table_oid oid, reached oid[])
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select string_agg(case when r.oid = _hostile_reached.table_oid then h.part
      else format('of %s, which a write reaches: %s', agentdb._table_name(r.oid),
        h.part) end,
    ', ' order by r.oid <> _hostile_reached.table_oid, r.oid)
  from unnest(reached) as r (oid)
  cross join lateral (select agentdb._hostile_part(r.oid) as part) as h
  where h.part is not null;
$$;

comment on function agentdb._hostile_reached (oid, oid[]) is
  'The same for a table with its partitions and children, and what foreign keys take '
  'along.';


-- For what somebody else is to read with rights of their own.
create or replace function agentdb._check_relation (relation oid)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_hostile text := agentdb._hostile_part(relation);
begin
  if v_hostile is not null then
    raise exception 'an agent controls a part of %: %', agentdb._table_name(relation),
        v_hostile
      using errcode = 'ZA030',
            hint = 'Read a relation in which no agent has a part: its code would run '
              'with the rights of whoever reads.';
  end if;
end;
$$;

comment on function agentdb._check_relation (oid) is
  'Raises ZA030 for a relation of which an agent controls a part.';
