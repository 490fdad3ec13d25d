-- Agents: who may speak.  Identity is the login role of the session, never an argument.

-- A role that can act as the owner, skip row security or make roles is beyond every
-- protection of this pack; better said at registration than found out at night.  A
-- membership counts whatever its options: who may grant it may act as it.  Of the roles
-- that come with PostgreSQL only those that look at statistics are let pass: what a
-- later version brings is refused until somebody has thought about it.
create or replace function agentdb._role_fault (role_name name)
  returns text
  language sql
  stable
  return (
    select concat_ws(', ',
      case when r.rolsuper then 'it is a superuser' end,
      case when r.rolbypassrls then 'it bypasses row security' end,
      case when r.rolcreaterole then 'it may create roles' end,
      case when r.rolreplication then 'it may replicate' end,
      case when not r.rolcanlogin then 'it cannot log in' end,
      (
        select 'it is a member of ' || string_agg(g.rolname, ', ' order by g.rolname)
        from pg_roles as g
        where (g.rolname in ('agentdb_owner', 'agentdb_capture', 'agentdb_applier',
              'agentdb_operator', 'agentdb_reviewer', 'agentdb_intake',
              'agentdb_web')
            or g.rolname like 'pg\_%' and g.rolname not in ('pg_monitor',
              'pg_read_all_settings', 'pg_read_all_stats', 'pg_stat_scan_tables')
            or g.rolsuper or g.rolbypassrls or g.rolcreaterole or g.rolreplication)
          and pg_has_role(r.oid, g.oid, 'MEMBER')
          and g.oid <> r.oid
          -- A superuser is a member of all.
          and not r.rolsuper
      )
    )
    from pg_roles as r
    where r.rolname = _role_fault.role_name
  );

comment on function agentdb._role_fault (name) is
  'Says why a role must not be an agent''s; empty where nothing speaks against it, '
  'NULL where there is no such role.';


create or replace function agentdb._check_agent_role (role_name name)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_fault text := agentdb._role_fault(role_name);
begin
  if v_fault is null then
    raise exception 'there is no role %', role_name
      using errcode = 'ZA006',
            hint = format('create role %I login in role agentdb_agent;', role_name);
  elsif v_fault <> '' then
    raise exception 'role % cannot be an agent''s: %', role_name, v_fault
      using errcode = 'ZA009',
            hint = format('Use a role of its own: create role %I login in role '
              'agentdb_agent;', role_name || '_agent');
  elsif not pg_has_role(role_name, 'agentdb_agent', 'MEMBER') then
    raise exception 'role % is not a member of agentdb_agent', role_name
      using errcode = 'ZA009',
            hint = format('grant agentdb_agent to %I;', role_name);
  end if;
end;
$$;

comment on function agentdb._check_agent_role (name) is
  'Raises ZA006 or ZA009 where a role does not exist or must not be an agent''s.';


