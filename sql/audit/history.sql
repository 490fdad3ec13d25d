-- History: what happened to a row, what a run did.

-- The log's rows of a key, under all names that it had, and what is known not to be in
-- the log.
create or replace function agentdb._history_sql (relation regclass)
  returns text
  language sql
  stable
  return format($history$
    select h.recorded_at, h.operation, h.old_values, h.new_values, a.agent_name,
      h.run_id, r.on_behalf_of, h.change_id, agentdb._approved_by(h.change_id),
      h.session_role, h.statement, h.audit_log_id
    from (
      select l.recorded_at, l.operation, l.old_values, l.new_values, l.agent_id,
        l.run_id, l.change_id, l.session_role, l.statement, l.audit_log_id
      from agentdb.audit_log as l
      join (
        select t.audit_target_id, agentdb._name_periods(t.audit_target_id) as periods
        from agentdb.audit_target as t
        where t.table_oid = $1
      ) as p on p.audit_target_id = l.audit_target_id
      where (jsonb_hash_extended(l.row_key, 0) in (
            select jsonb_hash_extended(k.key, 0) from unnest($3) as k (key))
          and l.row_key = any ($3)%s)
        -- Another column may have had the name.
        and case when p.periods is null then true
          else agentdb._renamed(l.row_key, l.recorded_at, p.periods, $1) = $2 end
      union all
      select g.began_at, 'not recorded', null,
        jsonb_build_object('reason', g.reason, 'until', g.ended_at), null, null, null,
        g.suspended_by, null, null
      from agentdb.recording_gap as g
      join agentdb.audit_target as t on t.audit_target_id = g.audit_target_id
      where t.table_oid = $1
      union all
      select l.first_at, 'not recorded', null,
        jsonb_build_object('reason', 'its primary key was another'), null, null, null,
        null, null, null
      from agentdb.audit_layout as l
      join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
      where t.table_oid = $1
        and t.unaudited_at is null
        and l.shape -> 'key' <> agentdb._shape_now(t.audit_target_id) -> 'key'
    ) as h
    left join agentdb.agent as a on a.agent_id = h.agent_id
    left join agentdb.run as r on r.run_id = h.run_id
    -- By number, whatever the clock did; what has none is after what was before it.
    order by coalesce(h.audit_log_id,
        max(h.audit_log_id) over (order by h.recorded_at), 0),
      h.audit_log_id nulls last, h.recorded_at$history$,
    (
      select case when not bool_and(c.exact)
        then ' or ' || agentdb._same_key_sql(relation) else '' end
      from agentdb.audit_column as c
      where c.audit_target_id = agentdb._target_of(relation) and c.key_place is not null
    )
  );

comment on function agentdb._history_sql (regclass) is
  'SQL text: what happened to the rows of table $1 whose key is $2, or one of $3.';


create or replace function agentdb.row_history (relation regclass, key jsonb)
  returns table (
    recorded_at timestamptz, operation text, old_values jsonb, new_values jsonb,
    agent_name text, run_id bigint, on_behalf_of text, change_id bigint,
    approved_by text, session_role text, statement bigint, audit_log_id bigint
  )
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_key jsonb := agentdb._canonical_key(relation, key);
begin
  return query execute agentdb._history_sql(relation)
    using relation::oid, v_key, agentdb._former_keys(relation, v_key);
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
