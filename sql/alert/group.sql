-- Groups: what one receiver knows as one incident.  An alert that changed joins its
-- groups, or is looked at again where it is in one; a message is made of what the
-- receiver was told and what is so now.

-- Without a route people are told of incidents, each by itself, since to see to one
-- agent's is not to see to another's; but of so many of a rule: what comes then is one.
create or replace function agentdb._single_places (receiver text, rule text)
  returns bigint
  language sql
  stable
begin atomic
  select 10 - count(*)
  from (
    select
    from agentdb.alert as a
    join agentdb.group_alert as m on m.alert_id = a.alert_id
    join agentdb.alert_group as g on g.alert_group_id = m.alert_group_id
    where a.rule_name = rule
      and a.state = 'firing'
      and a.incident_id = a.alert_id
      and g.receiver_name = receiver
      and g.alert_id is not null
      and g.route_name is null
    limit 10
  ) as s;
end;

comment on function agentdb._single_places (text, text) is
  'How many more incidents that alerts of a rule opened a receiver without a route may '
  'hear of one by one.';


create or replace function agentdb._joining (alerts bigint[])
  returns table (
    alert_id bigint, receiver_name text, route_name text, reason text,
    group_wait interval, only_alert bigint, labels jsonb
  )
  language sql
  stable
begin atomic
  with destined as materialized (
    select a.alert_id, a.rule_name, d.receiver_name, d.route_name, d.reason,
      case
        when d.group_by is null then coalesce(a.incident_id, a.alert_id)
        when d.group_by = '{alert}' then a.alert_id
      end as only_alert,
      agentdb._group_labels(a, coalesce(d.group_by, '{alert}')) as labels,
      coalesce(r.group_wait, case when a.severity = 'critical' then '0'
        else e.group_wait end) as group_wait,
      row_number() over (
        partition by d.receiver_name, d.route_name, a.rule_name,
          a.incident_id is distinct from a.alert_id
        order by a.alert_id) as place,
      d.group_by is null and a.incident_id = a.alert_id as opening
    from agentdb.alert as a
    cross join lateral agentdb._destination(a) as d
    join agentdb.receiver as e on e.receiver_name = d.receiver_name
    left join agentdb.route as r on r.route_name = d.route_name
    where a.alert_id = any (alerts)
      and (a.state = 'firing' or not exists (
        select from agentdb.group_alert as m where m.alert_id = a.alert_id))
      and not exists (
        select from agentdb.group_alert as m
        join agentdb.alert_group as g on g.alert_group_id = m.alert_group_id
        where m.alert_id = a.alert_id and g.receiver_name = d.receiver_name)
  ),
  places as materialized (
    select d.receiver_name, d.rule_name,
      agentdb._single_places(d.receiver_name, d.rule_name) as places
    from destined as d
    where d.opening
    group by d.receiver_name, d.rule_name
  )
  select d.alert_id, d.receiver_name, d.route_name, d.reason, d.group_wait,
    case when coalesce(d.place <= p.places, true) then d.only_alert end,
    case
      when d.place > p.places then jsonb_build_object('rule', d.rule_name)
      else d.labels
    end
  from destined as d
  left join places as p on d.opening
    and p.receiver_name = d.receiver_name
    and p.rule_name = d.rule_name;
end;

comment on function agentdb._joining (bigint[]) is
  'The receivers that are to hear of alerts and do not yet, and what each alert is '
  'told of together with.';


create or replace function agentdb._is_urgent (
  known agentdb.alert_group,
  joining agentdb.alert_group,
  at timestamptz
)
  returns boolean
  language sql
  immutable
  return (known).route_name is null and (known).alert_id is not null
    and (joining).open_at <= at;

comment on function agentdb._is_urgent (
  agentdb.alert_group, agentdb.alert_group, timestamptz) is
  'Whether what joins an incident waits for nothing, because it is critical.';


-- What is critical waits for nothing: it opens the group of its incident, whether that
-- was told of or not.
create or replace function agentdb._join_groups (alerts bigint[], at timestamptz)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with keyed as materialized (
    select j.*, _join_groups.at + j.group_wait as open_at,
      coalesce('A-' || j.only_alert,
        md5(concat(j.route_name, ' ', j.labels::text))) as group_key
    from agentdb._joining(alerts) as j
  ),
  made as (
    insert into agentdb.alert_group as g (
      receiver_name, route_name, group_key, labels, alert_id, open_at, look_at
    )
    select distinct on (k.receiver_name, k.group_key)
      k.receiver_name, k.route_name, k.group_key, k.labels, k.only_alert, k.open_at,
      k.open_at
    from keyed as k
    order by k.receiver_name, k.group_key, k.open_at
    -- The update waits for another runner that is making the same group.
    on conflict on constraint alert_group_receiver_name_group_key_key do update
    set open_at = case
          when agentdb._is_urgent(g, excluded, _join_groups.at) then excluded.open_at
          when g.look_at = 'infinity' then greatest(g.open_at, excluded.open_at)
          when g.route_name is null then least(g.open_at, excluded.open_at)
          else g.open_at
        end,
        look_at = case
          when g.route_name is null and g.look_at <> 'infinity'
            or agentdb._is_urgent(g, excluded, _join_groups.at)
            then least(g.look_at, excluded.open_at)
          else least(g.look_at, greatest(g.open_at, excluded.open_at))
        end
    returning g.alert_group_id, g.receiver_name, g.group_key
  )
  insert into agentdb.group_alert (alert_group_id, alert_id, reason)
  select m.alert_group_id, k.alert_id, k.reason
  from keyed as k
  join made as m on m.receiver_name = k.receiver_name and m.group_key = k.group_key
  on conflict on constraint group_alert_pkey do nothing;
