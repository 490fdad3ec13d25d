-- Telling: what a receiver was told of a group against what is so now.  A message that
-- nobody has begun to send is rewritten or taken back, never followed by its contrary.

create or replace function agentdb._group_count (groups bigint[])
  returns table (
    alert_group_id bigint, firing bigint, fresh bigint, again bigint,
    acknowledged bigint, silenced bigint, inhibited bigint, gone bigint,
    resolved bigint, ended bigint,
    until_at timestamptz, waiting bigint, severity text
  )
  language sql
  stable
begin atomic
  select m.alert_group_id,
    count(*) filter (where m.state = 'firing'),
    count(*) filter (where m.state = 'firing'
      and agentdb._is_news(m, a.severity, a.annotations)),
    count(*) filter (where m.state = 'firing' and g.alert_id is not null
      and agentdb._is_news(m, a.severity, a.annotations)
      and agentdb._is_repeated(m, a.rule_name, a.severity)),
    count(*) filter (where m.state = 'acknowledged'),
    count(*) filter (where m.state = 'silenced'),
    count(*) filter (where m.state = 'inhibited' and m.told is not null),
    -- What was over before its time to be told is no news, unless it was critical.
    count(*) filter (where m.state = 'gone' and (g.route_name is not null
      or g.alert_id is null or e.group_wait = '0' or a.severity = 'critical')),
    count(*) filter (where m.state = 'resolved' and m.told is not null),
    count(*) filter (where m.state = 'resolved'),
    min(m.until_at) filter (where m.state in ('acknowledged', 'silenced', 'inhibited')),
    (
      select case when n.attempt = 0 and n.kind = 'firing' then n.notification_id end
      from agentdb.notification as n
      where n.alert_group_id = m.alert_group_id
        and n.state = 'queued'
      order by n.notification_id desc
      limit 1
    ),
    -- What somebody holds back makes what fires beside it no more severe.
    agentdb._severity(coalesce(max(agentdb._severity_rank(a.severity))
      filter (where m.state in ('firing', 'gone')),
      max(agentdb._severity_rank(a.severity))
      filter (where m.state in ('acknowledged', 'silenced'))))
  from agentdb.group_alert as m
  join agentdb.alert as a on a.alert_id = m.alert_id
  join agentdb.alert_group as g on g.alert_group_id = m.alert_group_id
  join agentdb.receiver as e on e.receiver_name = g.receiver_name
  where m.alert_group_id = any (groups)
  group by m.alert_group_id;
end;

comment on function agentdb._group_count (bigint[]) is
  'How many alerts of each group are in each state (fresh ones fire and were not '
  'told; of those again, whose like was told), and the message that waits to be sent.';


create or replace function agentdb._withdraw_messages (groups bigint[], at timestamptz)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with needless as materialized (
    select c.alert_group_id, n.notification_id, n.former
    from agentdb._group_count(groups) as c
    join agentdb.notification as n on n.notification_id = c.waiting
    where c.firing = 0
      and c.gone = 0
      and c.acknowledged + c.silenced > 0
  ),
  cancelled as (
    update agentdb.notification as n
    set state = 'cancelled',
        finished_at = _withdraw_messages.at
    from needless as d
    where n.notification_id = d.notification_id
  ),
  former as (
    update agentdb.alert_group as g
    set told = d.former
    from needless as d
    where g.alert_group_id = d.alert_group_id
  )
  update agentdb.group_alert as m
  set told = null
  from needless as d
  where m.alert_group_id = d.alert_group_id
    and coalesce(d.former, 'resolved') = 'resolved';
$$;

comment on function agentdb._withdraw_messages (bigint[], timestamptz) is
  'Cancels what nobody has begun to send of groups that are acknowledged or silenced.';


create or replace function agentdb._group_change (groups bigint[], at timestamptz)
  returns table (
    alert_group_id bigint, waiting bigint, kinds text[], look_at timestamptz,
    group_interval interval
  )
  language sql
  stable
