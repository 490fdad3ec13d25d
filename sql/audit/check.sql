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


create or replace function agentdb._check_table_owner (table_oid oid)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_owner oid;
begin
  select c.relowner into v_owner
  from pg_class as c where c.oid = _check_table_owner.table_oid;
  if v_owner is null then
    perform agentdb._refuse('there is no such table',
      'Give its name: audit_table(''public.orders'').');
  elsif exists (
    select from pg_roles as r
    where r.rolname = session_user
      and r.oid = any (agentdb._agents_roles())
      and not r.rolsuper
  ) then
    perform agentdb._refuse_audit(_check_table_owner.table_oid,
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
    perform agentdb._refuse_audit(_check_table_owner.table_oid,
      format('%s does not own it', session_user),
      format('Log in as a superuser, or as a member of %s and agentdb_operator: '
        'grant %s, agentdb_operator to %I;', v_owner::regrole, v_owner::regrole,
        session_user));
  end if;
end;
$$;

comment on function agentdb._check_table_owner (oid) is
  'Raises ZA030 or ZA004 where a session does not own a table, or is an agent''s.';


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
begin
  perform agentdb._check_table_owner(_check_audit.table_oid);
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
