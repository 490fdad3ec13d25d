-- What a call that takes a lock must know of its agent and of the agent's policy, in
-- one narrow row: PostgreSQL prepares every column of what it joins, and a policy has
-- sixty.  Only operators write agents and policies, so no agent waits here.

create or replace function agentdb._keep_agent_limit ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into agentdb.agent_limit as l (
    agent_id, agent_name, lock_max_ttl, renew_needs_progress
  )
  select new.agent_id, new.agent_name, p.lock_max_ttl, p.renew_needs_progress
  from agentdb.policy as p
  where p.policy_name = new.policy_name
  -- Whoever changes the policy meanwhile does so before, or after and finds this row.
  for share
  on conflict on constraint agent_limit_pkey do update
  set agent_name = excluded.agent_name,
      lock_max_ttl = excluded.lock_max_ttl,
      renew_needs_progress = excluded.renew_needs_progress;
  return null;
end;
$$;

comment on function agentdb._keep_agent_limit () is
  'Trigger function: keeps agent_limit up to date with the agent.';


create or replace trigger agentdb_limit
  after insert or update of agent_name, policy_name
  on agentdb.agent
  for each row execute function agentdb._keep_agent_limit();


create or replace function agentdb._keep_policy_limit ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.agent_limit as l
  set lock_max_ttl = new.lock_max_ttl,
      renew_needs_progress = new.renew_needs_progress
  from agentdb.agent as a
  where a.agent_id = l.agent_id
    and a.policy_name = new.policy_name;
  return null;
end;
$$;

comment on function agentdb._keep_policy_limit () is
  'Trigger function: keeps agent_limit up to date with the policy.';


create or replace trigger agentdb_limit
  after update of lock_max_ttl, renew_needs_progress
  on agentdb.policy
  for each row execute function agentdb._keep_policy_limit();
