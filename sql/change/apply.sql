-- Applying: all rows of a change or none, as they were approved, or a conflict that
-- says why not.

-- True where it can be applied now; else its state says what became of it.  The run is
-- locked first, so that a kill that comes now waits for the end of this transaction.
create or replace function agentdb._lock_to_apply (change bigint, compared boolean)
  returns boolean
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_change agentdb.change;
  v_former text[];
  v_fault text;
begin
  select c.* into v_change
  from agentdb.change as c where c.change_id = change for no key update;
  if v_change.state is distinct from 'approved' then
    perform agentdb._refuse_state(change, v_change.state, 'approved');
  elsif v_change.run_id is not null then
    perform agentdb._check_write(v_change.run_id, null);
  end if;
  if v_change.expires_at <= clock_timestamp() then
    perform agentdb._close_change(change, 'expired');
    return false;
  elsif not compared
    and agentdb._change_digest(change) is distinct from v_change.digest then
    perform agentdb._refuse_altered(change);
  elsif agentdb._is_outdated('1 second') then
    perform agentdb._refuse('this transaction sees tables and rights as they were when '
      'it began',
      'Decide and apply in a transaction of its own, or begin it with: begin isolation '
        'level read committed;');
  end if;
  if v_change.builds_on <> '{}' then
    select array_agg(distinct c.state) into v_former
    from agentdb.change as c
    where c.change_id = any (v_change.builds_on) and c.state <> 'applied';
  end if;
  if v_former && '{open,pending,approved}' then
    return false;
  elsif v_former is not null then
    v_fault := format('it builds on change %s, which was not applied',
      array_to_string(v_change.builds_on, ', '));
  end if;
  v_fault := coalesce(v_fault, agentdb._change_fault(change));
  if v_fault is not null then
    perform agentdb._close_change(change, 'conflict',
      jsonb_build_object('sqlstate', 'ZA051', 'message', v_fault));
  elsif v_change.kind = 'undo' and not agentdb._all_guarded(change) then
    -- It is applied with the rights of the caller, and recorded as the undo.
    insert into agentdb.change_pass (change_id, opens_guard) values (change, false);
  end if;
  return v_fault is null;
end;
$$;

comment on function agentdb._lock_to_apply (bigint, boolean) is
  'Locks an approved change and looks whether it can be applied now, and whether it is '
  'what was reviewed, where its digest was not just compared; raises ZA040, ZA041, '
  'ZA053 or ZA054.';


create or replace function agentdb._begin_apply (change bigint)
  returns boolean
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  return agentdb._lock_to_apply(change, false);
end;
$$;

comment on function agentdb._begin_apply (bigint) is
  'The same for who applies a change with its own rights.';


