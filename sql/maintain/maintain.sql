-- Keeping house: partitions, retention, and what has to follow altered tables.

create or replace function agentdb._maintain (days_ahead integer)
  returns table (action text, object text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
  set "TimeZone" = 'UTC'
as $$
declare
  v_today date := (clock_timestamp() at time zone 'UTC')::date;
  v_keep interval := (select max(p.log_retention) from agentdb.policy as p);
  v_keep_audit interval := (select max(p.audit_retention) from agentdb.policy as p);
  v_log text;
  v_object text;
begin
  if days_ahead is null or days_ahead not between 0 and 365 then
    perform agentdb._refuse(
      format('days_ahead must be between 0 and 365, got %s', days_ahead),
      'Leave it out for the usual 3 days.'
    );
  end if;
  for v_log in
    select c.relname from pg_class as c
    where c.relnamespace = 'agentdb'::regnamespace and c.relkind = 'p'
  loop
    return query select * from agentdb._add_partitions(v_log, days_ahead);
  end loop;
  for v_object in
    select p.partition_name
    from agentdb.log_partition as p
    where p.day < v_today
      - case p.log_name when 'audit_log' then v_keep_audit else v_keep end
  loop
    return query select agentdb._drop_partition(v_object), v_object;
  end loop;
  return query
    select 'abandoned', format('run %s', r.run_id)
    from agentdb._abandon_runs(null) as r;
  return query
    select 'abandoned', format('run %s', r.run_id)
    from agentdb._end_silent_intake() as r;
  return query
    select 'crashed', format('run %s: %s', r.run_id, r.reason)
    from agentdb.close_gone_runs() as r;
  return query
    select 'released', format('what run %s held', r.run_id)
    from agentdb._release_ended() as r;
  return query
    select 'forgot', format('%s %s', f.count, f.what)
    from (
      values
        (agentdb._forget_runs(greatest(v_keep, v_keep_audit)), 'runs'),
        (agentdb._forget_alerts(v_keep), 'alerts'),
        (agentdb._forget_changes(greatest(v_keep, v_keep_audit)), 'changes'),
        (agentdb._forget_intake(v_keep), 'sessions of emitters'),
        (agentdb._forget_moments(v_keep_audit), 'snapshots of the past')
    ) as f (count, what)
    where f.count > 0;
  perform agentdb._plan_statements();
  return query select * from agentdb._prune_locks(v_keep);
end;
$$;

comment on function agentdb._maintain (integer) is
  'The part of maintain() that needs no right of a table''s owner.';


create or replace function agentdb.maintain (days_ahead integer default 3)
  returns table (action text, object text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  return query select * from agentdb._maintain(days_ahead);
  return query select * from agentdb.maintain_tables();
end;
$$;

comment on function agentdb.maintain (integer) is
  'Adds log partitions ahead, drops those past their retention, ends abandoned '
  'runs, adapts the audit to altered tables; says what it did.';
