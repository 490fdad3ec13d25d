-- Identity: whose call is this?  The agent is found from the login role of the session,
-- the run by an argument, by a token bound to the transaction, or because the role has
-- only one open.

create or replace function agentdb._bound_run ()
  returns bigint
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  -- A pooler leaves the setting behind as an empty text.
  v_token text := nullif(current_setting('agentdb.run_token', true), '');
begin
  if v_token is null then
    return null;
  end if;
  return (
    select t.run_id
    from agentdb.run_token as t
    where t.token_hash = agentdb._hash_secret(v_token)
  );
end;
$$;

comment on function agentdb._bound_run () is
  'The run whose token bind_run() put into this transaction, else NULL.';


-- An older snapshot sees no stop, but the sequence is no part of it.  One CASE, because
-- a condition of its own would be a step of the plan.
create or replace function agentdb._is_unstopped (stop_seen bigint)
  returns boolean
  language sql
  volatile
  return stop_seen = case
    when coalesce(current_setting('agentdb.run_token', true), '') = ''
    then coalesce(pg_sequence_last_value('agentdb.stop_number_seq'), 0)
  end;

comment on function agentdb._is_unstopped (bigint) is
  'Tells whether nobody was stopped since that number (stop_seen.sql), and no token is '
  'bound; inlined into what asks.';


-- Who asks for all of it, in this order, saves a step of the plan.
create or replace function agentdb._newest_run ()
  returns table (
    run_id bigint, agent_id bigint, stop_seen bigint, label text, lock_max_ttl interval,
    renew_needs_progress boolean
  )
  language sql
  stable
begin atomic
  select r.run_id, r.agent_id, r.stop_seen, r.label, r.lock_max_ttl,
    r.renew_needs_progress
  from agentdb.run as r
  where r.role_name = session_user
    and not r.pooled
    and r.ended_at is null
  order by r.run_id desc
  limit 1;
end;

comment on function agentdb._newest_run () is
  'The newest open run of the login role, its only one if it is _is_unstopped(); '
  'inlined into what asks.';


-- The common case, in one look at one table.  Every other case is _current_run's, which
-- also says what is wrong.
create or replace function agentdb._lone_run ()
  returns table (run_id bigint, agent_id bigint)
  language sql
  stable
begin atomic
  select n.run_id, n.agent_id
  from agentdb._newest_run() as n
  where agentdb._is_unstopped(n.stop_seen);
end;

comment on function agentdb._lone_run () is
  'The one open run of the login role where nothing else is to be asked, else no row.';


