-- Switches: what is switched off ends at once, and says by whom.

create or replace function agentdb._switch_rule ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- What an evaluation that is on its way has found is out of date.
  update agentdb.alert_rule as r
  set alerts = 0, evaluation = r.evaluation + 1
  where r.rule_name = new.rule_name;
  with unended as (
    select a.alert_id from agentdb.alert as a
    where a.rule_name = new.rule_name and a.state <> 'resolved'
    order by a.alert_id for no key update
  ),
  ended as (
    update agentdb.alert as a
    set state = 'resolved',
        resolved_at = clock_timestamp(),
        end_reason = format('rule %s was switched off by %s', new.rule_name,
          agentdb._said_by()),
        flush = a.flush or a.state = 'firing',
        acknowledged_at = null, acknowledged_until = null, acknowledged_by = null,
        acknowledge_comment = null, acknowledged_severity = null
    from unended as u
    where a.alert_id = u.alert_id
    returning a.alert_id, a.episode, a.value, a.end_reason
  )
  insert into agentdb.alert_log (
    alert_id, rule_name, to_state, episode, value, recorded_by, comment
  )
  select e.alert_id, new.rule_name, 'resolved', e.episode, e.value,
    agentdb._said_by(), e.end_reason
  from ended as e;
  -- Nor does it explain what others report.
  delete from agentdb.alert_kin as k
  using agentdb.alert as a
  where a.rule_name = new.rule_name
    and k.alert_id = a.alert_id
    and k.cause;
  return null;
end;
$$;

comment on function agentdb._switch_rule () is
  'Trigger function: a rule that is switched off reports nothing any more.';


create or replace trigger agentdb_switch_rule
  after update of enabled
  on agentdb.alert_rule
  for each row
  when (old.enabled and not new.enabled)
  execute function agentdb._switch_rule();


-- Switched on again it hears of what fires then, as if it were new.
create or replace function agentdb._switch_receiver ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- Locked in the order in which people's decisions and flushes lock: alerts, groups,
  -- messages.
  if new.enabled then
    with firing as (
      select a.alert_id from agentdb.alert as a
      where a.state = 'firing' order by a.alert_id for no key update
    )
    update agentdb.alert as a set flush = true
    from firing as f where a.alert_id = f.alert_id;
    perform agentdb._look_again(new.receiver_name);
    return null;
  end if;
  lock table agentdb.alert_kin in share update exclusive mode;
  perform from agentdb.alert_group as g
  where g.receiver_name = new.receiver_name order by g.alert_group_id for update;
  with stopped as (
    update agentdb.notification as n
    set state = 'cancelled',
        finished_at = clock_timestamp(),
        error = concat_ws('; ', format('receiver %s was switched off by %s',
          new.receiver_name, agentdb._said_by()), n.error)
    where n.receiver_name = new.receiver_name
      and n.state = 'queued'
    returning n.alert_group_id, n.kind, n.former, n.generation
  ),
  untold as (
    update agentdb.alert_group as g
    set told = s.former
    from (
      select distinct on (o.alert_group_id) o.alert_group_id, o.former
      from stopped as o
      where o.alert_group_id is not null
      order by o.alert_group_id, o.generation
    ) as s
    where g.alert_group_id = s.alert_group_id
    returning g.alert_group_id, g.told
  )
  update agentdb.group_alert as m
  set told = null, told_episode = null, told_severity = null
  from untold as u
  where m.alert_group_id = u.alert_group_id
    and coalesce(u.told, 'resolved') = 'resolved';
  return null;
end;
$$;

comment on function agentdb._switch_receiver () is
  'Trigger function: what is queued for a receiver that is switched off is not sent, '
  'and it counts as not told.';


create or replace trigger agentdb_switch_receiver
  after update of enabled
  on agentdb.receiver
  for each row
  when (old.enabled <> new.enabled)
  execute function agentdb._switch_receiver();