$$;

comment on function agentdb._join_groups (bigint[], timestamptz) is
  'Puts alerts into the groups of the receivers that are to hear of them.';


-- Who waits for groups does so alone, as incidents are opened alone: what looks at
-- groups otherwise takes those that nobody has, and waits for no other's.
create or replace function agentdb._wake_groups (alerts bigint[], at timestamptz)
  returns bigint[]
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  lock table agentdb.alert_kin in share update exclusive mode;
  with mine as (
    select g.alert_group_id, g.route_name is null and exists (
        select
        from agentdb.group_alert as t
        join agentdb.alert as a on a.alert_id = t.alert_id
        where t.alert_group_id = g.alert_group_id
          and t.alert_id = any (alerts)
          and t.told_severity is distinct from a.severity
          and a.state = 'firing'
          and a.severity = 'critical') as urgent
    from agentdb.alert_group as g
    where g.alert_group_id in (
      select m.alert_group_id from agentdb.group_alert as m
      where m.alert_id = any (alerts))
    order by g.alert_group_id
    for update
  ),
  woken as (
    update agentdb.alert_group as g
    set look_at = least(g.look_at, case when m.urgent then _wake_groups.at
          else greatest(g.open_at, _wake_groups.at) end),
        open_at = case when m.urgent then least(g.open_at, _wake_groups.at)
          else g.open_at end
    from mine as m
    where g.alert_group_id = m.alert_group_id
    returning g.alert_group_id
  )
  select coalesce(array_agg(g.alert_group_id order by g.alert_group_id), '{}')
  from woken as w
  join agentdb.alert_group as g on g.alert_group_id = w.alert_group_id
  join agentdb.receiver as r on r.receiver_name = g.receiver_name and r.enabled;
$$;

comment on function agentdb._wake_groups (bigint[], timestamptz) is
  'Has the groups of alerts looked at as soon as they are open to changes, at once '
  'where one has become critical, and locks them; returns those of enabled receivers.';


create or replace function agentdb._escalate (max_alerts integer, at timestamptz)
  returns bigint[]
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with late as (
    select m.alert_group_id, m.alert_id
    from agentdb.group_alert as m
    join agentdb.alert_group as g on g.alert_group_id = m.alert_group_id
    where m.escalate_at <= _escalate.at
    order by m.escalate_at
    limit max_alerts
    -- The group as well: whoever has that looks at its members next.
    for update of m, g skip locked
  ),
  escalated as (
    update agentdb.group_alert as m
    set escalate_at = null,
        escalated = true
    from late as l
    where m.alert_group_id = l.alert_group_id
      and m.alert_id = l.alert_id
    returning m.alert_id
  )
  select coalesce(array_agg(distinct e.alert_id), '{}') from escalated as e;
$$;

comment on function agentdb._escalate (integer, timestamptz) is
  'Marks alerts that a receiver did not acknowledge in time and returns them.';


create or replace function agentdb._look (groups bigint[], at timestamptz)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  -- Materialized: each finds its row by both columns of the key, statistics or not.
  with seen as materialized (
    select m.alert_group_id, m.alert_id, a.episode, f.until_at, f.reason,
      case
        when a.state <> 'firing' and (m.told is not null or f.state is not null
          or m.state not in ('firing', 'gone')) then 'resolved'
        when a.state <> 'firing' then 'gone'
        else coalesce(f.state, 'firing')
      end as state
    from agentdb.group_alert as m
    join agentdb.alert_group as g on g.alert_group_id = m.alert_group_id
    join agentdb.alert as a on a.alert_id = m.alert_id
    left join lateral (
      select 'silenced' as state, s.ends_at as until_at,
        format('silence S-%s by %s: %s', s.silence_id, s.created_by, s.comment)
          as reason
      from agentdb.silenced_alert as d
      join agentdb.silence as s on s.silence_id = d.silence_id
      where d.alert_id = a.alert_id
        and s.ends_at > _look.at
      union all
      select 'acknowledged', a.acknowledged_until,
        format('acknowledgement by %s: %s', a.acknowledged_by, a.acknowledge_comment)
      where a.acknowledged_until > _look.at
      union all
      select 'inhibited', _look.at + interval '15 seconds', null
      where agentdb._is_explained(a, g.receiver_name, _look.at)
      order by 1 desc, 2 desc
      limit 1
    ) as f on true
    where m.alert_group_id = any (groups)
  )
  update agentdb.group_alert as m
  set state = s.state,
      episode = s.episode,
      escalated = m.escalated and m.episode = s.episode,
      until_at = s.until_at,
      reason = case
        when s.reason is not null then s.reason
        when s.state = 'firing' and m.state in ('silenced', 'acknowledged')
          then 'over: ' || m.reason
        else m.reason
      end
  from seen as s
  where m.alert_group_id = s.alert_group_id
    and m.alert_id = s.alert_id
    and (m.state, m.episode, m.until_at) is distinct from
      (s.state, s.episode, s.until_at);
$$;

comment on function agentdb._look (bigint[], timestamptz) is
  'Brings the members of groups up to date: firing, acknowledged, silenced, inhibited, '
  'resolved, or gone before anybody was told.';
