-- Waiting: what is not standing still though nothing shows.  Each kind of waiting has a
-- clock of its own, and none holds for ever.

-- A call counts up to what was announced when it began, else tool.longest, and up to
-- policy.max_long_call in any case.  Of those that ended the latest count: a run of a
-- million calls is asked as often as any.
create or replace function agentdb._long_call_until (
  run bigint,
  max_long_call interval,
  as_of timestamptz
)
  returns timestamptz
  language sql
  stable
  return (
    select max(least(c.until,
      c.began_at + least(coalesce(c.expected, t.longest), max_long_call)))
    from (
      select f.tool, f.began_at, as_of as until, f.expected
      from agentdb._call_in_flight(as_of) as f
      where f.run_id = run
      union all
      select e.tool, e.began_at, e.ended_at, e.expected
      from (
        select l.call_id
        from agentdb.tool_call_log as l
        where l.run_id = run
          and l.recorded_at <= as_of
        order by l.tool_call_log_id desc
        limit 200
      ) as l
      join agentdb.tool_call as e on e.run_id = run and e.call_id = l.call_id
    ) as c
    left join agentdb.tool as t on t.tool_name = c.tool
    where coalesce(c.expected, t.longest) is not null
  );

comment on function agentdb._long_call_until (bigint, interval, timestamptz) is
  'Until when a run was waiting for a call that is known to take long.';


-- Waiting for a reviewer is not standing still; from the decision on the run may go on.
create or replace function agentdb._review_until (run bigint, as_of timestamptz)
  returns timestamptz
  language sql
  stable
  return (
    select max(case when c.closed_at <= as_of then c.closed_at else as_of end)
    from agentdb.change as c
    where c.run_id = run and c.submitted_at <= as_of
  );

comment on function agentdb._review_until (bigint, timestamptz) is
  'Until when a run was waiting for somebody to decide what it proposed.';


-- A child has rules of its own: who stands still is it, not who waits for it.
create or replace function agentdb._child_until (run bigint, as_of timestamptz)
  returns timestamptz
  language sql
  stable
  return (
    select max(case when c.ended_at <= as_of then c.ended_at else as_of end)
    from agentdb.run as c
    where c.parent_run_id = run and c.started_at <= as_of
  );

comment on function agentdb._child_until (bigint, timestamptz) is
  'Until when a run that it started, by a token of its own, was at work.';


-- What it waited for it has then; longer than a lock may be held nobody waits unseen.
create or replace function agentdb._lock_until (
  run bigint,
  longest interval,
  as_of timestamptz
)
  returns timestamptz
  language sql
  stable
  return greatest(
    (
      select max(least(w.until_at, w.since_at + longest, as_of))
      from agentdb.lock_waiter as w
      where w.run_id = run and w.since_at <= as_of
    ),
    (
      select max(l.acquired_at)
      from agentdb.lock as l
      where l.run_id = run and l.acquired_at <= as_of
    ));

comment on function agentdb._lock_until (bigint, interval, timestamptz) is
  'Until when a run was waiting for a lock.';


create or replace function agentdb._is_rate_limited (ok boolean, error text)
  returns boolean
  language sql
  immutable
  return not ok and coalesce(error ~* ('\m429\M|rate.?limit|too many requests'
    '|retry.?after|throttl|overloaded'), false);

comment on function agentdb._is_rate_limited (boolean, text) is
  'Whether a call failed because a service asks to be called later.';


-- An answer that changes is what polling is for, and a refusal for now is waited out.
create or replace function agentdb._poll_until (
  run bigint,
  since timestamptz,
  longest interval,
  rate_limited interval,
  as_of timestamptz
)
  returns timestamptz
  language sql
  stable
  return (
    select max(c.recorded_at)
    from (
      select l.recorded_at, l.result_signature,
        coalesce(t.poll, false) as poll,
        agentdb._is_rate_limited(l.ok, l.error) as limited,
        lag(l.result_signature) over (
          partition by l.call_signature order by l.tool_call_log_id) as former
      from (
        select k.*
        from agentdb.tool_call_log as k
        where k.run_id = run
          and k.recorded_at > as_of - longest
          and k.recorded_at <= as_of
        order by k.tool_call_log_id desc
        limit 200
      ) as l
      left join agentdb.tool as t on t.tool_name = l.tool
    ) as c
    where c.poll and c.former <> c.result_signature
        and c.recorded_at <= since + longest
      or c.limited and c.recorded_at <= since + rate_limited
  );

comment on function agentdb._poll_until (
  bigint, timestamptz, interval, interval, timestamptz) is
  'When the answer of a tool that is there to be asked again last changed, or a '
  'service last asked a run to come back later.';


create or replace function agentdb._waiting_until (
  run bigint,
  since timestamptz,
  policy agentdb.policy,
  as_of timestamptz
)
  returns timestamptz
  language sql
  stable
  return greatest(
    -- One call after the other, each announced, is no excuse for days.
    (select least(c.until, since + 2 * (policy).max_long_call)
      from agentdb._long_call_until(run, (policy).max_long_call, as_of) as c (until)
      where c.until is not null),
    agentdb._review_until(run, as_of),
    agentdb._child_until(run, as_of),
    agentdb._lock_until(run, (policy).lock_held_too_long_after, as_of),
    agentdb._poll_until(run, since, (policy).max_long_call,
      (policy).max_rate_limited, as_of));

comment on function agentdb._waiting_until (
  bigint, timestamptz, agentdb.policy, timestamptz) is
  'Until when a run was waiting for what others do: a call, a reviewer, a run that it '
  'started, a lock, a service; NULL where it was not.';
