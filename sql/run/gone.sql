-- Runs whose process is gone and that nobody started again.

create or replace function agentdb._has_promised (run agentdb.run)
  returns boolean
  language sql
  stable
  return run.tick_interval is not null
    or exists (select from agentdb.lock as l where l.run_id = run.run_id)
    or exists (
      select from agentdb.tool_call as c
      where c.run_id = run.run_id and c.ended_at is null);

comment on function agentdb._has_promised (agentdb.run) is
  'Tells whether somebody waits for a run: for its next tick, its lock or its call.';


-- Nobody renews what such a run holds: what has waited for its time is free after it,
-- also where nobody else asks for it.
create or replace function agentdb._release_crashed ()
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  select from (
    select distinct l.run_id, l.agent_id
    from agentdb.lock as l
    join agentdb.run as r on r.run_id = l.run_id and r.outcome = 'crashed'
    where l.expires_at <= clock_timestamp()
  ) as c
  cross join lateral agentdb._release_locks(c.run_id, c.agent_id, 'crashed') as f;
$$;

comment on function agentdb._release_crashed () is
  'Releases the locks of crashed runs whose time is over.';


-- Of a session that nobody is connected for silence is all that can be seen; an
-- emitter that is switched off is no crash.
create or replace function agentdb._end_silent_intake ()
  returns table (run_id bigint)
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  select s.run_id
  from (
    select o.run_id, p.intake_silence
    from agentdb.run as o
    join agentdb.agent as a on a.agent_id = o.agent_id
    join agentdb.policy as p on p.policy_name = a.policy_name
    where o.ended_at is null
      and o.opened_by is not null
      and greatest(o.started_at, (
          select max(i.last_at) from agentdb.intake_session as i
          where i.run_id = o.run_id
        )) < clock_timestamp() - p.intake_silence
      and not agentdb._is_paused(o.run_id, clock_timestamp())
      and not exists (
        select from agentdb.tool_call as c
        where c.run_id = o.run_id
          and c.ended_at is null
          and c.began_at > clock_timestamp() - p.max_long_call)
    for no key update of o skip locked
  ) as s
  cross join lateral agentdb._end_run(s.run_id, 'abandoned', format(
    'nothing was told of it for %s (policy.intake_silence)',
    agentdb._span(s.intake_silence))) as e
  where e.ended_at is not null;
$$;

comment on function agentdb._end_silent_intake () is
  'Ends the runs that emitters opened and told nothing of for policy.intake_silence.';


-- A successor closes at once what is gone.  Here a run that somebody waits for is given
-- a minute, any other policy.run_silence: some programs connect anew for each call.
create or replace function agentdb.close_gone_runs ()
  returns table (run_id bigint, reason text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_run agentdb.run;
  v_reason text;
begin
  perform agentdb._release_crashed();
  perform agentdb._end_silent_intake();
  for v_run in
    select r.* from agentdb.run as r
    where r.ended_at is null
      -- What an emitter tells of has no session: it ends by policy.intake_silence.
      and r.opened_by is null
      and r.started_at < clock_timestamp() - interval '1 minute'
      and not agentdb._is_paused(r.run_id, clock_timestamp())
    order by r.run_id
  loop
    -- The cheaper question first: most runs have just said something.
    continue when greatest(
        v_run.held_until_at,
        agentdb._last_event_at(v_run.run_id, v_run.started_at),
        (select max(s.joined_at) from agentdb.run_session as s
          where s.run_id = v_run.run_id)
      ) > clock_timestamp() - case when agentdb._has_promised(v_run)
        then interval '1 minute' else agentdb._run_silence(v_run.role_name) end;
    continue when not agentdb._is_gone(v_run.run_id);
    v_reason := agentdb._gone_because(v_run.run_id);
    return query
      select v_run.run_id, v_reason
      from agentdb._end_run(v_run.run_id, 'crashed', v_reason) as e
      where e.ended_at is not null;
  end loop;
end;
$$;

comment on function agentdb.close_gone_runs () is
  'Ends open runs whose process is gone as crashed, and the locks of such runs with '
  'their time; the runner calls it.';
