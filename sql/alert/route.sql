-- Routes: which receivers hear of an alert, and together with which others.

create or replace function agentdb._check_receiver (receiver text)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
    select from agentdb.receiver as r where r.receiver_name = receiver
  ) then
    raise exception 'there is no receiver %',
      coalesce(agentdb._clean_line(receiver, 100), 'NULL')
      using errcode = 'ZA006', hint = coalesce((
        select 'There are: ' || string_agg(r.receiver_name, ', '
          order by r.receiver_name)
        from agentdb.receiver as r), 'There is none yet: insert one into '
        'agentdb.receiver.');
  end if;
end;
$$;

comment on function agentdb._check_receiver (text) is
  'Raises ZA006 where there is no receiver of that name.';


create or replace function agentdb.set_route (
  name text,
  receiver text,
  matchers text default '',
  group_by text[] default '{alert}',
  group_wait interval default '0',
  group_interval interval default '0',
  repeat_interval interval default null
)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_labels text[] := array(select distinct l from unnest(group_by) as l order by l);
  v_matchers jsonb := agentdb._parse_matchers(matchers);
begin
  if group_by is null or cardinality(group_by) > 10
    or exists (select from unnest(v_labels) as l (label)
      where coalesce(l.label !~ '^[A-Za-z_][A-Za-z0-9_.-]{0,62}$', true)) then
    perform agentdb._refuse('group_by must name at most 10 labels',
      'Name labels such as {rule,agent}; {} is one group, {alert} each by itself.');
  elsif name is null or name !~ '^[a-z0-9][a-z0-9_.-]{0,62}$' then
    perform agentdb._refuse(
      format('%L is no name for a route', agentdb._clean_text(name, 100)),
      'Use 1 to 63 of a-z, 0-9, dot, dash and underscore.');
  elsif coalesce(group_wait not between '0' and '1 day', true)
    or coalesce(group_interval not between '0' and '1 day', true)
    or repeat_interval not between '1 minute' and '30 days' then
    perform agentdb._refuse('the times of a route are out of their range',
      'group_wait and group_interval lie between 0 and 1 day, repeat_interval between '
        '1 minute and 30 days.');
  end if;
  perform agentdb._check_receiver(receiver);
  perform agentdb._warn_of_unknown(v_matchers, v_labels);
  insert into agentdb.route as r (
    route_name, receiver_name, matchers, group_by, group_wait, group_interval,
    repeat_interval
  )
  values (
    name, receiver, v_matchers, v_labels,
    set_route.group_wait, set_route.group_interval, set_route.repeat_interval
  )
  on conflict on constraint route_pkey do update
  set receiver_name = excluded.receiver_name,
      matchers = excluded.matchers,
      group_by = excluded.group_by,
      group_wait = excluded.group_wait,
      group_interval = excluded.group_interval,
      repeat_interval = excluded.repeat_interval;
end;
$$;

comment on function agentdb.set_route (
  text, text, text, text[], interval, interval, interval) is
  'Sends alerts that match to a receiver, those with equal group_by labels as one '
  'message; replaces a route of that name; raises ZA004 and ZA006.';


create or replace function agentdb.unset_route (name text)
  returns boolean
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  delete from agentdb.route as r where r.route_name = name;
  return found;
end;
$$;

comment on function agentdb.unset_route (text) is
  'Removes a route; false where there is none of that name.';


-- That a receiver is broken is told to all others, whatever they asked for: never
-- through the broken one alone.  One that others escalate to hears only that.
create or replace function agentdb._destination (alert agentdb.alert)
  returns table (
    receiver_name text, route_name text, group_by text[], reason text
  )
  language sql
  stable
begin atomic
  select r.receiver_name, t.route_name, t.group_by, e.reason
  from agentdb.receiver as r
  left join lateral (
    select m.route_name, m.group_by
    from agentdb.route as m
    where m.receiver_name = r.receiver_name
      and agentdb._matches(m.matchers, agentdb._matchable(
        (alert).alert_id, (alert).rule_name, (alert).severity, (alert).labels))
    order by m.route_name
    limit 1
  ) as t on true
  left join lateral (
    select format('escalated: %s did not acknowledge it for %s', f.receiver_name,
      agentdb._span(f.escalate_after)) as reason
    from agentdb.group_alert as m
    join agentdb.alert_group as g on g.alert_group_id = m.alert_group_id
    join agentdb.receiver as f on f.receiver_name = g.receiver_name
    where m.alert_id = (alert).alert_id
      and m.escalated
      -- What was not acknowledged the last time says nothing of this time.
      and m.episode = (alert).episode
      and f.escalate_to = r.receiver_name
    limit 1
  ) as e on true
  where r.enabled
    and case
      when (alert).rule_name = 'dead_letter'
        then r.receiver_name is distinct from (alert).labels ->> 'receiver'
      when e.reason is not null then true
      when agentdb._severity_rank((alert).severity)
        < agentdb._severity_rank(r.min_severity) then false
      -- Notices are in its digest.
      when (alert).severity = 'info' and exists (
        select from agentdb.digest as y where y.receiver_name = r.receiver_name)
        then false
      when exists (
        select from agentdb.route as o where o.receiver_name = r.receiver_name)
        then t.route_name is not null
      else not exists (
        select from agentdb.receiver as o where o.escalate_to = r.receiver_name)
    end;
end;

comment on function agentdb._destination (agentdb.alert) is
  'The receivers that hear of an alert, each by its first route that matches (NULL: '
  'by incident), and why one hears of it that otherwise would not.';


create or replace function agentdb._group_labels (alert agentdb.alert, group_by text[])
  returns jsonb
  language sql
  stable
  return (
    select coalesce(jsonb_object_agg(l.label, left(coalesce(agentdb._matchable(
      (alert).alert_id, (alert).rule_name, (alert).severity, (alert).labels)
        ->> l.label, ''), 200)), '{}')
    from unnest(group_by) as l (label)
  );

comment on function agentdb._group_labels (agentdb.alert, text[]) is
  'What the alerts of a group have in common.';
