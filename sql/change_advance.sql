-- What happens to changes by themselves: submission at commit, application by the
-- runner, expiry, withdrawal when their run is killed.

create or replace function agentdb._submit (change bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_state text;
  v_count bigint;
  v_basis bigint[];
  v_end record;
  v_again record;
begin
  select c.state into v_state
  from agentdb.change as c where c.change_id = change for no key update;
  select count(*) into v_count
  from agentdb.change_row as r where r.change_id = change;
  if v_state <> 'open' then
    return;
  elsif v_count = 0 then
    perform agentdb._close_change(change, 'withdrawn');
    return;
  end if;
  perform agentdb._note_tables(change);
  v_basis := agentdb._basis(change);
  select a.* into v_end
  from agentdb._attempt(change, v_basis, true, false, null) as a;
  if v_end.problem ->> 'sqlstate' = '23503' then
    -- The row that is referred to may be staged by an earlier change.
    v_basis := agentdb._earlier_changes(change);
    select a.* into v_again
    from agentdb._attempt(change, v_basis, true, false, null) as a;
    if v_again.problem is null then
      v_end := v_again;
    end if;
  end if;
  if v_end.problem is not null then
    perform agentdb._refuse_change(change, v_end.problem);
  end if;
  perform agentdb._end_submit(change, v_count, v_end.effects, v_basis);
end;
$$;

comment on function agentdb._submit (bigint) is
  'Tries an open change and makes it pending, or applies it where nobody needs to '
  'approve it.';


create or replace function agentdb._earlier_changes (change bigint)
  returns bigint[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(o.change_id order by o.change_id), '{}')
  from agentdb.change as c
  join agentdb.change as o
    on o.proposed_by = c.proposed_by
    and o.agent_id is not distinct from c.agent_id
    and o.change_id < c.change_id
    and o.state in ('pending', 'approved')
  where c.change_id = _earlier_changes.change;
$$;

comment on function agentdb._earlier_changes (bigint) is
  'All undecided changes of the same proposer before a change.';


create or replace function agentdb._end_submit (
  change bigint,
  row_count bigint,
  effects jsonb,
  basis bigint[]
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_apply text;
begin
  update agentdb.change as c
  set state = case when g.approvals is null then 'approved' else 'pending' end,
      row_count = _end_submit.row_count,
      effects = _end_submit.effects,
      builds_on = basis,
      approvals = coalesce(g.approvals, 0),
      apply = coalesce(g.apply, 'hand'),
      expires_at = clock_timestamp() + coalesce(g.expires, interval '24 hours'),
      submitted_at = clock_timestamp(),
      digest = agentdb._change_digest(change)
  from (
    -- The strictest of its tables decides.
    select max(g.approvals) as approvals, min(g.expires) as expires,
      -- What agentdb_applier may not write, somebody applies who may.
      case when bool_or(g.apply = 'hand') or not agentdb._all_guarded(change)
          then 'hand'
        when bool_or(g.apply = 'runner') then 'runner' else 'approval' end as apply
    from agentdb.guarded_table as g
    where g.audit_target_id in (
        select t.audit_target_id from agentdb.change_table as t
        where t.change_id = change)
      -- Those that only a cascade or a trigger writes as well.
      or _end_submit.effects ?| array[g.table_name || ' inserted',
        g.table_name || ' updated', g.table_name || ' deleted']
  ) as g
  where c.change_id = change
  returning c.apply into v_apply;
  if agentdb._is_harmless(change) then
    update agentdb.change as c
    set state = 'approved', approvals = 0
    where c.change_id = change;
    if v_apply = 'approval' then
      perform agentdb._apply(change);
    end if;
  end if;
end;
$$;

comment on function agentdb._end_submit (bigint, bigint, jsonb, bigint[]) is
  'Writes down what a change was tried to do and what it needs.';


-- All that it calls is planned once a session.
create or replace function agentdb._submit_at_commit ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
  set plan_cache_mode = force_generic_plan
as $$
begin
  perform agentdb._submit(new.change_id);
  return null;
end;
$$;

comment on function agentdb._submit_at_commit () is
  'Trigger function: a change that was staged without open_change() ends with its '
  'transaction.';


drop trigger if exists agentdb_submit on agentdb.change;

create constraint trigger agentdb_submit
  after insert
  on agentdb.change
  deferrable initially deferred
  for each row
  when (new.automatic)
  execute function agentdb._submit_at_commit();

alter table agentdb.change enable always trigger agentdb_submit;


-- One that fails keeps no other from being applied, nor one that takes long: it comes
-- last the next time.
create or replace function agentdb.advance_changes ()
  returns table (change_id bigint, state text, problem text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  return query
    update agentdb.change as c
    set state = 'expired', closed_at = clock_timestamp()
    where c.change_id in (
      select o.change_id from agentdb.change as o
      where o.state in ('open', 'pending', 'approved')
        and o.expires_at <= clock_timestamp()
      for no key update skip locked
    )
    returning c.change_id, c.state, null::text;
  for advance_changes.change_id in
    select c.change_id
    from agentdb.change as c
    where c.state = 'approved'
      and c.apply <> 'hand'
      and not exists (
        select from agentdb.change as o
        where o.change_id = any (c.builds_on)
          and o.state in ('open', 'pending', 'approved'))
      and not exists (select from agentdb.run_stop as s where s.run_id = c.run_id)
    order by c.problem is not null, c.change_id
    limit 100
    for no key update skip locked
  loop
    -- All are committed together, before the runner's statement_timeout.
    exit when clock_timestamp() > statement_timestamp() + interval '10 seconds';
    problem := null;
    begin
      perform agentdb._apply(advance_changes.change_id);
    exception when others or query_canceled then
      problem := sqlerrm;
      update agentdb.change as c
      set problem = jsonb_build_object('sqlstate', sqlstate, 'message', sqlerrm)
      where c.change_id = advance_changes.change_id;
    end;
    select c.state, coalesce(advance_changes.problem, c.problem ->> 'message')
      into advance_changes.state, advance_changes.problem
    from agentdb.change as c where c.change_id = advance_changes.change_id;
    return next;
  end loop;
end;
$$;

comment on function agentdb.advance_changes () is
  'Ends changes that have expired and applies approved ones that wait for the runner, '
  'which calls it.';


-- Waits for nobody: who holds a change now is waited for by drain_run().
create or replace function agentdb._withdraw_changes (agent bigint, run bigint)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_count bigint;
begin
  update agentdb.change as c
  set state = 'withdrawn',
      closed_at = clock_timestamp(),
      problem = jsonb_build_object('message', 'its run was killed')
  where c.change_id in (
    select o.change_id from agentdb.change as o
    where o.state in ('open', 'pending', 'approved')
      and o.agent_id = agent
      and (run is null or o.run_id = run)
    for no key update skip locked
  );
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function agentdb._withdraw_changes (bigint, bigint) is
  'Withdraws the undecided changes of a run, or of all runs of an agent, and returns '
  'how many.';


create or replace function agentdb._forget_changes (keep interval)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_count bigint;
begin
  delete from agentdb.change_row as r
  using agentdb.change as c
  where c.change_id = r.change_id
    and c.closed_at < clock_timestamp() - keep;
  delete from agentdb.change as c where c.closed_at < clock_timestamp() - keep;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function agentdb._forget_changes (interval) is
  'Removes changes that ended before the retention; returns how many.';
