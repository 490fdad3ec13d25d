-- What is recorded of what an undo takes back: a row of the audit, a transaction, a run
-- or a change.

create or replace function agentdb._undo_record (scope text, id text)
  returns table (
    audit_log_id bigint, statement bigint, target integer, row_key jsonb,
    operation text, old_values jsonb, new_values jsonb, xid xid8,
    recorded_at timestamptz
  )
  language plpgsql
  stable
  rows 10000
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- A condition for each scope, so that each reads by its own index.
  return query execute format($record$
    select l.audit_log_id, l.statement, p.target, l.row_key, l.operation, l.old_values,
      l.new_values, l.xid, l.recorded_at
    from agentdb.audit_log as l
    join (
      -- Of a table that was attached anew the present attachment.
      select t.audit_target_id, max(o.audit_target_id) as target
      from agentdb.audit_target as t
      join agentdb.audit_target as o on o.table_oid = t.table_oid
      group by t.audit_target_id
    ) as p on p.audit_target_id = l.audit_target_id
    where l.%I = $1::text::%s and l.salt is not null and l.operation <> 'erase'
    $record$,
    case scope when 'audit' then 'audit_log_id' when 'xid' then 'xid'
      when 'run' then 'run_id' when 'change' then 'change_id' end,
    case scope when 'xid' then 'xid8' else 'bigint' end)
    using id;
end;
$$;

comment on function agentdb._undo_record (text, text) is
  'What is recorded of the rows that an undo takes back, but for those erased.';


-- What other undos compare with is under the names of its time.
create or replace function agentdb._renamed_since (scope text, id text)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with record as materialized (
    select r.* from agentdb._undo_record(scope, id) as r
  )
  select string_agg(
    format('columns of %s were renamed since', t.table_name),
    '; ' order by t.table_name)
  from (select distinct r.target from record as r) as d
  join agentdb.audit_target as t on t.audit_target_id = d.target
  cross join lateral agentdb._name_periods(d.target) as n (periods)
  where n.periods is not null
    and exists (
      select from record as r
      cross join lateral (
        select coalesce(r.row_key, '{}') || coalesce(r.old_values, '{}')
          || coalesce(r.new_values, '{}')
      ) as w (content)
      where r.target = d.target
        and w.content <> agentdb._renamed(w.content, r.recorded_at, n.periods,
          t.table_oid::regclass));
$$;

comment on function agentdb._renamed_since (text, text) is
  'Names the tables whose columns are called otherwise than in what is to be taken '
  'back; NULL where all are called the same.';


-- Of a run it is also known that it began before the days that retention has removed.
create or replace function agentdb._gone_from_record (scope text, id text)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
as $$
declare
  v_gone text;
begin
  execute format($gone$
    select string_agg(format('%%s of %%s, erased by %%s on %%s (erasure %%s)',
      agentdb._how_many(n.count, 'row'), t.table_name, e.erased_by, e.erased_at::date,
      e.erasure_id), '; ' order by e.erasure_id)
    from (
      select f.erasure_id, count(*) as count
      from agentdb.audit_log as l
      join agentdb.erased_leaf as f
        on f.audit_log_id = l.audit_log_id and f.recorded_at = l.recorded_at
      where l.%I = $1::text::%s and l.salt is null
      group by f.erasure_id
    ) as n
    join agentdb.erasure as e on e.erasure_id = n.erasure_id
    join agentdb.audit_target as t on t.audit_target_id = e.audit_target_id$gone$,
    case scope when 'audit' then 'audit_log_id' when 'xid' then 'xid'
      when 'run' then 'run_id' when 'change' then 'change_id' end,
    case scope when 'xid' then 'xid8' else 'bigint' end)
    into v_gone using id;
  return coalesce('what was recorded is gone: ' || v_gone, (
    select format('the run began before %s, and what was recorded until then was '
      'removed by retention on %s', max(d.day) + 1, max(d.removed_at)::date)
    from agentdb.run as r
    join agentdb.removed_day as d on d.day >= r.started_at::date
    where scope = 'run' and r.run_id::text = id
    having count(*) > 0));
end;
$$;

comment on function agentdb._gone_from_record (text, text) is
  'Says what of the record that an undo takes back was erased, or removed by '
  'retention; NULL where all is there.';
