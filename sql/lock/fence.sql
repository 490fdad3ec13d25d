-- Fences: a table that only the present holder of a lock may write.  A run that slept
-- past its time is refused at its statement; one that is overtaken in the middle of a
-- transaction is refused at its commit.
--
-- The statement reads the lock without locking it, or a holder could not renew, and
-- nobody take over, while a writing transaction stays open.  It leaves a row in
-- fenced_write, whose deferred trigger looks again when the transaction commits, and
-- keeps the lock's row from changing until it has.  Under REPEATABLE READ a row that
-- changed since the snapshot, be it by a renewal, is a serialization failure (40001):
-- the transaction is tried again.

-- Sessions that belong to no agent (the application, a DBA) are not fenced.
create or replace function agentdb._check_fence ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_name text := tg_argv[0];
  v_run_id bigint;
  v_fence bigint;
begin
  -- Before all that could be broken.
  if coalesce(pg_sequence_last_value('agentdb.suspension_seq'), 0) > 0
    and agentdb._is_suspended('fence', tg_relid) then
    perform agentdb._confirm_suspension('fence', tg_relid);
    return case when tg_op = 'DELETE' then old else new end;
  elsif exists (select from agentdb.agent as a where a.role_name = session_user) then
    select c.run_id into v_run_id from agentdb._current_run(null) as c;
    select l.fence into v_fence
    from agentdb.lock as l
    where l.lock_name = v_name
      and l.run_id = v_run_id
      and agentdb._is_live(l.expires_at, l.renewed_at, clock_timestamp())
    order by l.fence desc
    limit 1;
    if v_fence is null then
      perform agentdb._refuse_write(
        format('%I.%I', tg_table_schema, tg_table_name), v_name, v_run_id);
    end if;
    insert into agentdb.fenced_write (lock_name, fence, run_id)
    select v_name, v_fence, v_run_id
    where not exists (
      select from agentdb.fenced_write as w
      where w.xid = pg_current_xact_id() and w.lock_name = v_name and w.fence = v_fence
    );
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end;
$$;

comment on function agentdb._check_fence () is
  'Trigger function on users'' tables: refuses a write of a run that does not hold '
  'the lock of the table.';


create or replace function agentdb._refuse_write (target text, name text, run_id bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_detail text;
begin
  select string_agg(case
      when l.run_id = _refuse_write.run_id
        then format('It expired at %s.', l.expires_at)
      when l.run_id is null
        then format('Nobody holds it; its last fence is %s.', l.fence)
      else format('Run %s of %s has it now, with fence %s.',
        l.run_id, a.agent_name, l.fence)
    end, ' ' order by l.slot) into v_detail
  from agentdb.lock as l
  left join agentdb.agent as a on a.agent_id = l.agent_id
  where l.lock_name = _refuse_write.name;
  perform agentdb._count_refusal('fence', (
    select r.agent_id from agentdb.run as r where r.run_id = _refuse_write.run_id));
  raise exception 'run % may not write %: it does not hold lock %', run_id, target, name
    using errcode = 'ZA020',
          detail = coalesce(v_detail, 'Nobody has taken it yet.'),
          hint = format('Stop, and take the lock before doing the work again: '
            'select * from agentdb.acquire_lock(name => %L); what was done before may '
            'be outdated.', name);
end;
$$;

comment on function agentdb._refuse_write (text, text, bigint) is
  'Raises ZA020 for a write of a run that does not hold the lock of the table.';


-- Another table that the same lock fences may be somebody else's: it stays fenced.
create or replace function agentdb._is_fence_suspended (lock_name text)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select from agentdb.suspension as s
    where s.what = 'fence'
      and s.ended_at is null
      and s.lock_name = _is_fence_suspended.lock_name
      and clock_timestamp() >= s.began_at
      and clock_timestamp() < s.ends_at
  ) and not exists (
    select from agentdb.fenced_table as f
    where f.lock_name = _is_fence_suspended.lock_name
      and not exists (select from agentdb._suspended('fence', f.table_oid))
  );
end;
$$;

comment on function agentdb._is_fence_suspended (text) is
  'Whether the fences of all tables that a lock fences are suspended.';


create or replace function agentdb._check_fence_again ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  if coalesce(pg_sequence_last_value('agentdb.suspension_seq'), 0) > 0
    and agentdb._is_fence_suspended(new.lock_name) then
    delete from agentdb.fenced_write as w
    where w.xid = new.xid and w.lock_name = new.lock_name and w.fence = new.fence;
    return null;
  end if;
  perform from agentdb.lock as l
  where l.lock_name = new.lock_name
    and l.fence = new.fence
    and l.run_id = new.run_id
  for share;
  if not found and not exists (
    -- Let go of by the run itself, in this very transaction.
    select from agentdb.lock_log as h
    where h.lock_name = new.lock_name
      and h.fence = new.fence
      and h.run_id = new.run_id
      and h.xid = pg_current_xact_id()
      and h.outcome in ('released', 'run_ended')
  ) then
    perform agentdb._refuse_write('what it wrote in this transaction',
      new.lock_name, new.run_id);
  end if;
  delete from agentdb.fenced_write as w
  where w.xid = new.xid and w.lock_name = new.lock_name and w.fence = new.fence;
  return null;
end;
$$;

comment on function agentdb._check_fence_again () is
  'Trigger function: refuses the commit of a run that lost the lock since it wrote.';


drop trigger if exists agentdb_fence_again on agentdb.fenced_write;

create constraint trigger agentdb_fence_again
  after insert
  on agentdb.fenced_write
  deferrable initially deferred
  for each row execute function agentdb._check_fence_again();

alter table agentdb.fenced_write enable always trigger agentdb_fence_again;
