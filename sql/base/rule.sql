-- What makes a rule of the pack, beside its function and view: how it is judged, and
-- what people read about it.  Most fire at once, for their thresholds have been waited
-- for already; what is about rates keeps firing, for rates come and go.

-- What a DBA sets (enabled, severity, times, grouping) stays when the pack is installed
-- again.  In a remedy a line is a command, a statement (it ends in a semicolon) or a
-- sentence; {run} is the label run, and lines whose label is missing are left out.
create or replace function agentdb._declare_rule (
  rule_name text,
  severity text,
  health text,
  why text,
  evidence text,
  ends_when text,
  remedy text,
  ends_with_run boolean default false,
  group_by text[] default '{alert}',
  fire_after interval default '0',
  keep_firing interval default '0',
  evaluate_every interval default '15 seconds'
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_view text := format('agentdb.%I', rule_name);
begin
  insert into agentdb.alert_rule as r (
    rule_name, severity, health, description, view_name, evidence_query, ends_when,
    remedy, ends_with_run, group_by, fire_after, keep_firing, evaluate_every
  )
  values (
    rule_name, severity, health, why, v_view, btrim(evidence, E' \n'), ends_when,
    btrim(regexp_replace(
      regexp_replace(remedy, '\n +(?=agentdb |select |update )', chr(10), 'g'),
      '\n +', ' ', 'g'), E' \n'),
    ends_with_run, group_by, fire_after, keep_firing, evaluate_every
  )
  on conflict on constraint alert_rule_pkey do update
  set view_name = excluded.view_name,
      health = excluded.health,
      description = excluded.description,
      evidence_query = excluded.evidence_query,
      ends_when = excluded.ends_when,
      remedy = excluded.remedy,
      ends_with_run = excluded.ends_with_run,
      group_by = case r.group_by when '{alert}' then excluded.group_by
        else r.group_by end;
  execute format('comment on column %s.labels is %L', v_view,
    'What tells one alert of the rule from another.');
  execute format('comment on column %s.value is %L', v_view,
    'How bad it is: a count, or seconds.');
  execute format('comment on column %s.annotations is %L', v_view,
    'What a person reads: summary, policy, threshold.');
end;
$$;

comment on function agentdb._declare_rule (
  text, text, text, text, text, text, text, boolean, text[], interval, interval,
  interval
) is
  'Enters a rule of the pack, agentdb.rule_<name>() and the view of its name.';
