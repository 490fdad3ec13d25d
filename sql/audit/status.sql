-- Which tables are audited, and whether that still works.

-- Ours of any kind write no table of the application.
create or replace function agentdb._foreign_triggers (table_oid oid)
  returns table (trigger_oid oid, tgname name, tgtype smallint)
  language sql
  stable
begin atomic
  select t.oid, t.tgname, t.tgtype
  from pg_trigger as t
  where t.tgrelid = _foreign_triggers.table_oid
    and not t.tgisinternal
    and (t.tgtype & 28) > 0
    and t.tgfoid not in (
      select p.oid from pg_proc as p where p.pronamespace = 'agentdb'::regnamespace);
end;

comment on function agentdb._foreign_triggers (oid) is
  'The triggers of the application that fire when rows of a table are written.';


-- A delete or update that PostgreSQL passes on may come back to the table, by a key or
-- by a trigger on its way.
create or replace function agentdb._comes_back (table_oid oid)
  returns boolean
  language sql
  stable
begin atomic
  with recursive reached (oid) as (
    select k.conrelid
    from pg_constraint as k
    where k.confrelid = _comes_back.table_oid
      and k.contype = 'f'
      and (k.confdeltype in ('c', 'n', 'd') or k.confupdtype in ('c', 'n', 'd'))
    union
    select k.conrelid
    from reached as r
    join pg_constraint as k
      on k.confrelid = r.oid
      and k.contype = 'f'
      and (k.confdeltype in ('c', 'n', 'd') or k.confupdtype in ('c', 'n', 'd'))
  )
  select exists (
    select from reached as r
    where r.oid = _comes_back.table_oid
      or exists (select from agentdb._foreign_triggers(r.oid) as t)
  );
end;

comment on function agentdb._comes_back (oid) is
  'Whether what foreign keys do elsewhere for a write of a table may write it again.';


create or replace function agentdb._needs_rows (table_oid oid)
  returns text
  language sql
  stable
  return (
    select case
      when c.relkind = 'p' or c.relispartition
        then 'a partition can be written to by its own name'
      when exists (
        select from pg_inherits as i where table_oid in (i.inhrelid, i.inhparent)
      ) then 'it inherits or is inherited from'
      when exists (
        select from pg_subscription_rel as s where s.srrelid = table_oid
      ) then 'a subscription writes row by row'
      when exists (
        select from agentdb._foreign_triggers(table_oid) as t
        where (t.tgtype & 66) = 0
          and ((t.tgtype & 1) = 1 or t.tgname < 'agentdb_audit_update')
      ) then 'its AFTER triggers may write to it in between'
      when agentdb._comes_back(table_oid)
        then 'what its foreign keys pass on may write to it in between'
      when c.relnatts > 600 then 'its rows are too wide to compare two at a time'
    end
    from pg_class as c
    where c.oid = table_oid
  );

comment on function agentdb._needs_rows (oid) is
  'Says why triggers by statement would miss or reorder writes of a table; NULL where'
  ' they would not.';


create or replace view agentdb.audit_fault as
  select t.audit_target_id, t.table_name, f.fault
  from agentdb.audit_target as t
  left join pg_class as c on c.oid = t.table_oid
  cross join lateral (
    select 'the table is gone' as fault where c.oid is null
    union all
    select 'its capture function is gone'
    where not exists (
      select from pg_proc as p
      where p.pronamespace = 'agentdb'::regnamespace
        and p.proname = '_capture_' || t.audit_target_id
    )
    union all
    select 'it needs level row now: ' || agentdb._needs_rows(t.table_oid)
    where t.level = 'statement' and agentdb._needs_rows(t.table_oid) is not null
    union all
    select format('trigger %s on %s is %s', w.tgname, w.table_oid::regclass,
      case when g.oid is null then 'missing' when g.tgenabled <> 'A' then 'disabled'
        else 'replaced' end)
    from (
      select t.table_oid, n.tgname
      from unnest(case t.level when 'row' then array['00_agentdb_audit']
        else array['agentdb_audit_insert', 'agentdb_audit_update',
          'agentdb_audit_delete'] end) as n (tgname)
      where c.oid is not null
      union all
      select p.relid, x.tgname
      from pg_partition_tree(t.table_oid) as p
      cross join (values ('00_agentdb_audit'), ('agentdb_audit_truncate')) as x (tgname)
      where p.relid <> t.table_oid
      union all
      select t.table_oid, 'agentdb_audit_truncate' where c.oid is not null
    ) as w (table_oid, tgname)
    left join pg_trigger as g on g.tgrelid = w.table_oid and g.tgname = w.tgname
    left join pg_proc as p
      on p.oid = g.tgfoid and p.pronamespace = 'agentdb'::regnamespace
    where g.tgenabled is distinct from 'A'
      or g.tgqual is not null
      or g.tgattr <> ''
      or p.proname is null
      or p.proname not in ('_capture_' || t.audit_target_id, '_capture_truncate')
      or p.proname = '_capture_truncate'
        and g.tgargs <> convert_to(t.audit_target_id::text, 'UTF8') || '\x00'
  ) as f
  where t.unaudited_at is null;

comment on view agentdb.audit_fault is
  'What keeps the audit from recording a table as it should; empty where all is well.';
comment on column agentdb.audit_fault.audit_target_id is
  'The attachment.';
comment on column agentdb.audit_fault.table_name is
  'The table.';
comment on column agentdb.audit_fault.fault is
  'What is wrong.';


