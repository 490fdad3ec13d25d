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
    with recursive mine as materialized (
      select r.change_id, r.builds_on, coalesce(r.net_operation, r.operation) as what,
        r.row_key, coalesce(r.shown_key, r.row_key) as shown_key,
        coalesce(r.base_key, r.row_key) as base_key,
        coalesce(r.net_values, r.new_values) as net_values
      from agentdb.change as c
      join agentdb.change_row as r on r.change_id = c.change_id
      where c.proposed_by = session_user
        and c.state in ('open', 'pending', 'approved')
        and c.agent_id is not distinct from v_agent_id
        and r.audit_target_id = target
        and r.operation <> 'check'
    ),
    continued as (
      select m.builds_on as change_id, m.row_key as key from mine as m
      where m.builds_on is not null
      union
      -- Of one that was rejected, what it continued itself.
      select r.builds_on, r.row_key
      from continued as d
      join agentdb.change as c
        on c.change_id = d.change_id and c.state not in ('open', 'pending', 'approved')
      join agentdb.change_row as r
        on jsonb_hash_extended(coalesce(r.shown_key, r.row_key), r.change_id)
          = jsonb_hash_extended(d.key, d.change_id)
        and r.change_id + 0 = d.change_id
        and r.audit_target_id = target
        and coalesce(r.shown_key, r.row_key) = d.key
      where r.builds_on is not null
    )
    select m.what, m.base_key, m.net_values
    from mine as m
    -- What a later change continues is in that; a row that is gone stays so.
    where m.what = 'delete' or m.what is not null and not exists (
      select from continued as d
      where d.change_id = m.change_id and d.key = m.shown_key);
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
