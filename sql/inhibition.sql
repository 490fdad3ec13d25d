-- Inhibitions: an alert that explains others keeps them from being told.

create or replace function agentdb.set_inhibition (
  name text,
  source text,
  target text,
  equal_labels text[]
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
  insert into agentdb.inhibition as i (inhibition_name, source, target, equal_labels)
  values (
    name, agentdb._parse_matchers(source), agentdb._parse_matchers(target),
    set_inhibition.equal_labels
  )
  on conflict on constraint inhibition_pkey do update
  set source = excluded.source,
      target = excluded.target,
      equal_labels = excluded.equal_labels;
end;
$$;

comment on function agentdb.set_inhibition (text, text, text, text[]) is
  'While an alert that matches source fires, those that match target and have the '
  'same values in all equal_labels are not told; raises ZA004.';


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
