-- What is known of claims, for people.

-- What was withdrawn was not wanted any more; what was refused may have been done
-- better by a later change of the same tables.
create or replace function agentdb._has_unapplied (run bigint)
  returns boolean
  language sql
  stable
  return exists (
    select from agentdb.change as c
    where c.run_id = run
      and c.kind = 'stage'
      and c.state not in ('applied', 'withdrawn')
      and (c.closed_at is null or exists (
        select from agentdb.change_row as r
        where r.change_id = c.change_id
          and r.audit_target_id not in (
            select t.audit_target_id
            from agentdb.change as l
            join agentdb.change_table as t on t.change_id = l.change_id
            where l.run_id = run
              and l.change_id > c.change_id
              and l.state = 'applied')))
  );

comment on function agentdb._has_unapplied (bigint) is
  'Whether something that a run proposed waits, or came to nothing.';


create or replace function agentdb._run_state (run bigint, outcome text)
  returns text
  language sql
  stable
  return case
    when outcome is null then 'running'
    when outcome = 'succeeded' and (
      exists (
        select from agentdb.claim as c where c.run_id = run and c.state <> 'verified'
      )
      or agentdb._has_unapplied(run)
    ) then 'unverified'
    else outcome
  end;

comment on function agentdb._run_state (bigint, text) is
  'running, the outcome, or unverified for a run that says it succeeded and has a '
  'claim that is not verified or a change that was not applied.';


create or replace view agentdb.claim_status as
  select c.claim_id, a.agent_name, c.run_id, c.kind, c.target, c.state,
    c.expectation, v.evidence, c.claimed_at, c.checked_at, c.attempt as attempts
  from agentdb.claim as c
  join agentdb.agent as a on a.agent_id = c.agent_id
  left join lateral (
    select l.evidence from agentdb.verdict as l
    where l.claim_id = c.claim_id
    order by l.verdict_id desc
    limit 1
  ) as v on true
  order by c.claim_id desc;

comment on view agentdb.claim_status is
  'What agents say they have done, and what was seen of it from outside.';
comment on column agentdb.claim_status.claim_id is
  'The number of the claim.';
comment on column agentdb.claim_status.agent_name is
  'Who claims it.';
comment on column agentdb.claim_status.run_id is
  'In which run.';
comment on column agentdb.claim_status.kind is
  'rows, file, http, message, command, or the name of a verifier.';
comment on column agentdb.claim_status.target is
  'What to look at: a table, a path, an address, a recipient.';
comment on column agentdb.claim_status.state is
  'pending, verified, refuted, unreachable (nobody could look) or refused (nobody '
  'may).';
comment on column agentdb.claim_status.expectation is
  'What is said of it.';
comment on column agentdb.claim_status.evidence is
  'What was seen at the last look.';
comment on column agentdb.claim_status.claimed_at is
  'When it was claimed.';
comment on column agentdb.claim_status.checked_at is
  'When it was last looked at.';
comment on column agentdb.claim_status.attempts is
  'How often somebody set out to look.';
