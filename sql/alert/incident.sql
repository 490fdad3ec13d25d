-- Incidents: alerts that follow from one another, or are about the same run, are told
-- together, by the name of the first of them.

create or replace function agentdb._nearest_incident (alerts bigint[])
  returns table (alert_id bigint, incident_id bigint)
  language sql
  stable
begin atomic
  select f.alert_id, min(a.incident_id)
  from agentdb.alert_kin as f
  join agentdb.alert_kin as o
    on o.kin = f.kin
    and o.cause is not distinct from not f.cause
  join agentdb.alert as a on a.alert_id = o.alert_id
  left join agentdb.inhibition as i on i.inhibition_name = o.inhibition_name
  where f.alert_id = any (alerts)
    and (a.state = 'firing' or o.cause and a.resolved_at > clock_timestamp() - i.linger)
  group by f.alert_id;
end;

comment on function agentdb._nearest_incident (bigint[]) is
  'The oldest incident that each of the alerts has something in common with.';


-- One at a time, or two that belong together would open an incident each.  What opened
-- one stays in it: people may have been told already.
create or replace function agentdb._open_incidents (alerts bigint[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_fresh bigint[];
begin
  lock table agentdb.alert_kin in share update exclusive mode;
  perform agentdb._relate(alerts);
  with opened as (
    update agentdb.alert as a
    set incident_id = a.alert_id
    where a.alert_id = any (alerts)
      and a.incident_id is null
    returning a.alert_id
  )
  select coalesce(array_agg(o.alert_id), '{}') into v_fresh from opened as o;
  -- A chain of fresh ones is followed link by link.
  for v_round in 1 .. 5 loop
    update agentdb.alert as a
    set incident_id = n.incident_id
    from agentdb._nearest_incident(v_fresh) as n
    where a.alert_id = n.alert_id
      and n.incident_id < a.incident_id;
    exit when not found;
  end loop;
end;
$$;

comment on function agentdb._open_incidents (bigint[]) is
  'Puts alerts that have begun to fire into the incident that they belong to, or each '
  'into one of its own.';


create or replace function agentdb._by_cause (alerts bigint[])
  returns table (alert_id bigint, place bigint)
  language sql
  stable
begin atomic
  select a.alert_id, row_number() over (order by
    exists (
      select
      from agentdb.alert_kin as c
      join agentdb.alert_kin as s on s.kin = c.kin and s.cause
      where c.alert_id = a.alert_id
        and not c.cause
        and s.alert_id = any (alerts)
    ),
    agentdb._severity_rank(a.severity) desc, coalesce(a.firing_at, a.active_at),
    a.alert_id)
  from agentdb.alert as a
  where a.alert_id = any (alerts);
end;

comment on function agentdb._by_cause (bigint[]) is
  'Alerts of one incident in the order in which people want to read of them.';
