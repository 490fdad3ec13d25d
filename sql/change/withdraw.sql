-- Taking a change back before it is applied.

-- Waits for nobody: who holds a change now is waited for by drain_run().
create or replace function agentdb._withdraw_changes (agent bigint)
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
    for no key update skip locked
  );
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function agentdb._withdraw_changes (bigint) is
  'Withdraws the undecided changes of all runs of an agent and returns how many.';


-- What is submitted waits for its reviewers also when its run has ended, but for a
-- killed one.  What is open, nobody can submit any more; an automatic one ends with its
-- transaction, this very one.
create or replace function agentdb._withdraw_unfinished (run bigint, outcome text)
  returns text[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_killed boolean := outcome = 'killed';
  v_changes text[];
begin
  with withdrawn as (
    update agentdb.change as c
    set state = 'withdrawn',
        closed_at = clock_timestamp(),
        problem = jsonb_build_object('message', case
          when v_killed then 'its run was killed'
          else format('its run ended (%s) before it was submitted', outcome) end)
    where c.change_id = any (array(
      select o.change_id
      from agentdb.change as o
      where o.run_id = _withdraw_unfinished.run
        and (o.state = 'open' and (v_killed or not o.automatic)
          or o.state in ('pending', 'approved') and v_killed)
      for no key update skip locked
    ))
    returning c.change_id
  )
  select array_agg(w.change_id::text order by w.change_id) into v_changes
  from withdrawn as w;
  return v_changes;
end;
$$;

comment on function agentdb._withdraw_unfinished (bigint, text) is
  'Withdraws the changes that the end of their run makes void, and returns which.';


create or replace function agentdb.withdraw_change (change bigint)
  returns table (change_id bigint, state text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_state text;
begin
  select c.state into v_state
  from agentdb.change as c
  where c.change_id = change
    and (c.proposed_by = agentdb._person()
        and c.agent_id is not distinct from (
          select w.agent_id from agentdb._known_writer() as w)
      or pg_has_role(agentdb._person(), 'agentdb_operator', 'usage'))
  for no key update;
  if v_state is null or v_state not in ('open', 'pending', 'approved') then
    perform agentdb._refuse_state(change, v_state, 'undecided');
  end if;
  perform agentdb._close_change(change, 'withdrawn');
  return query select withdraw_change.change, 'withdrawn';
end;
$$;

comment on function agentdb.withdraw_change (bigint) is
  'Takes back a change of one''s own that is not applied yet, or as an operator any; '
  'raises ZA006 or ZA053.';
