-- What is suspended now, and when the record of a table is whole again.

create or replace view agentdb.suspension_status as
  select
    s.what, agentdb._table_name(s.table_oid) as table_name, s.since_at, s.ends_at,
    s.ends_at - clock_timestamp() as time_left, s.suspended_by, s.reason,
    format('agentdb unsuspend %s %s --reason …', s.what,
      case when t.name ~ '^[A-Za-z0-9_.]+$' then t.name
        else '''' || replace(t.name, '''', '''\''''') || '''' end) as ends_with
  from agentdb.suspension as s
  cross join lateral agentdb._table_name(s.table_oid) as t (name)
  where s.ended_at is null
    and clock_timestamp() >= s.began_at
    and clock_timestamp() < s.ends_at
    and t.name is not null;

comment on view agentdb.suspension_status is
  'The audits, guards and fences that are suspended now.';
comment on column agentdb.suspension_status.what is
  'audit, guard or fence.';
comment on column agentdb.suspension_status.table_name is
  'The table, by its present name.';
comment on column agentdb.suspension_status.since_at is
  'Since when.';
comment on column agentdb.suspension_status.ends_at is
  'When it ends by itself.';
comment on column agentdb.suspension_status.time_left is
  'How long that is.';
comment on column agentdb.suspension_status.suspended_by is
  'Who suspended or extended it.';
comment on column agentdb.suspension_status.reason is
  'Why.';
comment on column agentdb.suspension_status.ends_with is
  'The command that ends it.';


-- In two steps, with every transaction of the time before the first one over at the
-- second: who wrote without being recorded had its number by then.
create or replace function agentdb._settle_audit ()
  returns setof text
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.suspension as s
  set settle_xid = pg_snapshot_xmax(pg_current_snapshot())
  where s.what = 'audit'
    and s.ended_at is not null
    and s.recorded_again_at is null
    -- That of another server, before a dump was restored, would never come.
    and (s.settle_xid is null
      or s.settle_xid > pg_snapshot_xmax(pg_current_snapshot()))
    and not exists (
      select from agentdb.suspension as o
      where o.what = 'audit' and o.table_oid = s.table_oid and o.ended_at is null);
  return query
    update agentdb.suspension as s
    set recorded_again_at = clock_timestamp()
    where s.recorded_again_at is null
      and s.settle_xid <= pg_snapshot_xmin(pg_current_snapshot())
    returning s.table_name;
end;
$$;

comment on function agentdb._settle_audit () is
  'Notes since when nothing can be committed any more that a suspended audit did not '
  'record; returns the tables.';


-- Who suspends holds the lock until it has committed: then it is left for next time.
create or replace function agentdb._settle_suspensions ()
  returns table (action text, object text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if coalesce(pg_sequence_last_value('agentdb.suspension_seq'), 0) = 0
    and not exists (
      select from agentdb.suspension as s
      where s.ended_at is null or s.what = 'audit' and s.recorded_again_at is null)
  then
    return;
  end if;
  lock table agentdb.suspension in share row exclusive mode nowait;
  update agentdb.suspension as s
  set ended_at = s.ends_at
  where s.ended_at is null and s.ends_at <= clock_timestamp();
  return query select 'recorded again', t.name from agentdb._settle_audit() as t (name);
  perform setval('agentdb.suspension_seq', 0)
  where not exists (select from agentdb.suspension as s where s.ended_at is null);
exception when lock_not_available then
  null;
end;
$$;

comment on function agentdb._settle_suspensions () is
  'Ends suspensions whose time is over, and sees to what has to follow an end.';
