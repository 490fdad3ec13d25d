-- A changed key is recorded as a delete and an insert of one statement.  It is taken
-- back by an update, so that what refers to the row follows it, as it did before.

-- Several changed keys of one statement are told apart by all else that is in their
-- rows.  What moves to another partition fires the triggers of both, one right after
-- the other: there a part of the key is the same, or all else is.
create or replace function agentdb._is_same_row (
  old_key jsonb,
  old_values jsonb,
  new_key jsonb,
  new_values jsonb
)
  returns boolean
  language sql
  immutable
  return old_values - array(select jsonb_object_keys(old_key))
    = new_values - array(select jsonb_object_keys(new_key));

comment on function agentdb._is_same_row (jsonb, jsonb, jsonb, jsonb) is
  'Whether two rows are the same but for their keys.';


create or replace function agentdb._key_changes (scope text, id text)
  returns table (target integer, old_key jsonb, new_key jsonb)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with recursive record as materialized (
    select r.*,
      case when c.relkind = 'p' then lead(r.audit_log_id) over (
        partition by r.target, r.xid order by r.audit_log_id) end as next_id,
      min(r.audit_log_id) over (partition by r.target, r.row_key) as first_id,
      max(r.audit_log_id) over (partition by r.target, r.row_key) as last_id,
      count(*) over (partition by r.statement, r.target, r.operation) as among
    from agentdb._undo_record(scope, id) as r
    join agentdb.audit_target as t on t.audit_target_id = r.target
    left join pg_class as c on c.oid = t.table_oid
  ),
  pair as materialized (
    select o.target, o.row_key as old_key, n.row_key as new_key, o.statement,
      o.among = 1 and n.among = 1 or n.audit_log_id = o.next_id as only,
      count(*) over (partition by o.audit_log_id) as for_old,
      count(*) over (partition by n.audit_log_id) as for_new
    from record as o
    join record as n
      on n.target = o.target and n.operation = 'insert'
      and (n.statement = o.statement or n.audit_log_id = o.next_id)
    where o.operation = 'delete'
      and o.audit_log_id = o.last_id
      and n.audit_log_id = n.first_id
      and o.row_key <> n.row_key
      and (n.statement = o.statement and o.among = 1 and n.among = 1
        or agentdb._is_same_row(o.row_key, o.old_values, n.row_key, n.new_values)
        or n.statement <> o.statement and exists (
          select from jsonb_each(o.row_key) as k where n.row_key -> k.key = k.value))
  ),
  chain as (
    select p.target, p.old_key, p.new_key, p.statement
    from pair as p
    where p.only or p.for_old = 1 and p.for_new = 1
    union all
    select c.target, c.old_key, p.new_key, p.statement
    from chain as c
    join pair as p
      on p.target = c.target and p.old_key = c.new_key and p.statement > c.statement
      and (p.only or p.for_old = 1 and p.for_new = 1)
  )
  select c.target, c.old_key, c.new_key from chain as c;
$$;

comment on function agentdb._key_changes (text, text) is
  'The rows whose key updates changed, from the first to each later one, as far as '
  'that is certain.';


create or replace function agentdb._undo_key_changes (
  change bigint,
  scope text,
  id text
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with pair as (
    select d.place as kept, i.place as dropped, d.expected, i.new_values
    from agentdb._key_changes(scope, id) as k
    join agentdb.change_row as d
      on d.change_id = change and d.audit_target_id = k.target
      and jsonb_hash_extended(coalesce(d.shown_key, d.row_key), d.change_id)
        = jsonb_hash_extended(k.new_key, change)
      and d.row_key = k.new_key and d.operation = 'delete'
    join agentdb.change_row as i
      on i.change_id = change and i.audit_target_id = k.target
      and jsonb_hash_extended(coalesce(i.shown_key, i.row_key), i.change_id)
        = jsonb_hash_extended(k.old_key, change)
      and i.row_key = k.old_key and i.operation = 'insert'
  ),
  dropped as (
    delete from agentdb.change_row as r
    using pair as p
    where r.change_id = change and r.place = p.dropped
  )
  update agentdb.change_row as r
  set operation = 'update',
      new_values = (
        select jsonb_object_agg(v.key, v.value)
        from jsonb_each(p.new_values) as v
        where v.value is distinct from p.expected -> v.key)
  from pair as p
  where r.change_id = change and r.place = p.kept;
$$;

comment on function agentdb._undo_key_changes (bigint, text, text) is
  'Has an undo give rows their former key, where it would delete and insert them.';
