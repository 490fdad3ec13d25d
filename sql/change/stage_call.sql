-- What a proposer calls: reading its own staged rows, staging by a call, and changes
-- that are built over several transactions.

create or replace function agentdb.staged_rows (target integer)
  returns table (operation text, row_key jsonb, new_values jsonb)
  language plpgsql
  stable
  rows 10
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent_id bigint;
begin
  if not exists (
    select from agentdb.change as c
    where c.proposed_by = session_user and c.state in ('open', 'pending', 'approved')
  ) then
    return;
  end if;
  -- NULL for a person.
  v_agent_id := agentdb._known_writer();
  return query
    with mine as materialized (
      select r.change_id, r.builds_on, coalesce(r.net_operation, r.operation) as what,
        r.row_key, coalesce(r.shown_key, r.row_key) as shown_key,
        coalesce(r.base_key, r.row_key) as base_key,
        coalesce(r.net_values, r.new_values) as net_values
      from agentdb._live_changes(session_user, v_agent_id) as c
      join agentdb.change_row as r on r.change_id = c.change_id
      where r.audit_target_id = target
        and r.operation <> 'check'
    )
    select m.what, m.base_key, m.net_values
    from mine as m
    -- What a later change continues is in that; a row that is gone stays so.
    where m.what = 'delete' or m.what is not null and not exists (
      select from mine as l
      where l.builds_on = m.change_id and l.row_key = m.shown_key);
end;
$$;

comment on function agentdb.staged_rows (integer) is
  'What the session itself has staged of a table and is not applied yet; staging views '
  'lay it over the table.';


create or replace function agentdb.staging_view (relation regclass)
  returns text
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_view text := (
    select format('agentdb_stage.%I', g.view_name)
    from agentdb.guarded_table as g where g.table_oid = relation::oid
  );
begin
  if v_view is null then
    raise exception '% is not guarded', coalesce(relation::text, 'NULL')
      using errcode = 'ZA006', hint = 'Write to it directly.';
  end if;
  return v_view;
end;
$$;

comment on function agentdb.staging_view (regclass) is
  'The view that takes ordinary SQL for a guarded table; raises ZA006.';
