-- Silences: what nobody is notified of for a time, because somebody knows it and says
-- so with name and reason.

create or replace function agentdb._check_lasting (
  lasts interval,
  longest interval,
  what text
)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if lasts is null or lasts <= '0' or lasts > longest then
    perform agentdb._refuse(
      format('%s must last more than 0 and at most %s, got %s', what,
        agentdb._span(longest), coalesce(lasts::text, 'NULL')),
      'Write 2h, 30 min or 1 day.');
  end if;
end;
$$;

comment on function agentdb._check_lasting (interval, interval, text) is
  'Raises ZA004 for a length of time that is none or too long.';


create or replace function agentdb._only_value (matchers jsonb, label text)
  returns text
  language sql
  immutable
  return (
    select m.item ->> 'value' from jsonb_array_elements(matchers) as m (item)
    where m.item ->> 'label' = label and m.item ->> 'is' = '='
    limit 1
  );

comment on function agentdb._only_value (jsonb, text) is
  'The one value of a label that matchers allow; NULL where they allow several.';


-- Which silences match which alerts is found out once: a poll only looks it up.
create or replace function agentdb._match_silences (alerts bigint[], silences bigint[])
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  delete from agentdb.silenced_alert as m
  where m.alert_id = any (alerts) and m.silence_id = any (silences);
  insert into agentdb.silenced_alert (alert_id, silence_id)
  select a.alert_id, s.silence_id
  from agentdb.alert as a
  join agentdb.silence as s
    on coalesce(s.only_rule = a.rule_name, true)
    and coalesce(s.only_agent = a.labels ->> 'agent',
      s.only_agent is null)
    and agentdb._matches(s.matchers,
      agentdb._matchable(a.alert_id, a.rule_name, a.severity, a.labels))
  where a.alert_id = any (alerts)
    and s.silence_id = any (silences)
    and a.rule_name <> 'silence_ending';
$$;

comment on function agentdb._match_silences (bigint[], bigint[]) is
  'Remembers which of the silences match which of the alerts.';


create or replace function agentdb._silences_at (at timestamptz)
  returns bigint[]
  language sql
  stable
  return coalesce((
    select array_agg(s.silence_id) from agentdb.silence as s where s.ends_at > at
  ), '{}');

comment on function agentdb._silences_at (timestamptz) is
  'The silences that are in force at a moment.';


-- Flushes that have begun are waited for, and those that begin wait: afterwards each
-- knows of the silence.  Groups are locked in the order of their numbers.
create or replace function agentdb._apply_silence (silence bigint, fresh boolean)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_alerts bigint[];
  v_groups bigint[];
begin
  if fresh then
    perform agentdb._match_silences(array(
      select a.alert_id from agentdb.alert as a where a.state = 'firing'),
      array[silence]);
  end if;
  select coalesce(array_agg(m.alert_id), '{}') into v_alerts
  from agentdb.silenced_alert as m
  join agentdb.alert as a on a.alert_id = m.alert_id and a.state = 'firing'
  where m.silence_id = silence;
  v_groups := agentdb._wake_groups(v_alerts, clock_timestamp());
  if fresh then
    perform agentdb._tell_groups(v_groups);
  end if;
  return cardinality(v_alerts);
end;
$$;

comment on function agentdb._apply_silence (bigint, boolean) is
  'Looks again at the groups that a silence is about; a new one takes back what has '
  'not been sent; returns how many alerts fire under it.';


