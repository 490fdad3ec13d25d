-- Evaluation: which rule is due, the query to run for it, and what happens when it
-- fails. Any number of runners may ask; each rule goes to one of them.

create or replace view agentdb.broken_rule as
  select
    jsonb_build_object('rule', r.rule_name) as labels,
    r.failures::double precision as value,
    jsonb_build_object(
      'summary', format('rule %s has failed %s times in a row: %s',
        r.rule_name, r.failures, left(r.error, 200)),
      'threshold', 3
    ) as annotations
  from agentdb.alert_rule as r
  where r.enabled
    and r.failures >= 3;

comment on view agentdb.broken_rule is
  'Rule: rules that cannot be evaluated; while one is broken it watches nothing.';

select agentdb._declare_rule(
  rule_name => 'broken_rule',
  severity => 'critical',
  health => 'alerting',
  why => 'A rule that cannot be evaluated watches nothing.',
  evidence => $$
    select rule_name, failures, failed_at, error from agentdb.alert_rule
    where rule_name = :labels ->> 'rule'
  $$,
  ends_when => 'rule {rule} can be evaluated again',
  remedy => $$
    Correct the view of the rule, or switch the rule off until somebody can.
    agentdb rules lint {rule}
    update agentdb.alert_rule set enabled = false where rule_name = {rule};
  $$
);


-- The first row of every agent comes before the second of any: who trips a rule a
-- thousand times does not hide the others.
-- The name is quoted and not looked up: looking up fails without USAGE on its schema,
-- and one rule must not keep the others from being claimed.
create or replace function agentdb._rule_query (view_name text, max_alerts integer)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text[] := parse_ident(view_name);
  v_hostile oid;
begin
  -- Ours need no look.  What is refused is an error of this rule, not of them all.
  if v_name[1] <> 'agentdb' then
    select c.oid into v_hostile
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = v_name[1]
      and c.relname = v_name[2]
      and agentdb._hostile_part(c.oid) is not null;
  end if;
  if v_hostile is not null then
    return format('select agentdb._check_relation(%s)', v_hostile);
  end if;
  return format(
    'select coalesce(jsonb_agg(r), ''[]'') from ('
      'select v.labels, v.value, v.annotations from %I.%I as v order by '
      'row_number() over (partition by v.labels ->> ''agent'') limit %s) as r',
    v_name[1], v_name[2], max_alerts + 1);
end;
$$;

comment on function agentdb._rule_query (text, integer) is
  'The statement that yields a rule''s rows as one JSON array, one row more than '
  'allowed.';


create or replace function agentdb._ms_until (at timestamptz)
  returns integer
  language sql
  volatile
  return least(60000, greatest(0, coalesce(
    ceil(extract(epoch from at - clock_timestamp()) * 1000), 60000)))::integer;

comment on function agentdb._ms_until (timestamptz) is
  'Milliseconds until a moment, at most 60000.';


-- In PL/pgSQL, which keeps its plans: this is called once for each rule of each poll.
create or replace function agentdb.claim_rule ()
  returns table (
    rule_name text, query text, evaluation bigint, timeout_ms integer,
    max_alerts integer, next_due_ms integer
  )
  language plpgsql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
#variable_conflict use_column
declare
  -- One moment for all.
  v_now timestamptz := clock_timestamp();
  v_rule text;
begin
  select r.rule_name into v_rule
  from agentdb.alert_rule as r
  where r.enabled
    -- Nothing is put off for longer: the clock of the server went back.
    and (r.next_evaluation_at <= v_now
      or r.next_evaluation_at > v_now + greatest(r.evaluate_every, '5 minutes'))
  order by r.next_evaluation_at
  limit 1
  for update of r skip locked;
  if v_rule is null then
    return;
  end if;
  return query
    update agentdb.alert_rule as r
    set next_evaluation_at = case
          when r.next_evaluation_at <= v_now
            and r.next_evaluation_at + r.evaluate_every > v_now
            then r.next_evaluation_at + r.evaluate_every
          else v_now + r.evaluate_every
        end,
        evaluation = r.evaluation + 1
    where r.rule_name = v_rule
    returning
      r.rule_name, agentdb._rule_query(r.view_name, r.max_alerts), r.evaluation,
      (extract(epoch from r.timeout) * 1000)::integer, r.max_alerts,
      agentdb._ms_until(least(r.next_evaluation_at, (
        -- Here its own row is still the former one.
        select min(o.next_evaluation_at)
        from agentdb.alert_rule as o
        where o.enabled
          and o.rule_name <> v_rule
      )));
end;
$$;

comment on function agentdb.claim_rule () is
  'Takes the rule that is due longest and returns the query to run for it, and when '
  'another is due; no row when none is.';


create or replace function agentdb.next_evaluation_ms ()
  returns integer
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select agentdb._ms_until(min(r.next_evaluation_at))
  from agentdb.alert_rule as r
  where r.enabled;
$$;

comment on function agentdb.next_evaluation_ms () is
  'Milliseconds until a rule is due, at most 60000.';


create or replace function agentdb.fail_rule (
  rule_name text,
  evaluation bigint,
  error text
)
  returns boolean
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  -- Its alerts keep their state: not knowing is neither trouble nor its end.
  update agentdb.alert_rule as r
  set failures = r.failures + 1,
      failed_at = clock_timestamp(),
      error = agentdb._clean_text(fail_rule.error, 2000),
      next_evaluation_at = clock_timestamp()
        + least(r.evaluate_every * power(2, least(r.failures, 10)), '5 minutes')
  where r.rule_name = fail_rule.rule_name
    and r.evaluation = fail_rule.evaluation;
  return found;
end;
$$;

comment on function agentdb.fail_rule (text, bigint, text) is
  'Records that an evaluation failed and puts the next one off, doubling up to 5 '
  'minutes; false when another came between.';