create or replace view agentdb.audited_table as
  select
    t.table_name,
    t.table_oid,
    t.level,
    (
      select array_agg(c.column_name::text order by c.key_place)
      from agentdb.audit_column as c
      where c.audit_target_id = t.audit_target_id and c.key_place is not null
    ) as row_key,
    t.excluded,
    t.redacted,
    t.refuse_blast,
    t.audited_at,
    t.audited_by,
    (
      select string_agg(f.fault, '; ' order by f.fault)
      from agentdb.audit_fault as f where f.audit_target_id = t.audit_target_id
    ) as fault
  from agentdb.audit_target as t
  where t.unaudited_at is null;

comment on view agentdb.audited_table is
  'The tables that are audited, how, since when, and what is wrong with it.';
comment on column agentdb.audited_table.table_name is
  'The table.';
comment on column agentdb.audited_table.table_oid is
  'Its number in this database.';
comment on column agentdb.audited_table.level is
  'Whether its triggers fire once a statement, which is faster, or once a row.';
comment on column agentdb.audited_table.row_key is
  'Its primary key; NULL where rows have no name.';
comment on column agentdb.audited_table.excluded is
  'Columns that are not recorded.';
comment on column agentdb.audited_table.redacted is
  'Columns of which only a change is recorded, not the value.';
comment on column agentdb.audited_table.refuse_blast is
  'Whether a statement of an agent over policy.blast_radius_rows is refused.';
comment on column agentdb.audited_table.audited_at is
  'Since when it is audited.';
comment on column agentdb.audited_table.audited_by is
  'Who attached the audit.';
comment on column agentdb.audited_table.fault is
  'What keeps the audit from working; NULL where all is well.';


create or replace function agentdb._approved_by (change bigint)
  returns text
  language sql
  stable
  return (
    select string_agg(d.reviewer, ', ' order by d.decided_at)
    from agentdb.change_decision as d
    where d.change_id = change and d.decision = 'approve'
  );

comment on function agentdb._approved_by (bigint) is
  'The login roles that approved a change; NULL where nobody had to.';


create or replace view agentdb.audit as
  select
    l.recorded_at, t.table_name, l.operation, l.row_key, l.old_values, l.new_values,
    a.agent_name, l.run_id, l.change_id, agentdb._approved_by(l.change_id) as
      approved_by,
    l.session_role, l.application_name, l.client_addr, l.transaction_at, l.xid,
    l.statement, l.audit_log_id
  from agentdb.audit_log as l
  join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
  left join agentdb.agent as a on a.agent_id = l.agent_id
  order by l.audit_log_id desc;

comment on view agentdb.audit is
  'Every recorded change of a row, the newest first.';
comment on column agentdb.audit.recorded_at is
  'When the statement ended, by the clock of the server.';
comment on column agentdb.audit.table_name is
  'The table.';
comment on column agentdb.audit.operation is
  'insert, update, delete or truncate; a changed primary key is a delete and an '
  'insert.';
comment on column agentdb.audit.row_key is
  'The primary key of the row.';
comment on column agentdb.audit.old_values is
  'What the row was: of an update only the changed columns.';
comment on column agentdb.audit.new_values is
  'What it became.';
comment on column agentdb.audit.agent_name is
  'The agent that wrote it, or proposed the change that did.';
comment on column agentdb.audit.run_id is
  'The run that wrote or proposed it, where it is known.';
comment on column agentdb.audit.change_id is
  'The change that wrote it; NULL for a direct write.';
comment on column agentdb.audit.approved_by is
  'The login roles that approved the change.';
comment on column agentdb.audit.session_role is
  'The role that logged in: of a change, the one in whose session it was applied.';
comment on column agentdb.audit.application_name is
  'What the client called itself: a claim.';
comment on column agentdb.audit.client_addr is
  'Where the client connected from; NULL for a socket.';
comment on column agentdb.audit.transaction_at is
  'When the transaction began.';
comment on column agentdb.audit.xid is
  'The transaction.';
comment on column agentdb.audit.statement is
  'The statement: rows with the same number changed together, where triggers fire by '
  'statement.';
comment on column agentdb.audit.audit_log_id is
  'Orders the changes.';


create or replace view agentdb.change_volume as
  select
    l.run_id, a.agent_name, l.session_role, t.table_name,
    count(*) filter (where l.operation = 'insert') as inserted,
    count(*) filter (where l.operation = 'update') as updated,
    count(*) filter (where l.operation in ('delete', 'truncate')) as removed,
    count(distinct l.statement) as statements,
    min(l.recorded_at) as first_at,
    max(l.recorded_at) as last_at
  from agentdb.audit_log as l
  join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
  left join agentdb.agent as a on a.agent_id = l.agent_id
  group by l.run_id, a.agent_name, l.session_role, t.table_name;

comment on view agentdb.change_volume is
  'How many rows each run changed in each table.';
comment on column agentdb.change_volume.run_id is
  'The run; NULL for what no run did.';
comment on column agentdb.change_volume.agent_name is
  'Its agent.';
comment on column agentdb.change_volume.session_role is
  'The role that logged in.';
comment on column agentdb.change_volume.table_name is
  'The table.';
comment on column agentdb.change_volume.inserted is
  'Rows inserted.';
comment on column agentdb.change_volume.updated is
  'Rows updated.';
comment on column agentdb.change_volume.removed is
  'Rows deleted or truncated.';
comment on column agentdb.change_volume.statements is
  'Statements; by row where triggers fire by row.';
comment on column agentdb.change_volume.first_at is
  'When the first was recorded.';
comment on column agentdb.change_volume.last_at is
  'When the last was recorded.';
