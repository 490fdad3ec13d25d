-- Evidence: what cannot be had by saying the same again.  A step that is new in its run
-- and an audited write are evidence of progress; a heartbeat is not.

create or replace function agentdb._step_signature (step text)
  returns bigint
  language sql
  immutable
  parallel safe
  return agentdb._signature(step, false);

comment on function agentdb._step_signature (text) is
  'The same for steps that say the same, whatever the attempt or the time in them.';


-- Of each run the latest thousand: to reckon signatures takes long, and who says more
-- within seconds than anybody could do must not keep the rules from the others.
create or replace function agentdb._new_step (seen pg_snapshot, as_of timestamptz)
  returns table (run_id bigint, step_signature bigint, at timestamptz)
  language sql
  stable
begin atomic
  select s.run_id, s.step_signature, s.at
  from (
    select l.run_id, agentdb._step_signature(l.step) as step_signature,
      min(l.recorded_at) as at
    from (
      select p.run_id, p.step, p.recorded_at, row_number() over (
        partition by p.run_id order by p.progress_log_id desc) as place
      from agentdb._uncounted_steps() as p
      where (seen is null or pg_visible_in_snapshot(p.xid, seen))
        and p.recorded_at <= as_of
    ) as l
    where l.place <= 1000
    group by 1, 2
  ) as s
  where not exists (
    select from agentdb.run_step as k
    where k.run_id = s.run_id and k.step_signature = s.step_signature
  );
end;

comment on function agentdb._new_step (pg_snapshot, timestamptz) is
  'The steps that are not counted yet, up to a moment and as far as a snapshot saw '
  'them, which are new in their run, and when each was logged first.';


-- What the roll-up has not counted yet.
create or replace function agentdb._evidence_tail (as_of timestamptz)
  returns table (run_id bigint, at timestamptz)
  language sql
  stable
begin atomic
  select n.run_id, n.at
  from agentdb._new_step(null, as_of) as n
  union all
  select l.run_id, max(l.recorded_at)
  from agentdb._uncounted_writes() as l
  where l.recorded_at <= as_of
    and l.run_id is not null
  group by l.run_id
  union all
  select u.run_id, u.evidence_at
  from agentdb.event_unstored as u
  where u.evidence_at <= as_of;
end;

comment on function agentdb._evidence_tail (timestamptz) is
  'Evidence that the roll-up has not counted yet, up to a moment.';


-- What the roll-up knows, and what it has not counted yet.
create or replace function agentdb._has_new_step (run bigint, since timestamptz)
  returns boolean
  language sql
  stable
  return exists (
    select from agentdb.run_activity as a
    where a.run_id = run
      and a.evidence_at > since
  ) or exists (
    select from agentdb._new_step(null, 'infinity') as n
    where n.run_id = run
      and n.at > since
  ) or exists (
    select from agentdb.event_unstored as u
    where u.run_id = run
      and u.evidence_at > since
  );

comment on function agentdb._has_new_step (bigint, timestamptz) is
  'Tells whether a run has shown evidence of progress since a moment.';


create or replace function agentdb._evidence_in_logs (
  run bigint,
  since timestamptz,
  as_of timestamptz
)
  returns timestamptz
  language sql
  stable
  return greatest(
    (
      select max(f.at)
      from (
        select min(p.recorded_at) as at
        from agentdb.progress_log as p
        where p.run_id = run
          and p.recorded_at between since and as_of
        group by agentdb._step_signature(p.step)
      ) as f
    ),
    (
      select max(l.recorded_at)
      from agentdb.audit_log as l
      where l.run_id = run
        and l.recorded_at between since and as_of
    )
  );

comment on function agentdb._evidence_in_logs (bigint, timestamptz, timestamptz) is
  'The last evidence of a run before a moment of the past, from the logs themselves.';


-- A run that waits on purpose or is paused need not get anywhere, and what it did
-- before a hold is no part of a loop after it.
create or replace function agentdb._working_run (as_of timestamptz)
  returns table (run_id bigint, agent_id bigint, since timestamptz)
  language sql
  stable
begin atomic
  select
    r.run_id, r.agent_id,
    greatest(r.started_at, r.held_until_at, t.at, q.answered_at, case
      when a.evidence_at > as_of
        then agentdb._evidence_in_logs(r.run_id, r.started_at, as_of)
      else a.evidence_at
    end)
  from agentdb._open_run(as_of) as r
  left join agentdb.run_activity as a on a.run_id = r.run_id
  left join (
    select e.run_id, max(e.at) as at
    from agentdb._evidence_tail(as_of) as e
    group by e.run_id
  ) as t on t.run_id = r.run_id
  -- Waiting for people is bounded from the oldest question that they have not answered.
  left join lateral (
    select max(o.answered_at) filter (where o.answered_at <= as_of) as answered_at,
      min(o.asked_at) filter (where coalesce(o.answered_at > as_of, true)) as asked_at
    from agentdb.question as o
    where o.run_id = r.run_id
      and o.asked_at <= as_of
  ) as q on true
  where coalesce(q.asked_at + (
      select p.max_question_wait
      from agentdb.agent as g
      join agentdb.policy as p on p.policy_name = g.policy_name
      where g.agent_id = r.agent_id) <= as_of, true)
    and (r.held_until_at is null or r.held_until_at < as_of)
    and not agentdb._is_paused(r.run_id, as_of);
end;

comment on function agentdb._working_run (timestamptz) is
  'The runs that ought to get somewhere at a moment, and since when nothing shows that '
  'they did.';
