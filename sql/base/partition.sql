-- Partitions: each log has one a UTC day, made ahead and dropped by retention.  A row
-- whose partition is missing lands in the default one and is moved later.

create or replace view agentdb.log_partition as
  select
    p.relname as log_name,
    c.relname as partition_name,
    c.relname = p.relname || '_default' as is_default,
    to_date(substring(c.relname from '_p([0-9]{8})$'), 'YYYYMMDD') as day,
    pg_total_relation_size(c.oid) as bytes
  from pg_inherits as i
  join pg_class as c on c.oid = i.inhrelid
  join pg_class as p on p.oid = i.inhparent
  where p.relnamespace = 'agentdb'::regnamespace
    and p.relkind = 'p';

comment on view agentdb.log_partition is
  'The partitions of the logs, each with the UTC day it holds and its size.';

comment on column agentdb.log_partition.log_name is
  'The log.';
comment on column agentdb.log_partition.partition_name is
  'The partition.';
comment on column agentdb.log_partition.is_default is
  'Whether it takes rows that have no partition.';
comment on column agentdb.log_partition.day is
  'The UTC day whose rows it holds; NULL for the default partition.';
comment on column agentdb.log_partition.bytes is
  'Its size with indexes.';


-- A new partition is built beside the log and attached, which never blocks writers of
-- the log for longer than the attach itself; what waits in the default partition for
-- that day moves along.  Of today nobody may be writing: PostgreSQL has chosen the
-- default partition for a row by then, and would refuse it there.
create or replace function agentdb._add_partition (log_name text, day date)
  returns text
  language plpgsql
  set search_path = pg_catalog, pg_temp
  -- Shorter than deadlock_timeout: whoever waits for us is never the one who fails.
  set lock_timeout = '500ms'
  set "TimeZone" = 'UTC'
as $$
declare
  v_name text := format('%s_p%s', log_name, to_char(day, 'YYYYMMDD'));
  v_default text := log_name || '_default';
begin
  if day = current_date then
    execute format('lock table agentdb.%I in share row exclusive mode nowait',
      log_name);
  end if;
  execute format(
    'create table agentdb.%I (like agentdb.%I including all excluding identity)',
    v_name, log_name
  );
  execute format(
    'alter table agentdb.%I disable trigger agentdb_append_only', v_default
  );
  execute format(
    'with moved as (
       delete from agentdb.%I as d
       where d.recorded_at >= %L and d.recorded_at < %L
       returning d.*
     )
     insert into agentdb.%I overriding system value select * from moved',
    v_default, day::timestamptz, (day + 1)::timestamptz, v_name
  );
  execute format(
    'alter table agentdb.%I enable trigger agentdb_append_only', v_default
  );
  execute format(
    'alter table agentdb.%I attach partition agentdb.%I for values from (%L) to (%L)',
    log_name, v_name, day::timestamptz, (day + 1)::timestamptz
  );
  execute format(
    'create trigger agentdb_no_truncate before truncate on agentdb.%I
       for each statement execute function agentdb._refuse_rewrite()',
    v_name
  );
  return v_name;
end;
$$;

comment on function agentdb._add_partition (text, date) is
  'Adds the partition of one UTC day to a log and moves into it what the default '
  'partition held.';


create or replace function agentdb._missing_day (log_name text, days_ahead integer)
  returns setof date
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
as $$
begin
  return query execute format(
    'select d.day::date
     from generate_series(current_date, current_date + $1, ''1 day'') as d (day)
     union
     select distinct d.recorded_at::date from agentdb.%I as d
     except
     select p.day from agentdb.log_partition as p where p.log_name = $2',
    log_name || '_default'
  ) using days_ahead, log_name;
end;
$$;

comment on function agentdb._missing_day (text, integer) is
  'The UTC days that a log should have a partition for and has not.';


-- A day that cannot be had now (somebody reads the log in a long transaction) is had at
-- the next call; the default partition takes its rows until then.
create or replace function agentdb._add_partitions (log_name text, days_ahead integer)
  returns table (action text, object text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_day date;
begin
  for v_day in
    select d.* from agentdb._missing_day(log_name, days_ahead) as d order by d
  loop
    begin
      object := agentdb._add_partition(log_name, v_day);
      action := 'added';
    exception when lock_not_available then
      object := format('%s of %s', log_name, v_day);
      action := 'postponed';
    end;
    return next;
  end loop;
end;
$$;

comment on function agentdb._add_partitions (text, integer) is
  'Adds the partitions that a log lacks, as far as their locks can be had now.';


-- Dropping locks the whole log: who waits for that lock makes every writer wait behind.
-- Which days of the audit are gone stays known: their seals, the past and an undo must
-- not take what retention removed for something else, whatever it is set to later.
create or replace function agentdb._drop_partition (partition_name text)
  returns text
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '100ms'
as $$
begin
  insert into agentdb.removed_day (day, retention)
  select p.day, (select max(y.audit_retention) from agentdb.policy as y)
  from agentdb.log_partition as p
  where p.log_name = 'audit_log'
    and p.partition_name = _drop_partition.partition_name
  on conflict on constraint removed_day_pkey do nothing;
  execute format('drop table agentdb.%I', partition_name);
  return 'dropped';
exception when lock_not_available then
  return 'postponed';
end;
$$;

comment on function agentdb._drop_partition (text) is
  'Drops an old partition of a log, unless its lock cannot be had now; notes the day '
  'where it is of the audit.';


-- pg_partition_tree() locks each of them: whoever holds one in a long transaction would
-- hold up all who look at what is in place.
create or replace function agentdb._parts_of (table_oid oid)
  returns setof oid
  language sql
  stable
begin atomic
  with recursive part (oid) as (
    select i.inhrelid
    from pg_class as c
    join pg_inherits as i on i.inhparent = c.oid
    where c.oid = _parts_of.table_oid
      and c.relkind = 'p'
      and not i.inhdetachpending
    union
    select i.inhrelid
    from part as p
    join pg_inherits as i on i.inhparent = p.oid and not i.inhdetachpending
  )
  select p.oid from part as p;
end;

comment on function agentdb._parts_of (oid) is
  'All partitions below a table.';
