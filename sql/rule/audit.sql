-- Rules about writes: outside any run, or not recorded as they should be.

create or replace function agentdb.rule_unattributed_write (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('role', l.session_role, 'table', t.table_name),
    count(*)::double precision,
    jsonb_build_object(
      'summary', format(
        'role %s changed %s rows of %s outside any run within %s',
        l.session_role, count(*), t.table_name,
        agentdb._within(min(l.recorded_at), max(l.recorded_at))
      ),
      'policy', p.policy_name,
      'threshold', 0
    )
  from (
    -- Behind a shared role the policy with the longest window watches.
    select distinct on (a.role_name)
      a.role_name, p.policy_name, p.unattributed_write_window
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
    order by a.role_name, p.unattributed_write_window desc
  ) as p
  join agentdb.audit_log as l
    on l.session_role = p.role_name
    and l.run_id is null
    and l.change_id is null
    and l.recorded_at > as_of - p.unattributed_write_window
    and l.recorded_at <= as_of
  join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
  where l.recorded_at > as_of - interval '1 day' and l.recorded_at <= as_of
  group by l.session_role, t.table_name, p.policy_name, p.unattributed_write_window;
end;

comment on function agentdb.rule_unattributed_write (timestamptz) is
  'Writes to audited tables by an agent''s role that belong to no run.';


create or replace view agentdb.unattributed_write as
  select r.labels, r.value, r.annotations
  from agentdb.rule_unattributed_write(statement_timestamp()) as r;

comment on view agentdb.unattributed_write is
  'Rule: writes of agents that no run answers for.';

select agentdb._declare_rule(
  rule_name => 'unattributed_write',
  severity => 'warning',
  health => 'alerting',
  why => 'A write outside any run has nobody who answers for it.',
  evidence => $$
    select l.recorded_at, l.operation, l.row_key, l.application_name, l.client_addr
    from agentdb.audit_log as l
    join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
    where t.table_name = :labels ->> 'table'
      and l.session_role = :labels ->> 'role'
      and l.run_id is null
      and l.recorded_at > :at - interval '1 day'
      and l.recorded_at <= :at
    order by l.audit_log_id desc
    limit 10
  $$,
  ends_when => 'no such row is left in policy.unattributed_write_window',
  remedy => $$
    Have whoever writes as role {role} open a run first (start_run, bind_run), or
    give people and jobs a role of their own.
    agentdb audit {table}
  $$
);


-- The catalog has no past: of an earlier moment only tables audited by then are asked.
create or replace function agentdb.rule_audit_gap (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('table', f.table_name),
    count(*)::double precision,
    jsonb_build_object(
      'summary', format('the audit of %s has a gap: %s', f.table_name,
        left(string_agg(f.fault, '; ' order by f.fault), 500)),
      'threshold', 0
    )
  from agentdb.audit_fault as f
  join agentdb.audit_target as t on t.audit_target_id = f.audit_target_id
  where t.audited_at <= as_of
  group by f.table_name;
end;

comment on function agentdb.rule_audit_gap (timestamptz) is
  'Audited tables whose triggers are missing, disabled or replaced, or whose layout '
  'has changed.';


create or replace view agentdb.audit_gap as
  select r.labels, r.value, r.annotations
  from agentdb.rule_audit_gap(statement_timestamp()) as r;

comment on view agentdb.audit_gap is
  'Rule: audited tables that are not recorded as they should be.';

select agentdb._declare_rule(
  rule_name => 'audit_gap',
  severity => 'critical',
  health => 'unaudited',
  why => 'What is not recorded cannot be verified, explained or undone.',
  evidence => $$
    select f.table_name, f.fault from agentdb.audit_fault as f
    where f.table_name = :labels ->> 'table'
  $$,
  ends_when => 'table {table} is recorded completely again',
  remedy => $$
    Have the table captured as it is now (a missing trigger: audit_table again, with
    the same exclude and redact); what was written meanwhile is in no history.
    select * from agentdb.maintain();
    agentdb install --check
  $$,
  group_by => '{rule}'
);


-- What came back before anybody looked: of a gap that stayed open audit_gap has spoken.
create or replace function agentdb.rule_record_gap (as_of timestamptz)
  returns table (labels jsonb, value double precision, annotations jsonb)
  language sql
  stable
begin atomic
  select
    jsonb_build_object('table', t.table_name),
    count(*)::double precision,
    jsonb_build_object(
      'summary', format('what was written to %s from %s to %s may not be recorded: %s',
        t.table_name, agentdb._utc(min(f.began_at)), agentdb._utc(max(f.ended_at)),
        left(string_agg(distinct f.fault, '; '), 500)),
      'threshold', 0
    )
  from agentdb.record_fault as f
  join agentdb.audit_target as t on t.audit_target_id = f.audit_target_id
  where f.noticed_at <= as_of
    and f.ended_at > as_of - interval '1 hour'
    and f.ended_at <= as_of
    and not exists (
      select from agentdb.alert as a
      where a.rule_name = 'audit_gap'
        and a.labels ->> 'table' = t.table_name
        and a.firing_at between f.began_at and f.ended_at)
  group by t.table_name;
end;

comment on function agentdb.rule_record_gap (timestamptz) is
  'Audited tables that were not recorded for some time and are again.';


create or replace view agentdb.record_gap as
  select r.labels, r.value, r.annotations
  from agentdb.rule_record_gap(statement_timestamp()) as r;

comment on view agentdb.record_gap is
  'Rule: audited tables that were not recorded for some time within the last hour.';

select agentdb._declare_rule(
  rule_name => 'record_gap',
  severity => 'critical',
  health => 'unaudited',
  why => 'Somebody switched the record off and on again: what was written meanwhile is '
    'in no history, and no question about the past is answered across it.',
  evidence => $$
    select g.table_name, g.began_at, g.ended_at, g.reason
    from agentdb.recording_gap as g
    where g.table_name = :labels ->> 'table'
    order by g.began_at desc
    limit 10
  $$,
  ends_when => 'an hour has passed since table {table} was recorded again',
  remedy => $$
    Find out who did it: the log of the server has the statement, if it logs DDL.
    Compare the table with what is recorded of it.
    agentdb audit {table}
  $$,
  group_by => '{rule}'
);
