-- Who decides: the role that logged in or, where agentdb serve acts for somebody, the
-- role that this somebody is mapped to.  Agents speak for themselves: their identity is
-- session_user, and nothing here.

-- A superuser is a member of all roles, and acts for nobody.
create or replace function agentdb._is_web ()
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select pg_has_role(session_user, 'agentdb_web', 'member')
    and not (select r.rolsuper from pg_roles as r where r.rolname = session_user);
$$;

comment on function agentdb._is_web () is
  'Whether the session is that of agentdb serve.';


create or replace function agentdb._role_of_subject (subject text)
  returns name
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select p.role_name
  from agentdb.web_person as p
  join pg_roles as r on r.rolname = p.role_name
  where p.subject = _role_of_subject.subject
    -- Another role may have the name since, and one that is locked out is out here too.
    and r.oid = p.role_oid
    and r.rolcanlogin
    and coalesce(p.expires_at > clock_timestamp(), true);
$$;

comment on function agentdb._role_of_subject (text) is
  'The role that a person of the page is mapped to, while it may log in; NULL for a '
  'viewer.';


-- The setting holds the subject and not the role: whoever sets it by hand is, at most,
-- whom agentdb serve could act for anyway.
create or replace function agentdb._acts_for ()
  returns name
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_subject text := nullif(current_setting('agentdb.person', true), '');
begin
  if v_subject is null or not agentdb._is_web() then
    return null;
  end if;
  return agentdb._role_of_subject(v_subject);
end;
$$;

comment on function agentdb._acts_for () is
  'The role that agentdb serve acts for, be it its own; NULL where people act '
  'themselves.';


-- Agents' own calls come by it: where nobody acts for anybody it must cost nothing.
create or replace function agentdb._person ()
  returns name
  language sql
  stable
  return case
    when coalesce(current_setting('agentdb.person', true), '') = '' then session_user
    else coalesce(agentdb._acts_for(), session_user)
  end;

comment on function agentdb._person () is
  'The role whose rights count and whom the record names: session_user, or whom '
  'agentdb serve acts for.';


create or replace function agentdb._by_way_of ()
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select case when agentdb._acts_for() is not null then 'agentdb serve' end;
$$;

comment on function agentdb._by_way_of () is
  'What acts for a person; NULL where people act themselves.';


-- Locks end with it: where nobody acts for anybody it must cost nothing.
create or replace function agentdb._said_by ()
  returns text
  language sql
  stable
  return case
    when coalesce(current_setting('agentdb.person', true), '') = ''
      then session_user::text
    else concat_ws(' by way of ', agentdb._person(), agentdb._by_way_of())
  end;

comment on function agentdb._said_by () is
  'Who does it, as the record says it.';
