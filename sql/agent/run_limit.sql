-- What a call that takes a lock must know of its agent and of the agent's policy, kept
-- on the row of the run, which it reads anyway: one more table would cost a twentieth.
-- Open runs get a change when it commits.  One that is just being started or ended gets
-- it at the next roll-up instead: nobody waits.  So does what a call that logs must
-- know: that its agent has stored all that it may today.  It says until when, so that
-- midnight ends it also where no runner is there.

create or replace function agentdb._run_label (run_id bigint, agent_name text)
  returns text
  language sql
  stable
  parallel safe
  return 'run ' || run_id || ' of ' || agent_name;

comment on function agentdb._run_label (bigint, text) is
  'What people see of a run that holds a lock.';


create or replace function agentdb._lock_limit (agent bigint)
  returns table (
    agent_name text, max_ttl interval, needs_progress boolean,
    unstored_until timestamptz
  )
  language sql
  stable
begin atomic
  select a.agent_name, p.lock_max_ttl, p.renew_needs_progress, (
      select d.day_at + interval '1 day'
      from agentdb.event_day as d
      where d.agent_id = agent
        and d.day_at = date_bin('1 day', statement_timestamp(), 'epoch')
        and d.capped_by is not null)
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where a.agent_id = agent;
end;

comment on function agentdb._lock_limit (bigint) is
  'The name of an agent, what its policy says of locks, and until when what it logs is '
  'only counted.';


create or replace function agentdb._pass_limits (agent bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.run as r
  set label = l.label,
      lock_max_ttl = l.max_ttl,
      renew_needs_progress = l.needs_progress,
      unstored_until = l.unstored_until
  from (
    select o.run_id, n.label, p.max_ttl, p.needs_progress, n.unstored_until
    from agentdb.run as o
    cross join lateral agentdb._lock_limit(o.agent_id) as p
    cross join lateral (
      select agentdb._run_label(o.run_id, p.agent_name) as label,
        -- A run of which something was not stored is known by it ever after.
        coalesce(p.unstored_until, case
          when o.unstored_until > statement_timestamp() then statement_timestamp()
          else o.unstored_until end) as unstored_until
    ) as n
    where o.ended_at is null
      and (_pass_limits.agent is null or o.agent_id = _pass_limits.agent)
      and (o.label, o.lock_max_ttl, o.renew_needs_progress, o.unstored_until)
        is distinct from (n.label, p.max_ttl, p.needs_progress, n.unstored_until)
    for no key update of o skip locked
  ) as l
  where r.run_id = l.run_id;
end;
$$;

comment on function agentdb._pass_limits (bigint) is
  'Tells the open runs of one agent, or all, what their policies say of locks, and '
  'until when what they log is only counted.';


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