create or replace function agentdb._refuse_altered (change bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'change % is not what was reviewed', change
    using errcode = 'ZA054',
          detail = 'Its digest is another one.',
          hint = 'Look at it again and decide about what it is now: select * from '
            'agentdb.show_change_rows(change => ' || change || ');';
end;
$$;

comment on function agentdb._refuse_altered (bigint) is
  'Raises ZA054 for a change whose content differs from what was reviewed.';


create or replace function agentdb._end_apply (
  change bigint,
  effects jsonb,
  problem jsonb
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.change as c
  set state = case when _end_apply.problem is null then 'applied' else 'conflict' end,
      problem = _end_apply.problem,
      effects = coalesce(_end_apply.effects, c.effects),
      closed_at = clock_timestamp(),
      applied_by = case when _end_apply.problem is null then agentdb._said_by() end,
      applied_xid = case when _end_apply.problem is null then pg_current_xact_id() end
  where c.change_id = change and c.state = 'approved';
end;
$$;

comment on function agentdb._end_apply (bigint, jsonb, jsonb) is
  'Writes down how the application of a change ended.';


-- The record says whether the rows were written, and as this change.  Each side is read
-- once, whatever the planner knows of rows that have just come.
create or replace function agentdb._was_written (change bigint)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with written as materialized (
    select l.audit_target_id, l.row_key, l.operation
    from agentdb.audit_log as l
    where l.xid = pg_current_xact_id_if_assigned()
      and l.change_id = change
      and l.row_key is not null
  )
  select not exists (
    select
    from agentdb.change_row as r
    where r.change_id = change
      and r.operation <> 'check'
      and (r.audit_target_id, r.row_key, r.operation)
        not in (select w.* from written as w)
      -- A changed key is recorded as a delete and an insert.
      and (r.operation <> 'update'
        or (r.audit_target_id, r.row_key, 'delete')
          not in (select w.* from written as w)));
$$;

comment on function agentdb._was_written (bigint) is
  'Whether this transaction has written all rows of a change.';


-- What tables are said to have become is not for a caller to say.
create or replace function agentdb._end_apply_as_caller (
  change bigint,
  written bigint,
  effects jsonb,
  problem jsonb
)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  if agentdb._all_guarded(change) then
    perform agentdb._refuse_state(change, 'on guarded tables', 'on others');
  elsif problem is null and not (
    written = agentdb._row_total(change)
    and agentdb._was_written(change)
    and agentdb._is_as_written(change)) then
    perform agentdb._refuse_state(change, 'not written by this transaction',
      'written');
  end if;
  delete from agentdb.change_pass as p where p.xid = pg_current_xact_id();
  perform agentdb._end_apply(change, effects, problem);
end;
$$;

comment on function agentdb._end_apply_as_caller (bigint, bigint, jsonb, jsonb) is
  'The same for a change that the caller has applied with its own rights.';


create or replace function agentdb._apply_compared (change bigint, compared boolean)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_end record;
begin
  if not agentdb._lock_to_apply(change, compared) then
    return;
  end if;
  v_end := agentdb._attempt(change, '{}', true, true,
    (select c.effects from agentdb.change as c where c.change_id = change));
  if v_end.problem is null then
    perform agentdb._move_bases(change);
  else
    v_end.problem := v_end.problem
      || jsonb_build_object('conflicts',
        agentdb._conflicts(change, 20, true) || agentdb._stale_reads(change, 20));
  end if;
  perform agentdb._end_apply(change, v_end.effects, v_end.problem);
end;
$$;

comment on function agentdb._apply_compared (bigint, boolean) is
  'Applies an approved change on guarded tables as agentdb_applier; its digest was '
  'just compared, or is.';


create or replace function agentdb._apply (change bigint)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._apply_compared(change, false);
end;
$$;

comment on function agentdb._apply (bigint) is
  'Applies an approved change on guarded tables as agentdb_applier.';


create or replace function agentdb._refuse_for_other (change bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'this writes tables that are not guarded: % does it itself',
      agentdb._person()
    using errcode = 'ZA055',
          detail = 'Those are written with the rights of whoever does it, and nobody '
            'can act with the rights of somebody else.',
          hint = coalesce((
            select 'agentdb undo ' || (c.undoes ->> 'run') || ' --apply'
            from agentdb.change as c
            where c.change_id = change and c.state = 'open'),
            'agentdb change apply ' || change);
end;
$$;

comment on function agentdb._refuse_for_other (bigint) is
  'Raises ZA055 where agentdb serve would write tables with the rights of a person.';


create or replace function agentdb._apply_as_caller (change bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_end record;
begin
  if agentdb._by_way_of() is not null then
    perform agentdb._refuse_for_other(change);
  elsif not agentdb._begin_apply(change) then
    return;
  end if;
  select a.effects, a.problem into v_end
  from agentdb._attempt(change, '{}', false, true,
    (select c.effects from agentdb.change as c where c.change_id = change)) as a;
  if v_end.problem is not null then
    v_end.problem := v_end.problem
      || jsonb_build_object('conflicts', agentdb._conflicts(change, 20, false));
  end if;
  perform agentdb._end_apply_as_caller(change, agentdb._row_total(change),
    v_end.effects, v_end.problem);
end;
$$;

comment on function agentdb._apply_as_caller (bigint) is
  'Applies an undo with the rights of the caller, where tables are not guarded.';


create or replace function agentdb.apply_change (change bigint)
  returns table (change_id bigint, state text, effects jsonb, problem jsonb)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
begin
  if agentdb._all_guarded(change) then
    perform agentdb._apply(change);
  else
    perform agentdb._apply_as_caller(change);
  end if;
  return query
    select s.change_id, s.state, s.effects, s.problem
    from agentdb.show_change(change) as s;
end;
$$;

comment on function agentdb.apply_change (bigint) is
  'Applies an approved change: state applied, conflict with what is in the way, or '
  'approved where it waits for another; raises ZA006, ZA040, ZA041, ZA053 or ZA054.';
