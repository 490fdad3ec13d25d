-- Which moment the past is read at, and by which snapshot.

-- Snapshots around a moment: what seen has was committed, what later has not was not.
create or replace function agentdb._moments_around (
  at timestamptz,
  out seen pg_snapshot,
  out taken_at timestamptz,
  out later pg_snapshot
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  select m.snapshot, m.taken_at into seen, _moments_around.taken_at
  from agentdb.moment as m
  where m.taken_at <= at
  order by m.taken_at desc
  limit 1;
  select m.snapshot into later
  from agentdb.moment as m
  where m.taken_at >= at and m.began_at >= at
  order by m.taken_at
  limit 1;
end;
$$;

comment on function agentdb._moments_around (timestamptz) is
  'The last snapshot that was kept before a moment, and the first one after it.';


create or replace function agentdb._mark_named (
  mark text,
  at timestamptz,
  out seen pg_snapshot,
  out taken_at timestamptz
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if at is not null then
    perform agentdb._refuse('both a moment and a mark were given',
      'Give one of them: at => …, or mark => ….');
  end if;
  select m.snapshot, m.taken_at into seen, _mark_named.taken_at
  from agentdb.moment as m where m.mark = _mark_named.mark;
  if not found then
    perform agentdb._refuse(
      format('there is no mark %L', agentdb._clean_line(mark, 200)),
      'select * from agentdb.marked_moment; has all.');
  end if;
end;
$$;

comment on function agentdb._mark_named (text, timestamptz) is
  'The snapshot of a mark; raises ZA004.';


-- Of a transaction that a snapshot does not see nobody knows when it was committed: not
-- before it last wrote, nor where a later snapshot does not see it either.
create or replace function agentdb._doubt_sql (relation regclass, by_key boolean)
  returns text
  language sql
  stable
  return format($doubt$
    select min(w.last_at)
    from (select distinct e.xid from (%s) as e) as t
    cross join lateral (
      select greatest(max(l.recorded_at),
        case when current_setting('track_commit_timestamp') = 'on'
          then pg_xact_commit_timestamp(t.xid::xid) end) as last_at
      from agentdb.audit_log as l where l.xid = t.xid
    ) as w
    where w.last_at <= $1$doubt$,
    agentdb._since_sql(relation, 'l.recorded_at <= $1 and l.xid >= '
      'pg_snapshot_xmin($4) and not pg_visible_in_snapshot(l.xid, $4) and coalesce('
      'pg_visible_in_snapshot(l.xid, $5), true)', by_key));

comment on function agentdb._doubt_sql (regclass, boolean) is
  'SQL text: until when surely nothing was committed of what may have been at $1, and '
  'is not in snapshot $4; NULL where there is nothing.';


-- Without snapshots: what was written later, and what was written with it.
create or replace function agentdb._open_sql (relation regclass, by_key boolean)
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
    agentdb._since_sql(relation, 'l.recorded_at <= $1 and l.xid >= '
      'pg_snapshot_xmin($5) and not pg_visible_in_snapshot(l.xid, $5)', by_key));

comment on function agentdb._open_sql (regclass, boolean) is
  'SQL text: the transactions that had written at $1 and were surely not committed.';


create or replace function agentdb._read_at ()
  returns timestamptz
  language sql
  stable
  return case current_setting('transaction_isolation')
    when 'read committed' then statement_timestamp() else transaction_timestamp() end;

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
  v_taken_at timestamptz;
begin
  condition := 'l.xid >= pg_snapshot_xmin($4) and not '
    'pg_visible_in_snapshot(l.xid, $4)';
  if mark is not null then
    select m.seen, m.taken_at into _past_moment.seen, _past_moment.exact_at
    from agentdb._mark_named(mark, at) as m;
    return;
  elsif by_clock then
    condition := 'l.recorded_at > $1';
    return;
  elsif at >= agentdb._read_at() then
    condition := 'false';
    exact_at := least(at, clock_timestamp());
    return;
  end if;
  select m.seen, m.taken_at, m.later
    into _past_moment.seen, v_taken_at, _past_moment.later
  from agentdb._moments_around(at) as m;
  seen := coalesce(seen, '1:1:');
  if v_taken_at > at - interval '2 minutes' then
    execute agentdb._doubt_sql(relation, key is not null)
      into exact_at using at, key, null::oid[], seen, later;
    exact_at := case when exact_at is null then at
      else greatest(v_taken_at, exact_at - interval '1 microsecond') end;
    return;
  end if;
  -- No runner was there.
  execute format('select case when not exists (%s) then $1 end', agentdb._since_sql(
      relation, condition || ' and l.recorded_at <= $1', key is not null))
    into exact_at using at, key, null::oid[], seen;
  if exact_at is null then
    execute agentdb._open_sql(relation, key is not null)
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