create or replace function agentdb._register_agent (
  name text,
  role_name text,
  policy text,
  pooled boolean
)
  returns table (agent_id bigint, secret text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  -- Who types 12, r-12 or a-12 on the command line means a run or an alert.
  if not agentdb._is_clean_name(name, 63) or name !~ '^[a-z0-9][a-z0-9_.-]*$'
    or name ~ '^([ar]-)?[0-9]+$' then
    perform agentdb._refuse(
      format('%L is no name for an agent', agentdb._clean_text(name, 100)),
      'Use 1 to 63 of a-z, 0-9, dot, dash and underscore, a letter or digit first, '
        'and not a number only, as runs and alerts have: 12, r-12, a-12.'
    );
  elsif role_name is null or pooled is null or policy is null then
    perform agentdb._refuse(
      'role_name, policy and pooled must not be NULL',
      'select * from agentdb.register_agent('
        'name => ''billing'', role_name => ''billing_agent'');'
    );
  elsif not exists (
    select from agentdb.policy as p where p.policy_name = _register_agent.policy
  ) then
    raise exception 'there is no policy %', policy
      using errcode = 'ZA006', hint = 'select policy_name from agentdb.policy;';
  end if;
  perform agentdb._check_agent_role(_register_agent.role_name::name);
  -- Without a secret a shared role could speak for the agent that needs none.
  if exists (
    select from agentdb.agent as a
    where a.role_name = _register_agent.role_name and a.pooled <> _register_agent.pooled
  ) then
    raise unique_violation;
  end if;
  insert into agentdb.agent as a (agent_name, role_name, pooled, policy_name)
  values (_register_agent.name, _register_agent.role_name, pooled, policy)
  returning a.agent_id into _register_agent.agent_id;
  insert into agentdb.agent_gate (agent_id) values (_register_agent.agent_id);
  perform agentdb._make_refusal_counters(
    agentdb._refusal_slot(_register_agent.agent_id));
  if pooled then
    secret := agentdb._new_secret();
    insert into agentdb.agent_secret (agent_id, secret_hash)
    values (_register_agent.agent_id, agentdb._hash_secret(secret));
  end if;
  return next;
exception when unique_violation then
  raise exception 'agent % or a registration of role % exists already',
      _register_agent.name, _register_agent.role_name
    using errcode = 'ZA007',
          hint = 'Several agents can share a role only when each is registered with '
            'pooled => true; otherwise give each a role of its own.';
end;
$$;

comment on function agentdb._register_agent (text, text, text, boolean) is
  'Writes down an agent; raises ZA004, ZA006, ZA007 or ZA009.';


-- A machine that is lost without a word stays connected for hours, and its run alive:
-- the server is to ask.  With the rights of the caller, where they are enough; the
-- doctor says where not.  What somebody has set is left as it is.
create or replace function agentdb._watch_connection (role_name name)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text;
  v_value text;
begin
  for v_name, v_value in
    select s.name, s.value
    from (values ('client_connection_check_interval', '10s'),
      ('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'),
      ('tcp_keepalives_count', '3')) as s (name, value)
    where agentdb._role_setting(role_name, s.name) is null
  loop
    execute format('alter role %I in database %I set %s = %L', role_name,
      current_database(), v_name, v_value);
  end loop;
exception when insufficient_privilege or invalid_parameter_value then
  null;
end;
$$;

comment on function agentdb._watch_connection (name) is
  'Has the server notice when a client of a login role is gone, as far as the caller '
  'may set that.';


create or replace function agentdb._role_setting (role_name name, setting text)
  returns text
  language sql
  stable
  return (
    select substring(c.entry from position('=' in c.entry) + 1)
    from pg_db_role_setting as s
    join pg_roles as r on r.oid = s.setrole and r.rolname = role_name
    cross join lateral unnest(s.setconfig) as c (entry)
    where s.setdatabase in (0, (
        select d.oid from pg_database as d where d.datname = current_database()))
      and split_part(c.entry, '=', 1) = setting
    order by s.setdatabase desc
    limit 1
  );

comment on function agentdb._role_setting (name, text) is
  'What is set for a login role in this database, NULL where nothing is.';


create or replace function agentdb.register_agent (
  name text,
  role_name text,
  policy text default 'default',
  pooled boolean default false
)
  returns table (agent_id bigint, secret text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  return query
    select r.agent_id, r.secret
    from agentdb._register_agent(name, role_name, policy, pooled) as r;
  if not pooled then
    perform agentdb._watch_connection(register_agent.role_name::name);
  end if;
end;
$$;

comment on function agentdb.register_agent (text, text, text, boolean) is
  'Registers an agent under a login role; with pooled => true several agents share '
  'the role and each gets a secret, shown only once.';


create or replace function agentdb._new_secret ()
  returns text
  language sql
  volatile
  return replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '');

comment on function agentdb._new_secret () is
  'Returns 64 hexadecimal digits with 244 random bits.';


create or replace function agentdb._hash_secret (secret text)
  returns bytea
  language sql
  immutable
  return sha256(convert_to(secret, 'UTF8'));

comment on function agentdb._hash_secret (text) is
  'SHA-256 of a secret; enough for one with 244 random bits, which nobody can guess.';


create or replace function agentdb._agent_of (agent text)
  returns bigint
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent_id bigint;
begin
  select a.agent_id into v_agent_id from agentdb.agent as a where a.agent_name = agent;
  if v_agent_id is null then
    raise exception 'there is no agent %',
        coalesce(agentdb._clean_text(agent, 100), 'NULL')
      using errcode = 'ZA006', hint = 'select agent_name from agentdb.agent;';
  end if;
  return v_agent_id;
end;
$$;

comment on function agentdb._agent_of (text) is
  'The number of an agent, or ZA006.';
