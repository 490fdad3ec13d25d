-- Matchers: how people name alerts by their labels, as in agent=x,rule~loop.  They are
-- taken apart when they are given, so that an ill-formed one is refused and never kept.

create or replace function agentdb._refuse_matchers (matchers text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._refuse(
    format('%L is no list of matchers', agentdb._clean_text(matchers, 200)),
    'Write label=value, label!=value, label~regex or label!~regex, with commas between '
      'them: agent=billing,rule~loop.  Labels are those of the alert, and rule, '
      'severity, alert; a value with a comma goes into double quotes; a regular '
      'expression has no back-reference.');
end;
$$;

comment on function agentdb._refuse_matchers (text) is
  'Raises ZA004 for a list of matchers that cannot be read.';


-- A back-reference makes matching exponential; without one it is linear.
create or replace function agentdb._check_pattern (pattern text, matchers text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform '' ~ pattern;
  if length(pattern) > 200 or pattern ~ '[\\][0-9]' then
    perform agentdb._refuse_matchers(matchers);
  end if;
exception when invalid_regular_expression then
  perform agentdb._refuse_matchers(matchers);
end;
$$;

comment on function agentdb._check_pattern (text, text) is
  'Raises ZA004 for a regular expression that is wrong, long or costly.';


-- Alertmanager writes =~ for ~: taken as it stands it would match nothing, unnoticed.
create or replace function agentdb._refuse_operator (
  label text,
  operator text,
  value text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_meant text := concat(case when operator ~ '^!' then '!' end,
    case when concat(operator, value) ~ '^[!=~]*~' then '~' else '=' end);
begin
  perform agentdb._refuse(
    format('%L is no comparison', agentdb._clean_text(
      concat(label, operator, value), 100)),
    format('Write %s%s%s; a value that begins with = or ~ goes into double quotes.',
      label, v_meant, agentdb._clean_text(ltrim(value, '=~ '), 100)));
end;
$$;

comment on function agentdb._refuse_operator (text, text, text) is
  'Raises ZA004 for a matcher with two operators, and says what was meant.';


create or replace function agentdb._parse_matchers (matchers text)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_rest text := btrim(matchers);
  v_parts text[];
  v_found jsonb := '[]';
begin
  if matchers is null or length(matchers) > 1000
    or matchers <> agentdb._clean_text(matchers, 1000) or matchers ~ '[\t\n]' then
    perform agentdb._refuse_matchers(matchers);
  end if;
  while v_rest <> '' loop
    v_parts := regexp_match(v_rest, '^([A-Za-z_][A-Za-z0-9_.-]*)[[:space:]]*(!=|!~|=|~)'
      '[[:space:]]*(?:"([^"]*)"|([^",]*[^",[:space:]]|))'
      '[[:space:]]*(?:,[[:space:]]*(?=.)|$)(.*)$');
    if v_parts is null or jsonb_array_length(v_found) >= 20 then
      perform agentdb._refuse_matchers(matchers);
    end if;
    if v_parts[4] ~ '^[=~]' then
      perform agentdb._refuse_operator(v_parts[1], v_parts[2], v_parts[4]);
    elsif v_parts[2] in ('~', '!~') then
      perform agentdb._check_pattern(coalesce(v_parts[3], v_parts[4], ''), matchers);
    end if;
    v_found := v_found || jsonb_build_object('label', v_parts[1], 'is', v_parts[2],
      'value', coalesce(v_parts[3], v_parts[4], ''));
    v_rest := v_parts[5];
  end loop;
  return v_found;
end;
$$;

comment on function agentdb._parse_matchers (text) is
  'Takes a list of matchers apart; an empty one matches every alert; raises ZA004.';


create or replace function agentdb._matchers_text (matchers jsonb)
  returns text
  language sql
  immutable
  return (
    select string_agg(
      concat(m.item ->> 'label', m.item ->> 'is', case
        when m.item ->> 'value' ~ '^[^,"=~[:space:]][^,"[:space:]]*$'
          then m.item ->> 'value'
        else format('"%s"', m.item ->> 'value') end), ',' order by m.place)
    from jsonb_array_elements(matchers) with ordinality as m (item, place)
  );

comment on function agentdb._matchers_text (jsonb) is
  'Matchers as people write them.';


-- A label that an alert does not have is empty, as Alertmanager has it.
create or replace function agentdb._matches (matchers jsonb, labels jsonb)
  returns boolean
  language sql
  immutable
  return not exists (
    select from jsonb_array_elements(matchers) as m (item)
    cross join lateral (
      select coalesce(labels ->> (m.item ->> 'label'), '') as given,
        m.item ->> 'value' as wanted
    ) as v
    where case m.item ->> 'is'
      when '=' then v.given <> v.wanted
      when '!=' then v.given = v.wanted
      when '~' then v.given !~ v.wanted
      else v.given ~ v.wanted
    end
  );

comment on function agentdb._matches (jsonb, jsonb) is
  'Whether labels satisfy all matchers.';


create or replace function agentdb._matchable (
  alert bigint,
  rule_name text,
  severity text,
  labels jsonb
)
  returns jsonb
  language sql
  immutable
  return labels || jsonb_build_object(
    'alert', 'A-' || alert, 'rule', rule_name, 'severity', severity);

comment on function agentdb._matchable (bigint, text, text, jsonb) is
  'The labels of an alert by which it can be named: its own, alert, rule and severity.';


-- No rule declares its labels.  What it says of itself has them in braces, its evidence
-- asks for them; those of a DBA's own are known when it has fired.
create or replace function agentdb._known_labels ()
  returns text[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select array_agg(distinct l.label order by l.label)
  from (
    select unnest('{alert,rule,severity,agent,run,table,tool,lock,tree,measure,object,
      slot}'::text[])
    union all
    select unnest(r.group_by) from agentdb.alert_rule as r
    union all
    select f.found[1]
    from agentdb.alert_rule as r
    cross join lateral (
      select regexp_matches(concat(r.remedy, r.ends_when), '{([a-z_]+)}', 'g')
      union all
      select regexp_matches(r.evidence_query, ':labels ->> ''([^'']+)''', 'g')
    ) as f (found)
    union all
    select k.label
    from agentdb.alert as a
    cross join lateral jsonb_object_keys(a.labels) as k (label)
  ) as l (label);
$$;

comment on function agentdb._known_labels () is
  'The labels that alerts have, as far as is known: of rules that have not fired, '
  'those that they speak of.';


-- Refused it is not: it may be meant for a rule that is made later.
create or replace function agentdb._warn_of_unknown (matchers jsonb, labels text[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_known text[] := agentdb._known_labels();
  v_label text;
  v_rule text;
begin
  for v_label in
    select distinct u.label
    from (
      select m.item ->> 'label' from jsonb_array_elements(matchers) as m (item)
      union all
      select unnest(labels)
    ) as u (label)
    where u.label <> all (v_known)
    order by u.label
  loop
    raise warning 'no alert and no rule is known to have a label %', v_label
      using hint = 'Known are: ' || array_to_string(v_known, ', ');
  end loop;
  for v_rule in
    select m.item ->> 'value'
    from jsonb_array_elements(matchers) as m (item)
    where m.item ->> 'label' = 'rule' and m.item ->> 'is' = '='
      and not exists (
        select from agentdb.alert_rule as r where r.rule_name = m.item ->> 'value')
  loop
    raise warning 'there is no rule %', v_rule
      using hint = 'agentdb rules list has those that there are.';
  end loop;
end;
$$;

comment on function agentdb._warn_of_unknown (jsonb, text[]) is
  'Warns of labels that no alert and no rule has, and of rules that do not exist.';
