-- What happens to changes by themselves: application by the runner, expiry, retention.

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
  delete from agentdb.change_read as r
  using agentdb.change as c
  where c.change_id = r.change_id
    and c.closed_at < clock_timestamp() - keep;
  delete from agentdb.change_table as t
  using agentdb.change as c
  where c.change_id = t.change_id
    and c.closed_at < clock_timestamp() - keep;
  delete from agentdb.change_decision as d
  using agentdb.change as c
  where c.change_id = d.change_id
    and c.closed_at < clock_timestamp() - keep;
  delete from agentdb.change as c where c.closed_at < clock_timestamp() - keep;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function agentdb._forget_changes (interval) is
  'Removes changes that ended before the retention; returns how many.';
