-- The words of a rule's row for one of its alerts: lines with what its labels say
-- filled in, as a command, a statement or a sentence needs them.

create or replace function agentdb._one_line (value text, max_length integer)
  returns text
  language sql
  immutable
  return translate(agentdb._clean_text(value, max_length), E'\t\n', '  ');

comment on function agentdb._one_line (text, integer) is
  'A text without what could deceive a reader or begin another line.';


create or replace function agentdb._is_typeable (value text)
  returns boolean
  language sql
  immutable
  return value = agentdb._one_line(value, 300);

comment on function agentdb._is_typeable (text) is
  'Whether a text is whole, on one line, and all of it is seen.';


-- Agents choose some of the labels.  NULL for what nobody could type safely: hidden
-- characters, or a word that a command would take for an option.
create or replace function agentdb._shell_word (value text)
  returns text
  language sql
  immutable
  return case
    when not agentdb._is_typeable(value) or value ~ '^-|^$' then null
    when value collate "C" ~ '^[A-Za-z0-9_./:=@%+,-]+$' then value
    else '''' || replace(value, '''', '''\''''') || ''''
  end;

comment on function agentdb._shell_word (text) is
  'A value as one word of a command, quoted where a shell needs it; NULL where it '
  'cannot be typed safely.';


-- In one pass, so that a value which looks like a placeholder is not filled in again.
create or replace function agentdb._fill (line text, given jsonb)
  returns text
  language sql
  immutable
  return (
    select case when bool_and(p.part is not null)
      then string_agg(p.part, '' order by p.place) end
    from (
      select m.place, case
        when m.found[2] is null then m.found[1]
        when line ~ '^agentdb ' then agentdb._shell_word(given ->> m.found[2])
        when line ~ ';$' then case
          when agentdb._is_typeable(given ->> m.found[2])
            then quote_literal(given ->> m.found[2]) end
        else agentdb._one_line(given ->> m.found[2], 100)
      end as part
      from regexp_matches(line, '([{]([a-z_]+)[}]|[^{]+|[{])', 'g')
        with ordinality as m (found, place)
    ) as p
  );

comment on function agentdb._fill (text, jsonb) is
  'A line of a remedy with its {placeholders} filled in, as a command, a statement or '
  'a sentence needs them; NULL where one of them is not given.';


create or replace function agentdb._given (alert agentdb.alert)
  returns jsonb
  language sql
  immutable
  return jsonb_build_object(
    'alert', 'A-' || (alert).alert_id, 'rule', (alert).rule_name) || (alert).labels;

comment on function agentdb._given (agentdb.alert) is
  'What the placeholders of a remedy stand for: the labels, alert and rule.';


create or replace function agentdb._ends_when (alert agentdb.alert)
  returns text
  language sql
  stable
  return (
    select concat(
      coalesce(agentdb._fill(r.ends_when, agentdb._given(alert)),
        'rule ' || r.rule_name || ' does not report it any more'),
      case when r.keep_firing > '0'
        then ', and stays that way for ' || agentdb._span(r.keep_firing) end)
    from agentdb.alert_rule as r
    where r.rule_name = (alert).rule_name
  );

comment on function agentdb._ends_when (agentdb.alert) is
  'What ends an alert, in words.';
