-- Suspended protections: what the trigger functions of the audit, of guards and of
-- fences look for before all else, so that a fault in anything else of ours need not
-- keep an application from writing.  No ALTER TABLE, so it waits for nobody's lock, and
-- it ends by itself.  stop/suspend.sql has the calls.

-- The clock may be set back: a suspension is none before it began.
create or replace function agentdb._suspended (what text, table_oid oid)
  returns table (suspension_id bigint)
  language sql
  stable
begin atomic
  select s.suspension_id
  from agentdb.suspension as s
  where s.what = _suspended.what
    and s.ended_at is null
    and clock_timestamp() >= s.began_at
    and clock_timestamp() < s.ends_at
    and (s.table_oid = _suspended.table_oid
      or s.table_oid in (
        select a.relid from pg_partition_ancestors(_suspended.table_oid) as a));
end;

comment on function agentdb._suspended (text, oid) is
  'The suspension of the audit, guard or fence of a table, or of a table that it is a '
  'partition of; no row where it is in force.';


-- Whoever asks looks first at sequence suspension_seq, 0 where none is open, which
-- costs a write a tenth of a query.  It is raised before a suspension begins.
create or replace function agentdb._is_suspended (what text, table_oid oid)
  returns boolean
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (select from agentdb._suspended(what, table_oid));
end;
$$;

comment on function agentdb._is_suspended (text, oid) is
  'Whether the audit, guard or fence of a table is suspended now.';


-- An older snapshot does not see that a suspension has ended, and could write on
-- without it for as long as its transaction lasts.  The lock fails on a row that
-- changed since, and is let go at once: nobody who ends a suspension waits for it.
create or replace function agentdb._confirm_suspension (what text, table_oid oid)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    begin
      perform from agentdb.suspension as s
      where s.suspension_id in (
        select u.suspension_id
        from agentdb._suspended(
          _confirm_suspension.what, _confirm_suspension.table_oid) as u)
      for share;
      raise exception using errcode = 'ZZ999', message = 'let go';
    exception when sqlstate 'ZZ999' then
      null;
    end;
  end if;
end;
$$;

comment on function agentdb._confirm_suspension (text, oid) is
  'Raises 40001 in a REPEATABLE READ or SERIALIZABLE transaction that is older than '
  'the end of a suspension.';


-- What was written while the audit was suspended is in no record, and the moments
-- before cannot be told from the rows of today.
create or replace view agentdb.recording_gap as
  select
    coalesce(t.table_name, s.table_name) as table_name, s.audit_target_id, s.began_at,
    s.recorded_again_at as ended_at, s.suspended_by, s.reason
  from agentdb.suspension as s
  left join agentdb.audit_target as t on t.audit_target_id = s.audit_target_id
  where s.what = 'audit'
  union all
  select t.table_name, f.audit_target_id, f.began_at, f.ended_at, null, f.fault
  from agentdb.record_fault as f
  join agentdb.audit_target as t on t.audit_target_id = f.audit_target_id;

comment on view agentdb.recording_gap is
  'When a table was not recorded although it was audited, because its audit was '
  'suspended, by whom and why, or because of what was done to the table.';
comment on column agentdb.recording_gap.table_name is
  'The table.';
comment on column agentdb.recording_gap.audit_target_id is
  'The attachment of the audit.';
comment on column agentdb.recording_gap.began_at is
  'Since when.';
comment on column agentdb.recording_gap.ended_at is
  'Until when; NULL while something may still happen that is not recorded.';
comment on column agentdb.recording_gap.suspended_by is
  'Who suspended the audit; NULL where nobody did.';
comment on column agentdb.recording_gap.reason is
  'Why.';


create or replace function agentdb._gap_text (
  began_at timestamptz,
  ended_at timestamptz,
  suspended_by name,
  reason text
)
  returns text
  language sql
  immutable
  return format('%s from %s to %s: %s',
    coalesce('its audit was suspended by ' || suspended_by,
      'it may not have been recorded'),
    agentdb._utc(began_at), coalesce(agentdb._utc(ended_at), 'now'), left(reason, 300));

comment on function agentdb._gap_text (timestamptz, timestamptz, name, text) is
  'A gap in the record of a table, in words.';


create or replace function agentdb._unrecorded (
  table_names text[],
  from_at timestamptz,
  to_at timestamptz
)
  returns text
  language sql
  stable
  return (
    select string_agg(format('%s is not all recorded: %s', g.table_name,
      agentdb._gap_text(g.began_at, g.ended_at, g.suspended_by, g.reason)), '; '
      order by g.began_at)
    from agentdb.recording_gap as g
    where g.began_at < to_at
      and coalesce(g.ended_at > from_at, true)
      and (table_names is null
        or array[g.table_name, split_part(g.table_name, '.', 2)] && table_names)
  );

comment on function agentdb._unrecorded (text[], timestamptz, timestamptz) is
  'Says which of some tables, or of all for NULL, were not recorded within a time; '
  'NULL where all were.';
