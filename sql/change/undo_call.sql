-- The calls that take something back.

-- Where triggers make something else of a row, they may be what brings it back: once
-- more without it.
create or replace function agentdb._try_undo (
  change bigint,
  guarded boolean,
  out effects jsonb,
  out problem jsonb
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if agentdb._is_crossed(change) then
    problem := jsonb_build_object('sqlstate', 'ZA052', 'message',
      'somebody else wrote between two writes of a row');
    return;
  end if;
  select t.effects, t.problem into _try_undo.effects, _try_undo.problem
  from agentdb._try(change, guarded) as t;
  if problem ->> 'constraint' = 'agentdb_outcome' then
    perform agentdb._leave_to_triggers(change, (problem ->> 'detail')::jsonb);
    select t.effects, t.problem into _try_undo.effects, _try_undo.problem
    from agentdb._try(change, guarded) as t;
  end if;
end;
$$;

comment on function agentdb._try_undo (bigint, boolean) is
  'Tries an undo: what it wrote, or why it would fail.';


create or replace function agentdb._undo (
  scope text,
  id text,
  reason text,
  on_conflict text,
  include jsonb,
  keep jsonb
)
  returns table (
    change_id bigint, state text, row_count integer, effects jsonb, conflicts jsonb,
    left_undone jsonb
  )
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_guarded boolean;
  v_planned bigint;
  v_end record;
begin
  if on_conflict is null or on_conflict not in ('refuse', 'skip', 'override')
    or id is null then
    perform agentdb._refuse('on_conflict is refuse, skip or override, and what to undo '
      'is named', 'select * from agentdb.undo_run(12, on_conflict => ''skip'');');
  end if;
  change_id := agentdb._plan_undo(scope, id, reason, include, keep,
    on_conflict = 'refuse');
  v_guarded := agentdb._all_guarded(change_id);
  if not v_guarded and agentdb._by_way_of() is not null then
    perform agentdb._refuse_for_other(change_id);
  end if;
  v_planned := agentdb._row_total(change_id);
  v_end := agentdb._try_undo(change_id, v_guarded);
  if v_end.problem ->> 'sqlstate' ~ '^(ZA052|23...)$' then
    conflicts := agentdb._resolve(change_id, on_conflict, v_guarded);
    if conflicts = '[]' then
      v_end := agentdb._try_undo(change_id, v_guarded);
    end if;
  end if;
  if v_end.problem is null and on_conflict <> 'override'
    and agentdb._is_wider(change_id, v_end.effects) then
    v_end.problem := jsonb_build_object('conflict', 'it would delete or change rows of '
      'others that refer to what it takes away', 'effects', v_end.effects);
    conflicts := jsonb_build_array(v_end.problem);
  end if;
  conflicts := nullif(conflicts, '[]');
  if v_end.problem is not null and conflicts is null then
    conflicts := jsonb_build_array(v_end.problem);
  end if;
  if conflicts is null then
    perform agentdb._finish_undo(change_id, v_end.effects);
  else
    perform agentdb.withdraw_change(change_id);
  end if;
  return query
    select s.change_id, case when _undo.conflicts is null then s.state else 'conflict'
      end, s.row_count, s.effects, _undo.conflicts,
      agentdb._left_undone(_undo.change_id, case on_conflict when 'skip'
        then v_planned - agentdb._row_total(_undo.change_id) else 0 end)
    from agentdb.show_change(_undo.change_id) as s;
end;
$$;

comment on function agentdb._undo (text, text, text, text, jsonb, jsonb) is
  'Makes and tries the change that takes something back.';


create or replace function agentdb.undo_row (
  audit_log_id bigint,
  reason text default null,
  on_conflict text default 'refuse',
  include jsonb default null,
  keep jsonb default null
)
  returns table (
    change_id bigint, state text, row_count integer, effects jsonb, conflicts jsonb,
    left_undone jsonb
  )
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
begin
  return query
    select *
    from agentdb._undo('audit', audit_log_id::text, reason, on_conflict, include, keep);
end;
$$;

comment on function agentdb.undo_row (bigint, text, text, jsonb, jsonb) is
  'Makes a change that takes one recorded change of a row back: state pending, '
  'approved where nobody needs to be asked, or conflict; on_conflict skip or override '
  'decides about rows that others changed since; include and keep name tables and '
  'rows, as [{"table": "public.t", "key": {"id": 1}}]; left_undone says what cannot '
  'come back; raises ZA004, ZA051 or ZA056.';


create or replace function agentdb.undo_transaction (
  xid xid8,
  reason text default null,
  on_conflict text default 'refuse',
  include jsonb default null,
  keep jsonb default null
)
  returns table (
    change_id bigint, state text, row_count integer, effects jsonb, conflicts jsonb,
    left_undone jsonb
  )
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
begin
  return query
    select * from agentdb._undo('xid', xid::text, reason, on_conflict, include, keep);
end;
$$;

comment on function agentdb.undo_transaction (xid8, text, text, jsonb, jsonb) is
  'The same for everything that a transaction wrote to audited tables.';


create or replace function agentdb.undo_run (
  run bigint,
  reason text default null,
  on_conflict text default 'refuse',
  include jsonb default null,
  keep jsonb default null
)
  returns table (
    change_id bigint, state text, row_count integer, effects jsonb, conflicts jsonb,
    left_undone jsonb
  )
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
begin
  return query
    select * from agentdb._undo('run', run::text, reason, on_conflict, include, keep);
end;
$$;

comment on function agentdb.undo_run (bigint, text, text, jsonb, jsonb) is
  'The same for everything that a run wrote, itself or by its approved changes.';


create or replace function agentdb.undo_change (
  change bigint,
  reason text default null,
  on_conflict text default 'refuse',
  include jsonb default null,
  keep jsonb default null
)
  returns table (
    change_id bigint, state text, row_count integer, effects jsonb, conflicts jsonb,
    left_undone jsonb
  )
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
begin
  return query
    select *
    from agentdb._undo('change', change::text, reason, on_conflict, include, keep);
end;
$$;

comment on function agentdb.undo_change (bigint, text, text, jsonb, jsonb) is
  'The same for an applied change; of an undo it is the redo.';
