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


create or replace function agentdb._add_change (
  agent bigint,
  run bigint,
  reason text,
  automatic boolean,
  out change_id bigint,
  out max_rows integer
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_state text;
  v_max_pending integer;
  v_strict boolean := true;
begin
  if agent is not null then
    select p.max_pending_changes, p.max_change_rows, p.change_binding = 'strict'
      into v_max_pending, _add_change.max_rows, v_strict
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
    kind, automatic, agent_id, run_id, reason, max_rows, strict, expires_at
  )
  values (
    'stage', automatic, agent, run, agentdb._check_said(reason, 'reason', 2000),
    _add_change.max_rows, v_strict, clock_timestamp() + interval '24 hours'
  )
  returning c.change_id into _add_change.change_id;
  select c.state into v_state
  from agentdb.change as c where c.change_id = _add_change.change_id;
  if v_state <> 'open' then
    perform agentdb._refuse(
      'constraints are immediate here, so a change would end at its first row',
      'set constraints all deferred; or stage in a transaction of its own.');
  end if;
end;
$$;

comment on function agentdb._add_change (bigint, bigint, text, boolean) is
  'Adds an open change; raises ZA004 or ZA005.';


-- Found by the transaction where it has staged a row already.
create or replace function agentdb._current_change (
  out change_id bigint,
  out agent_id bigint,
  out max_rows integer,
  out alone boolean
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_proposer record;
  v_bound bigint := agentdb._bound_run();
  v_former record;
  v_reason text;
  v_added record;
begin
  select c.change_id, c.agent_id, c.run_id, c.max_rows, c.xid, c.state
    into v_former
  from agentdb.change as c
  where c.proposed_by = session_user
    and c.state in ('open', 'pending', 'approved')
  order by c.state = 'open' and c.xid = pg_current_xact_id()
      and (v_bound is null or c.run_id = v_bound) desc,
    c.state = 'open' desc
  limit 1;
  alone := not found;
  if v_former.state = 'open' and v_former.xid = pg_current_xact_id()
    and (v_bound is null or v_bound = v_former.run_id) then
    change_id := v_former.change_id;
    agent_id := v_former.agent_id;
    max_rows := v_former.max_rows;
    return;
  end if;
  v_proposer := agentdb._proposer();
  agent_id := v_proposer.agent_id;
  if v_former.state = 'open' then
    update agentdb.change as c
    set xid = pg_current_xact_id()
    where c.proposed_by = session_user
      and c.state = 'open'
      and not c.automatic
      and c.run_id is not distinct from v_proposer.run_id
      and c.expires_at > clock_timestamp()
    returning c.change_id, c.agent_id, c.max_rows
      into _current_change.change_id, _current_change.agent_id,
        _current_change.max_rows;
    if found then
      return;
    end if;
    agent_id := v_proposer.agent_id;
  end if;
  v_reason := nullif(current_setting('agentdb.change_reason', true), '');
  if v_reason is null then
    select r.purpose into v_reason
    from agentdb.run as r where r.run_id = v_proposer.run_id;
  end if;
  v_added := agentdb._add_change(v_proposer.agent_id, v_proposer.run_id,
    coalesce(v_reason, 'no reason given'), true);
  change_id := v_added.change_id;
  max_rows := v_added.max_rows;
end;
$$;

comment on function agentdb._current_change () is
  'The change that takes the rows the session stages now; begins one that is submitted '
  'at commit.';


create or replace function agentdb._refuse_state (
  change bigint,
  state text,
  wanted text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if state is null then
    raise exception 'there is no change %', coalesce(change::text, 'NULL')
      using errcode = 'ZA006',
            hint = 'select * from agentdb.waiting_changes(); lists what waits.';
  end if;
  raise exception 'change % is %, not %', change, state, wanted
    using errcode = 'ZA053',
          hint = 'Nothing is left to do for it here; look at it: select * from '
            'agentdb.show_change(change => ' || change || ');';
end;
$$;

comment on function agentdb._refuse_state (bigint, text, text) is
  'Raises ZA053 for a change that is not in the state a call needs, ZA006 where there '
  'is none.';


create or replace function agentdb._close_change (
  change bigint,
  state text,
  problem jsonb default null
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update agentdb.change as c
  set state = _close_change.state,
      problem = _close_change.problem,
      closed_at = clock_timestamp()
  where c.change_id = _close_change.change;
$$;

comment on function agentdb._close_change (bigint, text, jsonb) is
  'Ends a change.';


-- Behind a shared role the token tells which agent reads; else the role does.
create or replace function agentdb._known_writer (out agent_id bigint)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_bound bigint := agentdb._bound_run();
begin
  if v_bound is not null then
    select r.agent_id into _known_writer.agent_id
    from agentdb.run as r
    where r.run_id = v_bound and r.role_name = session_user;
  end if;
  if agent_id is null then
    select a.agent_id into _known_writer.agent_id
    from agentdb.agent as a
    where a.role_name = session_user and not a.pooled;
  end if;
end;
$$;

comment on function agentdb._known_writer () is
  'The agent of a session, by the bound token or by its role.';


create or replace function agentdb.open_change (reason text)
  returns table (change_id bigint, expires_at timestamptz)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_proposer record;
  v_open bigint;
begin
  select p.* into v_proposer from agentdb._proposer() as p;
  -- Behind its lock on the agent nobody else opens one.
  select a.change_id into open_change.change_id
  from agentdb._add_change(v_proposer.agent_id, v_proposer.run_id, open_change.reason,
    false) as a;
  select c.change_id into v_open
  from agentdb.change as c
  where c.proposed_by = session_user
    and c.state = 'open'
    and c.run_id is not distinct from v_proposer.run_id
    and c.expires_at > clock_timestamp()
    and c.change_id <> open_change.change_id;
  if v_open is not null then
    perform agentdb._refuse(format('change %s is open already', v_open),
      format('Finish it first: select * from agentdb.submit_change(); or select * '
        'from agentdb.withdraw_change(change => %s);', v_open));
  end if;
  select c.expires_at into open_change.expires_at
  from agentdb.change as c where c.change_id = open_change.change_id;
  return next;
end;
$$;

comment on function agentdb.open_change (text) is
  'Opens a change that takes everything the run stages until submit_change(), also '
  'over several transactions; raises ZA001, ZA004 or ZA005.';
