-- Rows that a change rests on and does not write: what its statements read elsewhere,
-- which no trigger can know.  A proposer or a guard names them; applied is only while
-- they are as they were.

create or replace function agentdb._reads_sql (change bigint, target integer)
  returns text
  language sql
  stable
  return (
    select format(
      $reads$
      select r.place, 'read', r.row_key, c.present,
        case
          when r.seen is null and c.present is not null then 'is there now'
          when r.seen is not null and c.present is null then 'is gone'
          when exists (
            select from jsonb_each(r.seen) as e
            where agentdb._is_same(c.present -> e.key, e.value) is not true)
            then 'was changed'
        end as conflict
      from agentdb.change_read as r
      left join lateral (
        select %3$s as present from %4$s as t where %5$s) as c on true
      where r.change_id = %1$s and r.audit_target_id = %2$s
      order by r.place$reads$,
      change, target,
      agentdb._stage_object_sql(target, 't'),
      agentdb._table_name(g.table_oid),
      agentdb._key_match_sql(target, 'r.row_key'))
    from agentdb.guarded_table as g
    where g.audit_target_id = target
  );

comment on function agentdb._reads_sql (bigint, integer) is
  'SQL text: the rows of a table that a change rests on, as they are now and what is '
  'wrong; NULL where the table is not guarded any more.';


grant create on schema agentdb to agentdb_applier;
set local role agentdb_applier;

-- From the look to the commit they stay as they are.
create or replace function agentdb._share_as_applier (statement text)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
  set "DateStyle" = 'ISO, YMD'
  set "IntervalStyle" = 'postgres'
  set lc_monetary = 'C'
as $$
begin
  execute statement;
end;
$$;

comment on function agentdb._share_as_applier (text) is
  'Locks rows of guarded tables against writes of others until the transaction ends.';

revoke all on function agentdb._share_as_applier from public;
grant execute on function agentdb._share_as_applier to agentdb_owner;

set local role agentdb_owner;
revoke create on schema agentdb from agentdb_applier;


create or replace function agentdb._check_reads (change bigint)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_target integer;
  v_table text;
  v_row record;
begin
  if not exists (select from agentdb.change_read as r where r.change_id = change) then
    return;
  end if;
  for v_target, v_table in
    select t.audit_target_id, coalesce(agentdb._table_name(t.table_oid), t.table_name)
    from agentdb.audit_target as t
    where t.audit_target_id in (
      select r.audit_target_id from agentdb.change_read as r where r.change_id = change)
    order by t.audit_target_id
  loop
    if agentdb._reads_sql(change, v_target) is null then
      raise exception 'change % rests on rows of %, which is not guarded any more',
          change, v_table
        using errcode = 'ZA052', hint = 'Guard it again, or stage without them.';
    end if;
    perform agentdb._share_as_applier(format(
      'select from %s as t, agentdb.change_read as r '
      'where r.change_id = %s and r.audit_target_id = %s and %s for share of t',
      v_table, change, v_target, agentdb._key_match_sql(v_target, 'r.row_key')));
    select f.row_key, f.conflict into v_row
    from agentdb._read_as_applier(agentdb._reads_sql(change, v_target), 1) as f;
    if found then
      raise exception 'row % of %, on which the change rests, %', v_row.row_key,
          v_table, v_row.conflict
        using errcode = 'ZA052';
    end if;
  end loop;
end;
$$;

comment on function agentdb._check_reads (bigint) is
  'Locks the rows that a change rests on; raises ZA052 where one is not as it was.';


create or replace function agentdb._stale_reads (change bigint, most integer)
  returns jsonb
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(jsonb_agg(jsonb_build_object(
      'table', t.table_name, 'key', f.row_key, 'operation', 'read',
      'conflict', f.conflict, 'columns', d.columns,
      'by', agentdb._last_writer(t.audit_target_id, f.row_key,
        array(select jsonb_object_keys(d.columns))))
    order by f.place), '[]')
  from agentdb.audit_target as t
  cross join lateral agentdb._read_as_applier(
    agentdb._reads_sql(change, t.audit_target_id), most) as f
  join agentdb.change_read as r on r.change_id = change and r.place = f.place
  cross join lateral (
    select jsonb_object_agg(e.key, jsonb_build_object('expected', e.value,
      'current', f.present -> e.key)) as columns
    from jsonb_each(r.seen) as e
    where f.present is not null
      and agentdb._is_same(f.present -> e.key, e.value) is not true
  ) as d
  where t.audit_target_id in (
      select k.audit_target_id from agentdb.change_read as k where k.change_id = change)
    and exists (
      select from agentdb.guarded_table as g
      where g.audit_target_id = t.audit_target_id);
$$;

comment on function agentdb._stale_reads (bigint, integer) is
  'The rows that a change rests on and that are not as they were, as conflicts.';


-- Not those that its proposer has named: it has read them, or found them not there.
create or replace function agentdb._see_reads (change bigint, named integer)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update agentdb.change_read as r
  set seen = f.present
  from agentdb.guarded_table as g
  cross join lateral agentdb._read_as_applier(
    agentdb._reads_sql(change, g.audit_target_id), null) as f
  where r.change_id = change
    and r.place > named
    and g.audit_target_id in (
      select k.audit_target_id from agentdb.change_read as k where k.change_id = change)
    and r.place = f.place;
$$;

comment on function agentdb._see_reads (bigint, integer) is
  'Writes down what rows are that a change rests on, after the first ones.';


-- What the guard of a table says its rows rest on, read for the reviewer and not for
-- the proposer.
create or replace function agentdb._bind_reads (change bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_guard record;
  v_key jsonb;
  v_named integer;
begin
  if not exists (
    select from agentdb.change_table as t
    join agentdb.guarded_table as g on g.audit_target_id = t.audit_target_id
    where t.change_id = change and g.reads <> '{}'
  ) then
    return;
  end if;
  v_named := coalesce((
    select max(r.place) from agentdb.change_read as r where r.change_id = change), 0);
  for v_guard in
    select g.audit_target_id, g.table_name, m.key as other, m.value as columns,
      o.audit_target_id as target
    from agentdb.guarded_table as g
    cross join lateral jsonb_each(g.reads) as m
    left join agentdb.guarded_table as o on o.table_name = m.key
    where g.audit_target_id in (
      select r.audit_target_id from agentdb.change_row as r where r.change_id = change)
  loop
    if v_guard.target is null then
      raise exception 'changes of % rest on %, which is not guarded',
          v_guard.table_name, v_guard.other
        using errcode = 'ZA051',
              hint = format('Guard it: select * from agentdb.guard_table(%L);',
                v_guard.other);
    end if;
    for v_key in
      select distinct k.key
      from agentdb.change_row as r
      cross join lateral (values (r.seen), (coalesce(r.after, r.new_values))) as v (row)
      cross join lateral (
        select jsonb_object_agg(c.key, v.row -> c.value) as key
        from jsonb_each_text(v_guard.columns) as c
      ) as k
      where r.change_id = change
        and r.audit_target_id = v_guard.audit_target_id
        and jsonb_strip_nulls(k.key) = k.key
        and v.row ?& array(select c.value from jsonb_each_text(v_guard.columns) as c)
    loop
      perform agentdb._add_read(change, v_guard.target, v_key, null);
    end loop;
  end loop;
  perform agentdb._see_reads(change, v_named);
end;
$$;

comment on function agentdb._bind_reads (bigint) is
  'Binds a change to the rows that the guards of its tables name; raises ZA051.';
