-- What may be audited.  The capture function runs as agentdb_capture while an agent's
-- statement runs: nothing that an agent made may be part of the table.

create or replace function agentdb._table_fault (table_oid oid)
  returns text
  language sql
  stable
  return (
    select case
      when c.relnamespace in ('agentdb'::regnamespace, 'pg_catalog'::regnamespace,
        'information_schema'::regnamespace) then 'it belongs to the system'
      when c.relpersistence = 't' then 'a temporary table ends with its session'
      when c.relpersistence = 'u'
        then 'an unlogged table loses its rows in a crash, the log does not'
      when c.relkind in ('v', 'm') then 'it is a view; audit the tables under it'
      when c.relkind = 'f' then 'it is a foreign table; audit it where its rows are'
      when c.relkind not in ('r', 'p') then 'it is no table'
      when exists (
        select from agentdb.audit_target as t
        where t.unaudited_at is null
          and t.table_oid in (select a.relid from pg_partition_ancestors(c.oid) as a)
          and t.table_oid <> c.oid
      ) then 'a table that it is a partition of is audited, and its rows with it'
      when c.relkind = 'p' and exists (
        select from agentdb.audit_target as t
        where t.unaudited_at is null
          and t.table_oid in (select p.relid from pg_partition_tree(c.oid) as p)
          and t.table_oid <> c.oid
      ) then 'a partition of it is audited by itself; unaudit that first'
    end
    from pg_class as c
    where c.oid = table_oid
  );

comment on function agentdb._table_fault (oid) is
  'Says why a table cannot be audited; NULL where nothing speaks against it.';


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


-- Asked for every change that is submitted: by lists, so that no catalog is read whole,
-- and planned once a session.
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
      select format('type %s of %s', format_type(t.oid, null), t.typowner::regrole)
      from pg_type as t
      where t.oid = any (v_types) and t.typowner = any (v_roles)
      union
      select format('cast from %s to %s by %s of %s', c.castsource::regtype,
        c.casttarget::regtype, c.castfunc::regproc, p.proowner::regrole)
      from pg_cast as c
      join pg_proc as p on p.oid = c.castfunc
      -- Values of a change come as text.
      where v_types && array[c.castsource, c.casttarget]
        -- What comes with PostgreSQL is nobody else's.
        and c.castfunc >= 16384 and p.proowner = any (v_roles)
      union
      select format('function %s of %s', p.oid::regproc, p.proowner::regrole)
      from (
        select 'pg_trigger'::regclass, t.oid from pg_trigger as t
        where t.tgrelid = _hostile_part.table_oid
        union all select 'pg_attrdef'::regclass, a.oid from pg_attrdef as a
        where a.adrelid = _hostile_part.table_oid
        union all select 'pg_constraint'::regclass, k.oid from pg_constraint as k
        where k.conrelid = _hostile_part.table_oid
        union all select 'pg_constraint'::regclass, k.oid from pg_constraint as k
        where k.contypid = any (v_types)
        union all select 'pg_policy'::regclass, y.oid from pg_policy as y
        where y.polrelid = _hostile_part.table_oid
        union all select 'pg_class'::regclass, i.indexrelid from pg_index as i
        where i.indrelid = _hostile_part.table_oid
      ) as x (classid, objid)
      -- Object by object: the planner would rather read all that depends on functions.
      cross join lateral (
        select d.refobjid
        from pg_depend as d
        where d.classid = x.classid
          and d.objid = x.objid
          and d.refclassid = 'pg_proc'::regclass
          and d.refobjid >= 16384
        offset 0
      ) as d
      join pg_proc as p on p.oid = d.refobjid
      where p.proowner = any (v_roles)
      union
      select format('the right of %s to create triggers on it', r.oid::regrole)
      from pg_roles as r
      where r.oid = any (v_roles)
        and not r.rolsuper
        and has_table_privilege(r.oid, _hostile_part.table_oid, 'TRIGGER')
    ) as h (what)
  );
end;
$$;

comment on function agentdb._hostile_part (oid) is
  'Names what an agent could use to run code inside the audit of a table; NULL where '
  'there is nothing.';


create or replace function agentdb._refuse_audit (
  table_oid oid,
  problem text,
  hint text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception '% cannot be audited: %',
      coalesce(agentdb._table_name(table_oid), table_oid::text), problem
    using errcode = 'ZA030', hint = hint;
end;
$$;

comment on function agentdb._refuse_audit (oid, text, text) is
  'Raises ZA030 for a table that cannot be audited.';


create or replace function agentdb._check_audit (
  table_oid oid,
  exclude text[],
  redact text[]
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_fault text;
  v_owner oid;
begin
  select c.relowner into v_owner
  from pg_class as c where c.oid = _check_audit.table_oid;
  if v_owner is null then
    perform agentdb._refuse('there is no such table',
      'Give its name: audit_table(''public.orders'').');
  elsif exists (
    select from pg_roles as r
    where r.rolname = session_user
      and r.oid = any (agentdb._agents_roles())
      and not r.rolsuper
  ) then
    perform agentdb._refuse_audit(_check_audit.table_oid,
      format('%s is an agent, or a member of an agent''s role', session_user),
      'Log in as the owner of the table.  If this is the owner, it must not be a '
        'member of what agents are: revoke ' || coalesce((
          select string_agg(quote_ident(r.rolname), ', ' order by r.rolname)
          from pg_roles as r
          where r.rolname in (select a.role_name from agentdb.agent as a)
            and r.rolname <> session_user
            and pg_has_role(session_user, r.oid, 'MEMBER')), 'agentdb_agent')
        || ' from ' || quote_ident(session_user) || ';');
  elsif not pg_has_role(session_user, v_owner, 'MEMBER') then
    perform agentdb._refuse_audit(_check_audit.table_oid,
      format('%s does not own it', session_user),
      format('Log in as a superuser, or as a member of %s and agentdb_operator: '
        'grant %s, agentdb_operator to %I;', v_owner::regrole, v_owner::regrole,
        session_user));
  end if;
  v_fault := agentdb._table_fault(_check_audit.table_oid);
  if v_fault is not null then
    perform agentdb._refuse_audit(_check_audit.table_oid, v_fault,
      'Audit ordinary tables and partitioned tables.');
  end if;
  v_fault := agentdb._hostile_part(_check_audit.table_oid);
  if v_fault is not null then
    perform agentdb._refuse_audit(_check_audit.table_oid,
      'an agent controls a part of it: ' || v_fault,
      'Give these to the owner of the table, or revoke them; then audit it.');
  end if;
  select string_agg(format('%I', n.name), ', ') into v_fault
  from unnest(exclude || redact) as n (name)
  left join pg_attribute as a
    on a.attrelid = _check_audit.table_oid
    and a.attname = n.name
    and a.attnum > 0
    and not a.attisdropped
  left join pg_index as i on i.indrelid = a.attrelid and i.indisprimary
  where a.attnum is null or a.attnum = any (i.indkey);
  if exclude is null or redact is null or v_fault is not null then
    perform agentdb._refuse(
      format('exclude and redact name columns outside the primary key, not %s',
        coalesce(v_fault, 'NULL')),
      'For example exclude => array[''search_vector''], '
        'redact => array[''password''].');
  end if;
end;
$$;

comment on function agentdb._check_audit (oid, text[], text[]) is
  'Raises ZA030 or ZA004 where a table cannot be audited, or not so, or not by this '
  'session.';
