-- The marks of a run on one time axis: what a page, a report and a terminal draw.

-- A call that was made before, in the run and with the same arguments, is a repeat;
-- the latest ones, for of a run that loops these are what matters.
create or replace function agentdb._call_mark (
  run bigint,
  since timestamptz,
  before timestamptz,
  most integer
)
  returns table (
    at timestamptz, ends_at timestamptz, what text, note text, amount bigint
  )
  language sql
  stable
begin atomic
  with call as (
    select c.recorded_at, c.tool_call_log_id, c.tool, c.error, c.ok, c.duration,
      c.call_signature, c.result_size
    from agentdb.tool_call_log as c
    where c.run_id = run
      and c.recorded_at >= since
      and c.recorded_at < before
    order by c.tool_call_log_id desc
    limit most
  )
  -- A duration is the agent's to say, and may reach back further than the window.
  select greatest(c.recorded_at - least(coalesce(c.duration, '0'), '100 years'), since),
    c.recorded_at,
    concat(c.tool, ': ' || agentdb._one_line(c.error, 200)),
    case
      when exists (
        select from agentdb.tool_fault as f
        where f.run_id = run
          and f.tool_call_log_id = c.tool_call_log_id
          and f.fault = 'unknown') then 'unknown'
      when not c.ok then 'error'
      when lag(c.recorded_at) over (
        partition by c.call_signature order by c.tool_call_log_id) is not null
        and c.call_signature is not null then 'repeat'
    end,
    c.result_size
  from call as c;
end;

comment on function agentdb._call_mark (bigint, timestamptz, timestamptz, integer) is
  'The latest tool calls of a run within a time, and whether they are unknown, an '
  'error or a repeat.';


-- What one statement did to a table is one mark: 10,000 rows are no 10,000 marks.
create or replace function agentdb._write_mark (
  run bigint,
  since timestamptz,
  before timestamptz
)
  returns table (
    at timestamptz, ends_at timestamptz, what text, amount bigint
  )
  language sql
  stable
begin atomic
  select min(w.recorded_at), max(w.recorded_at),
    concat(w.operation, ' ', g.table_name, case when count(*) = 1
      then ' ' || agentdb._one_line(min(w.row_key::text), 200)
      else format(', %s rows', count(*)) end),
    count(*)
  from agentdb.audit_log as w
  join agentdb.audit_target as g on g.audit_target_id = w.audit_target_id
  where w.run_id = run
    and w.recorded_at >= since
    and w.recorded_at < before
  group by w.xid, w.statement, w.operation, g.table_name;
end;

comment on function agentdb._write_mark (bigint, timestamptz, timestamptz) is
  'The statements of a run that wrote audited rows within a time.';


create or replace function agentdb._lock_mark (run bigint)
  returns table (
    at timestamptz, ends_at timestamptz, what text, note text
  )
  language sql
  stable
begin atomic
  select h.acquired_at, h.ended_at,
    concat_ws(' ', h.lock_name, 'slot ' || nullif(h.slot, 0), h.outcome,
      ': ' || agentdb._one_line(h.reason, 200)),
    case when h.outcome not in ('released', 'run_ended') then 'error' end
  from agentdb.lock_history as h
  where h.run_id = run;
end;

comment on function agentdb._lock_mark (bigint) is
  'How long a run held each lock, and how that ended where it was not by itself.';


create or replace function agentdb.run_marks (
  run bigint,
  since timestamptz default '-infinity',
  before timestamptz default 'infinity',
  most integer default 5000
)
  returns table (
    at timestamptz, ends_at timestamptz, kind text, what text, note text,
    amount bigint, output bigint
  )
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with mark (at, ends_at, kind, what, note, amount, output) as (
    (
      select t.recorded_at, t.recorded_at, 'tokens',
        agentdb._one_line(coalesce(t.model, 'model call'), 200), null::text,
        t.input_tokens + t.cached_input_tokens, t.output_tokens
      from agentdb.token_log as t
      where t.run_id = run_marks.run
        and t.recorded_at >= since
        and t.recorded_at < before
      order by t.token_log_id desc
      limit least(most, 2147483646) + 1
    )
    union all
    select c.at, c.ends_at, 'tool call', c.what, c.note, c.amount, null
    from agentdb._call_mark(
      run_marks.run, since, before, least(most, 2147483646) + 1) as c
    union all
    (
      select p.recorded_at, p.recorded_at, 'progress',
        agentdb._one_line(p.step, 200), null, null, null
      from agentdb.progress_log as p
      where p.run_id = run_marks.run
        and p.recorded_at >= since
        and p.recorded_at < before
      order by p.progress_log_id desc
      limit least(most, 2147483646) + 1
    )
    union all
    select l.at, l.ends_at, 'lock', l.what, l.note, null, null
    from agentdb._lock_mark(run_marks.run) as l
    where l.at < before
      and (l.ends_at >= since or l.ends_at is null)
    union all
    select w.at, w.ends_at, 'write', w.what, null, w.amount, null
    from agentdb._write_mark(run_marks.run, since, before) as w
    union all
    select d.at, d.at, d.kind, agentdb._one_line(d.what, 200),
      case when not d.ok then 'error' end, null, null
    from agentdb._deed(run_marks.run, since) as d
    where d.at >= since
      and d.at < before
    union all
    select c.at, case c.kind when 'in flight' then null else c.at end,
      case when c.kind in ('in flight', 'unfinished') then 'tool call' else c.kind end,
      concat_ws(' ', agentdb._one_line(c.what, 200),
        case when c.kind in ('in flight', 'unfinished') then c.kind end),
      case when not c.ok or c.kind = 'unfinished' then 'error' end, null, null
    from agentdb._course(run_marks.run) as c
    where c.at >= since
      and c.at < before
  )
  select m.at, m.ends_at, m.kind, m.what, m.note, m.amount, m.output
  from (
    select * from mark as k order by k.at desc limit least(most, 2147483646) + 1
  ) as m
  order by m.at;
$$;

comment on function agentdb.run_marks (bigint, timestamptz, timestamptz, integer) is
  'What a run did on a time axis, the latest most + 1 marks of a time: kind (tokens, '
  'tool call, progress, lock, write, change, claim, question, answer, stop, alert, '
  'start, end), until when (NULL: it goes on), note (repeat, error, unknown), amount '
  '(input tokens, bytes of a result, rows of a write) and output tokens.';
