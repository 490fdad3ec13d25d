-- The outbox as people handle it: what could not be delivered is an alert of its own,
-- is tried again or dropped by a person, and a receiver can be tried out.

create or replace view agentdb.dead_letter as
  select
    jsonb_build_object('receiver', r.receiver_name) as labels,
    d.letters::double precision as value,
    jsonb_build_object(
      'summary', format('%s to %s given up, the last %s ago: %s',
        agentdb._how_many(d.letters, 'message'), r.receiver_name,
        agentdb._span(clock_timestamp() - d.last_at),
        left(d.error, 200)),
      'next', jsonb_build_array(
        'agentdb outbox --dead', 'agentdb notify test ' || r.receiver_name)
    ) as annotations
  from agentdb.receiver as r
  cross join lateral (
    select count(*) as letters, max(n.finished_at) as last_at,
      (array_agg(n.error order by n.finished_at desc))[1] as error
    from agentdb.notification as n
    where n.receiver_name = r.receiver_name
      and n.state = 'dead'
      -- Who tried a receiver out was told what came of it.
      and n.kind <> 'test'
      and n.finished_at > clock_timestamp() - interval '7 days'
  ) as d
  where r.enabled
    and d.letters > 0
    -- A broken channel alerts until it works again, one bad message for an hour.
    and (d.last_at > clock_timestamp() - interval '1 hour'
      or not exists (
        select from agentdb.notification as n
        where n.receiver_name = r.receiver_name
          and n.state = 'sent'
          and n.finished_at > d.last_at));

comment on view agentdb.dead_letter is
  'Rule: receivers to which messages could not be delivered; told to all others.';

select agentdb._declare_rule(
  rule_name => 'dead_letter',
  severity => 'critical',
  health => 'alerting',
  why => 'Who is not reached is not told: the others are.',
  evidence => $$
    select n.notification_id, n.kind, n.attempt, n.finished_at, n.status, n.error
    from agentdb.notification as n
    where n.receiver_name = :labels ->> 'receiver' and n.state = 'dead'
      and n.kind <> 'test'
    order by n.finished_at desc
    limit 10
  $$,
  ends_when => 'a message reaches {receiver} again, or an hour has passed',
  remedy => $$
    Correct the receiver, try it out, and send again what was given up.
    agentdb outbox --dead
    agentdb notify test {receiver}
  $$,
  evaluate_every => '5 seconds'
);


create or replace function agentdb._refuse_message (notification bigint, problem text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'message % %', coalesce(notification::text, 'NULL'), problem
    using errcode = 'ZA076',
          hint = 'agentdb outbox lists what waits, agentdb outbox --dead what was '
            'given up.';
end;
$$;

comment on function agentdb._refuse_message (bigint, text) is
  'Raises ZA076 for a message with which this cannot be done.';


create or replace function agentdb.retry_notification (notification bigint)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_state text;
  v_group bigint;
begin
  select n.state, n.alert_group_id into v_state, v_group
  from agentdb.notification as n
  where n.notification_id = notification for update;
  if v_state is distinct from 'dead' then
    perform agentdb._refuse_message(notification,
      coalesce('is not dead but ' || v_state, 'does not exist'));
  elsif exists (
    select from agentdb.notification as n
    where n.alert_group_id = v_group
      and n.notification_id > notification
      and n.state in ('queued', 'sent')
  ) then
    -- A late "firing" after "resolved" would open the incident again.
    perform agentdb._refuse_message(notification, 'is overtaken by a later one');
  end if;
  update agentdb.notification as n
  -- What was tried stays on record; there are as many attempts again.
  set state = 'queued',
      max_attempts = n.attempt + n.max_attempts,
      claimed_by = null,
      visible_at = clock_timestamp(),
      finished_at = null
  where n.notification_id = notification;
end;
$$;

comment on function agentdb.retry_notification (bigint) is
  'Sends a message that was given up again, unless a later one says the same; '
  'raises ZA076.';


create or replace function agentdb.drop_notification (notification bigint)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  update agentdb.notification as n
  set state = 'cancelled',
      finished_at = clock_timestamp(),
      error = concat_ws('; ', 'dropped by ' || agentdb._said_by(), n.error)
  where n.notification_id = notification
    and (n.state = 'dead' or n.state = 'queued'
      and (n.claimed_by is null or n.visible_at <= clock_timestamp()));
  if not found then
    perform agentdb._refuse_message(notification, 'is being sent, is done, or is none');
  end if;
end;
$$;

comment on function agentdb.drop_notification (bigint) is
  'Drops a message that waits or was given up; raises ZA076.';


create or replace function agentdb.test_receiver (receiver text)
  returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
  set "TimeZone" = 'UTC'
as $$
declare
  v_number bigint;
begin
  perform agentdb._check_receiver(receiver);
  if exists (
    select from agentdb.receiver as r
    where r.receiver_name = receiver and not r.enabled
  ) then
    perform agentdb._refuse(
      format('receiver %s is switched off: it is sent nothing', receiver),
      format('update agentdb.receiver set enabled = true where receiver_name = %L;',
        receiver));
  end if;
  insert into agentdb.notification (kind, receiver_name, max_attempts, payload)
  select 'test', r.receiver_name, 1, jsonb_build_object(
    'version', 1,
    'kind', 'test',
    'rule', 'test',
    'severity', 'info',
    'labels', jsonb_build_object('receiver', r.receiver_name),
    'summary', format('%s tries out receiver %s of database %s: nothing is wrong',
      session_user, r.receiver_name, current_database()),
    'since', to_char(clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'next', jsonb_build_array('agentdb status'))
  from agentdb.receiver as r
  where r.receiver_name = receiver
  returning notification_id into v_number;
  return v_number;
end;
$$;

comment on function agentdb.test_receiver (text) is
  'Sends a receiver a message that says it is a test, once, and returns its number; '
  'raises ZA006, and ZA004 for one that is switched off.';
