-- What a run need not ask anew at each call: whether somebody was stopped since it
-- began.  Its row has the number of the last stop there had been: a call compares it
-- with the sequence from which every stop takes its number before it commits.  Where
-- they differ the stops themselves are read.  It is no transaction: those of a server
-- count anew after a dump is restored.

-- A stop in flight is none that could have been seen.  Stops go one at a time: one that
-- is over is later than all others.  The number is read first, see _note_stop().
create or replace function agentdb._last_stop ()
  returns bigint
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_number bigint := coalesce(pg_sequence_last_value('agentdb.stop_number_seq'), 0);
  v_xid bigint := coalesce(pg_sequence_last_value('agentdb.stop_last_seq'), 0);
begin
  if current_setting('transaction_isolation') = 'read committed'
    and pg_visible_in_snapshot(greatest(v_xid, 3)::text::xid8, pg_current_snapshot())
  then
    return v_number;
  end if;
  return null;
end;
$$;

comment on function agentdb._last_stop () is
  'The number of the last stop, if this snapshot and all later ones of the transaction '
  'see it, else NULL.';


-- Who was killed goes on under no other name, also one that it had before.
create or replace function agentdb._shares_killed_session (run bigint)
  returns boolean
  language sql
  stable
  return exists (
    select
    from agentdb.run_session as s
    join agentdb.run_session as o
      on (o.pid, o.backend_started_at, o.server_started_at)
        = (s.pid, s.backend_started_at, s.server_started_at)
    join agentdb.run_stop as k on k.run_id = o.run_id and k.kind = 'killed'
    where s.run_id = run
      and o.run_id <> run
      and s.joined_at < k.stopped_at
  );

comment on function agentdb._shares_killed_session (bigint) is
  'Tells whether a session of a run was one of another that was killed since.';


-- Without this, every run that a stop did not concern would read the stops until its
-- end.
create or replace function agentdb._pass_stop ()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_last bigint := agentdb._last_stop();
begin
  if v_last is null or exists (
    select from agentdb.roll_up_state as s where s.stop_passed = v_last
  ) then
    return;
  end if;
  update agentdb.run as r
  set stop_seen = v_last
  where r.run_id in (
    select o.run_id
    from agentdb.run as o
    where o.ended_at is null
      and o.stop_seen <> v_last
      and not exists (select from agentdb.run_stop as s where s.run_id = o.run_id)
      and not exists (select from agentdb.agent_stop as s where s.agent_id = o.agent_id)
      and not agentdb._shares_killed_session(o.run_id)
    for no key update skip locked
  );
  update agentdb.roll_up_state as s
  set stop_passed = v_last;
end;
$$;

comment on function agentdb._pass_stop () is
  'Tells the open runs that the last stop was not theirs; the runner calls it with '
  'every roll-up.';


-- An older snapshot sees no stop, but the sequence is no part of it.  One CASE, because
-- a condition of its own would be a step of the plan.
create or replace function agentdb._is_unstopped (stop_seen bigint)
  returns boolean
  language sql
  volatile
  return stop_seen = case
    when coalesce(current_setting('agentdb.run_token', true), '') = ''
    then coalesce(pg_sequence_last_value('agentdb.stop_number_seq'), 0)
  end;

comment on function agentdb._is_unstopped (bigint) is
  'Tells whether nobody was stopped since that number of a stop, and no token is '
  'bound; inlined into what asks.';
