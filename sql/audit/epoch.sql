-- Epochs: transactions are numbered by a server, and those of another one, from which a
-- dump came, mean nothing here.  What was recorded before is settled: all that a dump
-- has was committed.

-- A copy of a database within a server goes on with the same numbers.
create or replace function agentdb._place_now (
  out system_identifier text,
  out schema_oid oid
)
  language sql
  stable
begin atomic
  select s.system_identifier::text, 'agentdb'::regnamespace::oid
  from pg_control_system() as s;
end;

comment on function agentdb._place_now () is
  'Where this installation is: on which server, and in what schema of it.';


-- What of the logs no roll-up has counted is counted now, and what is recorded from now
-- on goes by the transactions of this server.
create or replace function agentdb._settle_logs ()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform from agentdb.roll_up_state as s for update;
  perform agentdb._roll_up_all('9223372036854775807:9223372036854775807:');
  update agentdb.roll_up_state as s
  set counted = agentdb._snapshot_now(), from_at = clock_timestamp();
  update agentdb.tool_check_state as s
  set checked = agentdb._snapshot_now(), seen = null, last_xid = null, last_call = null;
  update agentdb.suspension as s
  set settle_xid = null
  where s.recorded_again_at is null;
  -- Who compared a snapshot with the last stop had a session, and that is over.
  perform setval('agentdb.stop_last_seq', 0), setval('agentdb.stop_former_seq', 0);
end;
$$;

comment on function agentdb._settle_logs () is
  'Makes nothing depend any more on transactions of the server before.';


create or replace function agentdb._draw_epoch ()
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_place record;
begin
  select * into v_place from agentdb._place_now() as p;
  for v_attempt in 1 .. 2 loop
    if v_place = (
      select (e.system_identifier, e.schema_oid)
      from agentdb.epoch as e order by e.epoch_id desc limit 1) then
      return;
    elsif v_attempt = 1 then
      lock table agentdb.epoch in share row exclusive mode;
    end if;
  end loop;
  if exists (select from agentdb.epoch) then
    perform agentdb._settle_logs();
  end if;
  insert into agentdb.epoch (system_identifier, schema_oid, first_audit_log_id)
  values (v_place.system_identifier, v_place.schema_oid,
    coalesce(pg_sequence_last_value('agentdb.audit_log_audit_log_id_seq'), 0) + 1);
end;
$$;

comment on function agentdb._draw_epoch () is
  'Begins a new epoch where this is not the server, or not the schema, in which the '
  'last one began.';


-- first is the number of the first row of the log that is of an epoch, last the last.
create or replace view agentdb.epoch_span as
  select e.epoch_id, e.first_audit_log_id as first,
    lead(e.first_audit_log_id, 1, 9223372036854775807)
      over (order by e.epoch_id) - 1 as last
  from agentdb.epoch as e;

comment on view agentdb.epoch_span is
  'Which rows of audit_log are of an epoch.';
comment on column agentdb.epoch_span.epoch_id is
  'The epoch.';
comment on column agentdb.epoch_span.first is
  'The first number that a row of it can have.';
comment on column agentdb.epoch_span.last is
  'The last one.';


create or replace function agentdb._epoch_now ()
  returns integer
  language sql
  stable
begin atomic
  select max(e.epoch_id) from agentdb.epoch as e;
end;

comment on function agentdb._epoch_now () is
  'The present epoch.';


create or replace function agentdb._is_within (
  audit_log_id bigint,
  xid xid8,
  snapshot pg_snapshot,
  first bigint,
  last bigint
)
  returns boolean
  language sql
  immutable
  return case
    when audit_log_id < first then true
    when audit_log_id > last then false
    else pg_visible_in_snapshot(xid, snapshot)
  end;

comment on function agentdb._is_within (bigint, xid8, pg_snapshot, bigint, bigint) is
  'Whether a row of the log was committed for a snapshot of an epoch, which has the '
  'rows from first to last.';


select agentdb._draw_epoch();
