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
declare
  v_source jsonb := agentdb._parse_matchers(source);
  v_target jsonb := agentdb._parse_matchers(target);
begin
  if equal_labels is null or cardinality(equal_labels) > 10
    or array_position(equal_labels, null) is not null or btrim(source) = ''
    or btrim(target) = '' then
    perform agentdb._refuse('source, target and at most 10 equal_labels are required',
      'An alert that matches source keeps those that match target from being told '
        'while it fires: set_inhibition(''looping'', ''rule=silent_loop'', '
        '''rule=repeated_tool_call'', ''{agent,run}'').');
  elsif name is null or name !~ '^[a-z0-9][a-z0-9_.-]{0,62}$' then
    perform agentdb._refuse(
      format('%L is no name for an inhibition', agentdb._clean_text(name, 100)),
      'Use 1 to 63 of a-z, 0-9, dot, dash and underscore.');
  elsif coalesce(linger not between '0' and '1 day', true) then
    perform agentdb._refuse(
      format('linger is out of its range: %s', coalesce(linger::text, 'NULL')),
      'It lies between 0 and 1 day.');
  end if;
  perform agentdb._warn_of_unknown(v_source || v_target, equal_labels);
  insert into agentdb.inhibition as i (
    inhibition_name, source, target, equal_labels, linger
  )
  values (
    name, v_source, v_target, set_inhibition.equal_labels, set_inhibition.linger
  )
  on conflict on constraint inhibition_pkey do update
  set source = excluded.source,
      target = excluded.target,
      equal_labels = excluded.equal_labels,
      linger = excluded.linger;
  perform agentdb._relate(array(
    select a.alert_id from agentdb.alert as a where a.state = 'firing'));
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
