-- Messages that were given up, as people of the page handle them.

create or replace function agentdb.retry_notification_for (
  person text,
  notification bigint
)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.retry_notification(bigint)',
    jsonb_build_object('notification', notification));
  perform agentdb.retry_notification(notification);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.retry_notification_for (text, bigint) is
  'retry_notification() for a person of the page, as its role may; raises what that '
  'raises, and 42501.';


create or replace function agentdb.drop_notification_for (
  person text,
  notification bigint
)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._act_for(person, 'agentdb.drop_notification(bigint)',
    jsonb_build_object('notification', notification));
  perform agentdb.drop_notification(notification);
  perform agentdb._end_act();
end;
$$;

comment on function agentdb.drop_notification_for (text, bigint) is
  'drop_notification() for a person of the page, as its role may; raises what that '
  'raises, and 42501.';
