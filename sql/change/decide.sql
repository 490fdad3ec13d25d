-- Deciding: two pairs of eyes.  Who approves is not who proposed, by login role, and
-- repeats the digest of what was seen.

create or replace function agentdb._refuse_reviewer (change bigint, problem text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception '% may not decide change %: %', agentdb._person(), change, problem
    using errcode = 'ZA055',
          hint = 'A member of agentdb_reviewer who did not propose it decides, or an '
            'agent that guard_table() names as a validator, in a run of its own.';
end;
$$;

comment on function agentdb._refuse_reviewer (bigint, text) is
  'Raises ZA055 for a session whose decision does not count.';


create or replace function agentdb._reviewer (
  change bigint,
  out agent_id bigint,
  out run_id bigint
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_proposed_by name;
  v_proposer bigint;
  v_agents_role name;
begin
  select c.proposed_by, c.agent_id, a.role_name
    into v_proposed_by, v_proposer, v_agents_role
  from agentdb.change as c
  left join agentdb.agent as a on a.agent_id = c.agent_id
  where c.change_id = change;
  if agentdb._by_way_of() is not null and agentdb._is_agent() then
    perform agentdb._refuse_reviewer(change, 'an agent decides in a run of its own');
  elsif agentdb._is_agent() then
    perform agentdb._check_seen(change);
    select p.agent_id, p.run_id into _reviewer.agent_id, _reviewer.run_id
    from agentdb._proposer() as p;
    if agent_id = v_proposer then
      perform agentdb._count_refusal('approval', agent_id);
      perform agentdb._refuse_reviewer(change, 'it is of the same agent');
    elsif not agentdb._is_validator(change, agent_id) then
      perform agentdb._refuse_reviewer(change, 'it is no validator of its tables');
    end if;
  elsif not pg_has_role(agentdb._person(), 'agentdb_reviewer', 'usage') then
    perform agentdb._refuse_reviewer(change, 'it is no reviewer');
  end if;
  if agentdb._person() in (v_proposed_by, v_agents_role) then
    perform agentdb._count_refusal('approval', agent_id, agentdb._person());
    perform agentdb._refuse_reviewer(change, 'it proposed it');
  end if;
end;
$$;

comment on function agentdb._reviewer (bigint) is
  'The agent and run that decide a change, NULL for a person; raises ZA001, ZA006 or '
  'ZA055.';


-- Of two who decide at once the second is told who was first.
create or replace function agentdb._refuse_decided (change bigint, state text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_decisions text := (
    select s.decisions from agentdb.change_summary as s where s.change_id = change);
begin
  raise exception 'change % is %, not pending', change, state
    using errcode = 'ZA053',
          detail = coalesce(v_decisions, 'Nobody decided about it.'),
          hint = 'Nothing is left to do for it here; look at it: select * from '
            'agentdb.show_change(change => ' || change || ');';
end;
$$;

comment on function agentdb._refuse_decided (bigint, text) is
  'Raises ZA053 for a change that is not to be decided any more, with who decided it.';


-- True where it is still to be decided; one that has expired is ended.
create or replace function agentdb._begin_decision (
  change bigint,
  decision text,
  digest text,
  comment text
)
  returns boolean
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_change agentdb.change;
  v_reviewer record;
begin
  -- Code that an apply calls runs in the session of a reviewer, and is none.
  if exists (
    select from agentdb.change_pass as p where p.xid = pg_current_xact_id_if_assigned()
  ) then
    perform agentdb._refuse_reviewer(change, 'it is at applying a change');
  end if;
  select c.* into v_change
  from agentdb.change as c where c.change_id = change for no key update;
  if not found then
    perform agentdb._refuse_state(change, null, null);
  end if;
  v_reviewer := agentdb._reviewer(change);
  if v_change.state <> 'pending' then
    perform agentdb._refuse_decided(change, v_change.state);
  elsif v_change.expires_at <= clock_timestamp() then
    perform agentdb._close_change(change, 'expired');
    return false;
  elsif decision = 'approve' and (digest is distinct from v_change.digest
    or agentdb._change_digest(change) is distinct from v_change.digest) then
    perform agentdb._refuse_altered(change);
  end if;
  insert into agentdb.change_decision (
    change_id, reviewer, by_way_of, agent_id, run_id, decision, digest, comment
  )
  values (
    change, agentdb._person(), agentdb._by_way_of(), v_reviewer.agent_id,
    v_reviewer.run_id, decision, v_change.digest,
    case when comment is not null then agentdb._check_said(comment, 'comment', 2000) end
  )
  -- Who has approved may still think better of it.
  on conflict on constraint change_decision_pkey do update
  set decision = excluded.decision,
      by_way_of = excluded.by_way_of,
      comment = excluded.comment,
      decided_at = excluded.decided_at
  where excluded.decision = 'reject';
  if not found then
    raise exception '% has approved change % already', agentdb._person(), change
      using errcode = 'ZA055', hint = 'Somebody else gives the next approval.';
  end if;
  return true;
end;
$$;

comment on function agentdb._begin_decision (bigint, text, text, text) is
  'Writes down a decision; raises ZA004, ZA006, ZA053, ZA054 or ZA055.';


create or replace function agentdb.approve_change (
  change bigint,
  digest text,
  comment text default null
)
  returns table (
    change_id bigint, state text, approvals_missing integer, effects jsonb,
    problem jsonb
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_approvals integer;
  v_state text;
  v_apply text;
begin
  if agentdb._begin_decision(change, 'approve', digest, comment) then
    v_approvals := agentdb._approvals_now(change);
    update agentdb.change as c
    set approvals = v_approvals,
        state = case when v_approvals <= (
            select count(*) from agentdb.change_decision as d
            where d.change_id = change
              and d.decision = 'approve'
              and d.digest = c.digest)
          then 'approved' else c.state end
    where c.change_id = change
    returning c.state, c.apply into v_state, v_apply;
    if v_state = 'approved' and v_apply = 'approval' then
      -- Its digest was compared behind the lock.
      perform agentdb._apply_compared(change, true);
    end if;
  end if;
  return query
    select s.change_id, s.state, s.approvals_missing, s.effects, s.problem
    from agentdb.change_summary as s where s.change_id = change;
end;
$$;

comment on function agentdb.approve_change (bigint, text, text) is
  'Approves a change as it was seen, and applies it where that was the last approval: '
  'state pending, approved, applied, expired or conflict; raises ZA006, ZA040, ZA041, '
  'ZA053, ZA054 or ZA055.';


create or replace function agentdb.reject_change (change bigint, comment text)
  returns table (change_id bigint, state text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._check_said(comment, 'comment', 2000);
  if agentdb._begin_decision(change, 'reject', null, comment) then
    perform agentdb._close_change(change, 'rejected',
      jsonb_build_object('message', comment));
  end if;
  return query
    select c.change_id, c.state from agentdb.change as c where c.change_id = change;
end;
$$;

comment on function agentdb.reject_change (bigint, text) is
  'Rejects a pending change and tells the proposer why; raises ZA004, ZA006, ZA053 or '
  'ZA055.';
