-- History: what happened to a row, what a run did.

-- The key as the log writes it, whatever JSON the caller gave; a bare value will do
-- where the key is one column.
create or replace function agentdb._canonical_key (relation regclass, key jsonb)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
as $$
declare
  v_target integer := agentdb._target_of(relation);
  v_columns text[];
  v_select text;
  v_key jsonb := _canonical_key.key;
begin
  select array_agg(c.column_name::text order by c.key_place),
         string_agg(format('($1 ->> %L)::%s as %I', c.column_name::text,
           format_type(a.atttypid, a.atttypmod), c.column_name),
           ', ' order by c.key_place)
    into v_columns, v_select
  from agentdb.audit_column as c
  join pg_attribute as a on a.attrelid = relation and a.attnum = c.place
  where c.audit_target_id = v_target and c.key_place is not null;
  if v_columns is null then
    perform agentdb._refuse_history(relation,
      'it has no primary key, so its rows have no names',
      format('select * from agentdb.audit where table_name = %L;',
        agentdb._table_name(relation)));
  elsif jsonb_typeof(v_key) <> 'object' and cardinality(v_columns) = 1 then
    v_key := jsonb_build_object(v_columns[1], v_key);
  end if;
  if v_key is null or not v_key ?& v_columns then
    perform agentdb._refuse(
      format('the key of %s is %s', agentdb._table_name(relation),
        array_to_string(v_columns, ', ')),
      'Give it as JSON: {"' || v_columns[1] || '": …}.');
  end if;
  execute format('select %s from (select %s) as o',
      agentdb._key_sql(v_target, 'o'), v_select)
    into v_key using v_key;
  return v_key;
end;
$$;

comment on function agentdb._canonical_key (regclass, jsonb) is
  'The key of a row as audit_log has it; raises ZA004, ZA006 or ZA033.';


create or replace function agentdb._target_of (relation regclass)
  returns integer
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_target integer := (
    select t.audit_target_id from agentdb.audit_target as t
    where t.table_oid = relation::oid and t.unaudited_at is null
  );
begin
  if v_target is null then
    raise exception '% is not audited', coalesce(agentdb._table_name(relation), 'NULL')
      using errcode = 'ZA006', hint = 'select table_name from agentdb.audited_table;';
  end if;
  return v_target;
end;
$$;

comment on function agentdb._target_of (regclass) is
  'The present attachment of a table; raises ZA006.';


create or replace function agentdb._refuse_history (
  relation regclass,
  problem text,
  hint text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'the past of % is not known: %',
      agentdb._table_name(relation), problem
    using errcode = 'ZA033', hint = hint;
end;
$$;

comment on function agentdb._refuse_history (regclass, text, text) is
  'Raises ZA033 where the log cannot answer.';


create or replace function agentdb.row_history (relation regclass, key jsonb)
  returns table (
    recorded_at timestamptz, operation text, old_values jsonb, new_values jsonb,
    agent_name text, run_id bigint, change_id bigint, approved_by text,
    session_role text, statement bigint, audit_log_id bigint
  )
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key jsonb := agentdb._canonical_key(relation, key);
begin
  return query
    select h.recorded_at, h.operation, h.old_values, h.new_values, a.agent_name,
      h.run_id, h.change_id, agentdb._approved_by(h.change_id), h.session_role,
      h.statement, h.audit_log_id
    from (
      select l.recorded_at, l.operation, l.old_values, l.new_values, l.agent_id,
        l.run_id, l.change_id, l.session_role, l.statement, l.audit_log_id
      from agentdb.audit_log as l
      where l.audit_target_id in (
          select t.audit_target_id from agentdb.audit_target as t
          where t.table_oid = relation::oid)
        and jsonb_hash_extended(l.row_key, 0) = jsonb_hash_extended(v_key, 0)
        and l.row_key = v_key
      union all
      select g.began_at, 'not recorded', null,
        jsonb_build_object('reason', g.reason, 'until', g.ended_at), null, null, null,
        g.suspended_by, null, null
      from agentdb.recording_gap as g
      join agentdb.audit_target as t on t.audit_target_id = g.audit_target_id
      where t.table_oid = relation::oid
    ) as h
    left join agentdb.agent as a on a.agent_id = h.agent_id
    -- By number, whatever the clock did; what has none is after what was before it.
    order by coalesce(h.audit_log_id,
        max(h.audit_log_id) over (order by h.recorded_at), 0),
      h.audit_log_id nulls last, h.recorded_at;
end;
$$;

comment on function agentdb.row_history (regclass, jsonb) is
  'Everything that happened to a row, the oldest first, and since when nothing was '
  'recorded; the key as JSON, or its bare value; raises ZA004, ZA006 or ZA033.';


create or replace function agentdb.run_changes (run bigint)
  returns table (
    recorded_at timestamptz, table_name text, operation text, row_key jsonb,
    old_values jsonb, new_values jsonb, change_id bigint, approved_by text,
    statement bigint, audit_log_id bigint
  )
  language sql
  stable
begin atomic
  select l.recorded_at, t.table_name, l.operation, l.row_key, l.old_values,
    l.new_values, l.change_id, agentdb._approved_by(l.change_id), l.statement,
    l.audit_log_id
  from agentdb.audit_log as l
  join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
  where l.run_id = run_changes.run
  order by l.audit_log_id;
end;

comment on function agentdb.run_changes (bigint) is
  'Every row that a run changed, itself or by a change of its that was applied, in '
  'order.';
