-- Open changes: what somebody proposes goes into one, begun by a call or by the first
-- row that a transaction stages.

create or replace function agentdb._proposer (out agent_id bigint, out run_id bigint)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if agentdb._is_agent() then
    select c.agent_id, c.run_id into _proposer.agent_id, _proposer.run_id
    from agentdb._current_run(null) as c;
    perform agentdb._check_write(_proposer.run_id, _proposer.agent_id);
  end if;
end;
$$;

comment on function agentdb._proposer () is
  'The agent and run that a session proposes for, NULL for a person; refuses a stopped '
  'run; raises ZA001.';


create or replace function agentdb._check_said (text text, what text)
  returns text
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if text is null or text !~ '[^[:space:]]' or length(text) > 2000
    or text <> agentdb._clean_text(text, 2000) then
    perform agentdb._refuse(
      format('the %s is empty, longer than 2000 characters, or hides some', what),
      'Say why in visible characters: a person reads it and decides.');
  end if;
  return text;
end;
$$;

comment on function agentdb._check_said (text, text) is
  'Returns a text that people will read, or raises ZA004 for an empty or deceptive '
  'one.';


create or replace function agentdb._add_change (
  agent bigint,
  run bigint,
  reason text,
  automatic boolean
)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_change_id bigint;
  v_state text;
  v_max_pending integer;
  v_max_rows integer;
begin
  if agent is not null then
    select p.max_pending_changes, p.max_change_rows into v_max_pending, v_max_rows
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
    where a.agent_id = agent
    for no key update of a;
    if (
      select count(*) >= v_max_pending from agentdb.change as c
      where c.proposed_by = session_user
        and c.agent_id = agent
        and c.state in ('open', 'pending', 'approved')
    ) then
      raise exception 'the agent has % changes that are not decided yet', v_max_pending
        using errcode = 'ZA005',
              detail = format('policy.max_pending_changes is %s.', v_max_pending),
              hint = 'Wait for the reviewers, put many rows into one change '
                '(agentdb.open_change), or withdraw what is obsolete: '
                'select * from agentdb.withdraw_change(change => …);';
    end if;
  end if;
  insert into agentdb.change as c (
    kind, automatic, agent_id, run_id, reason, max_rows, expires_at
  )
  values (
    'stage', automatic, agent, run, agentdb._check_said(reason, 'reason'), v_max_rows,
    clock_timestamp() + interval '24 hours'
  )
  returning c.change_id into v_change_id;
  select c.state into v_state from agentdb.change as c where c.change_id = v_change_id;
  if v_state <> 'open' then
    perform agentdb._refuse(
      'constraints are immediate here, so a change would end at its first row',
      'set constraints all deferred; or stage in a transaction of its own.');
  end if;
  return v_change_id;
end;
$$;

comment on function agentdb._add_change (bigint, bigint, text, boolean) is
  'Adds an open change; raises ZA004 or ZA005.';


-- Found by the transaction where it has staged a row already.
create or replace function agentdb._current_change (
  out change_id bigint,
  out agent_id bigint,
  out max_rows integer
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_proposer record;
  v_bound bigint := agentdb._bound_run();
begin
  select c.change_id, c.agent_id, c.max_rows
    into _current_change.change_id, _current_change.agent_id, _current_change.max_rows
  from agentdb.change as c
  where c.proposed_by = session_user
    and c.state = 'open'
    and c.xid = pg_current_xact_id()
    and (v_bound is null or c.run_id = v_bound);
  if found then
    return;
  end if;
  select p.* into v_proposer from agentdb._proposer() as p;
  update agentdb.change as c
  set xid = pg_current_xact_id()
  where c.proposed_by = session_user
    and c.state = 'open'
    and not c.automatic
    and c.run_id is not distinct from v_proposer.run_id
    and c.expires_at > clock_timestamp()
  returning c.change_id, c.agent_id, c.max_rows
    into _current_change.change_id, _current_change.agent_id, _current_change.max_rows;
  if not found then
    change_id := agentdb._add_change(v_proposer.agent_id, v_proposer.run_id, coalesce(
      nullif(current_setting('agentdb.change_reason', true), ''),
      (select r.purpose from agentdb.run as r where r.run_id = v_proposer.run_id),
      'no reason given'), true);
    select c.agent_id, c.max_rows
      into _current_change.agent_id, _current_change.max_rows
    from agentdb.change as c where c.change_id = _current_change.change_id;
  end if;
end;
$$;

comment on function agentdb._current_change () is
  'The change that takes the rows the session stages now; begins one that is submitted '
  'at commit.';
