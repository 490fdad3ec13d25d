-- Notifications: one message an alert's change and receiver, in an outbox that survives
-- every crash.  Delivery is at least once with one idempotency key; a claim is a lease,
-- so a runner that died needs no cleaning up, and a mark is fenced by the attempt.

create or replace function agentdb._severity_rank (severity text)
  returns integer
  language sql
  immutable
  parallel safe
  return array_position(array['info', 'warning', 'critical'], severity);

comment on function agentdb._severity_rank (text) is
  'Orders severities: info 1, warning 2, critical 3.';


create or replace function agentdb._payload (alert agentdb.alert, kind text)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
as $$
  select jsonb_build_object(
    'version', 1,
    'kind', kind,
    'alert', alert.alert_id,
    'episode', alert.episode,
    'rule', alert.rule_name,
    'severity', alert.severity,
    'labels', alert.labels,
    'summary', coalesce(alert.annotations ->> 'summary', alert.rule_name),
    'value', case
      when alert.value < 'infinity' and alert.value > '-infinity' then alert.value end,
    'since', to_char(
      coalesce(alert.firing_at, alert.active_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'annotations', alert.annotations - 'summary',
    'next', to_jsonb(array_remove(array[
      format('agentdb why A-%s', alert.alert_id),
      'agentdb timeline ' || (alert.labels ->> 'run')
    ], null))
  );
$$;

comment on function agentdb._payload (agentdb.alert, text) is
  'The JSON that a receiver gets for an alert, described in docs/on-call.md.';


create or replace function agentdb.flush (max_alerts integer default 500)
  returns integer
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_flushed integer;
  v_made integer;
begin
  perform agentdb._bury_notifications();
  with due as (
    select a.alert_id
    from agentdb.alert as a
    where a.flush and a.state <> 'pending'
    order by a.alert_id
    limit max_alerts
    for update skip locked
  ),
  flushed as (
    update agentdb.alert as a set flush = false
    from due as d where d.alert_id = a.alert_id
    returning a.*
  ),
  made as (
    insert into agentdb.notification (alert_id, episode, kind, receiver_name, payload)
    select f.alert_id, f.episode, k.kind, r.receiver_name,
      agentdb._payload(
        (select a from agentdb.alert as a where a.alert_id = f.alert_id), k.kind)
    from flushed as f
    -- What fired and went away between two flushes is still told, once.
    cross join lateral unnest(
      case f.state when 'firing' then '{firing}' else '{firing, resolved}'::text[] end
    ) as k (kind)
    join agentdb.receiver as r
      on r.enabled
      and agentdb._severity_rank(f.severity) >= agentdb._severity_rank(r.min_severity)
      and (k.kind = 'firing' or r.send_resolved)
    order by f.alert_id, k.kind
    on conflict on constraint notification_alert_id_episode_kind_receiver_name_key
      do nothing
    returning 1
  )
  select (select count(*) from flushed), (select count(*) from made)
    into v_flushed, v_made;
  -- Only runners listen, and only this function, which no agent can call, notifies.
  if v_made > 0 then
    perform pg_notify('agentdb_notification', '');
  end if;
  return v_flushed;
end;
$$;

comment on function agentdb.flush (integer) is
  'Writes the notifications of alerts that began to fire or were resolved and wakes '
  'the runners; returns the number of alerts.';


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
        -- A late "firing" after "resolved" would open the incident again.
        and not exists (
          select from agentdb.notification as e
          where e.alert_id = c.alert_id
            and e.receiver_name = c.receiver_name
            and e.state = 'queued'
            and e.notification_id < c.notification_id
        )
      order by c.visible_at, c.notification_id
      limit claim_notification.max_notifications
      for update skip locked
    )
    returning n.*
  )
  select
    c.notification_id, c.attempt, c.receiver_name, r.channel, r.target, r.secret_ref,
    c.idempotency_key, c.kind,
    format('agentdb/%s/A-%s', current_database(), c.alert_id), c.payload
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
    * least('10 minutes', interval '0.5 seconds' * power(2, least(attempt, 12)));
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
