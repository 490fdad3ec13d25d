-- Undo: a change that takes back what a row of the audit, a transaction, a run or a
-- change did: the net effect on each row, which is expected to be as it was left.

create or replace function agentdb._columns_of (
  target integer,
  out columns text[],
  out generated text[],
  out hidden text[]
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  select array_agg(a.attname::text),
    coalesce(array_agg(a.attname::text) filter (where a.attgenerated <> ''), '{}'),
    coalesce(array_agg(a.attname::text) filter (where
      a.attname = any (t.redacted || t.excluded)
      or a.attnum = any (t.redacted_places || t.excluded_places)), '{}')
    into columns, generated, hidden
  from agentdb.audit_target as t
  join pg_attribute as a
    on a.attrelid = t.table_oid and a.attnum > 0 and not a.attisdropped
  where t.audit_target_id = target and t.unaudited_at is null;
end;
$$;

comment on function agentdb._columns_of (integer) is
  'The names of the columns of an audited table, of generated and of hidden ones.';


-- Rows are taken back in the reverse order.  One record of an update has no more than
-- what it changed; of several only what differs in the end is taken back.
create or replace function agentdb._add_undo_rows (
  change bigint,
  scope text,
  id text
)
  returns boolean
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with net as materialized (
    select n.*,
      case
        when n.first_operation = 'insert' and n.last_operation in ('delete', 'truncate')
          then null
        when n.first_operation = 'insert' then 'delete'
        when n.last_operation in ('delete', 'truncate') then 'insert'
        else 'update'
      end as operation
    from agentdb._net_effect(scope, id) as n
  ),
  kind as materialized (
    select t.target, c.generated, c.hidden
    from (select distinct n.target from net as n) as t
    cross join lateral agentdb._columns_of(t.target) as c
  ),
  taken as (
    select n.target, n.operation, n.row_key, n.place, n.crossed_by,
      case when n.operation <> 'delete' then n.old_values end as old_values,
      case when n.operation <> 'insert' then n.new_values end as new_values,
      k.generated
    from net as n
    join kind as k on k.target = n.target
    where n.operation <> 'update' or n.single
    union all
    select n.target, n.operation, n.row_key, n.place, n.crossed_by, d.old_values,
      d.new_values, k.generated
    from net as n
    join kind as k on k.target = n.target
    cross join lateral (
      select jsonb_object_agg(v.key, v.value) as old_values,
        jsonb_object_agg(v.key, n.new_values -> v.key) as new_values
      from jsonb_each(n.old_values) as v
      -- Of what is hidden it is known only that it changed.
      where v.value is distinct from n.new_values -> v.key or v.key = any (k.hidden)
    ) as d
    where n.operation = 'update' and not n.single and d.old_values is not null
  ),
  added as (
    insert into agentdb.change_row (
      change_id, place, audit_target_id, operation, row_key, new_values, expected,
      crossed_by
    )
    select change, row_number() over (order by t.place desc), t.target, t.operation,
      t.row_key, t.old_values - t.generated, t.new_values - t.generated, t.crossed_by
    from taken as t
    where t.row_key is not null
      and (t.operation <> 'update' or t.old_values - t.generated <> '{}')
  )
  select not exists (select from net as n where n.row_key is null);
$$;

comment on function agentdb._add_undo_rows (bigint, text, text) is
  'Adds the rows that take a net effect back; returns whether all have names.';


create or replace function agentdb._undo_fault (change bigint)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with used as materialized (
    select distinct r.audit_target_id, r.operation, k.name
    from agentdb.change_row as r
    cross join lateral jsonb_object_keys(coalesce(r.new_values, r.expected)) as k (name)
    where r.change_id = change
  ),
  present as materialized (
    select t.audit_target_id, a.table_name, c.columns, c.hidden
    from (select distinct u.audit_target_id from used as u) as t
    join agentdb.audit_target as a on a.audit_target_id = t.audit_target_id
    cross join lateral agentdb._columns_of(t.audit_target_id) as c
  )
  select string_agg(distinct f.fault, '; ')
  from (
    select format('column %I of %s is not there any more', u.name, p.table_name)
      as fault
    from used as u
    join present as p on p.audit_target_id = u.audit_target_id
    where u.name <> all (p.columns)
    union all
    select format('what %I of %s was is not recorded', h.name, p.table_name)
    from used as u
    join present as p on p.audit_target_id = u.audit_target_id
    cross join lateral unnest(p.hidden) as h (name)
    where u.operation = 'insert' or u.operation = 'update' and u.name = h.name
  ) as f;
$$;

comment on function agentdb._undo_fault (bigint) is
  'Why what was recorded does not suffice to take it back; NULL where it does.';


-- Of a run it is known when it ran, of a transaction what had ended before it.
create or replace function agentdb._unrecorded_part (scope text, id text)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select agentdb._unrecorded(null, r.started_at,
    coalesce(r.ended_at, clock_timestamp()))
  from agentdb.run as r
  where scope = 'run' and r.run_id::text = id
  union all
  select min(format('%s is not all recorded: %s', s.table_name, agentdb._gap_text(
    s.began_at, s.recorded_again_at, s.suspended_by, s.reason)))
  from agentdb.suspension as s
  join (
    select t.id::xid8 as xid from (select id where scope = 'xid') as t
    union all
    select c.applied_xid from agentdb.change as c
    where scope = 'change' and c.change_id::text = id
  ) as w
    on not pg_visible_in_snapshot(w.xid, s.began_snapshot)
    and coalesce(w.xid < s.settle_xid, true)
  where s.what = 'audit'
  having count(*) > 0
  limit 1;
$$;

comment on function agentdb._unrecorded_part (text, text) is
  'Says what of a run, a transaction or a change may not be recorded, because an audit '
  'was suspended; NULL where all is.';


create or replace function agentdb._plan_undo (
  scope text,
  id text,
  reason text,
  include jsonb,
  keep jsonb,
  whole boolean
)
  returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
  set work_mem = '64MB'
as $$
declare
  v_change_id bigint;
  v_fault text;
  v_gap text := coalesce(agentdb._unrecorded_part(scope, id),
    agentdb._gone_from_record(scope, id));
begin
  insert into agentdb.change as c (
    kind, state, automatic, proposed_by, reason, undoes, expires_at
  )
  values (
    'undo', 'open', false, agentdb._person(),
    left(agentdb._check_said(coalesce(reason, format('undo of %s %s', scope, id)),
      'reason', 2000) || coalesce('; ' || v_gap, ''), 2000),
    jsonb_build_object(scope, id), clock_timestamp() + interval '24 hours'
  )
  returning c.change_id into v_change_id;
  if whole and v_gap is not null then
    v_fault := v_gap;
  elsif not agentdb._add_undo_rows(v_change_id, scope, id) then
    v_fault := 'a table without a primary key was written, whose rows have no names';
  else
    if (
      select count(distinct r.operation) = 2 from agentdb.change_row as r
      where r.change_id = v_change_id and r.operation in ('insert', 'delete')
    ) then
      perform agentdb._undo_key_changes(v_change_id, scope, id);
    end if;
    perform agentdb._choose_rows(v_change_id, include, keep);
    v_fault := case when exists (
      select from agentdb.change_row as r where r.change_id = v_change_id)
      then coalesce(agentdb._undo_fault(v_change_id),
        agentdb._renamed_since(scope, id))
      else 'no row that it wrote is recorded, or all are as they were before' end;
  end if;
  if v_fault is not null then
    raise exception 'undo of % % is not possible: %', scope, id, v_fault
      using errcode = 'ZA056',
            hint = 'See what is recorded: select * from agentdb.audit; a run of which '
              'only a part can be taken back is undone row by row: '
              'agentdb.undo_row(audit_log_id)'
              || case when v_fault = v_gap then '; or take back what is recorded of it '
                'and leave the rest: on_conflict => ''skip''.' else '.' end;
  end if;
  perform agentdb._note_tables(v_change_id, r.targets)
  from agentdb._rows_of(v_change_id) as r;
  return v_change_id;
end;
$$;

comment on function agentdb._plan_undo (
  text, text, text, jsonb, jsonb, boolean) is
  'Adds the change that takes something back; raises ZA004, ZA051 or ZA056.';
