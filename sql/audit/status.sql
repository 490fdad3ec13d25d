-- Which tables are audited, and whether that still works.

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
    select string_agg(concat_ws(' by way of ', d.reviewer, d.by_way_of), ', '
      order by d.decided_at)
    from agentdb.change_decision as d
    where d.change_id = change and d.decision = 'approve'
  );

comment on function agentdb._approved_by (bigint) is
  'The login roles that approved a change; NULL where nobody had to.';


create or replace view agentdb.audit as
  select
    l.recorded_at, t.table_name, l.operation, l.row_key, l.old_values, l.new_values,
    a.agent_name, l.run_id, r.on_behalf_of, l.change_id,
    agentdb._approved_by(l.change_id) as approved_by,
    l.session_role, l.application_name, l.client_addr, l.transaction_at, l.xid,
    l.statement, l.audit_log_id
  from agentdb.audit_log as l
  join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
  left join agentdb.agent as a on a.agent_id = l.agent_id
  left join agentdb.run as r on r.run_id = l.run_id
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
comment on column agentdb.audit.on_behalf_of is
  'For whom that run works, as its agent said: a claim.';
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
