-- Activity: one row a run of what the logs add up to, advanced by the runner and never
-- by the agents' writes (that would double the cost of an event).  What is counted is
-- what a snapshot of the roll-up saw: whoever commits late is counted then, keeps
-- nobody else's events waiting, and rules add what is not counted yet themselves.
-- After the ticks of PgQ, which are snapshots too (Kreen and Pihlak, PgQ, 2008).

create or replace function agentdb._counted_below ()
  returns xid8
  language sql
  stable
  return (select pg_snapshot_xmax(s.counted) from agentdb.roll_up_state as s);

comment on function agentdb._counted_below () is
  'The transaction from which on nothing is counted in the roll-ups.';


create or replace function agentdb._counted_later ()
  returns xid8[]
  language sql
  stable
  return (
    select array(select pg_snapshot_xip(s.counted)) from agentdb.roll_up_state as s);

comment on function agentdb._counted_later () is
  'The transactions before that which were still open when the roll-ups counted.';


create or replace function agentdb._counted_from ()
  returns timestamptz
  language sql
  stable
  return (select s.from_at from agentdb.roll_up_state as s);

comment on function agentdb._counted_from () is
  'Before when all is counted: the transactions are those of another server.';


-- Four times the same.  What lies between two bounds that the planner does not know it
-- expects to be little, at any time and whatever it knows of the table, and it asks the
-- index: hence the bounds that exclude nothing.
create or replace function agentdb._uncounted_steps ()
  returns setof agentdb.progress_log
  language sql
  stable
begin atomic
  select l.*
  from agentdb.progress_log as l
  where (l.xid between (select agentdb._counted_below())
        and (select '18446744073709551615'::xid8)
      or l.xid = any ((select agentdb._counted_later())::xid8[])
        and l.xid between (select '0'::xid8) and (select agentdb._counted_below()))
    and l.recorded_at >= (select agentdb._counted_from());
end;

comment on function agentdb._uncounted_steps () is
  'Steps that are not in the roll-ups yet.';


create or replace function agentdb._uncounted_tool_calls ()
  returns setof agentdb.tool_call_log
  language sql
  stable
begin atomic
  select l.*
  from agentdb.tool_call_log as l
  where (l.xid between (select agentdb._counted_below())
        and (select '18446744073709551615'::xid8)
      or l.xid = any ((select agentdb._counted_later())::xid8[])
        and l.xid between (select '0'::xid8) and (select agentdb._counted_below()))
    and l.recorded_at >= (select agentdb._counted_from());
end;

comment on function agentdb._uncounted_tool_calls () is
  'Tool calls that are not in the roll-ups yet.';


create or replace function agentdb._uncounted_tokens ()
  returns setof agentdb.token_log
  language sql
  stable
begin atomic
  select l.*
  from agentdb.token_log as l
  where (l.xid between (select agentdb._counted_below())
        and (select '18446744073709551615'::xid8)
      or l.xid = any ((select agentdb._counted_later())::xid8[])
        and l.xid between (select '0'::xid8) and (select agentdb._counted_below()))
    and l.recorded_at >= (select agentdb._counted_from());
end;

comment on function agentdb._uncounted_tokens () is
  'Tokens that are not in the roll-ups yet.';


create or replace function agentdb._uncounted_writes ()
  returns setof agentdb.audit_log
  language sql
  stable
begin atomic
  select l.*
  from agentdb.audit_log as l
  where (l.xid between (select agentdb._counted_below())
        and (select '18446744073709551615'::xid8)
      or l.xid = any ((select agentdb._counted_later())::xid8[])
        and l.xid between (select '0'::xid8) and (select agentdb._counted_below()))
    and l.recorded_at >= (select agentdb._counted_from());
end;

comment on function agentdb._uncounted_writes () is
  'Audited writes that are not in the roll-ups yet.';


-- In two halves, so that each finds its few rows by an index.
create or replace function agentdb._open_run (as_of timestamptz)
  returns table (
    run_id bigint, agent_id bigint, conversation text, tick_interval interval,
    started_at timestamptz, held_until_at timestamptz, hold_reason text,
    tick_max interval
  )
  language sql
  stable
begin atomic
  select r.run_id, r.agent_id, r.conversation, r.tick_interval, r.started_at,
    r.held_until_at, r.hold_reason, r.tick_max
  from agentdb.run as r
  where r.ended_at is null
    and r.started_at <= as_of
  union all
  select r.run_id, r.agent_id, r.conversation, r.tick_interval, r.started_at,
    r.held_until_at, r.hold_reason, r.tick_max
  from agentdb.run as r
  where r.ended_at > as_of
    and r.started_at <= as_of;
end;

comment on function agentdb._open_run (timestamptz) is
  'The runs that were open at a moment.';


-- Runs that can still make trouble: open, or ended within the last hour of the moment.
create or replace function agentdb._recent_run (as_of timestamptz)
  returns table (run_id bigint, agent_id bigint, conversation text)
  language sql
  stable
begin atomic
  select r.run_id, r.agent_id, r.conversation
  from agentdb.run as r
  where r.started_at <= as_of
    and r.ended_at is null
  union all
  select r.run_id, r.agent_id, r.conversation
  from agentdb.run as r
  where r.started_at <= as_of
    and r.ended_at > as_of - interval '1 hour';
end;

comment on function agentdb._recent_run (timestamptz) is
  'The runs that were open at a moment or ended within the hour before it.';


-- The totals of run_activity hold for a moment after its last event; for an earlier
-- moment (a backtest) the log itself is added up.  Looked up run by run, so that a poll
-- costs the same whatever the planner knows of the tables.
create or replace function agentdb._tokens_of_run (runs bigint[], as_of timestamptz)
  returns table (
    run_id bigint, input_tokens bigint, cached_input_tokens bigint, output_tokens bigint
  )
  language sql
  stable
begin atomic
  with total as materialized (
    select a.*
    from unnest(runs) as r (run_id)
    cross join lateral (
      select o.run_id, o.last_tokens_at, o.input_tokens, o.cached_input_tokens,
        o.output_tokens
      from agentdb.run_activity as o
      where o.run_id = r.run_id
      offset 0
    ) as a
  )
  select a.run_id, a.input_tokens, a.cached_input_tokens, a.output_tokens
  from total as a
  where a.last_tokens_at <= as_of
  union all
  select t.run_id, t.input_tokens, t.cached_input_tokens, t.output_tokens
  from agentdb._uncounted_tokens() as t
  join unnest(runs) as r (run_id) on r.run_id = t.run_id
  where t.recorded_at <= as_of
  union all
  select u.run_id, u.input_tokens, u.cached_input_tokens, u.output_tokens
  from agentdb.event_unstored as u
  join unnest(runs) as r (run_id) on r.run_id = u.run_id
  where u.half_hour_at <= as_of
  union all
  select a.run_id, t.input_tokens, t.cached_input_tokens, t.output_tokens
  from total as a
  cross join lateral (
    select l.input_tokens, l.cached_input_tokens, l.output_tokens
    from agentdb.token_log as l
    where l.run_id = a.run_id
      and (l.xid < (select agentdb._counted_below())
          and l.xid <> all ((select agentdb._counted_later())::xid8[])
        or l.recorded_at < (select agentdb._counted_from()))
      and l.recorded_at <= as_of
    offset 0
  ) as t
  where a.last_tokens_at > as_of;
end;

comment on function agentdb._tokens_of_run (bigint[], timestamptz) is
  'Partial sums of tokens of runs up to a moment, to be added up by the caller.';
