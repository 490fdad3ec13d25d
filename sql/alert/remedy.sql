-- Remedies: what to do about an alert, what was found out about it, and what ends it.
-- Every rule has the text in its row; psql, `agentdb why` and all messages show this.

create or replace function agentdb._remedy (alert agentdb.alert)
  returns text[]
  language sql
  stable
  return array(
    select f.line
    from agentdb.alert_rule as r
    cross join lateral regexp_split_to_table(
      coalesce(r.remedy, E'Look at the rows behind it and at what the rule is for:\n'
        'agentdb rules explain {rule}'), '\n') with ordinality as l (line, place)
    cross join lateral (
      select agentdb._fill(btrim(l.line), agentdb._given(alert)) as line
    ) as f
    where r.rule_name = (alert).rule_name
      and f.line <> ''
    order by l.place
  );

comment on function agentdb._remedy (agentdb.alert) is
  'What to do about an alert, a line a step.';


-- Looking is never wrong, and never enough: `agentdb why` is named anyway.
create or replace function agentdb._one_command (remedy text[])
  returns text
  language sql
  immutable
  return (
    select l.line
    from unnest(remedy) with ordinality as l (line, place)
    where l.line ~ '^agentdb '
    order by
      l.line ~ ('^agentdb (timeline|runs|locks|alerts|changes|change show|why|rules'
        '|outbox|silences|costs)( |$)'),
      l.place
    limit 1
  );

comment on function agentdb._one_command (text[]) is
  'The first command of a remedy that does something, else the first; NULL for none.';


-- Where nothing is missing any more, that is what there is to know.  Names of tables
-- and files may be an agent's words: they make no line of their own, and a fix that
-- would be cut off is none.
create or replace function agentdb._diagnosis_lines (diagnosis jsonb)
  returns table (line text, place bigint)
  language sql
  immutable
begin atomic
  select l.line, f.place * 2 + l.place
  from jsonb_array_elements(case jsonb_typeof(diagnosis)
    when 'array' then diagnosis else '[]' end) with ordinality as f (item, place)
  cross join lateral (
    values
      (
        agentdb._one_line(concat_ws(': ', f.item ->> 'path',
          coalesce(f.item ->> 'detail', f.item ->> 'problem', f.item ->> 'verdict')),
          300), 0
      ),
      (
        case when agentdb._is_typeable(f.item ->> 'fix')
          then 'fix: ' || (f.item ->> 'fix') end, 1
      )
  ) as l (line, place)
  where l.line <> ''
    and (f.item ->> 'verdict' is distinct from 'ok' or not jsonb_path_exists(
      diagnosis, 'lax $[*] ? (@.verdict != "ok" || exists(@.problem))'));
end;

comment on function agentdb._diagnosis_lines (jsonb) is
  'A diagnosis in words: what is missing, and the command or statement that gives it.';


create or replace function agentdb._diagnosis_text (diagnosis jsonb)
  returns text
  language sql
  immutable
  return (
    select string_agg(l.line, E'\n' order by l.place)
    from agentdb._diagnosis_lines(diagnosis) as l
  );

comment on function agentdb._diagnosis_text (jsonb) is
  'A diagnosis in words, NULL where nothing was found.';


-- Of the calls that the alert names by its annotation calls.
create or replace function agentdb._diagnosis (alert agentdb.alert)
  returns text[]
  language sql
  stable
  return array(
    select l.line
    from jsonb_array_elements(case jsonb_typeof((alert).annotations -> 'calls')
      when 'array' then (alert).annotations -> 'calls' else '[]' end)
      with ordinality as c (call, place)
    join agentdb.tool_diagnosis as d on d.tool_call_log_id = case
      when c.call::text ~ '^[0-9]{1,18}$' then c.call::text::bigint end
    cross join lateral agentdb._diagnosis_lines(d.diagnosis) as l
    group by l.line
    order by min(c.place * 1000 + l.place)
    limit 6
  );

comment on function agentdb._diagnosis (agentdb.alert) is
  'What was found out about the failed calls that an alert names.';


create or replace view agentdb.alert_remedy as
  select a.alert_id, agentdb._diagnosis(a) as diagnosis, agentdb._remedy(a) as remedy,
    agentdb._ends_when(a) as ends_when
  from agentdb.alert as a;

comment on view agentdb.alert_remedy is
  'What was found out about each alert, what to do about it, and what ends it.';
comment on column agentdb.alert_remedy.alert_id is
  'The alert.';
comment on column agentdb.alert_remedy.diagnosis is
  'What was found when somebody looked into its failed calls, with the fixes.';
comment on column agentdb.alert_remedy.remedy is
  'What to do, a line a step, with the names filled in.';
comment on column agentdb.alert_remedy.ends_when is
  'What ends it.';
