-- Submitting: a change is tried for real in a subtransaction and rolled back, so that
-- constraints, triggers and cascades speak up before a person is asked.

create or replace function agentdb._raise_again (
  state text,
  message text,
  detail text,
  hint text,
  constraint_name text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = state,
    message = message,
    detail = coalesce(detail, ''),
    hint = hint,
    constraint = constraint_name;
end;
$$;

comment on function agentdb._raise_again (text, text, text, text, text) is
  'Raises an error that was caught.';


-- What a row continues, and what that continues, the oldest first.
create or replace function agentdb._basis (change bigint)
  returns bigint[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with recursive basis (change_id) as (
    select r.builds_on
    from agentdb.change_row as r
    where r.change_id = _basis.change and r.builds_on is not null
    union
    select unnest(c.builds_on)
    from basis as b
    join agentdb.change as c on c.change_id = b.change_id
  )
  select coalesce(array_agg(b.change_id order by b.change_id), '{}')
  from basis as b
  join agentdb.change as c on c.change_id = b.change_id
  where c.state in ('pending', 'approved');
$$;

comment on function agentdb._basis (bigint) is
  'The undecided changes that a change builds on, the oldest first.';


create or replace function agentdb._refuse_change (change bigint, problem jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_conflicts jsonb;
begin
  if problem ->> 'sqlstate' <> 'ZA052' then
    perform agentdb._raise_again(problem ->> 'sqlstate',
      'the change would fail: ' || (problem ->> 'message'), problem ->> 'detail',
      'Nothing was staged by this transaction; put it right and stage it again.',
      problem ->> 'constraint');
  end if;
  v_conflicts := agentdb._conflicts(change, 5, true)
    || agentdb._stale_reads(change, 5);
  raise exception 'the change does not fit the rows as they are now'
    using errcode = 'ZA052',
          detail = coalesce(agentdb._conflict_text(case when agentdb._is_agent()
              then agentdb._veiled(v_conflicts) else v_conflicts end),
            problem ->> 'message' || '; or row security or a trigger keeps the '
              'database from writing some.'),
          hint = 'Somebody else changed them meanwhile: read them again, decide anew, '
            'and stage what is still right.';
end;
$$;

comment on function agentdb._refuse_change (bigint, jsonb) is
  'Raises why a change cannot be staged.';


create or replace function agentdb._earlier_changes (change bigint)
  returns bigint[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(o.change_id order by o.change_id), '{}')
  from agentdb.change as c
  cross join lateral agentdb._live_changes(c.proposed_by, c.agent_id) as l
  join agentdb.change as o
    on o.change_id = l.change_id
    and o.change_id < c.change_id
    and o.state in ('pending', 'approved')
  where c.change_id = _earlier_changes.change;
$$;

comment on function agentdb._earlier_changes (bigint) is
  'All undecided changes of the same proposer before a change.';


-- The strictest of its tables decides, and of those that only a cascade or a trigger
-- writes.  What agentdb_applier may not write, somebody applies who may.
create or replace function agentdb._guards_of (
  change bigint,
  effects jsonb,
  out approvals integer,
  out expires interval,
  out ruled boolean,
  out apply text
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_guard record;
begin
  -- Mostly there is one.
  select g.approvals, g.expires, g.auto_approve is not null as ruled,
    coalesce(g.apply, 'hand') as apply,
    _guards_of.effects - array[t.table_name || ' inserted', t.table_name || ' updated',
      t.table_name || ' deleted'] = '{}' and not exists (
      select from agentdb.change_table as o
      where o.change_id = change and o.audit_target_id <> t.audit_target_id) as alone
    into v_guard
  from agentdb.change_table as t
  left join agentdb.guarded_table as g on g.audit_target_id = t.audit_target_id
  where t.change_id = change
  limit 1;
  if v_guard.alone then
    approvals := v_guard.approvals;
    expires := v_guard.expires;
    ruled := v_guard.ruled;
    apply := v_guard.apply;
    return;
  end if;
  select max(g.approvals), min(g.expires), count(g.auto_approve) > 0,
    case when bool_or(g.apply = 'hand') or bool_or(g.table_oid is null) then 'hand'
      when bool_or(g.apply = 'runner') then 'runner' else 'approval' end
    into _guards_of.approvals, _guards_of.expires, _guards_of.ruled, _guards_of.apply
  from (
    select g.* from agentdb.change_table as t
    left join agentdb.guarded_table as g on g.audit_target_id = t.audit_target_id
    where t.change_id = change
    union all
    select g.* from agentdb.guarded_table as g
    where _guards_of.effects ?| array[g.table_name || ' inserted',
      g.table_name || ' updated', g.table_name || ' deleted']
  ) as g;
end;
$$;

comment on function agentdb._guards_of (bigint, jsonb) is
  'What the guards of all tables that a change writes ask for.';


create or replace function agentdb._end_submit (
  change bigint,
  row_count bigint,
  effects jsonb,
  basis bigint[]
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_guards record;
  v_digest text := agentdb._change_digest(change);
  v_rights boolean := agentdb._has_rights(change);
begin
  v_guards := agentdb._guards_of(change, effects);
  update agentdb.change as c
  set state = case when v_guards.approvals is null then 'approved' else 'pending' end,
      row_count = _end_submit.row_count,
      effects = _end_submit.effects,
      builds_on = basis,
      approvals = coalesce(v_guards.approvals, 0),
      apply = v_guards.apply,
      expires_at = clock_timestamp()
        + coalesce(v_guards.expires, interval '24 hours'),
      submitted_at = clock_timestamp(),
      with_rights = c.kind = 'stage' and v_rights,
      digest = v_digest
  where c.change_id = change;
  if v_guards.ruled and agentdb._is_harmless(change) then
    update agentdb.change as c
    set state = 'approved', approvals = 0
    where c.change_id = change;
    if v_guards.apply = 'approval' then
      perform agentdb._apply(change);
    end if;
  end if;
end;
$$;

comment on function agentdb._end_submit (bigint, bigint, jsonb, bigint[]) is
  'Writes down what a change was tried to do and what it needs.';


create or replace function agentdb._submit (change bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_state text;
  v_rows record;
  v_basis bigint[] := '{}';
  v_end record;
  v_again record;
begin
  select c.state into v_state
  from agentdb.change as c where c.change_id = change for no key update;
  if v_state <> 'open' then
    return;
  end if;
  v_rows := agentdb._rows_of(change);
  if v_rows.idle then
    perform agentdb._drop_idle_rows(change);
    v_rows := agentdb._rows_of(change);
  end if;
  if v_rows.row_count = 0 then
    perform agentdb._close_change(change, 'withdrawn');
    return;
  elsif v_rows.builds then
    v_basis := agentdb._basis(change);
  end if;
  perform agentdb._note_tables(change, v_rows.targets);
  perform agentdb._bind_reads(change);
  v_end := agentdb._attempt(change, v_basis, true, false, null);
  if v_end.problem ->> 'sqlstate' in ('23503', '23505', '23P01', 'ZA052') then
    -- An earlier change may stage the row that is referred to, or free a value.
    v_basis := agentdb._earlier_changes(change);
    v_again := agentdb._attempt(change, v_basis, true, false, null);
    if v_again.problem is null then
      v_end := v_again;
    end if;
  end if;
  if v_end.problem is not null then
    perform agentdb._refuse_change(change, v_end.problem);
  end if;
  perform agentdb._end_submit(change, v_rows.row_count, v_end.effects, v_basis);
end;
$$;

comment on function agentdb._submit (bigint) is
  'Tries an open change and makes it pending, or applies it where nobody needs to '
  'approve it.';


-- All that it calls is planned once a session.
create or replace function agentdb._submit_at_commit ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
  set plan_cache_mode = force_generic_plan
as $$
begin
  perform agentdb._submit(new.change_id);
  return null;
end;
$$;

comment on function agentdb._submit_at_commit () is
  'Trigger function: a change that was staged without open_change() ends with its '
  'transaction.';


drop trigger if exists agentdb_submit on agentdb.change;

create constraint trigger agentdb_submit
  after insert
  on agentdb.change
  deferrable initially deferred
  for each row
  when (new.automatic)
  execute function agentdb._submit_at_commit();

alter table agentdb.change enable always trigger agentdb_submit;


create or replace function agentdb.submit_change ()
  returns table (change_id bigint, state text, row_count integer, effects jsonb)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_proposer record;
begin
  select p.* into v_proposer from agentdb._proposer() as p;
  select c.change_id into submit_change.change_id
  from agentdb.change as c
  where c.proposed_by = session_user
    and c.state = 'open'
    and c.run_id is not distinct from v_proposer.run_id
    and c.expires_at > clock_timestamp();
  if not found then
    perform agentdb._refuse('no change is open',
      'Open one: select * from agentdb.open_change(reason => ''…''); what is staged '
      'without one is submitted when its transaction commits.');
  end if;
  perform agentdb._submit(submit_change.change_id);
  return query
    select c.change_id, c.state, c.row_count, c.effects
    from agentdb.change as c where c.change_id = submit_change.change_id;
end;
$$;

comment on function agentdb.submit_change () is
  'Tries the open change and hands it to the reviewers; raises what the change itself '
  'would raise, ZA001, ZA004 or ZA052.';
