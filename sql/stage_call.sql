-- What a proposer calls: reading its own staged rows, staging by a call, and changes
-- that are built over several transactions.

create or replace function agentdb.staged_rows (target integer)
  returns table (operation text, row_key jsonb, new_values jsonb)
  language plpgsql
  stable
  rows 10
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent_id bigint;
begin
  if not exists (
    select from agentdb.change as c
    where c.proposed_by = session_user and c.state in ('open', 'pending', 'approved')
  ) then
    return;
  end if;
  if agentdb._is_agent() then
    select w.agent_id into v_agent_id from agentdb._known_writer() as w;
  end if;
  return query
    select distinct on (r.row_key, k.nameless)
      coalesce(r.net_operation, r.operation), r.row_key,
      coalesce(r.net_values, r.new_values)
    from agentdb.change as c
    join agentdb.change_row as r on r.change_id = c.change_id
    cross join lateral (
      select case when jsonb_strip_nulls(r.row_key) <> r.row_key
        then concat_ws(' ', r.change_id, r.place) end as nameless
    ) as k
    where c.proposed_by = session_user
      and c.state in ('open', 'pending', 'approved')
      and c.agent_id is not distinct from v_agent_id
      and r.audit_target_id = target
    order by r.row_key, k.nameless, r.change_id desc;
end;
$$;

comment on function agentdb.staged_rows (integer) is
  'What the session itself has staged of a table and is not applied yet; staging views '
  'lay it over the table.';


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


create or replace function agentdb.staging_view (relation regclass)
  returns text
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_view text := (
    select format('agentdb_stage.%I', g.view_name)
    from agentdb.guarded_table as g where g.table_oid = relation::oid
  );
begin
  if v_view is null then
    raise exception '% is not guarded', coalesce(relation::text, 'NULL')
      using errcode = 'ZA006', hint = 'Write to it directly.';
  end if;
  return v_view;
end;
$$;

comment on function agentdb.staging_view (regclass) is
  'The view that takes ordinary SQL for a guarded table; raises ZA006.';


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
  open_change.change_id := agentdb._add_change(v_proposer.agent_id, v_proposer.run_id,
    open_change.reason, false);
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


create or replace function agentdb.submit_change ()
  returns table (change_id bigint, state text, row_count integer, effects jsonb)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_proposer record;
begin
  select p.* into v_proposer from agentdb._proposer() as p;
  select c.change_id into submit_change.change_id
  from agentdb.change as c
  where c.proposed_by = session_user
    and c.state = 'open'
    and c.run_id is not distinct from v_proposer.run_id
    and c.expires_at > clock_timestamp();
  if not found then
    perform agentdb._refuse('no change is open',
      'Open one: select * from agentdb.open_change(reason => ''…''); what is staged '
      'without one is submitted when its transaction commits.');
  end if;
  perform agentdb._submit(submit_change.change_id);
  return query
    select c.change_id, c.state, c.row_count, c.effects
    from agentdb.change as c where c.change_id = submit_change.change_id;
end;
$$;

comment on function agentdb.submit_change () is
  'Tries the open change and hands it to the reviewers; raises what the change itself '
  'would raise, ZA001, ZA004 or ZA052.';
