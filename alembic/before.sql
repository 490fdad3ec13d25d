-- Runs before every revision: checks the ground, takes on the role that owns the
-- pack, and creates the schema.  Nothing that is already there is adopted.

set local search_path = pg_catalog, pg_temp;
set local standard_conforming_strings = on;
set local check_function_bodies = on;
set local client_min_messages = warning;
-- Whoever is in the way for long, in a transaction that it left open, is not waited for.
select set_config('lock_timeout', '30s', true)
where current_setting('lock_timeout') = '0';

do $$
declare
  v_role text;
  v_fault text;
begin
  if current_setting('server_version_num')::integer < 140000 then
    raise exception 'agentdb needs PostgreSQL 14 or newer, this is %',
        current_setting('server_version')
      using errcode = 'ZA011', hint = 'Upgrade the server first.';
  end if;
  if current_setting('server_encoding') <> 'UTF8' then
    raise exception 'agentdb needs a database in UTF8, this one is %',
        current_setting('server_encoding')
      using errcode = 'ZA011', hint = 'Create a database with encoding UTF8.';
  end if;

  -- A service may have whoever creates a role join it: an owner is no agent.
  if current_setting('server_version_num')::integer >= 160000 then
    perform set_config('createrole_self_grant', '', true);
  end if;

  -- Roles belong to the cluster: another database may have brought them.  A role
  -- that could log in, or that somebody can act as, would own our definer functions.
  foreach v_role in array array[
    'agentdb_owner', 'agentdb_capture', 'agentdb_applier',
    'agentdb_agent', 'agentdb_reviewer', 'agentdb_auditor', 'agentdb_operator',
    'agentdb_intake', 'agentdb_web'
  ] loop
    begin
      execute format('create role %I nologin', v_role);
    exception
      -- Two databases being installed at once race for the same name.
      when duplicate_object or unique_violation then
        null;
    end;
    select concat_ws(', ',
             case when r.rolcanlogin then 'may log in' end,
             case when r.rolsuper then 'is a superuser' end,
             case when r.rolcreaterole then 'may create roles' end,
             case when r.rolcreatedb then 'may create databases' end,
             case when r.rolreplication then 'may replicate' end,
             case when r.rolbypassrls then 'bypasses row security' end)
      into v_fault
      from pg_roles as r
      where r.rolname = v_role;
    if v_fault <> '' then
      raise exception 'role % already exists and %', v_role, v_fault
        using errcode = 'ZA012',
              detail = 'agentdb makes this role itself, with no rights of its own.',
              hint = format('Rename or drop the role %I, then install again.', v_role);
    end if;
  end loop;

  select string_agg(format('%s is a member of %s',
             m.member::regrole, m.roleid::regrole), '; ')
    into v_fault
    from pg_auth_members as m
    where m.roleid in ('agentdb_owner'::regrole, 'agentdb_capture'::regrole,
                       'agentdb_applier'::regrole)
      and m.member <> quote_ident(current_user)::regrole
      -- Since version 16 the creator of a role keeps the right to grant it, nothing
      -- more.
      and not (m.admin_option
        and coalesce(not (to_jsonb(m) ->> 'set_option')::boolean, false));
  if v_fault is not null then
    raise exception 'the owner roles of agentdb have members: %', v_fault
      using errcode = 'ZA012',
            hint = 'Revoke these memberships: a member could rewrite the protections.';
  end if;

  -- Before version 16 the right to create roles is enough.
  if current_setting('server_version_num')::integer >= 160000
    and exists (
      select from pg_roles as r
      where not pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')
        and r.rolname in ('agentdb_owner', 'agentdb_capture', 'agentdb_applier',
          'agentdb_agent', 'agentdb_reviewer', 'agentdb_auditor', 'agentdb_operator',
          'agentdb_intake', 'agentdb_web')
    ) then
    raise exception 'the roles of agentdb on this server are another role''s'
      using errcode = 'ZA012',
            detail = 'Another database has agentdb, and whoever installed it may grant '
              'its roles; this role may not.',
            hint = format('As that role or as a superuser: grant agentdb_owner, '
              'agentdb_capture, agentdb_applier, agentdb_agent, agentdb_reviewer, '
              'agentdb_auditor, agentdb_operator, agentdb_intake, agentdb_web to %I '
              'with admin true, set false, inherit false;', current_user);
  end if;

  if not (select r.rolsuper from pg_roles as r where r.rolname = current_user) then
    foreach v_role in array array[
      'agentdb_owner', 'agentdb_capture', 'agentdb_applier'
    ] loop
      execute format('grant %I to current_user', v_role);
    end loop;
  end if;

  -- The page shows what an auditor may read.
  if not pg_has_role('agentdb_web', 'agentdb_auditor', 'member') then
    grant agentdb_auditor to agentdb_web;
  end if;

  if to_regnamespace('agentdb') is null then
    if to_regnamespace('agentdb_stage') is not null then
      raise exception 'a schema agentdb_stage already exists and is not ours'
        using errcode = 'ZA012',
              hint = 'Rename or drop that schema, then install again.';
    end if;
    create schema agentdb authorization agentdb_owner;
    create schema agentdb_stage authorization agentdb_owner;
  elsif not exists (
    select from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = 'agentdb'
      and n.nspowner = 'agentdb_owner'::regrole
      and c.relname = 'alembic_version'
  ) then
    raise exception 'a schema agentdb already exists and is not ours'
      using errcode = 'ZA012',
            detail = 'It has no alembic_version of agentdb, or another owner.',
            hint = 'Rename or drop that schema, then install again.';
  end if;
end;
$$;

set local role agentdb_owner;

-- One installation at a time, by what nobody else has a right to: an advisory lock is
-- everybody's.  Two first ones collide on the schema.
do $$
begin
  if to_regclass('agentdb.alembic_version') is not null then
    lock table agentdb.alembic_version in share row exclusive mode;
  end if;
end;
$$;
