-- Rules about claims: what was looked up and is not so, and what nobody could look up.

create or replace function agentdb._first_keys (items jsonb)
  returns text
  language sql
  immutable
  return (
    select string_agg(left(coalesce(i.item ->> 'key', i.item::text), 100), ', '
        order by i.place)
      || case when jsonb_array_length(items) > 3
        then format(' and %s more', jsonb_array_length(items) - 3) else '' end
    from jsonb_array_elements(items) with ordinality as i (item, place)
    where i.place <= 3
  );

comment on function agentdb._first_keys (jsonb) is
  'The first three rows of a list by their keys, in words.';


-- Evidence about rows in words; NULL for other kinds, whose evidence is a few values.
create or replace function agentdb._mismatch_text (expectation jsonb, evidence jsonb)
  returns text
  language sql
  immutable
  return nullif(concat_ws('; ',
    case when expectation ? 'keys' and jsonb_array_length(
        coalesce(evidence -> 'not_done', evidence -> 'done_otherwise')) > 0
      then format('claimed %s, recorded %s',
        jsonb_array_length(expectation -> 'keys'),
        jsonb_array_length(expectation -> 'keys')
          - coalesce(jsonb_array_length(evidence -> 'not_done'), 0)
          - coalesce(jsonb_array_length(evidence -> 'done_otherwise'), 0))
      when (expectation ->> 'count') is distinct from (evidence ->> 'rows')
        and expectation ? 'count'
      then format('claimed %s, recorded %s', expectation ->> 'count',
        evidence ->> 'rows') end,
    'not done: ' || agentdb._first_keys(evidence -> 'not_done'),
    'done otherwise: ' || agentdb._first_keys(evidence -> 'done_otherwise'),
    (
      select 'other values: ' || string_agg(format('%s of %s is %s, not %s',
        v.item ->> 'column', left(v.item ->> 'key', 100),
        left((v.item -> 'recorded')::text, 60), left((v.item -> 'claimed')::text, 60)),
        ', ' order by v.place)
      from jsonb_array_elements(evidence -> 'other_values') with ordinality
        as v (item, place)
      where v.place <= 3
    )), '');

comment on function agentdb._mismatch_text (jsonb, jsonb) is
  'How rows differ from what was claimed of them, in words.';


-- A tool that is registered with what it writes may have caused its rows; where none
-- is, any call that succeeded.
create or replace function agentdb._has_cause (claim bigint)
  returns boolean
  language sql
  stable
begin atomic
  select exists (
    select
    from agentdb.tool_call_log as l
    left join agentdb.tool_alias as n on n.alias = l.tool
    left join agentdb.tool as t on t.tool_name = coalesce(n.tool_name, l.tool)
    where l.run_id = c.run_id
      and l.ok
      and l.recorded_at <= c.checked_at
      and (t.writes is null or c.kind <> 'rows'
        or agentdb._writes(t.writes, c.target, c.expectation ->> 'operation'))
  )
  from agentdb.claim as c
  where c.claim_id = claim;
end;

comment on function agentdb._has_cause (bigint) is
  'Whether a run made any call that could have caused what it claims.';