-- Every call of an agent passes here.  With no run to look for it must not ask for one:
-- PostgreSQL would plan a query for NULL anew at each call, at thrice the cost of all
-- else.
create or replace function agentdb._current_run (
  run bigint,
  out run_id bigint,
  out agent_id bigint
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_bound bigint;
  v_run bigint;
  v_ended_at timestamptz;
begin
  if run is null then
    select o.run_id, o.agent_id into _current_run.run_id, _current_run.agent_id
    from agentdb._lone_run() as o;
    if found then
      return;
    end if;
  end if;
  v_bound := agentdb._bound_run();
  v_run := coalesce(run, v_bound);
  if v_run is null then
    select o.run_id, o.agent_id into _current_run.run_id, _current_run.agent_id
    from agentdb._only_open_run() as o;
    perform agentdb._check_stop(_current_run.run_id, _current_run.agent_id);
    return;
  end if;
  select r.run_id, r.agent_id, r.ended_at
    into _current_run.run_id, _current_run.agent_id, v_ended_at
  from agentdb.run as r
  where r.run_id = v_run
    and r.role_name = session_user
    -- Behind a shared role a number proves nothing: only the token does.
    and (not r.pooled or r.run_id = v_bound);
  if not found then
    perform agentdb._refuse_foreign_run(v_run);
  end if;
  perform agentdb._check_stop(v_run, _current_run.agent_id);
  if v_ended_at is not null then
    perform agentdb._refuse_closed_run(v_run);
  end if;
end;
$$;

comment on function agentdb._current_run (bigint) is
  'Resolves the run of a call: the argument, the bound token, else the role''s only '
  'open '
  'run; raises ZA001 or ZA003.';


create or replace function agentdb._only_open_run (
  out run_id bigint,
  out agent_id bigint
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_runs bigint[];
begin
  select array_agg(r.run_id order by r.run_id), min(r.agent_id)
    into v_runs, _only_open_run.agent_id
  from agentdb.run as r
  where r.role_name = session_user
    and r.ended_at is null
    and not r.pooled;
  if cardinality(v_runs) = 1 then
    run_id := v_runs[1];
  elsif v_runs is null then
    perform agentdb._check_last_run(session_user);
    raise exception 'role % has no open run', session_user
      using errcode = 'ZA001',
            hint = 'Open one first: select * from agentdb.start_run(); behind a shared '
              'role then bind its token in every transaction: '
              'select agentdb.bind_run(token);';
  else
    raise exception 'role % has % open runs: %', session_user, cardinality(v_runs),
        array_to_string(v_runs, ', ')
      using errcode = 'ZA001',
            hint = format('Say which: add run => %s to a call of agentdb; before an '
              'INSERT, UPDATE or DELETE bind the token that start_run() returned, in '
              'the same transaction: select agentdb.bind_run(token); or end the '
              'others: '
              'select * from agentdb.end_run(outcome => ''cancelled'', run => %s);',
              v_runs[cardinality(v_runs)], v_runs[1]);
  end if;
end;
$$;

comment on function agentdb._only_open_run () is
  'The one open run of the login role; raises ZA001 where there is none or several.';


create or replace function agentdb._refuse_closed_run (run bigint)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_outcome text;
  v_ended_at timestamptz;
begin
  select r.outcome, r.ended_at into v_outcome, v_ended_at
  from agentdb.run as r where r.run_id = _refuse_closed_run.run;
  raise exception 'run % has ended', run
    using errcode = 'ZA003',
          detail = format('It %s at %s.', v_outcome, v_ended_at),
          hint = 'Stop working for this run.  If there is more to do, open another: '
            'select * from agentdb.start_run();';
end;
$$;

comment on function agentdb._refuse_closed_run (bigint) is
  'Raises ZA003 for a run that has ended.';


create or replace function agentdb._refuse_foreign_run (run bigint)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'run % is not open to role %', run, session_user
    using errcode = 'ZA001',
          hint = 'Use the run_id that agentdb.start_run() returned to you; behind a '
            'shared role bind its token first: select agentdb.bind_run(token);';
end;
$$;

comment on function agentdb._refuse_foreign_run (bigint) is
  'Raises ZA001 for a run that the session may not speak for, whether or not it '
  'exists.';


create or replace function agentdb._session_agent (
  agent text,
  secret text,
  out agent_id bigint,
  out pooled boolean,
  out policy_name text
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  select a.agent_id, a.pooled, a.policy_name
    into _session_agent.agent_id, _session_agent.pooled, _session_agent.policy_name
  from agentdb.agent as a
  left join agentdb.agent_secret as s on s.agent_id = a.agent_id
  where a.role_name = session_user
    and (a.agent_name = agent or (agent is null and not a.pooled))
    and (not a.pooled or s.secret_hash = agentdb._hash_secret(secret));
  if not found then
    raise exception 'role % may not run agent %',
        session_user, coalesce(agent, '(its own)')
      using errcode = 'ZA002',
            hint = format('An operator registers agents: select * from '
              'agentdb.register_agent(name => ''…'', role_name => %L); an agent '
              'behind a shared role also gives agent => and secret =>.', session_user);
  end if;
end;
$$;

comment on function agentdb._session_agent (text, text) is
  'Resolves the agent of a session by its login role, or by name and secret behind '
  'a shared role; raises ZA002.';


-- For the transaction only: behind a pooler the next transaction is somebody else's.
create or replace function agentdb.bind_run (token text)
  returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_run_id bigint;
begin
  select t.run_id into v_run_id
  from agentdb.run_token as t
  join agentdb.run as r on r.run_id = t.run_id
  where t.token_hash = agentdb._hash_secret(bind_run.token)
    and r.role_name = session_user;
  if v_run_id is null then
    raise exception 'this token opens no run of role %', session_user
      using errcode = 'ZA001',
            hint = 'Bind the token that agentdb.start_run() returned, within the same '
              'transaction as the calls that follow.';
  end if;
  perform set_config('agentdb.run_token', bind_run.token, true);
  return v_run_id;
end;
$$;

comment on function agentdb.bind_run (text) is
  'Binds a run''s token to the current transaction and returns the run; raises ZA001.';


create or replace function agentdb._is_agent ()
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from agentdb.agent as a where a.role_name = session_user)
    or pg_has_role(session_user, 'agentdb_agent', 'usage')
      and not (select r.rolsuper from pg_roles as r where r.rolname = session_user);
end;
$$;

comment on function agentdb._is_agent () is
  'Whether the session belongs to an agent.';
