-- One-time links: whoever can log in to the database lets itself in to the page.

create or replace function agentdb.make_web_link (lasts interval default '10 minutes')
  returns text
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_token text := 'adbw_' || agentdb._new_secret();
begin
  if lasts is null or lasts not between '1 second' and '1 hour' then
    perform agentdb._refuse(
      format('a link lasts between 1 second and 1 hour, got %s', lasts),
      'Leave it out for 10 minutes.');
  end if;
  delete from agentdb.web_link as l
  where l.role_name = session_user
    and (l.expires_at < clock_timestamp() or l.used_at is not null);
  if (
    select count(*) >= 20 from agentdb.web_link as l where l.role_name = session_user
  ) then
    raise exception '% has 20 links that nobody has used', session_user
      using errcode = 'ZA005', hint = 'They end by themselves within an hour.';
  end if;
  insert into agentdb.web_link (token_hash, role_name, expires_at)
  values (agentdb._hash_secret(v_token), session_user, clock_timestamp() + lasts);
  return v_token;
end;
$$;

comment on function agentdb.make_web_link (interval) is
  'Makes a secret that lets the caller in to the page, once, within a time of at most '
  '1 hour; raises ZA004 or ZA005.';


-- With the mapping to the role itself, which ends with the session of the page.
create or replace function agentdb.redeem_web_link (token text)
  returns text
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_role name;
begin
  update agentdb.web_link as l
  set used_at = clock_timestamp()
  where l.token_hash = agentdb._hash_secret(token)
    and l.used_at is null
    and l.expires_at > clock_timestamp()
  returning l.role_name into v_role;
  if v_role is null then
    return null;
  end if;
  insert into agentdb.web_person as p (
    subject, role_name, role_oid, made_by, expires_at
  )
  select 'role ' || v_role, v_role, r.oid, v_role,
    clock_timestamp() + interval '12 hours'
  from pg_roles as r where r.rolname = v_role
  on conflict on constraint web_person_pkey do update
  set role_oid = excluded.role_oid,
      expires_at = excluded.expires_at
  -- What the role has said for good stays.
  where p.expires_at < excluded.expires_at or p.role_oid <> excluded.role_oid;
  return 'role ' || v_role;
end;
$$;

comment on function agentdb.redeem_web_link (text) is
  'Uses a one-time link up and returns whom it lets in; NULL for one that is used, '
  'over, or none.';
