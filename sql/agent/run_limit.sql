-- What a call that takes a lock must know of its agent and of the agent's policy, kept
-- on the row of the run, which it reads anyway: one more table would cost a twentieth.
-- Open runs get a change when it commits.  One that is just being started or ended gets
-- it at the next roll-up instead: nobody waits.

create or replace function agentdb._run_label (run_id bigint, agent_name text)
  returns text
  language sql
  stable
  parallel safe
  return 'run ' || run_id || ' of ' || agent_name;

comment on function agentdb._run_label (bigint, text) is
  'What people see of a run that holds a lock.';


create or replace function agentdb._lock_limit (agent bigint)
  returns table (agent_name text, max_ttl interval, needs_progress boolean)
  language sql
  stable
begin atomic
  select a.agent_name, p.lock_max_ttl, p.renew_needs_progress
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where a.agent_id = agent;
end;

comment on function agentdb._lock_limit (bigint) is
  'The name of an agent, and what its policy says of locks.';


create or replace function agentdb._pass_limits (agent bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.run as r
  set label = l.label,
      lock_max_ttl = l.max_ttl,
      renew_needs_progress = l.needs_progress
  from (
    select o.run_id, n.label, p.max_ttl, p.needs_progress
    from agentdb.run as o
    cross join lateral agentdb._lock_limit(o.agent_id) as p
    cross join lateral (
      select agentdb._run_label(o.run_id, p.agent_name) as label
    ) as n
    where o.ended_at is null
      and (_pass_limits.agent is null or o.agent_id = _pass_limits.agent)
      and (o.label, o.lock_max_ttl, o.renew_needs_progress)
        is distinct from (n.label, p.max_ttl, p.needs_progress)
    for no key update of o skip locked
  ) as l
  where r.run_id = l.run_id;
end;
$$;

comment on function agentdb._pass_limits (bigint) is
  'Tells the open runs of one agent, or all, what their policies say of locks.';


create or replace function agentdb._pass_changed_limit ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- A policy has no agent_id: all runs are looked at.
  perform agentdb._pass_limits((to_jsonb(new) ->> 'agent_id')::bigint);
  return null;
end;
$$;

comment on function agentdb._pass_changed_limit () is
  'Trigger function: tells open runs what has changed in their agent or policy.';


-- At commit: who has changed a policy and does not commit keeps no run from ending.
drop trigger if exists agentdb_limit on agentdb.agent;

create constraint trigger agentdb_limit
  after update of agent_name, policy_name
  on agentdb.agent
  deferrable initially deferred
  for each row execute function agentdb._pass_changed_limit();


drop trigger if exists agentdb_limit on agentdb.policy;

create constraint trigger agentdb_limit
  after update of lock_max_ttl, renew_needs_progress
  on agentdb.policy
  deferrable initially deferred
  for each row execute function agentdb._pass_changed_limit();
