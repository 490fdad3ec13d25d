-- Which thresholds a rule compares with: the comment of each column of policy says so,
-- so that there is one place to read and to change.

create or replace view agentdb.rule_setting as
  select
    n.rule_name, c.attname::text as setting, p.policy_name,
    to_jsonb(p) ->> c.attname as value, m.parts[2] as reason
  from pg_attribute as c
  cross join lateral regexp_match(
    col_description(c.attrelid, c.attnum), '^Rules? ([a-z0-9_, ]+): (.*)$'
  ) as m (parts)
  cross join lateral regexp_split_to_table(m.parts[1], ', | and ') as n (rule_name)
  cross join agentdb.policy as p
  where c.attrelid = 'agentdb.policy'::regclass
    and c.attnum > 0
    and not c.attisdropped
  order by n.rule_name, c.attnum, p.policy_name;

comment on view agentdb.rule_setting is
  'Each threshold of each rule in each policy, with its reason.';
comment on column agentdb.rule_setting.rule_name is
  'The rule.';
comment on column agentdb.rule_setting.setting is
  'The column of agentdb.policy.';
comment on column agentdb.rule_setting.policy_name is
  'The policy.';
comment on column agentdb.rule_setting.value is
  'What the policy has there; NULL is off or no limit.';
comment on column agentdb.rule_setting.reason is
  'What it is and why it is as it is.';
