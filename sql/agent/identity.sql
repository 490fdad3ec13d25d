-- Identity: whose call is this?  The agent is found from the login role of the session.
-- The run is decided in this order: an argument, a token bound to the transaction, the
-- run that this session started, the role's only run that is alive; else the call is
-- refused.  Common cases are answered here, all others in own_run.sql.

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
  -- A session that has set it by hand would be none of those that a kill means.
  return (
    select t.run_id
    from agentdb.run_token as t
    join agentdb.run as r on r.run_id = t.run_id
    where t.token_hash = agentdb._hash_secret(v_token)
      and (r.pooled or agentdb._has_joined(t.run_id))
  );
end;
$$;

comment on function agentdb._bound_run () is
  'The run whose token bind_run() put into this transaction, else NULL.';


-- Newest of all, ended ones included: then no other was begun since.  Its stop_seen is
-- NULL where it is not this session's for certain: not the one that this session
-- started, nor alone while the session started none.  Who asks for all of it, in this
-- order, saves a step of the plan.
create or replace function agentdb._newest_run ()
  returns table (
    run_id bigint, agent_id bigint, stop_seen bigint, label text, lock_max_ttl interval,
    renew_needs_progress boolean, advice text, unstored_until timestamptz
  )
  language sql
  stable
begin atomic
  select r.run_id, r.agent_id,
    case
      when r.ended_at is null and case
        when coalesce(current_setting('agentdb.session_token', true), '') = ''
          then r.alone
        else r.pid = pg_backend_pid() and r.token_hash = sha256(
          convert_to(current_setting('agentdb.session_token', true), 'UTF8'))
      end then r.stop_seen
    end,
    r.label, r.lock_max_ttl, r.renew_needs_progress, r.advice, r.unstored_until
  from agentdb.run as r
  where r.role_name = session_user
    and not r.pooled
  order by r.run_id desc
  limit 1;
end;

comment on function agentdb._newest_run () is
  'The newest run of the login role, which is this session''s if it is '
  '_is_unstopped(); inlined into what asks.';


-- The common case, in one look at one table.
create or replace function agentdb._lone_run ()
  returns table (
    run_id bigint, agent_id bigint, stop_seen bigint, advice text,
    unstored_until timestamptz
  )
  language sql
  stable
begin atomic
  select n.run_id, n.agent_id, n.stop_seen, n.advice, n.unstored_until
  from agentdb._newest_run() as n
  where agentdb._is_unstopped(n.stop_seen);
end;

comment on function agentdb._lone_run () is
  'The run of this session where nothing else is to be asked, else no row.';


-- The same where a session has started a run: its number only says where to look, the
-- token is what is believed, and only from the process that has drawn it.
create or replace function agentdb._held_run ()
  returns table (
    run_id bigint, agent_id bigint, stop_seen bigint, advice text,
    unstored_until timestamptz
  )
  language sql
  stable
begin atomic
  select r.run_id, r.agent_id, r.stop_seen, r.advice, r.unstored_until
  from agentdb.run as r
  where r.run_id = case
      when current_setting('agentdb.session_run', true) ~ '^[0-9]{1,18}$'
        then current_setting('agentdb.session_run', true)::bigint
    end
    and r.token_hash = sha256(
      convert_to(current_setting('agentdb.session_token', true), 'UTF8'))
    and r.pid = pg_backend_pid()
    and r.role_name = session_user
    and not r.pooled
    and r.ended_at is null
    and agentdb._is_unstopped(r.stop_seen);
end;

comment on function agentdb._held_run () is
  'The run that this session started, where nothing else is to be asked, else no row.';


-- Every call of an agent passes here.  With no run to look for it must not ask for one:
-- PostgreSQL would plan a query for NULL anew at each call, at thrice the cost of all
-- else.
create or replace function agentdb._current_run (
  run bigint,
  out run_id bigint,
  out agent_id bigint,
  out advice text,
  out capped boolean
)
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_bound bigint;
  v_run bigint;
  v_ended_at timestamptz;
begin
  if run is null then
    if current_setting('agentdb.session_run', true) <> '' then
      select h.run_id, h.agent_id, h.advice, h.unstored_until > clock_timestamp()
        into _current_run.run_id, _current_run.agent_id, _current_run.advice,
          _current_run.capped
      from agentdb._held_run() as h;
    else
      select o.run_id, o.agent_id, o.advice, o.unstored_until > clock_timestamp()
        into _current_run.run_id, _current_run.agent_id, _current_run.advice,
          _current_run.capped
      from agentdb._lone_run() as o;
    end if;
    if found then
      return;
    end if;
  end if;
  v_bound := agentdb._bound_run();
  v_run := coalesce(run, v_bound);
  if v_run is null then
    select o.run_id, o.agent_id, o.advice, o.unstored_until > clock_timestamp()
      into _current_run.run_id, _current_run.agent_id, _current_run.advice,
        _current_run.capped
    from agentdb._own_run() as o;
    if run_id is null then
      perform agentdb._refuse_without_run();
    end if;
    return;
  end if;
  select r.run_id, r.agent_id, r.ended_at, r.advice,
    r.unstored_until > clock_timestamp()
    into _current_run.run_id, _current_run.agent_id, v_ended_at, _current_run.advice,
      _current_run.capped
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
  perform agentdb._check_session();
end;
$$;

comment on function agentdb._current_run (bigint) is
  'Resolves the run of a call: the argument, the bound token, the session''s own run, '
  'else the role''s only one alive, what it is to be told, and whether what it logs is '
  'only counted; raises ZA001, ZA003, ZA040 or ZA041.';


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


-- A session that came back after its connection was lost belongs to its run again.
create or replace function agentdb._keep_token (token text, run bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kept text := current_setting('agentdb.session_token', true);
begin
  if v_kept = token and agentdb._has_joined(run) then
    return;
  end if;
  perform agentdb._join_run(run, 'bound');
  if agentdb._session_run() is null then
    perform set_config('agentdb.session_token', token, false);
  end if;
end;
$$;

comment on function agentdb._keep_token (text, bigint) is
  'Makes a run the one of this session, unless it has one that is open.';


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
  v_pooled boolean;
begin
  select t.run_id, r.pooled into v_run_id, v_pooled
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
  if not v_pooled then
    perform agentdb._keep_token(bind_run.token, v_run_id);
  end if;
  return v_run_id;
end;
$$;

comment on function agentdb.bind_run (text) is
  'Binds a run''s token to the current transaction and returns the run; a session that '
  'has no run of its own, of a role that is not shared, keeps it; raises ZA001.';


create or replace function agentdb._is_agent ()
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_person name := agentdb._person();
begin
  return exists (select from agentdb.agent as a where a.role_name = v_person)
    or pg_has_role(v_person, 'agentdb_agent', 'usage')
      and not (select r.rolsuper from pg_roles as r where r.rolname = v_person);
end;
$$;

comment on function agentdb._is_agent () is
  'Whether the session, or the person for whom it acts, belongs to an agent.';
