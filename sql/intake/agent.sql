-- Agents that nobody logs in as: known by what emitters report of them, or by files of
-- the past.  Their role is agentdb_intake, which cannot log in, and they have no
-- secret: no session can ever be one of them.

create or replace function agentdb._add_agent (
  name text,
  policy text,
  imported boolean
)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_agent bigint;
begin
  if not agentdb._is_clean_name(name, 63) or name !~ '^[a-z0-9][a-z0-9_.-]*$'
    or name ~ '^([ar]-)?[0-9]+$' then
    perform agentdb._refuse(
      format('%L is no name for an agent', agentdb._clean_text(name, 100)),
      'Use 1 to 63 of a-z, 0-9, dot, dash and underscore, a letter or digit first, '
        'and not a number only, as runs and alerts have: 12, r-12, a-12.');
  elsif policy is null or not exists (
    select from agentdb.policy as p where p.policy_name = policy
  ) then
    raise exception 'there is no policy %', coalesce(policy, 'NULL')
      using errcode = 'ZA006', hint = 'select policy_name from agentdb.policy;';
  end if;
  insert into agentdb.agent as a (agent_name, role_name, pooled, policy_name, imported)
  values (name, 'agentdb_intake', true, policy, _add_agent.imported)
  on conflict on constraint agent_agent_name_key do nothing
  returning a.agent_id into v_agent;
  if v_agent is not null then
    insert into agentdb.agent_gate (agent_id) values (v_agent);
  end if;
  return v_agent;
end;
$$;

comment on function agentdb._add_agent (text, text, boolean) is
  'Writes down an agent that no session can be, NULL where the name is taken; raises '
  'ZA004 or ZA006.';


create or replace function agentdb.register_intake_agent (
  name text,
  policy text default 'default'
)
  returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent bigint := agentdb._add_agent(name, policy, false);
begin
  if v_agent is null then
    raise exception 'agent % exists already', name
      using errcode = 'ZA007', hint = format(
        'It may have an intake token as it is: select agentdb.make_intake_token(%L);',
        name);
  end if;
  return v_agent;
end;
$$;

comment on function agentdb.register_intake_agent (text, text) is
  'Registers an agent without a login role, known by what emitters prove and report of '
  'it; raises ZA004, ZA006 or ZA007.';
