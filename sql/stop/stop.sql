-- Stop: what killing and pausing have in common: a reason, a trace for older snapshots,
-- a log, and the end of a run.

-- Called by every stop, before it commits: see _check_snapshot() and
-- agent/stop_seen.sql.
-- First the transaction, then the number: who has read a number and then finds the
-- transaction in its snapshot has seen all stops up to that number.
create or replace function agentdb._note_stop ()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_last bigint;
begin
  lock table agentdb.agent_stop in share row exclusive mode;
  select s.last_value into v_last from agentdb.stop_last_seq as s;
  if v_last > 2 and pg_xact_status(v_last::text::xid8) = 'committed' then
    perform setval('agentdb.stop_former_seq', v_last);
  end if;
  perform setval('agentdb.stop_last_seq', pg_current_xact_id()::text::bigint);
  perform nextval('agentdb.stop_number_seq');
end;
$$;

comment on function agentdb._note_stop () is
  'Leaves the transaction and the number of a stop where older snapshots find them; '
  'stops go one at a time.';


-- Also of a stop by hand.  The functions do it before they write, so that two of them
-- cannot deadlock.
create or replace function agentdb._note_any_stop ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._note_stop();
  return null;
end;
$$;

comment on function agentdb._note_any_stop () is
  'Trigger function: no stop goes unnoticed, whoever writes it.';


create or replace trigger agentdb_note
  before insert or update of run_id
  on agentdb.run_stop
  for each statement execute function agentdb._note_any_stop();

create or replace trigger agentdb_note
  before insert or update of agent_id
  on agentdb.agent_stop
  for each statement execute function agentdb._note_any_stop();


create or replace function agentdb._log_stop (
  agent bigint,
  run bigint,
  action text,
  reason text,
  details jsonb
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.stop_log (agent_id, run_id, action, reason, stopped_by, details)
  values (agent, run, action, agentdb._clean_text(reason, 500), agentdb._said_by(),
    details);
$$;

comment on function agentdb._log_stop (bigint, bigint, text, text, jsonb) is
  'Writes down who stopped what, and why.';


-- What the run itself has locked is left to drain_run(): a stop waits for nobody.
create or replace function agentdb._end_killed (run bigint)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_released jsonb;
begin
  select e.released into v_released
  from agentdb._end_run(run, 'killed', (
    select format('%s: %s', s.stopped_by, s.reason)
    from agentdb.run_stop as s where s.run_id = run)) as e;
  return coalesce(v_released, agentdb._release_again(run));
end;
$$;

comment on function agentdb._end_killed (bigint) is
  'Ends a killed run, unless the run itself is just being changed, releases what it '
  'holds and says what that was.';
