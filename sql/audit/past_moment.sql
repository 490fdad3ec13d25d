-- Which moment the past is read at, and by which snapshot.

create or replace function agentdb._mark_named (mark text, at timestamptz)
  returns agentdb.moment
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_moment agentdb.moment;
begin
  if at is not null then
    perform agentdb._refuse('both a moment and a mark were given',
      'Give one of them: at => …, or mark => ….');
  end if;
  select * into v_moment from agentdb.moment as m where m.mark = _mark_named.mark;
  if not found then
    perform agentdb._refuse(
      format('there is no mark %L', agentdb._clean_line(mark, 200)),
      'select * from agentdb.marked_moment; has all.');
  end if;
  return v_moment;
end;
$$;

comment on function agentdb._mark_named (text, timestamptz) is
  'The moment that has a name; raises ZA004.';


-- Where the transactions are this server's, an index finds those that it may not see.
create or replace function agentdb._unseen_sql (moment agentdb.moment, snapshot text)
  returns text
  language sql
  stable
  return case when (moment).moment_id is not null then (
    select format('%snot agentdb._is_within(l.audit_log_id, l.xid, %s, %s, %s)',
      case when e.epoch_id = agentdb._epoch_now()
        then format('l.xid >= pg_snapshot_xmin(%s) and ', snapshot) end,
      snapshot, e.first, e.last)
    from agentdb.epoch_span as e
    where e.epoch_id = (moment).epoch_id
  ) end;

comment on function agentdb._unseen_sql (agentdb.moment, text) is
  'SQL text: whether a snapshot does not see a row l of the log; NULL where there is '
  'no such moment.';


-- Of a transaction that a snapshot does not see nobody knows when it was committed: not
-- before it last wrote, nor where a later snapshot does not see it either.
create or replace function agentdb._doubt_sql (
  relation regclass,
  by_key boolean,
  unseen text,
  later text
)
  returns text
  language sql
  stable
  return format($doubt$
    select min(w.last_at)
    from (select distinct e.xid, s.epoch_id, s.first, s.last
      from (%s) as e
      join agentdb.epoch_span as s on e.audit_log_id between s.first and s.last) as t
    cross join lateral (
      select greatest(max(l.recorded_at),
        case when current_setting('track_commit_timestamp') = 'on'
            and t.epoch_id = agentdb._epoch_now()
          then pg_xact_commit_timestamp(t.xid::xid) end) as last_at
      from agentdb.audit_log as l
      where l.xid = t.xid and l.audit_log_id between t.first and t.last
    ) as w
    where w.last_at <= $1$doubt$,
    agentdb._since_sql(relation, format('l.recorded_at <= $1 and %s and not (%s)',
      unseen, coalesce(later, 'false')), by_key));

comment on function agentdb._doubt_sql (regclass, boolean, text, text) is
  'SQL text: until when surely nothing was committed of what may have been at $1, and '
  'is not in snapshot $4; NULL where there is nothing.';


-- Without snapshots: what was written later, and what was written with it.
create or replace function agentdb._open_sql (
  relation regclass,
  by_key boolean,
  later text
)
  returns text
  language sql
  stable
  return format($open$
    select array(
      select e.xid from (%s) as e
      union
      select e.xid from (%s) as e)$open$,
    agentdb._since_sql(relation, 'l.recorded_at > $1 and l.transaction_at <= $1',
      by_key),
    agentdb._since_sql(relation, format('l.recorded_at <= $1 and %s',
      coalesce(later, 'false')), by_key));

comment on function agentdb._open_sql (regclass, boolean, text) is
  'SQL text: the transactions that had written at $1 and were surely not committed.';


create or replace function agentdb._read_at ()
  returns timestamptz
  language sql
  stable
  return case when current_setting('transaction_isolation') like 'read %'
    then statement_timestamp() else transaction_timestamp() end;

comment on function agentdb._read_at () is
  'A time after which all that the session reads was taken.';


create or replace function agentdb._past_moment (
  relation regclass,
  at timestamptz,
  mark text,
  key jsonb,
  by_clock boolean,
  out condition text,
  out seen pg_snapshot,
  out later pg_snapshot,
  out open xid8[],
  out exact_at timestamptz
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_seen agentdb.moment;
  v_later agentdb.moment;
  v_unseen_later text;
begin
  if mark is not null then
    v_seen := agentdb._mark_named(mark, at);
    condition := agentdb._unseen_sql(v_seen, '$4');
    seen := v_seen.snapshot;
    exact_at := v_seen.taken_at;
    return;
  elsif by_clock then
    condition := 'l.recorded_at > $1';
    return;
  elsif at >= agentdb._read_at() then
    if current_setting('transaction_isolation') not like 'read %' then
      perform agentdb._refuse(format('this transaction is %s: it sees nothing that was '
          'committed since it began', upper(current_setting('transaction_isolation'))),
        'Ask for a moment before that, or in a READ COMMITTED transaction.');
    end if;
    -- What was committed while the statement went on.
    condition := 'l.recorded_at > $1';
    exact_at := least(at, clock_timestamp());
    return;
  end if;
  select * into v_seen from agentdb.moment as m
  where m.taken_at <= at order by m.taken_at desc limit 1;
  select * into v_later from agentdb.moment as m
  where m.taken_at >= at and m.began_at >= at order by m.taken_at limit 1;
  seen := v_seen.snapshot;
  later := v_later.snapshot;
  condition := coalesce(agentdb._unseen_sql(v_seen, '$4'), 'true');
  v_unseen_later := agentdb._unseen_sql(v_later, '$5');
  if v_seen.taken_at > at - interval '2 minutes' then
    execute agentdb._doubt_sql(relation, key is not null, condition, v_unseen_later)
      into exact_at using at, key, null::oid[], seen, later;
    exact_at := case when exact_at is null then at
      else greatest(v_seen.taken_at, exact_at - interval '1 microsecond') end;
    return;
  end if;
  -- No runner was there.
  execute format('select case when not exists (%s) then $1 end', agentdb._since_sql(
      relation, condition || ' and l.recorded_at <= $1', key is not null))
    into exact_at using at, key, null::oid[], seen;
  if exact_at is null then
    execute agentdb._open_sql(relation, key is not null, v_unseen_later)
      into open using at, key, null::oid[], seen, later;
    condition := 'l.recorded_at > $1 or l.xid = any ($6)';
  end if;
end;
$$;

comment on function agentdb._past_moment (
  regclass, timestamptz, text, jsonb, boolean
) is
  'SQL text: what of the log came after a moment, with the snapshots $4 and $5 and the '
  'transactions $6 that it names; and for which moment that is exact.';
