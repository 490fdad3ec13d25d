-- Rebase: a change that does not fit its rows any more is staged anew on today's, in
-- the name of who proposed it, and has to be approved again.

-- What others have done to a row that the change would overwrite is theirs to be kept
-- or to be overridden; what they did beside it is not in the way.
create or replace function agentdb._rebased_rows (change bigint)
  returns table (
    target integer, place integer, operation text, row_key jsonb, new_values jsonb,
    present jsonb, crossed boolean
  )
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_target integer;
begin
  for v_target in
    select distinct r.audit_target_id from agentdb.change_row as r
    where r.change_id = change
  loop
    return query
      select v_target, r.place, r.operation, r.row_key, r.new_values, f.present,
        case r.operation
          when 'insert' then f.conflict = 'exists already'
          when 'delete' then f.present is null or f.conflict <> '-'
          else f.present is null or exists (
            select from jsonb_each(r.expected) as e
            where agentdb._is_same(f.present -> e.key, e.value) is not true
              and agentdb._is_same(f.present -> e.key, r.new_values -> e.key)
                is not true)
        end
      from agentdb._read_as_applier(format(
        'select s.place, s.operation, s.row_key, s.present, '
        'coalesce(s.conflict, ''-'') as conflict from (%s) as s',
        agentdb._current_sql(change, v_target)), null) as f
      join agentdb.change_row as r on r.change_id = change and r.place = f.place
      -- What is so already needs nobody.
      where r.operation <> 'update'
        or f.present is null
        or exists (
          select from jsonb_each(r.new_values) as n
          where agentdb._is_same(f.present -> n.key, n.value) is not true);
  end loop;
end;
$$;

comment on function agentdb._rebased_rows (bigint) is
  'The rows of a change with what they are now, and whether others wrote what the '
  'change writes; without those that are as the change would make them.';


create or replace function agentdb._refuse_rebase (
  change bigint,
  conflicts jsonb,
  hint text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'others have written what change % writes', change
    using errcode = 'ZA052',
          detail = coalesce(agentdb._conflict_text(conflicts), ''),
          hint = hint;
end;
$$;

comment on function agentdb._refuse_rebase (bigint, jsonb, text) is
  'Raises ZA052 for a change that cannot be staged anew so.';


create or replace function agentdb._check_crossed (change bigint, on_conflict text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_stale jsonb := agentdb._stale_reads(change, 5);
begin
  if v_stale <> '[]' and on_conflict <> 'override' then
    perform agentdb._refuse_rebase(change, v_stale,
      'What it rests on is another now: reject it and let the agent decide anew, or '
        'override with a reason.');
  elsif on_conflict = 'refuse' and exists (
    select from agentdb._rebased_rows(change) as r where r.crossed
  ) then
    perform agentdb._refuse_rebase(change, agentdb._conflicts(change, 5, true),
      'Keep what they wrote (on_conflict => ''skip'') or write over it (on_conflict '
        '=> ''override'', with a reason).');
  elsif on_conflict = 'override' and exists (
    select from agentdb._rebased_rows(change) as r
    where r.crossed and (r.operation = 'insert' or r.present is null)
  ) then
    perform agentdb._refuse_rebase(change, agentdb._conflicts(change, 5, true),
      'A row that is gone cannot be written, nor one inserted that is there: keep '
        'theirs (on_conflict => ''skip'').');
  end if;
end;
$$;

comment on function agentdb._check_crossed (bigint, text) is
  'Raises ZA052 where what others wrote forbids to stage a change anew so.';


create or replace function agentdb._copy_change (
  change bigint,
  on_conflict text,
  reason text
)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_new bigint;
begin
  insert into agentdb.change (
    kind, automatic, agent_id, run_id, proposed_by, reason, max_rows, strict, rebased,
    expires_at
  )
  select c.kind, false, c.agent_id, c.run_id, c.proposed_by, c.reason, c.max_rows,
    c.strict,
    jsonb_strip_nulls(jsonb_build_object('from', c.change_id, 'by', session_user,
      'on_conflict', on_conflict, 'reason', _copy_change.reason)),
    clock_timestamp() + interval '24 hours'
  from agentdb.change as c where c.change_id = change
  returning change_id into v_new;
  insert into agentdb.change_row (
    change_id, place, audit_target_id, operation, row_key, new_values, expected, seen,
    after, shown_key
  )
  select v_new, row_number() over (order by r.place), r.target, r.operation, r.row_key,
    r.new_values,
    case r.operation when 'delete' then r.present
      when 'update' then (
        select jsonb_object_agg(n.key, r.present -> n.key)
        from jsonb_object_keys(r.new_values) as n (key)) end,
    case when r.operation <> 'insert' then r.present end,
    case r.operation when 'insert' then r.new_values
      when 'update' then r.present || r.new_values end,
    (select o.shown_key from agentdb.change_row as o
      where o.change_id = change and o.place = r.place)
  from agentdb._rebased_rows(change) as r
  where not (r.crossed and on_conflict = 'skip');
  if not found then
    perform agentdb._refuse(format('nothing is left of change %s', change),
      'Its rows are as it would make them, or written by others: reject or withdraw '
        'it.');
  end if;
  insert into agentdb.change_read (change_id, place, audit_target_id, row_key)
  select v_new, r.place, r.audit_target_id, r.row_key
  from agentdb.change_read as r where r.change_id = change;
  perform agentdb._see_reads(v_new, 0);
  return v_new;
end;
$$;

comment on function agentdb._copy_change (bigint, text, text) is
  'Adds an open change that does the same to rows as they are now; raises ZA004.';


create or replace function agentdb.rebase_change (
  change bigint,
  on_conflict text default 'refuse',
  reason text default null
)
  returns table (change_id bigint, state text, row_count integer, digest text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_new bigint;
begin
  if on_conflict is null or on_conflict not in ('refuse', 'skip', 'override') then
    perform agentdb._refuse(format('on_conflict cannot be %L', on_conflict),
      'Say refuse, skip (keep what others wrote) or override (write over it).');
  elsif on_conflict = 'override' or reason is not null then
    perform agentdb._check_said(reason, 'reason', 2000);
  end if;
  perform agentdb._check_rebase(change);
  perform agentdb._check_crossed(change, on_conflict);
  v_new := agentdb._copy_change(change, on_conflict, reason);
  perform agentdb._submit(v_new);
  update agentdb.change as c
  set rebased = coalesce(c.rebased, '{}') || jsonb_build_object('as', v_new)
  where c.change_id = change;
  perform agentdb._close_change(c.change_id, 'withdrawn', jsonb_build_object(
    'message', format('it was staged anew as change %s', v_new)))
  from agentdb.change as c
  where c.change_id = change and c.state in ('pending', 'approved');
  return query
    select c.change_id, c.state, c.row_count, c.digest
    from agentdb.change as c where c.change_id = v_new;
end;
$$;

comment on function agentdb.rebase_change (bigint, text, text) is
  'Stages a change anew on its rows as they are now, in the name of its proposer, to '
  'be approved again; on_conflict says what becomes of what others wrote in the same '
  'columns: refuse, skip (theirs stays) or override (with a reason); for reviewers '
  'and operators; raises ZA004, ZA006, ZA040, ZA041, ZA052, ZA053 or what the change '
  'itself would raise.';
