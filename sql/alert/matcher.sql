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
    if v_parts[2] in ('~', '!~') then
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
        when m.item ->> 'value' ~ '^[^,"[:space:]]+$' then m.item ->> 'value'
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