create or replace function agentdb.silence_alerts (
  matchers text,
  lasts interval,
  comment text
)
  returns table (silence_id bigint, ends_at timestamptz, alerts bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
declare
  v_matchers jsonb := agentdb._parse_matchers(matchers);
begin
  perform agentdb._check_said(comment, 'comment', 500, true);
  perform agentdb._check_lasting(lasts, '30 days', 'a silence');
  -- As with Alertmanager: one that matches what has no label at all names nothing.
  if agentdb._matches(v_matchers, '{}') then
    perform agentdb._refuse('a silence of everything is refused',
      'Name a label that alerts must have: agent=billing, or rule~loop.');
  end if;
  perform agentdb._warn_of_unknown(v_matchers, '{}');
  lock table agentdb.silence in exclusive mode;
  insert into agentdb.silence as s (
    matchers, comment, ends_at, created_by, only_rule, only_agent
  )
  values (v_matchers, silence_alerts.comment, clock_timestamp() + lasts,
    agentdb._said_by(), agentdb._only_value(v_matchers, 'rule'),
    agentdb._only_value(v_matchers, 'agent'))
  returning s.silence_id, s.ends_at into silence_alerts.silence_id,
    silence_alerts.ends_at;
  alerts := agentdb._apply_silence(silence_alerts.silence_id, true);
  return next;
end;
$$;

comment on function agentdb.silence_alerts (text, interval, text) is
  'Has nobody told of alerts that match for a time, at most 30 days; what has not been '
  'sent yet is taken back; raises ZA004.';


create or replace function agentdb.end_silence (silence bigint)
  returns table (silence_id bigint, alerts bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
begin
  lock table agentdb.silence in exclusive mode;
  update agentdb.silence as s
  set ends_at = clock_timestamp(),
      ended_by = agentdb._said_by()
  where s.silence_id = silence
    and s.ends_at > clock_timestamp()
  returning s.silence_id into end_silence.silence_id;
  if not found then
    raise exception 'there is no silence S-% in force', silence
      using errcode = 'ZA006', hint = 'agentdb silences lists those that are.';
  end if;
  alerts := agentdb._apply_silence(silence, false);
  return next;
end;
$$;

comment on function agentdb.end_silence (bigint) is
  'Ends a silence before its time; alerts that still fire are told again; raises '
  'ZA006.';


create or replace view agentdb.active_silence as
  select s.silence_id, agentdb._matchers_text(s.matchers) as matchers, s.created_by,
    s.created_at, s.ends_at, s.comment,
    (
      select count(*)
      from agentdb.silenced_alert as m
      join agentdb.alert as a on a.alert_id = m.alert_id and a.state = 'firing'
      where m.silence_id = s.silence_id
    ) as alerts
  from agentdb.silence as s
  where s.ends_at > clock_timestamp();

comment on view agentdb.active_silence is
  'Silences in force, with how many alerts fire under each.';
comment on column agentdb.active_silence.silence_id is
  'The number, shown as S-3.';
comment on column agentdb.active_silence.matchers is
  'Which alerts it is about.';
comment on column agentdb.active_silence.created_by is
  'Who made it.';
comment on column agentdb.active_silence.created_at is
  'When.';
comment on column agentdb.active_silence.ends_at is
  'When it ends by itself.';
comment on column agentdb.active_silence.comment is
  'Why.';
comment on column agentdb.active_silence.alerts is
  'How many alerts fire under it now.';


-- Fires before the end and is resolved after it: that announces both.
create or replace view agentdb.silence_ending as
  select
    jsonb_build_object('silence', 'S-' || s.silence_id) as labels,
    s.alerts::double precision as value,
    jsonb_build_object(
      'summary', format('silence S-%s of %s (%s: %s) ends at %s UTC; %s alerts fire '
        'under it and are reported again then', s.silence_id, s.created_by, s.matchers,
        s.comment, to_char(s.ends_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI'),
        s.alerts),
      'next', jsonb_build_array(
        -- In the quotes of a shell, which are not those of SQL.
        format('agentdb silence ''%s'' --for 2h -m …',
          replace(s.matchers, '''', '''\''''')))
    ) as annotations
  from agentdb.active_silence as s
  -- Nobody has forgotten a silence that is shorter than the notice would be, and where
  -- nothing fires under it there is nothing to announce.
  where s.alerts > 0
    and s.ends_at - s.created_at > interval '15 minutes'
    and s.ends_at < clock_timestamp()
      + least(interval '15 minutes', (s.ends_at - s.created_at) / 10);

comment on view agentdb.silence_ending is
  'Rule: silences that end soon; resolved when they have ended.';

select agentdb._declare_rule(
  rule_name => 'silence_ending',
  severity => 'info',
  health => 'alerting',
  why => 'What was silenced and still fires will be reported again.',
  evidence => $$
    select s.silence_id, s.matchers, s.created_by, s.ends_at, s.alerts, s.comment
    from agentdb.active_silence as s
    where 'S-' || s.silence_id = :labels ->> 'silence'
  $$,
  ends_when => 'silence {silence} is over',
  remedy => $$
    If what fires is still known, silence it again; otherwise do nothing.
    agentdb silences
  $$
);