begin atomic
  select c.alert_group_id, c.waiting, k.kinds,
    -- In quiet hours what a person held back may come to be told as well.
    case when q.until_at is not null then least(q.until_at, c.until_at) else least(
      case when k.kinds = '{}' and c.fresh + c.gone + c.ended > 0
        and g.open_at > _group_change.at then g.open_at end,
      -- Not before the group is open, or it is looked at over and over until then.
      case when c.firing > 0 and r.repeat_interval is not null
        then greatest(g.open_at, r.repeat_interval + case k.kinds
          when '{}' then coalesce(g.told_at, _group_change.at)
          else _group_change.at end) end,
      case when c.again > 0 and k.kinds = '{}' and g.told = 'firing'
        then greatest(g.open_at, g.told_at + interval '10 minutes') end,
      c.until_at, 'infinity') end,
    case
      when g.route_name is null and g.alert_id is null then '1 minute'
      else coalesce(r.group_interval, e.group_wait)
    end
  from agentdb._group_count(groups) as c
  join agentdb.alert_group as g on g.alert_group_id = c.alert_group_id
  join agentdb.receiver as e on e.receiver_name = g.receiver_name
  left join agentdb.route as r on r.route_name = g.route_name
  cross join lateral (select case
    when c.acknowledged > 0 then 'acknowledged'
    when c.silenced > 0 then 'silenced'
    else 'resolved'
  end as rest) as s
  cross join lateral (
    -- An end wakes nobody; what came and went does.
    select case when c.firing + c.gone > 0 or s.rest <> 'resolved'
      then agentdb._quiet_until(g.receiver_name, c.severity, _group_change.at) end
  ) as q (until_at)
  cross join lateral (select case
    when q.until_at is not null then '{}'
    when g.open_at > _group_change.at
      and (c.firing > 0 or s.rest = 'resolved') then '{}'
    when c.firing > 0 then case when c.fresh > c.again
      or c.again > 0 and (g.alert_id is null or g.told is distinct from 'firing'
        or g.told_at + interval '10 minutes' <= _group_change.at)
      -- Of an incident one end is told, that of all.
      or e.send_resolved and c.resolved + c.gone > 0 and g.alert_id is null
      or g.told = 'firing' and g.told_at + r.repeat_interval <= _group_change.at
      then array['firing'] else '{}' end
    when c.gone > 0 then array['firing', s.rest]
    when s.rest <> 'resolved' and g.told = 'firing' then array[s.rest]
    when s.rest = 'resolved' and c.inhibited = 0 and g.told <> 'resolved'
      then array['resolved']
    else '{}'
  end as kinds) as k;
end;

comment on function agentdb._group_change (bigint[], timestamptz) is
  'What has to be sent of each group now, and when to look again.';


create or replace function agentdb._write_messages (groups bigint[], at timestamptz)
  returns bigint
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with change as materialized (
    select c.* from agentdb._group_change(groups, _write_messages.at) as c
  ),
  rewritten as (
    update agentdb.notification as n
    set payload = agentdb._group_payload(g, 'firing')
    from change as c
    join agentdb.alert_group as g on g.alert_group_id = c.alert_group_id
    where n.notification_id = c.waiting
      and c.kinds = '{firing}'
    returning 1
  ),
  made as (
    insert into agentdb.notification (
      alert_group_id, alert_id, generation, kind, former, receiver_name, payload
    )
    select g.alert_group_id, g.alert_id, g.generation + k.place, k.kind,
      coalesce(c.kinds[k.place - 1], g.told), g.receiver_name,
      agentdb._group_payload(g, k.kind)
    from change as c
    join agentdb.alert_group as g on g.alert_group_id = c.alert_group_id
    join agentdb.receiver as e on e.receiver_name = g.receiver_name
    cross join lateral unnest(c.kinds) with ordinality as k (kind, place)
    where (k.kind <> 'resolved' or e.send_resolved)
      and (c.waiting is null or c.kinds <> '{firing}')
    order by g.alert_group_id, k.place
    returning 1
  ),
  told as (
    update agentdb.alert_group as g
    set told = coalesce(c.kinds[cardinality(c.kinds)], g.told),
        told_at = case c.kinds when '{}' then g.told_at else _write_messages.at end,
        generation = g.generation + cardinality(c.kinds),
        open_at = case when c.kinds && '{firing, resolved}'
          then _write_messages.at + c.group_interval else g.open_at end,
        look_at = c.look_at
    from change as c
    where g.alert_group_id = c.alert_group_id
  )
  select (select count(*) from made) + (select count(*) from rewritten);
$$;

comment on function agentdb._write_messages (bigint[], timestamptz) is
  'Puts what has to be sent of groups into the outbox, or into the message that waits '
  'there; returns how many.';


