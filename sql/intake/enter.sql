-- Runs that are opened for what emitters tell.

create or replace function agentdb._open_intake_run (
  agent bigint,
  conversation text,
  parent bigint,
  opened_by text
)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run bigint := nextval('agentdb.run_run_id_seq');
begin
  -- Pooled, and without a token: no session is ever taken for its process.
  insert into agentdb.run (
    run_id, agent_id, role_name, pooled, conversation, parent_run_id,
    root_run_id, opened_by, label, lock_max_ttl, renew_needs_progress
  )
  overriding system value
  select v_run, a.agent_id, a.role_name, true, _open_intake_run.conversation, parent,
    agentdb._root_through(parent), _open_intake_run.opened_by,
    agentdb._run_label(v_run, a.agent_name),
    p.lock_max_ttl, p.renew_needs_progress
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where a.agent_id = agent;
  insert into agentdb.run_gate (run_id) values (v_run);
  return v_run;
end;
$$;

comment on function agentdb._open_intake_run (bigint, text, bigint, text) is
  'Opens a run for what an emitter reports of a conversation.';


-- Emitters can name each other as parents: of those there is none.
create or replace function agentdb._parent_thread (
  agent bigint,
  conversation text,
  thread text
)
  returns text
  language sql
  stable
begin atomic
  with recursive above (thread, path) as (
    select s.parent_thread, array[s.thread]
    from agentdb.intake_session as s
    where (s.agent_id, s.conversation, s.thread)
      = (agent, _parent_thread.conversation, _parent_thread.thread)
    union all
    select s.parent_thread, a.path || s.thread
    from above as a
    join agentdb.intake_session as s
      on (s.agent_id, s.conversation, s.thread)
        = (agent, _parent_thread.conversation, a.thread)
    where a.thread <> all (a.path) and cardinality(a.path) < 16
  )
  select a.thread
  from above as a
  where cardinality(a.path) = 1
    and exists (
      select from agentdb.intake_session as p
      where (p.agent_id, p.conversation, p.thread)
        = (agent, _parent_thread.conversation, a.thread))
    and not exists (
      select from above as b
      where b.thread = any (b.path) or cardinality(b.path) >= 16);
end;

comment on function agentdb._parent_thread (bigint, text, text) is
  'The thread that started a thread, where that is known and ends somewhere.';


-- What is told of a subagent may come before anything of the one that started it.
create or replace function agentdb._parent_run (
  agent bigint,
  conversation text,
  thread text,
  main bigint,
  opened_by text
)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_parent text := agentdb._parent_thread(agent, conversation, thread);
begin
  if v_parent is null then
    return main;
  end if;
  return coalesce((
      select case when r.killed then main else r.run_id end
      from agentdb._session_run_id(agent, conversation, v_parent) as r
      where r.run_id is not null),
    agentdb._enter_session(agent, conversation, v_parent, opened_by));
end;
$$;

comment on function agentdb._parent_run (bigint, text, text, bigint, text) is
  'The run of the thread that started a thread, else that of their conversation.';


-- A new thread of a killed conversation is that conversation, and has no run to itself.
create or replace function agentdb._enter_session (
  agent bigint,
  conversation text,
  thread text,
  opened_by text
)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run bigint;
  v_killed boolean := false;
  v_parent bigint;
begin
  if thread <> '' then
    select r.run_id, r.killed into v_run, v_killed
    from agentdb._session_run_id(agent, conversation, '') as r;
    v_parent := coalesce(v_run,
      agentdb._enter_session(agent, conversation, '', opened_by));
    v_killed := coalesce(v_killed, false);
    if not v_killed then
      v_parent := agentdb._parent_run(
        agent, conversation, thread, v_parent, opened_by);
    end if;
  end if;
  if not v_killed then
    v_run := agentdb._open_intake_run(agent, conversation, v_parent, opened_by);
  end if;
  update agentdb.intake_session as s
  set run_id = v_run
  where (s.agent_id, s.conversation, s.thread)
    = (agent, _enter_session.conversation, _enter_session.thread);
  return v_run;
end;
$$;

comment on function agentdb._enter_session (bigint, text, text, text) is
  'Opens the run of a conversation or thread that has none open.';
