-- Moments: what a SELECT could see at some time is decided by commits, and no clock
-- tells when one became visible.  So snapshots are kept: the runner's, at most a second
-- apart while anything is written, and those to which somebody gave a name.

create or replace function agentdb._add_moment (mark text)
  returns timestamptz
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_taken_at timestamptz;
begin
  insert into agentdb.moment (
    epoch_id, snapshot, mark, marked_by, last_audit_log_id
  )
  values (agentdb._epoch_now(), agentdb._snapshot_now(), _add_moment.mark,
    case when _add_moment.mark is not null then session_user end,
    pg_sequence_last_value('agentdb.audit_log_audit_log_id_seq'))
  returning taken_at into v_taken_at;
  return v_taken_at;
end;
$$;

comment on function agentdb._add_moment (text) is
  'Keeps the snapshot of now, as a mark or without a name; returns its time.';


-- What somebody holds, nobody can read: there is nothing to know of it.
create or replace function agentdb._note_shapes ()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '200ms'
as $$
declare
  v_target integer;
begin
  for v_target in
    select t.audit_target_id
    from agentdb.audit_target as t
    join pg_class as c on c.oid = t.table_oid
    where t.unaudited_at is null
    order by t.audit_target_id
  loop
    begin
      perform agentdb._note_shape(v_target);
    exception when lock_not_available then
      null;
    end;
  end loop;
end;
$$;

comment on function agentdb._note_shapes () is
  'Notes that the shape of each audited table holds now, but for those that are '
  'locked.';


-- What the caller itself has written and not committed is not in it: nobody else could
-- see that.
create or replace function agentdb.mark (name text)
  returns table (mark text, marked_at timestamptz)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform agentdb._refuse(format('this transaction is %s: it sees the past',
        upper(current_setting('transaction_isolation'))),
      'Mark a moment in a transaction of its own.');
  elsif coalesce(length(btrim(name)), 0) not between 1 and 200
    or name <> agentdb._clean_line(name, 200) then
    perform agentdb._refuse(format('a mark has a name of 1 to 200 printable '
        'characters, not %s', coalesce(quote_literal(agentdb._clean_line(name, 200)),
          'NULL')),
      'For example: select * from agentdb.mark(''before migration 0042'');');
  end if;
  perform agentdb._draw_epoch();
  -- Before and after it: the shape of the moment is known.
  perform agentdb._note_shapes();
  mark := name;
  begin
    marked_at := agentdb._add_moment(name);
  exception when unique_violation then
    perform agentdb._refuse(format('there is a mark %s already, of %s', name, (
        select m.taken_at from agentdb.moment as m where m.mark = name)),
      'Give this one another name; select * from agentdb.marked_moment; has all.');
  end;
  perform agentdb._note_shapes();
  return next;
end;
$$;

comment on function agentdb.mark (text) is
  'Gives the present moment a name: the past of every audited table is known exactly '
  'at it, table_as_of(…, mark => name); raises ZA004.';


create or replace view agentdb.marked_moment as
  select m.mark, m.taken_at as marked_at, m.marked_by
  from agentdb.moment as m
  where m.mark is not null
  order by m.taken_at desc;

comment on view agentdb.marked_moment is
  'The moments that have a name, the newest first.';
comment on column agentdb.marked_moment.mark is
  'The name.';
comment on column agentdb.marked_moment.marked_at is
  'When it was.';
comment on column agentdb.marked_moment.marked_by is
  'Who named it.';


-- One a minute even so: who reads a past of that time knows that a runner was there.
create or replace function agentdb.note_moment ()
  returns timestamptz
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_last agentdb.moment;
begin
  perform agentdb._draw_epoch();
  select * into v_last from agentdb.moment as m
  where m.epoch_id = agentdb._epoch_now()
  order by m.taken_at desc
  limit 1;
  if v_last.taken_at > clock_timestamp() - interval '0.5 seconds'
    or v_last.taken_at > clock_timestamp() - interval '1 minute'
    and v_last.last_audit_log_id is not distinct from
      pg_sequence_last_value('agentdb.audit_log_audit_log_id_seq')
    and not exists (
      select from pg_snapshot_xip(v_last.snapshot) as o (xid)
      where pg_visible_in_snapshot(o.xid, pg_current_snapshot()))
    -- The newest transactions are in progress without being in that list.
    and not exists (
      select from agentdb.audit_log as l
      where l.xid >= pg_snapshot_xmax(v_last.snapshot)
        and l.recorded_at > v_last.taken_at - interval '1 hour') then
    return null;
  end if;
  return agentdb._add_moment(null);
end;
$$;

comment on function agentdb.note_moment () is
  'Keeps the snapshot of now where anything may have been written since the last one, '
  'else one a minute; returns its time, NULL where there was no need.  The runner '
  'calls it every second.';


create or replace function agentdb._forget_moments (keep interval)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_count bigint;
begin
  delete from agentdb.moment as m where m.taken_at < clock_timestamp() - keep;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function agentdb._forget_moments (interval) is
  'Removes snapshots and marks before the retention of the audit; returns how many.';
