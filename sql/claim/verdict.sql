-- Verdicts: claims are taken one by one by whoever can look, and what was seen is
-- written down.  Unreachable is never refuted: it is tried again until
-- policy.verify_within has passed.

create or replace function agentdb._give_verdict (
  claim bigint,
  verdict text,
  evidence jsonb
)
  returns text
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := clock_timestamp();
  v_state text;
begin
  insert into agentdb.verdict (claim_id, verdict, evidence)
  values (claim, _give_verdict.verdict, agentdb._bounded_json(evidence, 65536));
  update agentdb.claim as c
  set checked_at = v_now,
      leased_until = null,
      state = case
        when verdict = 'unreachable' and v_now < c.due_at + p.verify_within
          then 'pending'
        -- What may still come about is not refuted yet.
        when verdict = 'refuted' and v_now < c.due_at then 'pending'
        else verdict
      end,
      -- Once at the end of the time that it may take, and seldom before.
      next_check_at = least(
        v_now + least(interval '1 second' * 2 ^ least(c.attempt, 10), '5 minutes'),
        case when c.due_at > v_now then c.due_at end)
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where c.claim_id = claim and a.agent_id = c.agent_id
  returning c.state into v_state;
  return v_state;
end;
$$;

comment on function agentdb._give_verdict (bigint, text, jsonb) is
  'Writes down what was seen of a claim and returns the claim''s state.';


create or replace function agentdb._verify_rows (run bigint)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._give_verdict(c.claim_id, v.verdict, v.evidence)
  from (
    select o.claim_id from agentdb.claim as o
    where o.state = 'pending' and o.kind = 'rows'
      and o.run_id = _verify_rows.run
      and not agentdb._awaits_decision(
        o.run_id, o.target, o.claimed_at, clock_timestamp())
    order by o.claim_id
    limit 1000
    for no key update skip locked
  ) as c
  join agentdb._row_verdicts(_verify_rows.run) as v on v.claim_id = c.claim_id;
  return (
    select count(*) from agentdb.claim as c
    where c.run_id = _verify_rows.run and c.state = 'pending'
  );
end;
$$;

comment on function agentdb._verify_rows (bigint) is
  'Decides the pending claims of a run about rows, but for those that wait for a '
  'change to be decided; returns how many claims are left.';


-- A transaction that is still open may yet write the rows: claims of open runs wait for
-- complete_run, or for a while.
create or replace function agentdb.verify_rows ()
  returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  -- Whoever waits for us has more to do.
  v_until timestamptz := clock_timestamp() + interval '2 seconds';
  v_run_id bigint;
  v_count bigint := 0;
begin
  for v_run_id in
    select distinct c.run_id
    from agentdb.claim as c
    join agentdb.run as r on r.run_id = c.run_id
    where c.state = 'pending' and c.kind = 'rows'
      and (r.ended_at is not null
        or c.claimed_at < clock_timestamp() - interval '1 minute')
      and not agentdb._awaits_decision(
        c.run_id, c.target, c.claimed_at, clock_timestamp())
  loop
    perform agentdb._verify_rows(v_run_id);
    v_count := v_count + 1;
    exit when clock_timestamp() > v_until;
  end loop;
  return v_count;
end;
$$;

comment on function agentdb.verify_rows () is
  'Decides claims about rows of runs that have ended, and those a minute old, for two '
  'seconds at a time; returns of how many runs.';


create or replace function agentdb.take_claim (
  kinds text[],
  lease interval default '1 minute',
  run bigint default null
)
  returns table (
    claim_id bigint, attempt integer, kind text, target text, expectation jsonb,
    run_id bigint, run_started_at timestamptz, agent_name text
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
#variable_conflict use_column
begin
  if lease is null or lease not between '1 second' and '1 hour' then
    perform agentdb._refuse(
      'lease must be between 1 second and 1 hour', 'Give the longest a look can take.');
  end if;
  return query
    update agentdb.claim as c
    set attempt = c.attempt + 1,
        leased_until = clock_timestamp() + lease
    from agentdb.run as r
    join agentdb.agent as a on a.agent_id = r.agent_id
    where r.run_id = c.run_id
      and c.claim_id = (
        select o.claim_id from agentdb.claim as o
        where o.state = 'pending'
          and o.next_check_at <= clock_timestamp()
          and o.kind = any (kinds)
          and coalesce(o.leased_until < clock_timestamp(), true)
          and (take_claim.run is null or o.run_id = take_claim.run)
        order by o.next_check_at
        limit 1
        for no key update skip locked
      )
    returning c.claim_id, c.attempt, c.kind, c.target, c.expectation, c.run_id,
      r.started_at, a.agent_name;
end;
$$;

comment on function agentdb.take_claim (text[], interval, bigint) is
  'Takes the next pending claim of some kinds to be looked at; after the lease it is '
  'anybody''s again; no row where nothing is due; raises ZA004.';


create or replace function agentdb.give_verdict (
  claim bigint,
  attempt integer,
  verdict text,
  evidence jsonb default '{}'
)
  returns text
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  if verdict is null
    or verdict not in ('verified', 'refuted', 'unreachable', 'refused') then
    perform agentdb._refuse(
      format('%L is no verdict', agentdb._clean_text(verdict, 50)),
      'Say verified, refuted, unreachable or refused.');
  end if;
  perform from agentdb.claim as c
  where c.claim_id = claim and c.attempt = give_verdict.attempt
    and c.leased_until is not null
  for no key update;
  if not found then
    return 'late';
  end if;
  return agentdb._give_verdict(claim, verdict, evidence);
end;
$$;

comment on function agentdb.give_verdict (bigint, integer, text, jsonb) is
  'Records what was seen of a claim that was taken; late where another has taken it '
  'since; raises ZA004.';


create or replace function agentdb.complete_run (
  summary text default null,
  run bigint default null
)
  returns table (
    run_id bigint, state text, claims bigint, verified bigint, refuted bigint,
    pending bigint
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  select c.run_id into complete_run.run_id
  from agentdb._current_run(complete_run.run) as c;
  perform agentdb._verify_rows(complete_run.run_id);
  perform agentdb.end_run(
    outcome => 'succeeded', summary => complete_run.summary,
    run => complete_run.run_id);
  return query
    select r.run_id, agentdb._run_state(r.run_id, r.outcome), count(c.claim_id),
      count(*) filter (where c.state = 'verified'),
      count(*) filter (where c.state = 'refuted'),
      count(*) filter (where c.state = 'pending')
    from agentdb.run as r
    left join agentdb.claim as c on c.run_id = r.run_id
    where r.run_id = complete_run.run_id
    group by r.run_id;
end;
$$;

comment on function agentdb.complete_run (text, bigint) is
  'Ends the run as done and says what is proven: succeeded only when every claim is '
  'verified, else unverified; raises ZA001 or ZA003.';
