-- Kinship: what alerts have in common, by which they are one incident, and which of
-- them explains which, as agentdb.inhibition says.

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


-- Nearly all inhibitions name their rules: the others' alerts need no closer look.
create or replace function agentdb._named_rules (matchers jsonb)
  returns text[]
  language sql
  immutable
  return (
    select case m.item ->> 'is'
      when '=' then array[m.item ->> 'value']
      else string_to_array(btrim(m.item ->> 'value', '^()$'), '|') end
    from jsonb_array_elements(matchers) as m (item)
    where m.item ->> 'label' = 'rule'
      and (m.item ->> 'is' = '=' or m.item ->> 'is' = '~'
        and m.item ->> 'value' ~ '^\^[(][a-z0-9_|]+[)][$]$')
    limit 1
  );

comment on function agentdb._named_rules (jsonb) is
  'The only rules that matchers allow, where they name them; else NULL.';


-- What an alert may share with others: a question or change that people decide about,
-- else its run; what its rule groups by; and each explanation that it is the cause or
-- the consequence in.  Who is both in one explains nothing by it.
create or replace function agentdb._kin (alerts bigint[])
  returns table (alert_id bigint, kin text, cause boolean, inhibition_name text)
  language sql
  stable
begin atomic
  with known as materialized (
    select a.alert_id, a.rule_name, r.group_by, a.labels as own,
      agentdb._matchable(a.alert_id, a.rule_name, a.severity, a.labels) as labels,
      agentdb._comparable(a.labels, a.annotations) as known
    from agentdb.alert as a
    join agentdb.alert_rule as r on r.rule_name = a.rule_name
    where a.alert_id = any (_kin.alerts)
      and a.state = 'firing'
  ),
  model as materialized (
    select i.*, agentdb._named_rules(i.source) as sources,
      agentdb._named_rules(i.target) as targets
    from agentdb.inhibition as i
  )
  select k.alert_id, format('%s %s', o.label, k.own ->> o.label), null::boolean, null
  from known as k
  cross join lateral (
    select o.label
    from unnest('{question,change,run}'::text[]) with ordinality as o (label, place)
    where k.own ? o.label
    order by o.place
    limit 1
  ) as o
  union all
  select k.alert_id,
    concat('group ', k.rule_name, ' ', agentdb._shared_labels(k.labels, k.group_by)),
    null, null
  from known as k
  where k.group_by <> '{alert}'
  union all
  select k.alert_id,
    concat(m.inhibition_name, ' ', agentdb._shared_labels(k.known, m.equal_labels)),
    s.cause, m.inhibition_name
  from known as k
  -- A label that is missing on both sides is no reason to take them for related.
  join model as m on k.known ?& m.equal_labels
  cross join lateral (
    select
      k.rule_name = any (coalesce(m.sources, array[k.rule_name]))
        and agentdb._matches(m.source, k.labels) as cause,
      k.rule_name = any (coalesce(m.targets, array[k.rule_name]))
        and agentdb._matches(m.target, k.labels) as consequence
  ) as s
  where s.cause or s.consequence;
end;

comment on function agentdb._kin (bigint[]) is
  'What alerts that fire may have in common with others, and whether they are the '
  'cause or the consequence in it; cause is NULL where that is no question.';


create or replace function agentdb._relate (alerts bigint[])
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  delete from agentdb.alert_kin as f
  using agentdb.alert as a
  where a.alert_id = f.alert_id
    and a.alert_id = any (alerts)
    and a.state = 'firing';
  insert into agentdb.alert_kin (alert_id, kin, cause, inhibition_name)
  select distinct on (k.alert_id, k.kin) k.alert_id, k.kin, k.cause, k.inhibition_name
  from agentdb._kin(alerts) as k
  order by k.alert_id, k.kin;
  -- What has ended explains what lingers for a while, and its end has to be told.
  delete from agentdb.alert_kin as o
  using agentdb.alert as a
  where a.alert_id = o.alert_id
    and a.resolved_at < clock_timestamp() - interval '1 day';
$$;

comment on function agentdb._relate (bigint[]) is
  'Remembers what alerts have in common with others, and forgets what is over.';


-- By its incident's message, by that of many of its rule, or by a route: of what a
-- route leads to no more is kept.
create or replace function agentdb._was_told (alert agentdb.alert, receiver text)
  returns boolean
  language sql
  stable
  return exists (
      select
      from agentdb.alert_group as g
      where g.receiver_name = receiver
        and g.group_key in ('A-' || (alert).incident_id,
          md5(concat(' ', jsonb_build_object('rule', (alert).rule_name))))
        and g.told_at >= (alert).firing_at)
    or exists (select from agentdb.route as r where r.receiver_name = receiver);

comment on function agentdb._was_told (agentdb.alert, text) is
  'Whether a receiver was told of the incident of an alert since that fired.';


-- None keeps what is more severe than itself from those who hear of nothing milder, and
-- what a receiver was never told of explains nothing to it: it was silenced from the
-- beginning, or came and went.
create or replace function agentdb._is_explained (
  alert agentdb.alert,
  receiver text,
  at timestamptz
)
  returns boolean
  language sql
  stable
  return exists (
    -- By itself, so that a table that nothing has counted yet is not read as a whole.
    with own as materialized (
      select k.kin
      from agentdb.alert_kin as k
      where k.alert_id = (alert).alert_id
        and not k.cause
    )
    select
    from own as c
    join agentdb.alert_kin as s on s.kin = c.kin and s.cause
    join agentdb.inhibition as i on i.inhibition_name = s.inhibition_name
    join agentdb.alert as e on e.alert_id = s.alert_id
    where agentdb._severity_rank(e.severity) >= agentdb._severity_rank((alert).severity)
      and (e.state = 'firing'
        or e.resolved_at > at - i.linger and agentdb._was_told(e, receiver))
      and not exists (
        -- First the alert's few groups, else a group's thousands of alerts.
        select
        from (
          select m.alert_group_id
          from agentdb.group_alert as m
          where m.alert_id = e.alert_id
            and m.told is null
            and (e.state <> 'firing' and m.state in ('firing', 'gone')
              or exists (
                select
                from agentdb.silenced_alert as d
                join agentdb.silence as q on q.silence_id = d.silence_id
                where d.alert_id = e.alert_id
                  and q.ends_at > at))
          offset 0
        ) as m
        join agentdb.alert_group as g on g.alert_group_id = m.alert_group_id
        where g.receiver_name = receiver)
  );

comment on function agentdb._is_explained (agentdb.alert, text, timestamptz) is
  'Whether a cause of an alert, no milder than it, fires or ended just now, unless the '
  'receiver was not told of it.';
