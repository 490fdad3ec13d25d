-- Changes, as people of the page decide about them.  What is not guarded is written
-- with the rights of whoever does it, and nobody can be somebody else: that is refused.

create or replace function agentdb.approve_change_for (
  person text,
  change bigint,
  digest text,
  comment text default null
)
  returns table (
    change_id bigint, state text, approvals_missing integer, effects jsonb,
    problem jsonb
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.approve_change(bigint, text, text)',
    jsonb_build_object('change', change, 'digest', digest, 'comment', comment));
  return query select * from agentdb.approve_change(change, digest, comment);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.approve_change_for (text, bigint, text, text) is
  'approve_change() for a person of the page, as its role may; raises what that '
  'raises, and 42501.';


create or replace function agentdb.reject_change_for (
  person text,
  change bigint,
  comment text
)
  returns table (change_id bigint, state text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.reject_change(bigint, text)',
    jsonb_build_object('change', change, 'comment', comment));
  return query select * from agentdb.reject_change(change, comment);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.reject_change_for (text, bigint, text) is
  'reject_change() for a person of the page, as its role may; raises what that '
  'raises, and 42501.';


create or replace function agentdb.apply_change_for (person text, change bigint)
  returns table (change_id bigint, state text, effects jsonb, problem jsonb)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.apply_change(bigint)',
    jsonb_build_object('change', change));
  return query select * from agentdb.apply_change(change);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.apply_change_for (text, bigint) is
  'apply_change() for a person of the page, as its role may; raises what that raises, '
  'and 42501.';


create or replace function agentdb.undo_run_for (
  person text,
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
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.undo_run(bigint, text, text, jsonb, jsonb)',
    jsonb_build_object(
      'run', run, 'reason', reason, 'on_conflict', on_conflict, 'include', include,
      'keep', keep));
  return query select * from agentdb.undo_run(run, reason, on_conflict, include, keep);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.undo_run_for (text, bigint, text, text, jsonb, jsonb) is
  'undo_run() for a person of the page, as its role may; raises what that raises, and '
  '42501.';