create or replace function agentdb.rule_refuted_claim (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object(
      'agent', a.agent_name, 'run', c.run_id::text, 'claim', c.claim_id::text),
    1::double precision,
    jsonb_build_object(
      'summary', format('%s claims %s %s, and it is not so: %s%s',
        a.agent_name, coalesce(c.expectation ->> 'operation' || ' of ', '') || c.kind,
        left(c.target, 200),
        left(coalesce(agentdb._mismatch_text(c.expectation, v.evidence),
          v.evidence::text), 400),
        case when not agentdb._has_cause(c.claim_id)
          then '; no call of the run could have done it' else '' end),
      'verdict', v.verdict,
      'policy', p.policy_name
    )
  from agentdb.claim as c
  join agentdb.agent as a on a.agent_id = c.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  join lateral (
    select l.verdict, l.evidence from agentdb.verdict as l
    where l.claim_id = c.claim_id and l.given_at <= as_of
    order by l.verdict_id desc
    limit 1
  ) as v on v.verdict in ('refuted', 'refused')
  where c.state in ('refuted', 'refused')
    and c.checked_at <= as_of
    and c.checked_at > as_of - p.claim_window
    and c.checked_at > as_of - (select max(w.claim_window) from agentdb.policy as w);
end;

comment on function agentdb.rule_refuted_claim (timestamptz) is
  'Claims that were found untrue, or that nobody may look up, within '
  'policy.claim_window.';


create or replace view agentdb.refuted_claim as
  select r.labels, r.value, r.annotations
  from agentdb.rule_refuted_claim(statement_timestamp()) as r;

comment on view agentdb.refuted_claim is
  'Rule: claims of agents that were looked up and are not so.';

select agentdb._declare_rule(
  rule_name => 'refuted_claim',
  severity => 'critical',
  health => 'unproven',
  why => 'An agent that says it is done, and is not, hides its failure.',
  evidence => $$
    select v.given_at, v.verdict, v.evidence, v.given_by
    from agentdb.verdict as v
    where v.claim_id = (:labels ->> 'claim')::bigint
    order by v.verdict_id desc
    limit 10
  $$,
  ends_when => 'the verdict is older than policy.claim_window, or another look finds '
                'the claim true',
  remedy => $$
    See what was found instead, take back what the run did wrong, and repeat it.
    agentdb claims {run}
    agentdb timeline {run}
    agentdb undo {run} --dry-run
  $$,
  group_by => '{rule,agent,run}'
);


create or replace function agentdb.rule_unverified_claim (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('agent', a.agent_name, 'kind', c.kind),
    count(*)::double precision,
    jsonb_build_object(
      'summary', format(
        '%s claims of kind %s by %s could not be verified for %s; the oldest: %s',
        count(*), c.kind, a.agent_name, agentdb._span(as_of - min(c.claimed_at)),
        left((array_agg(c.target order by c.claimed_at))[1], 200)),
      'policy', p.policy_name,
      'threshold', extract(epoch from p.verify_within)
    )
  from agentdb.claim as c
  join agentdb.agent as a on a.agent_id = c.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  where c.state in ('pending', 'unreachable')
    and c.due_at <= as_of - p.verify_within
    and c.due_at > as_of - p.verify_within - p.claim_window
    -- Rule change_waiting watches over what waits for a reviewer.
    and not (c.kind = 'rows'
      and agentdb._awaits_decision(c.run_id, c.target, c.claimed_at, as_of))
    -- At most a day before it is due: so far back the index is read.
    and c.claimed_at > as_of - interval '25 hours' - (
      select max(w.verify_within + w.claim_window) from agentdb.policy as w
    )
  group by a.agent_name, c.kind, p.policy_name, p.verify_within;
end;

comment on function agentdb.rule_unverified_claim (timestamptz) is
  'Claims that nobody could verify within policy.verify_within.';


create or replace view agentdb.unverified_claim as
  select r.labels, r.value, r.annotations
  from agentdb.rule_unverified_claim(statement_timestamp()) as r;

comment on view agentdb.unverified_claim is
  'Rule: claims that have waited too long for somebody to look.';

select agentdb._declare_rule(
  rule_name => 'unverified_claim',
  severity => 'warning',
  health => 'unproven',
  why => 'What nobody could look up is neither true nor false.',
  evidence => $$
    select c.claim_id, c.run_id, c.target, c.state, c.attempts, c.evidence
    from agentdb.claim_status as c
    where c.agent_name = :labels ->> 'agent'
      and c.kind = :labels ->> 'kind'
      and c.state in ('pending', 'unreachable')
    order by c.claim_id
    limit 10
  $$,
  ends_when => 'the claims of {agent} are looked at',
  remedy => $$
    Allow a runner to look at claims of kind {kind} ([verify] in its configuration),
    and check that it reaches their targets.
    agentdb claims
    agentdb doctor
  $$
);
