-- Break glass: the audit, the guard or the fence of a table is suspended by its owner,
-- for a time, with a reason.

-- What has run out ended then, not when somebody looked.
create or replace function agentdb._end_suspension (
  what text,
  relation regclass,
  reason text,
  at timestamptz
)
  returns timestamptz
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update agentdb.suspension as s
  set ended_at = least(s.ends_at, at),
      ended_by = case when at < s.ends_at then session_user end,
      end_reason = case when at < s.ends_at
        then _end_suspension.reason end
  where s.what = _end_suspension.what
    and s.table_oid = relation::oid
    and s.ended_at is null
  returning case when s.ended_by is not null then s.since_at end;
$$;

comment on function agentdb._end_suspension (text, regclass, text, timestamptz) is
  'Ends the suspension of a protection and returns since when it was in force; NULL '
  'where none was.';


create or replace function agentdb._suspend (
  what text,
  relation regclass,
  reason text,
  duration interval
)
  returns table (suspended_table text, ends_at timestamptz)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_now timestamptz;
  v_since timestamptz;
  v_child regclass;
begin
  perform agentdb._check_suspender(what, relation);
  perform agentdb._check_protected(what, relation);
  if duration is null or duration not between '1 second' and '24 hours' then
    perform agentdb._refuse('a suspension lasts between 1 second and 24 hours',
      'Give the time that you need, such as 1 hour; it can be extended and ended.');
  end if;
  perform agentdb._check_said(reason, 'reason', 1000, true);
  -- One at a time; no write of the table waits for it, nor it for any.
  lock table agentdb.suspension in share row exclusive mode;
  perform setval('agentdb.suspension_seq', 1);
  suspended_table := agentdb._table_name(relation);
  v_now := clock_timestamp();
  v_since := agentdb._end_suspension(what, relation, 'extended: ' || reason, v_now);
  ends_at := v_now + make_interval(secs => extract(epoch from duration)::float8);
  insert into agentdb.suspension (
    what, table_oid, table_name, audit_target_id, lock_name, reason, since_at, began_at,
    ends_at
  )
  select _suspend.what, relation, suspended_table, p.audit_target_id, p.lock_name,
    _suspend.reason, coalesce(v_since, v_now), v_now, _suspend.ends_at
  from agentdb._protection(_suspend.what, relation) as p;
  return next;
  -- Each table of an inheritance tree holds rows and triggers of its own.
  for v_child in
    select i.inhrelid from pg_inherits as i
    join pg_class as c on c.oid = i.inhparent and c.relkind = 'r'
    cross join lateral agentdb._protection(_suspend.what, i.inhrelid) as p
    where i.inhparent = relation::oid
  loop
    return query select * from agentdb._suspend(what, v_child, reason, duration);
  end loop;
end;
$$;

comment on function agentdb._suspend (text, regclass, text, interval) is
  'Suspends what protects a table, and the tables that inherit from it; raises ZA004, '
  'ZA006 or ZA035.';


create or replace function agentdb._unsuspend (
  what text,
  relation regclass,
  reason text
)
  returns table (unsuspended_table text, since_at timestamptz)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_child regclass;
begin
  perform agentdb._check_suspender(what, relation);
  perform agentdb._check_said(reason, 'reason', 1000, true);
  lock table agentdb.suspension in share row exclusive mode;
  since_at := agentdb._end_suspension(what, relation, reason, clock_timestamp());
  if since_at is not null then
    unsuspended_table := agentdb._table_name(relation);
    return next;
  end if;
  for v_child in
    select i.inhrelid from pg_inherits as i
    join pg_class as c on c.oid = i.inhparent and c.relkind = 'r'
    where i.inhparent = relation::oid
  loop
    return query select * from agentdb._unsuspend(what, v_child, reason);
  end loop;
end;
$$;

comment on function agentdb._unsuspend (text, regclass, text) is
  'Ends what _suspend() began; raises ZA004, ZA006 or ZA035.';


create or replace function agentdb.suspend (
  what text,
  table_name text,
  reason text,
  duration interval default '1 hour'
)
  returns table (suspended_table text, ends_at timestamptz)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  return query select *
    from agentdb._suspend(what, agentdb._suspension_target(table_name), reason,
      duration);
end;
$$;

comment on function agentdb.suspend (text, text, text, interval) is
  'Suspends the audit, guard or fence of a table at once, until its time is over or '
  'unsuspend(); again, it lasts until then instead; called by the table''s owner; '
  'raises ZA004, ZA006 or ZA035.';


create or replace function agentdb.unsuspend (
  what text,
  table_name text,
  reason text
)
  returns table (unsuspended_table text, since_at timestamptz)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  return query select *
    from agentdb._unsuspend(what, agentdb._suspension_target(table_name), reason);
end;
$$;

comment on function agentdb.unsuspend (text, text, text) is
  'Puts a suspended audit, guard or fence back in force at once; no row where none '
  'was suspended; raises ZA004, ZA006 or ZA035.';
