-- What the end of a run releases, in whatever way it ends: a trigger of the run sees to
-- it.  Nothing waits: a row that somebody is changing is left to them, and to the next
-- sweep.

create or replace function agentdb._named (names text[])
  returns jsonb
  language sql
  immutable
  return case
    when cardinality(names) > 0
    then jsonb_build_object('count', cardinality(names), 'names', to_jsonb(names[1:20]))
  end;

comment on function agentdb._named (text[]) is
  'How many things there are and the names of the first 20, NULL for none.';


-- Locks of a crashed run wait for their time to be over, unless it said otherwise: a
-- session that is gone does not prove that the work has stopped.
create or replace function agentdb._release_run (run bigint, agent bigint, outcome text)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_locks text[];
  v_slots text[];
begin
  select
    array_agg(l.lock_name order by l.lock_name) filter (where l.slot = 0),
    array_agg(l.lock_name || ' slot ' || l.slot order by l.lock_name, l.slot)
      filter (where l.slot > 0)
    into v_locks, v_slots
  from agentdb._release_locks(run, agent, case
    when outcome in ('succeeded', 'failed', 'cancelled') then 'run_ended'
    else outcome end) as l;
  return jsonb_strip_nulls(jsonb_build_object(
    'locks', agentdb._named(v_locks),
    'slots', agentdb._named(v_slots),
    'waits', agentdb._named(agentdb._end_waits(run)),
    'reservations', agentdb._cancel_reservations(run),
    'calls', agentdb._named(agentdb._close_calls(run, outcome)),
    'changes', agentdb._named(agentdb._withdraw_unfinished(run, outcome))));
end;
$$;

comment on function agentdb._release_run (bigint, bigint, text) is
  'Releases what a run holds that has this outcome, and says what that was.';


create or replace function agentdb._release_at_end ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  new.released := agentdb._release_run(new.run_id, new.agent_id, new.outcome);
  -- A statement of its own, which sees what is left.
  new.released := new.released || jsonb_strip_nulls(jsonb_build_object(
    'kept_locks', agentdb._named(array(
      select l.lock_name || coalesce(' slot ' || nullif(l.slot, 0), '')
      from agentdb.lock as l
      where l.agent_id = new.agent_id and l.run_id = new.run_id
      order by l.lock_name, l.slot)),
    -- They are closed by the end itself.
    'questions', agentdb._named(array(
      select 'Q-' || q.question_id
      from agentdb.question as q
      where q.run_id = new.run_id and q.answer is null
      order by q.question_id))));
  return new;
end;
$$;

comment on function agentdb._release_at_end () is
  'Trigger function: a run that ends releases what it held.';


create or replace trigger agentdb_release
  before update of ended_at
  on agentdb.run
  for each row
  when (old.ended_at is null and new.ended_at is not null)
  execute function agentdb._release_at_end();


create or replace function agentdb._add_released (former jsonb, more jsonb)
  returns jsonb
  language sql
  immutable
  return coalesce(former, '{}') || (
    select coalesce(jsonb_object_agg(m.key, case
      when former ? m.key then jsonb_strip_nulls(jsonb_build_object(
        'count', (former #>> array[m.key, 'count'])::bigint
          + (m.value ->> 'count')::bigint,
        'tokens', (former #>> array[m.key, 'tokens'])::bigint
          + (m.value ->> 'tokens')::bigint,
        'names', jsonb_path_query_array(
          (former #> array[m.key, 'names']) || (m.value -> 'names'), '$[0 to 19]')))
      else m.value
    end), '{}')
    from jsonb_each(more) as m
  );

comment on function agentdb._add_released (jsonb, jsonb) is
  'Adds to what the end of a run has released.';


create or replace function agentdb._release_again (run bigint)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_more jsonb;
begin
  -- A run that cannot be ended yet, because it is itself at its row, was killed.
  select agentdb._release_run(r.run_id, r.agent_id, coalesce(r.outcome, 'killed'))
    into v_more
  from agentdb.run as r where r.run_id = _release_again.run;
  if v_more <> '{}' then
    update agentdb.run as r
    set released = agentdb._add_released(r.released, v_more)
    where r.run_id in (
      select o.run_id from agentdb.run as o
      where o.run_id = _release_again.run and o.ended_at is not null
      for no key update skip locked
    );
  end if;
  return v_more;
end;
$$;

comment on function agentdb._release_again (bigint) is
  'Releases what the end of a run had to leave, and says what that was.';


-- What a session was just taking for a run when another session ended it.
create or replace function agentdb._unreleased_run ()
  returns table (run_id bigint)
  language sql
  stable
begin atomic
  select l.run_id
  from agentdb.lock as l
  join agentdb.run as r on r.run_id = l.run_id and r.ended_at is not null
  where r.outcome <> 'crashed' or l.release_on_disconnect
    or l.expires_at <= clock_timestamp()
  union
  select w.run_id
  from agentdb.lock_waiter as w
  join agentdb.run as r on r.run_id = w.run_id and r.ended_at is not null
  union
  select v.run_id
  from agentdb.token_reservation as v
  join agentdb.run as r on r.run_id = v.run_id and r.ended_at is not null
  where v.settled_at is null and v.expires_at > clock_timestamp()
  union
  select c.run_id
  from agentdb.tool_call as c
  join agentdb.run as r on r.run_id = c.run_id and r.ended_at is not null
  where c.ended_at is null
  union
  select c.run_id
  from agentdb.change as c
  join agentdb.run as r on r.run_id = c.run_id and r.ended_at is not null
  where c.state = 'open'
    or c.state in ('pending', 'approved') and r.outcome = 'killed';
end;

comment on function agentdb._unreleased_run () is
  'Runs that have ended and still hold something that their end should have released.';


create or replace function agentdb._release_ended ()
  returns table (run_id bigint, released jsonb)
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  select r.run_id, r.released
  from (
    select u.run_id, agentdb._release_again(u.run_id) as released
    from agentdb._unreleased_run() as u
  ) as r
  where r.released <> '{}';
$$;

comment on function agentdb._release_ended () is
  'Releases what runs that have ended still hold.';
