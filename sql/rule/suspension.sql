-- The rule about protections that somebody has suspended.

-- The catalog has no past: a table that is gone needs no protection.
create or replace function agentdb.rule_suspended_protection (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('protection', s.what, 'table', t.name),
    extract(epoch from as_of - s.since_at)::double precision,
    jsonb_build_object(
      'summary', format('the %s of %s is suspended from %s to %s by %s: %s', s.what,
        t.name, agentdb._utc(s.since_at), agentdb._utc(s.ends_at), s.suspended_by,
        left(s.reason, 300)),
      'threshold', 0
    )
  from agentdb.suspension as s
  cross join lateral agentdb._table_name(s.table_oid) as t (name)
  where s.began_at <= as_of
    and s.ends_at > as_of
    and coalesce(s.ended_at > as_of, true)
    and t.name is not null;
end;

comment on function agentdb.rule_suspended_protection (timestamptz) is
  'Audits, guards and fences that the owner of their table has suspended.';


create or replace view agentdb.suspended_protection as
  select r.labels, r.value, r.annotations
  from agentdb.rule_suspended_protection(statement_timestamp()) as r;

comment on view agentdb.suspended_protection is
  'Rule: tables that are without their audit, guard or fence for a time.';

select agentdb._declare_rule(
  rule_name => 'suspended_protection',
  severity => 'warning',
  health => 'unprotected',
  why => 'Who broke the glass at night may forget it in the morning.',
  evidence => $$
    select s.what, s.since_at, s.began_at, s.ends_at, s.suspended_by, s.reason
    from agentdb.suspension as s
    where s.what = :labels ->> 'protection'
      and agentdb._table_name(s.table_oid) = :labels ->> 'table'
    order by s.suspension_id desc
    limit 10
  $$,
  ends_when => 'somebody resumes it, or its time is over',
  remedy => $$
    Fix what made it necessary, and put the {protection} of {table} back in force.
    agentdb unsuspend {protection} {table} --reason …
  $$,
  group_by => '{rule,table}'
);
