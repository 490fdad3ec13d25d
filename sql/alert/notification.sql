-- Notifications: one message a change of a receiver's group, in an outbox that survives
-- every crash.  Delivery is at least once with one idempotency key; a claim is a lease,
-- so a runner that died needs no cleaning up, and a mark is fenced by the attempt.

-- A storm is routed as a whole before anything of it is told: it is one message then.
create or replace function agentdb.flush (max_alerts integer default 500)
  returns integer
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_alerts bigint[];
  v_escalated bigint[] := '{}';
  v_groups bigint[];
begin
  if max_alerts is null or max_alerts < 1 then
    perform agentdb._refuse('max_alerts must be positive', 'Leave it out.');
  end if;
  perform agentdb._bury_notifications();
  -- Waits for a silence that is being made; other runners do not get in its way.
  lock table agentdb.silence in row share mode;
  with due as (
    select a.alert_id
    from agentdb.alert as a
    where a.flush and a.state <> 'pending'
    order by a.alert_id
    limit max_alerts
    -- Another flush may be putting one of them into a group: that waits for nobody.
    for no key update skip locked
  ),
  flushed as (
    update agentdb.alert as a set flush = false
    from due as d where d.alert_id = a.alert_id
    returning a.alert_id
  )
  select coalesce(array_agg(f.alert_id), '{}') into v_alerts from flushed as f;
  perform agentdb._write_digests(clock_timestamp());
  if v_alerts <> '{}' or exists (
    select from agentdb.group_alert as m where m.escalate_at <= clock_timestamp()
  ) then
    perform agentdb._open_incidents(v_alerts);
    perform agentdb._match_silences(v_alerts, agentdb._silences_at(clock_timestamp()));
    perform agentdb._wake_groups(v_alerts, clock_timestamp());
    v_escalated := agentdb._escalate(max_alerts, clock_timestamp());
    perform agentdb._join_groups(v_alerts || v_escalated, clock_timestamp());
  end if;
  if cardinality(v_alerts) >= max_alerts or cardinality(v_escalated) >= max_alerts then
    return max_alerts;
  end if;
  v_groups := array(
    select g.alert_group_id
    from agentdb.alert_group as g
    join agentdb.receiver as r on r.receiver_name = g.receiver_name
    where g.look_at <= clock_timestamp()
      and r.enabled
    order by g.look_at, g.alert_group_id
    limit max_alerts
    for update of g skip locked
  );
  if v_groups <> '{}' then
    perform agentdb._tell_groups(v_groups);
  end if;
  return greatest(cardinality(v_alerts), cardinality(v_groups));
end;
$$;

comment on function agentdb.flush (integer) is
  'Routes alerts that began to fire or were resolved, writes what their groups have to '
  'be told and wakes the runners; returns how many it took on, to be called again '
  'where that is max_alerts.';


create or replace function agentdb._bury_notifications ()
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update agentdb.notification as n
  set state = 'dead',
      finished_at = clock_timestamp(),
      error = coalesce(n.error, 'every attempt ended without an answer')
  where n.state = 'queued'
    and n.visible_at <= clock_timestamp()
    and n.attempt >= n.max_attempts;
$$;

comment on function agentdb._bury_notifications () is
  'Gives up notifications whose last attempt was never marked.';


create or replace function agentdb.claim_notification (
  runner_name text,
  max_notifications integer default 1,
  lease interval default '30 seconds',
  skip text[] default '{}'
)
  returns table (
    notification_id bigint, attempt integer, receiver_name text, channel text,
    target text, secret_ref text, idempotency_key uuid, kind text, dedup_key text,
    payload jsonb
  )
  language sql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
  with claimed as (
    update agentdb.notification as n
    set attempt = n.attempt + 1,
        claimed_by = claim_notification.runner_name,
        visible_at = clock_timestamp() + claim_notification.lease
    where n.notification_id in (
      select c.notification_id
      from agentdb.notification as c
      where c.state = 'queued'
        and c.visible_at <= clock_timestamp()
        and c.attempt < c.max_attempts
        and c.receiver_name <> all (claim_notification.skip)
        and exists (
          select from agentdb.receiver as e
          where e.receiver_name = c.receiver_name and e.enabled)
        -- A late "firing" after "resolved" would open the incident again.
        and not exists (
          select from agentdb.notification as e
          where e.alert_group_id = c.alert_group_id
            and e.state = 'queued'
            and e.notification_id < c.notification_id
        )
      order by c.visible_at, c.notification_id
      limit greatest(claim_notification.max_notifications, 0)
      for update skip locked
    )
    returning n.*
  )
  select
    c.notification_id, c.attempt, c.receiver_name, r.channel, r.target, r.secret_ref,
    c.idempotency_key, c.kind,
    concat(agentdb._dedup_prefix(), '/', case
      when c.alert_id is not null then 'A-' || c.alert_id
      when c.alert_group_id is not null then 'G-' || c.alert_group_id
      else c.kind || '-' || c.notification_id end),
    c.payload
  from claimed as c
  join agentdb.receiver as r on r.receiver_name = c.receiver_name
  order by c.notification_id;
$$;

comment on function agentdb.claim_notification (text, integer, interval, text[]) is
  'Leases queued notifications to a runner, none of the receivers named in skip; an '
  'unmarked one is free again after the lease.';


create or replace function agentdb.mark_sent (
  notification_id bigint,
  attempt integer,
  status integer default null
)
  returns boolean
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  update agentdb.notification as n
  set state = 'sent',
      finished_at = clock_timestamp(),
      status = mark_sent.status,
      error = null
  where n.notification_id = mark_sent.notification_id
    and n.attempt = mark_sent.attempt
    and n.state = 'queued';
  return found;
end;
$$;

comment on function agentdb.mark_sent (bigint, integer, integer) is
  'Records a delivery; false when the lease had run out and somebody else took over.';


create or replace function agentdb.mark_failed (
  notification_id bigint,
  attempt integer,
  status integer default null,
  error text default null,
  permanent boolean default false,
  retry_after interval default null
)
  returns text
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_state text;
  v_wish interval := least(coalesce(retry_after, '0'), '1 hour');
  -- Exponential back-off with jitter, so that many failures do not return as one wave.
  v_delay interval := (0.5 + random() / 2)
    * least('10 minutes',
      interval '0.5 seconds' * power(2, least(greatest(attempt, 0), 12)));
begin
  update agentdb.notification as n
  set state = case
        when mark_failed.permanent or n.attempt >= n.max_attempts then 'dead'
        else 'queued'
      end,
      finished_at = case
        when mark_failed.permanent or n.attempt >= n.max_attempts then clock_timestamp()
      end,
      visible_at = clock_timestamp() + greatest(v_delay, v_wish),
      claimed_by = null,
      status = mark_failed.status,
      error = agentdb._clean_text(mark_failed.error, 1000)
  where n.notification_id = mark_failed.notification_id
    and n.attempt = mark_failed.attempt
    and n.state = 'queued'
  returning n.state into v_state;
  return v_state;
end;
$$;

comment on function agentdb.mark_failed (
  bigint, integer, integer, text, boolean, interval) is
  'Records a failed attempt: queued again after a back-off, or dead when permanent '
  'or tried too often; NULL when fenced.';
