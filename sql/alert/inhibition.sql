-- Inhibitions: an alert that explains others keeps them from being told.

create or replace function agentdb.set_inhibition (
  name text,
  source text,
  target text,
  equal_labels text[],
  linger interval default '0'
)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  if equal_labels is null or cardinality(equal_labels) > 10
    or array_position(equal_labels, null) is not null or btrim(source) = ''
    or btrim(target) = '' then
    perform agentdb._refuse('source, target and at most 10 equal_labels are required',
      'An alert that matches source keeps those that match target from being told '
        'while it fires: set_inhibition(''looping'', ''rule=silent_loop'', '
        '''rule=repeated_tool_call'', ''{agent,run}'').');
  end if;
  insert into agentdb.inhibition as i (
    inhibition_name, source, target, equal_labels, linger
  )
  values (
    name, agentdb._parse_matchers(source), agentdb._parse_matchers(target),
    set_inhibition.equal_labels, set_inhibition.linger
  )
  on conflict on constraint inhibition_pkey do update
  set source = excluded.source,
      target = excluded.target,
      equal_labels = excluded.equal_labels,
      linger = excluded.linger;
end;
$$;

comment on function agentdb.set_inhibition (text, text, text, text[], interval) is
  'While an alert that matches source fires, and for linger after, nobody is notified '
  'of those that match target, are no more severe and have the same values in all '
  'equal_labels; raises ZA004.';


create or replace function agentdb.unset_inhibition (name text)
  returns boolean
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  delete from agentdb.inhibition as i where i.inhibition_name = name;
  return found;
end;
$$;

comment on function agentdb.unset_inhibition (text) is
  'Removes an inhibition; false where there is none of that name.';


-- What is a detail of one alert is a label of another, as the run of failed calls.
create or replace function agentdb._comparable (labels jsonb, annotations jsonb)
  returns jsonb
  language sql
  immutable
  return jsonb_strip_nulls(jsonb_build_object(
    'agent', annotations ->> 'agent', 'run', annotations ->> 'run',
    'table', annotations ->> 'table', 'tool', annotations ->> 'tool',
    'lock', annotations ->> 'lock')) || labels;

comment on function agentdb._comparable (jsonb, jsonb) is
  'What an alert may have in common with others: its labels, and agent, run, '
  'table, tool and lock of its annotations.';


create or replace function agentdb._shared_labels (labels jsonb, equal_labels text[])
  returns jsonb
  language sql
  immutable
  return (
    select coalesce(jsonb_object_agg(l.label, labels ->> l.label)
        filter (where labels ? l.label), '{}')
    from unnest(equal_labels) as l (label)
  );

comment on function agentdb._shared_labels (jsonb, text[]) is
  'What an alert must have in common with another that inhibits it.';


-- Nearly all inhibitions name one rule: the others' alerts need no closer look.
create or replace function agentdb._named_rule (matchers jsonb)
  returns text
  language sql
  immutable
  return (
    select m.item ->> 'value' from jsonb_array_elements(matchers) as m (item)
    where m.item ->> 'label' = 'rule' and m.item ->> 'is' = '='
    limit 1
  );

comment on function agentdb._named_rule (jsonb) is
  'The one rule that matchers allow, NULL where they allow several.';


-- Which inhibitions are in force, and for which values of their equal labels.  None
-- keeps what is more severe than itself from those who hear of nothing milder.
create or replace function agentdb._inhibiting ()
  returns table (inhibition_name text, shared jsonb, rank integer)
  language sql
  stable
begin atomic
  select distinct i.inhibition_name, s.shared, k.rank
  from (
    select f.* from agentdb.alert as f where f.state = 'firing'
    union all
    select e.* from agentdb.alert as e
    where e.resolved_at > clock_timestamp() - (
      select max(w.linger) from agentdb.inhibition as w)
  ) as a
  cross join lateral agentdb._comparable(a.labels, a.annotations) as c (labels)
  join agentdb.inhibition as i
    on coalesce(agentdb._named_rule(i.source), a.rule_name) = a.rule_name
    and agentdb._matches(i.source,
      agentdb._matchable(a.alert_id, a.rule_name, a.severity, a.labels))
    and (a.state = 'firing' or a.firing_at is not null
      and a.resolved_at > clock_timestamp() - i.linger)
    -- A label that is missing on both sides is no reason to take them for related.
    and c.labels ?& i.equal_labels
  cross join lateral agentdb._shared_labels(c.labels, i.equal_labels) as s (shared)
  cross join lateral generate_series(1, agentdb._severity_rank(a.severity)) as k (rank);
end;

comment on function agentdb._inhibiting () is
  'The inhibitions whose source fires or ended just now, with the labels that a target '
  'must share and each severity that it may have.';
