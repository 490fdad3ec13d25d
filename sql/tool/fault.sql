-- Faulty calls: tools that were made up, arguments that break the schema of their tool,
-- and calls that were begun and never made.

create or replace view agentdb.faulty_call as
  select l.recorded_at, a.agent_name, l.run_id, l.tool, f.fault, f.detail, l.args,
    l.tool_call_log_id
  from agentdb.tool_fault as f
  join agentdb.tool_call_log as l
    on l.run_id = f.run_id and l.tool_call_log_id = f.tool_call_log_id
  join agentdb.agent as a on a.agent_id = l.agent_id
  union all
  -- Whoever was stopped, or died, could not end it.
  select c.began_at, a.agent_name, c.run_id, c.tool, 'not_executed',
    'it was begun and its run ended without it', c.args, null
  from agentdb.tool_call as c
  join agentdb.agent as a on a.agent_id = c.agent_id
  where c.run_outcome in ('succeeded', 'failed', 'cancelled');

comment on view agentdb.faulty_call is
  'Calls of tools that do not exist, with arguments that they do not take, or never '
  'made.';
comment on column agentdb.faulty_call.recorded_at is
  'When it was logged.';
comment on column agentdb.faulty_call.agent_name is
  'Whose call it was.';
comment on column agentdb.faulty_call.run_id is
  'In which run.';
comment on column agentdb.faulty_call.tool is
  'The tool, as the model wrote it.';
comment on column agentdb.faulty_call.fault is
  'unknown, invalid_args, failed (told later that it did) or not_executed.';
comment on column agentdb.faulty_call.detail is
  'The nearest tools, the first violation of the schema, or the error told later.';
comment on column agentdb.faulty_call.args is
  'What it was called with.';
comment on column agentdb.faulty_call.tool_call_log_id is
  'The number of the call; NULL where it was never made.';


-- From snapshot to snapshot, as the roll-up goes: what commits late is looked at then,
-- and what stays open keeps nothing else waiting.  A transaction may have logged any
-- number of calls, so the way from one snapshot to the next is gone in parts.
create or replace function agentdb.take_unchecked_calls (max_calls integer default 200)
  returns table (
    run_id bigint, tool_call_log_id bigint, args jsonb, input_schema jsonb,
    horizon text
  )
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_done agentdb.tool_check_state := (select s from agentdb.tool_check_state as s);
  v_seen pg_snapshot := coalesce(v_done.seen, pg_current_snapshot());
  v_late xid8[] := array(select pg_snapshot_xip(v_done.checked));
  v_below xid8 := pg_snapshot_xmax(v_done.checked);
  v_xid xid8 := coalesce(v_done.last_xid, '0');
  v_call bigint := coalesce(v_done.last_call, 0);
  v_from timestamptz := agentdb._counted_from();
begin
  max_calls := greatest(max_calls, 1);
  return query
    with taken as materialized (
      (
        select c.run_id, c.tool_call_log_id, c.tool, c.args, c.xid
        from agentdb.tool_call_log as c
        where c.xid = any (v_late)
          and (c.xid, c.tool_call_log_id) > (v_xid, v_call)
          and c.recorded_at >= v_from
          and pg_visible_in_snapshot(c.xid, v_seen)
        order by c.xid, c.tool_call_log_id
        limit max_calls
      )
      union all
      (
        select c.run_id, c.tool_call_log_id, c.tool, c.args, c.xid
        from agentdb.tool_call_log as c
        where c.xid >= greatest(v_below, v_xid)
          and (c.xid, c.tool_call_log_id) > (v_xid, v_call)
          and c.recorded_at >= v_from
          and pg_visible_in_snapshot(c.xid, v_seen)
        order by c.xid, c.tool_call_log_id
        limit max_calls
      )
      order by xid, tool_call_log_id
      limit max_calls
    ),
    checked as (
      select l.run_id, l.tool_call_log_id, l.args, t.input_schema
      from taken as l
      left join agentdb.tool_alias as n on n.alias = l.tool
      join agentdb.tool as t on t.tool_name = coalesce(n.tool_name, l.tool)
      where t.input_schema is not null
        -- Of what was too large or deep only the head is there to be compared.
        and not coalesce(l.args ?& '{truncated,bytes,md5,head}', false)
    )
    select c.run_id, c.tool_call_log_id, c.args, c.input_schema,
      -- Without a place in it a snapshot has been looked at as a whole.
      concat_ws(' ', v_seen, (
        select concat(l.xid, ' ', l.tool_call_log_id) from taken as l
        order by l.xid desc, l.tool_call_log_id desc
        offset 0 limit case when (select count(*) from taken) >= max_calls then 1
          else 0 end
      ))
    from (select) as one
    left join checked as c on true;
end;
$$;

comment on function agentdb.take_unchecked_calls (integer) is
  'Calls whose arguments nobody has compared with the schema of their tool, and how '
  'far that goes; a row without a call where there is none.';


-- Of two snapshots the later one ends later, or fewer are still open in it.
create or replace function agentdb._check_place (
  seen pg_snapshot,
  last_xid xid8,
  last_call bigint
)
  returns numeric[]
  language sql
  immutable
  return array[
    pg_snapshot_xmax(seen)::text::numeric,
    -(select count(*) from pg_snapshot_xip(seen)),
    coalesce(last_xid::text::numeric, 'infinity'),
    last_call
  ];

comment on function agentdb._check_place (pg_snapshot, xid8, bigint) is
  'How far arguments were looked at, in an order: to a call of a snapshot, or, without '
  'one, to its end.';


create or replace function agentdb.note_faults (faults jsonb, horizon text)
  returns integer
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_count integer;
begin
  insert into agentdb.tool_fault (run_id, tool_call_log_id, fault, detail)
  select (f.item ->> 'run')::bigint, (f.item ->> 'call')::bigint, 'invalid_args',
    agentdb._clean_text(f.item ->> 'detail', 1000)
  from jsonb_array_elements(faults) as f (item)
  where exists (
    select from agentdb.run as r where r.run_id = (f.item ->> 'run')::bigint
  )
  -- The agent may have said something else of its call.
  on conflict on constraint tool_fault_pkey do update set detail = excluded.detail;
  get diagnostics v_count = row_count;
  -- Who comes too late takes nothing back.
  update agentdb.tool_check_state as s
  set checked = case when h.xid is null then h.seen else s.checked end,
      seen = case when h.xid is not null then h.seen end,
      last_xid = h.xid,
      last_call = h.call
  from (
    select split_part(note_faults.horizon, ' ', 1)::pg_snapshot as seen,
      nullif(split_part(note_faults.horizon, ' ', 2), '')::xid8 as xid,
      nullif(split_part(note_faults.horizon, ' ', 3), '')::bigint as call
  ) as h
  where agentdb._check_place(h.seen, h.xid, h.call)
    > agentdb._check_place(coalesce(s.seen, s.checked), s.last_xid, s.last_call);
  return v_count;
exception when data_exception then
  perform agentdb._refuse('the faults or the horizon are ill-formed: ' || sqlerrm,
    'Send what take_unchecked_calls() gave: [{"run": 1, "call": 2, "detail": "…"}].');
  return null;
end;
$$;

comment on function agentdb.note_faults (jsonb, text) is
  'Records which calls break the schema of their tool, and how far was looked.';
