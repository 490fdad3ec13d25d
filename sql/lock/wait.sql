-- Waiting for a lock.  Who waits says so; who released a lock is told how many wait,
-- and wakes them in a transaction of its own: a NOTIFY among other writes could make
-- them fail.

create or replace function agentdb._waiters (name text)
  returns bigint
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select count(*) from agentdb.lock_waiter as w
    where w.lock_name = name and w.until_at > clock_timestamp()
  );
end;
$$;

comment on function agentdb._waiters (text) is
  'How many runs wait for a lock.';


-- Nobody waits for longer than a day.  Where nobody began to in the day before the lock
-- was acquired, which its fence tells, there is nothing to count; that would be a sixth
-- of what a release costs.
create or replace function agentdb._waiting (name text, fence bigint)
  returns bigint
  language sql
  volatile
  return case
    when pg_sequence_last_value('agentdb.lock_wait_seq') > fence
    then agentdb._waiters(name)
    else 0
  end;

comment on function agentdb._waiting (text, bigint) is
  'How many runs wait for a lock that was held under a fence; inlined into what asks.';


create or replace function agentdb.begin_wait (
  name text,
  at_most interval default '1 minute',
  run bigint default null
)
  returns table (until_at timestamptz)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_run_id bigint;
  v_agent_id bigint;
begin
  if not agentdb._is_clean_name(name, 200) then
    perform agentdb._refuse('this is no name for a lock',
      'Use 1 to 200 visible characters on one line.');
  elsif at_most is null or at_most <= '0' or at_most > '1 day' then
    perform agentdb._refuse(
      format('at_most must be between 0 and 1 day, got %s',
        coalesce(at_most::text, 'NULL')),
      'Give the longest time that you will wait.'
    );
  end if;
  select c.run_id, c.agent_id into v_run_id, v_agent_id
  from agentdb._current_run(begin_wait.run) as c;
  if (
    select count(*) from agentdb.lock_waiter as w where w.run_id = v_run_id
  ) >= 1000 then
    -- Who died while it waited never said so.
    delete from agentdb.lock_waiter as w
    where w.run_id = v_run_id and w.until_at < clock_timestamp();
    if not found then
      raise exception 'run % waits for 1000 locks already', v_run_id
        using errcode = 'ZA005',
              hint = format('select agentdb.end_wait(name => %L, run => %s);', (
                select min(w.lock_name) from agentdb.lock_waiter as w
                where w.run_id = v_run_id), v_run_id);
    end if;
  end if;
  perform setval('agentdb.lock_wait_seq',
    agentdb._next_fence(0, 0, clock_timestamp() + interval '1 day'));
  insert into agentdb.lock_waiter as w (lock_name, run_id, agent_id, until_at)
  values (begin_wait.name, v_run_id, v_agent_id, clock_timestamp() + at_most)
  on conflict on constraint lock_waiter_pkey do update
  set until_at = excluded.until_at
  returning w.until_at into begin_wait.until_at;
  return next;
end;
$$;

comment on function agentdb.begin_wait (text, interval, bigint) is
  'Says that the run waits for a lock; wait_for_lock of the Python client does it; '
  'raises ZA001, ZA003, ZA004 or ZA005.';


create or replace function agentdb.end_wait (name text, run bigint default null)
  returns table (waited boolean)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_run_id bigint;
begin
  select c.run_id into v_run_id from agentdb._current_run(end_wait.run) as c;
  delete from agentdb.lock_waiter as w
  where w.lock_name = name and w.run_id = v_run_id;
  waited := found;
  return next;
end;
$$;

comment on function agentdb.end_wait (text, bigint) is
  'Says that the run waits no longer for a lock; raises ZA001 or ZA003.';


create or replace function agentdb._end_waits (run bigint)
  returns text[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_names text[];
begin
  with ended as (
    delete from agentdb.lock_waiter as w
    where w.run_id = _end_waits.run
      and w.lock_name = any (array(
        select o.lock_name from agentdb.lock_waiter as o
        where o.run_id = _end_waits.run
        for update skip locked
      ))
    returning w.lock_name
  )
  select array_agg(e.lock_name) into v_names from ended as e;
  return v_names;
end;
$$;

comment on function agentdb._end_waits (bigint) is
  'Ends the waits of a run that is over and returns for which locks they were.';


create or replace function agentdb.wake_waiters (name text, run bigint default null)
  returns table (woken bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform from agentdb._current_run(wake_waiters.run);
  woken := agentdb._waiters(name);
  if woken > 0 then
    perform pg_notify('agentdb_lock', name);
  end if;
  return next;
end;
$$;

comment on function agentdb.wake_waiters (text, bigint) is
  'Tells those who wait for a lock to try again, in a transaction of its own after a '
  'release; raises ZA001 or ZA003.';