create or replace function agentdb._forget_members (groups bigint[], at timestamptz)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with over as (
    delete from agentdb.group_alert as m
    using agentdb.alert_group as g
    where m.alert_group_id = any (groups)
      and g.alert_group_id = m.alert_group_id
      and m.state in ('resolved', 'gone')
      and (g.told_at = _forget_members.at or g.open_at <= _forget_members.at)
      and (g.alert_id is null or not exists (
        select from agentdb.group_alert as o
        where o.alert_group_id = m.alert_group_id
          and o.state not in ('resolved', 'gone')))
    returning m.alert_id, m.state
  ),
  -- What nobody at all was told of explains nothing that comes later.
  unsaid as (
    select k.alert_id, k.kin
    from over as o
    join agentdb.alert_kin as k on k.alert_id = o.alert_id and k.cause
    join agentdb.alert as a on a.alert_id = o.alert_id
    where o.state = 'gone'
      and a.state <> 'firing'
      and not exists (
        select from agentdb.receiver as e
        where agentdb._was_told(a, e.receiver_name))
    -- What another flush has just related anew is not over.
    for update of k skip locked
  )
  delete from agentdb.alert_kin as k
  using unsaid as u
  where k.alert_id = u.alert_id
    and k.kin = u.kin;
$$;

comment on function agentdb._forget_members (bigint[], timestamptz) is
  'Takes out of groups those alerts whose end was told, or is no news.';


create or replace function agentdb._settle_members (groups bigint[], at timestamptz)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  select agentdb._forget_members(groups, _settle_members.at);
  update agentdb.alert_group as g
  set look_at = 'infinity'
  where g.alert_group_id = any (groups)
    and not exists (
      select from agentdb.group_alert as m where m.alert_group_id = g.alert_group_id);
  with settled as materialized (  -- As in _look().
    select m.alert_group_id, m.alert_id, t.told, t.now, a.severity,
      agentdb._stage(a.annotations) as stage,
      case when m.state = 'firing' and t.told = 'firing' and not m.escalated
        then coalesce(m.escalate_at, _settle_members.at + e.escalate_after)
      end as escalate_at
    from agentdb.group_alert as m
    join agentdb.alert_group as g on g.alert_group_id = m.alert_group_id
    join agentdb.receiver as e on e.receiver_name = g.receiver_name
    join agentdb.alert as a on a.alert_id = m.alert_id
    cross join lateral (
      select g.told = 'firing' and g.told_at = _settle_members.at
          and m.state = 'firing' as now,
        case
          when g.told = 'firing' and g.told_at = _settle_members.at
            and m.state = 'firing' then 'firing'
          when m.told is not null and m.state in ('acknowledged', 'silenced')
            then m.state
          else m.told
        end as told
    ) as t
    where m.alert_group_id = any (groups)
  )
  update agentdb.group_alert as m
  set told = s.told,
      told_episode = case when s.now then m.episode else m.told_episode end,
      told_severity = case when s.now then s.severity else m.told_severity end,
      told_stage = case when s.now then s.stage else m.told_stage end,
      escalate_at = s.escalate_at
  from settled as s
  where m.alert_group_id = s.alert_group_id
    and m.alert_id = s.alert_id
    and (s.now or (m.told, m.escalate_at) is distinct from (s.told, s.escalate_at));
$$;

comment on function agentdb._settle_members (bigint[], timestamptz) is
  'Remembers what was told of each alert, and forgets those whose end was told.';


-- It notifies nobody: where the queue of NOTIFY is full, which anybody can see to, the
-- transaction would fail.  Who has committed it wakes the runners, or they poll.
-- The caller has locked the groups.  The outbox is locked next: a claim either came
-- before, and then its message stands, or waits for what is decided here.
create or replace function agentdb._tell_groups (groups bigint[])
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_at timestamptz := clock_timestamp();
  v_made bigint;
begin
  perform from agentdb.notification as n
  where n.alert_group_id = any (groups)
    and n.state = 'queued' and n.attempt = 0
  for update;
  perform agentdb._look(groups, v_at);
  perform agentdb._withdraw_messages(groups, v_at);
  v_made := agentdb._write_messages(groups, v_at);
  perform agentdb._settle_members(groups, v_at);
  return v_made;
end;
$$;

comment on function agentdb._tell_groups (bigint[]) is
  'Tells the receivers of locked groups what changed, and returns how many messages '
  'that made.';
