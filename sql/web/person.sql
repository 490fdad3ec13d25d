-- Who is whom: a person of the page has the rights of a database role, or only looks.

-- A member of a role is not that role: whoever may SET ROLE to a colleague would else
-- approve its own changes in the colleague's name.  Who may set a role's password, may.
create or replace function agentdb._may_map (role_name name)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select session_user = role_name
    or coalesce(bool_or(r.rolsuper or r.rolcreaterole and not o.rolsuper
      and pg_has_role(session_user, o.oid, 'member with admin option')), false)
  from pg_roles as r
  join pg_roles as o on o.rolname = _may_map.role_name
  where r.rolname = session_user;
$$;

comment on function agentdb._may_map (name) is
  'Whether the session may give the rights of a role to a person of the page.';


-- What one-time links and sockets prove has names that nobody else can bring along.
create or replace function agentdb._check_subject (subject text, role_name name)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not agentdb._is_clean_name(subject, 300)
    or subject ~ '^role ' and subject <> 'role ' || role_name then
    perform agentdb._refuse(
      format('%L is no subject for %s', agentdb._clean_line(subject, 100), role_name),
      'Name whom the page knows, at most 300 characters: an address, an issuer and '
        'its subject, or user NAME.');
  elsif not (select r.rolcanlogin from pg_roles as r where r.rolname = role_name) then
    perform agentdb._refuse(format('%s is a group', role_name),
      'A person has the rights of a role that can log in.');
  end if;
end;
$$;

comment on function agentdb._check_subject (text, name) is
  'Raises ZA004 for what is no subject, or no role of a person.';


create or replace function agentdb.map_person (subject text, role_name name)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  if not exists (select from pg_roles as r where r.rolname = map_person.role_name) then
    raise exception 'there is no role %', coalesce(role_name::text, 'NULL')
      using errcode = 'ZA006', hint = 'select rolname from pg_roles;';
  end if;
  perform agentdb._check_subject(subject, map_person.role_name);
  if not agentdb._may_map(map_person.role_name) then
    raise exception '% may not give the rights of % away', session_user, role_name
      using errcode = '42501',
            hint = format('%I does that itself: agentdb web map %s %s', role_name,
              quote_literal(subject), role_name);
  end if;
  insert into agentdb.web_person as p (subject, role_name, role_oid)
  select map_person.subject, r.rolname, r.oid
  from pg_roles as r where r.rolname = map_person.role_name
  on conflict on constraint web_person_pkey do update
  set role_name = excluded.role_name,
      role_oid = excluded.role_oid,
      made_by = excluded.made_by,
      made_at = excluded.made_at,
      expires_at = null
  -- Whose it is decides that it becomes another's.
  where agentdb._may_map(p.role_name) or not exists (
    select from pg_roles as r where r.oid = p.role_oid and r.rolname = p.role_name);
  if not found then
    raise exception '% is somebody else already', agentdb._clean_line(subject, 100)
      using errcode = '42501', hint = 'agentdb web people lists who is whom.';
  end if;
end;
$$;

comment on function agentdb.map_person (text, name) is
  'Gives a person of the page the rights of a role, by that role itself, or by who may '
  'set its password; raises ZA004, ZA006 or 42501.';


create or replace function agentdb.unmap_person (subject text)
  returns name
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_role name;
begin
  delete from agentdb.web_person as p
  where p.subject = unmap_person.subject
    and (agentdb._may_map(p.role_name)
      or pg_has_role(session_user, 'agentdb_operator', 'usage'))
  returning p.role_name into v_role;
  if v_role is null then
    raise exception 'there is no % to take rights from',
        coalesce(agentdb._clean_line(subject, 100), 'NULL')
      using errcode = 'ZA006', hint = 'agentdb web people lists who is whom.';
  end if;
  return v_role;
end;
$$;

comment on function agentdb.unmap_person (text) is
  'Makes a person of the page a viewer and returns whose rights it had; raises ZA006.';


create or replace function agentdb.rights_of_person (person text)
  returns table (role_name name, look boolean, respond boolean, approve boolean)
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
  select p.role,
    -- Whose rights are gone lets itself in no more, and is not in.
    coalesce(has_function_privilege(
      p.role, 'agentdb.make_web_link(interval)', 'execute'), false),
    coalesce(has_function_privilege(
      p.role, 'agentdb.kill_run(bigint, text, boolean)', 'execute'), false),
    coalesce(pg_has_role(p.role, 'agentdb_reviewer', 'usage'), false)
  from (select agentdb._role_of_subject(person)) as p (role);
$$;

comment on function agentdb.rights_of_person (text) is
  'What a person of the page may do: its role, whether that may look by itself, kill '
  'and acknowledge, and whether it is a reviewer; a viewer has no role.';
