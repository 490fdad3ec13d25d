-- What the counters of refusals add up to.  The runner compares them with what it saw
-- last, and writes down who was refused what how often since then: a row for each poll
-- that finds something.
--
-- An unlogged table holds what it saw last.  After a crash a sequence stands up to 32
-- above what was drawn from it, for PostgreSQL logs ahead; the same crash empties the
-- table, and so does the promotion of a standby: then the counters are begun anew.  A
-- server that is shut down and started loses nothing.

-- What all of them add up to is looked at first: mostly nobody was refused anything.
create or replace function agentdb._refusals_now ()
  returns table (kind text, slot bigint, counted bigint, last_by bigint)
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    -- First the names: what is no sequence has no last value, and would fail.
    with counter as materialized (
      select c.oid, regexp_match(c.relname, '^refused_([a-z]+)_([0-9]+)$') as part
      from pg_class as c
      where c.relnamespace = 'agentdb'::regnamespace
        and c.relkind = 'S'
        and c.relname ~ '^refused_'
        -- What somebody made by hand under such a name counts nothing.
        and c.relowner = 'agentdb_owner'::regrole
    ),
    counted as materialized (
      select c.part[1] as kind, c.part[2]::bigint as slot,
        pg_sequence_last_value(c.oid) as drawn
      from counter as c
      where c.part is not null
    )
    select c.kind, c.slot, c.drawn, pg_sequence_last_value(
      to_regclass(format('agentdb.last_%s_%s', c.kind, c.slot)))
    from counted as c
    where c.drawn is not null;
end;
$$;

comment on function agentdb._refusals_now () is
  'How often each counter of refusals has counted since it was made, and whom last.';


-- No row on a standby, which has no unlogged tables, and where a crash has emptied it.
create or replace function agentdb._refusals_since ()
  returns table (
    kind text, slot bigint, counted bigint, refused bigint, last_by bigint,
    since_at timestamptz
  )
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_total bigint;
  v_seen_at timestamptz;
begin
  if pg_is_in_recovery() then
    return;
  end if;
  select c.counted, c.seen_at into v_total, v_seen_at
  from agentdb.refusal_count as c where c.kind = 'all' and c.slot = 0;
  if v_total = coalesce(pg_sequence_last_value('agentdb.refusal_seq'), 0) then
    return;
  end if;
  return query
    select n.kind, n.slot, n.counted, n.counted - coalesce(c.counted, 0), n.last_by,
      v_seen_at
    from agentdb._refusals_now() as n
    left join agentdb.refusal_count as c on c.kind = n.kind and c.slot = n.slot
    where v_total is not null and n.counted > coalesce(c.counted, 0);
end;
$$;

comment on function agentdb._refusals_since () is
  'What the counters of refusals have counted since the runner looked last.';


-- A counter that several agents share says for certain only who was refused last.
create or replace function agentdb._unseen_refusal ()
  returns table (
    kind text, slot bigint, counted bigint, agent_id bigint, role_name name,
    refused bigint, others text, since_at timestamptz
  )
  language sql
  stable
begin atomic
  select s.kind, s.slot, s.counted, a.agent_id,
    coalesce(a.role_name, (
      select r.rolname from pg_roles as r where r.oid = (- s.last_by)::oid
        and s.last_by < 0)),
    s.refused,
    case when s.refused > 1 then (
      select string_agg(o.agent_name, ', ' order by o.agent_id)
      from agentdb.agent as o
      where agentdb._refusal_slot(o.agent_id) = s.slot
        and o.agent_id is distinct from s.last_by) end,
    s.since_at
  from agentdb._refusals_since() as s
  left join agentdb.agent as a on a.agent_id = s.last_by;
end;

comment on function agentdb._unseen_refusal () is
  'Who was refused what since the runner looked last, and which other agents some of '
  'it may be.';


create or replace function agentdb._roll_up_refusals ()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  -- Before the counters: what is drawn meanwhile is seen the next time.
  v_total bigint := coalesce(pg_sequence_last_value('agentdb.refusal_seq'), 0);
  v_former bigint := (
    select c.counted from agentdb.refusal_count as c
    where c.kind = 'all' and c.slot = 0);
begin
  if v_former is null then
    insert into agentdb.refusal_count as c (kind, slot, counted)
    select n.kind, n.slot, n.counted from agentdb._refusals_now() as n;
  elsif v_total <> v_former then
    with unseen as materialized (
      select u.* from agentdb._unseen_refusal() as u
    ),
    noted as (
      insert into agentdb.refusal (
        kind, agent_id, role_name, refused, others, since_at
      )
      select u.kind, u.agent_id, u.role_name, u.refused, u.others, u.since_at
      from unseen as u
    )
    insert into agentdb.refusal_count as c (kind, slot, counted)
    select u.kind, u.slot, u.counted from unseen as u
    on conflict on constraint refusal_count_pkey do update
    set counted = excluded.counted;
  end if;
  insert into agentdb.refusal_count (kind, slot, counted)
  values ('all', 0, v_total)
  on conflict on constraint refusal_count_pkey do update
  set counted = excluded.counted,
      seen_at = clock_timestamp();
end;
$$;

comment on function agentdb._roll_up_refusals () is
  'Writes down who was refused what since the last time.';


-- The counters have no past: of an earlier moment only what was written down by then.
create or replace function agentdb._refusals (as_of timestamptz, period interval)
  returns table (
    kind text, agent_id bigint, role_name name, refused bigint, others text,
    since_at timestamptz, seen_at timestamptz
  )
  language sql
  stable
begin atomic
  select r.kind, r.agent_id, r.role_name, r.refused, r.others, r.since_at, r.seen_at
  from agentdb.refusal as r
  where r.seen_at <= as_of
    and r.seen_at > as_of - period
  union all
  select u.kind, u.agent_id, u.role_name, u.refused, u.others, u.since_at, as_of
  from agentdb._unseen_refusal() as u
  where as_of >= transaction_timestamp();
end;

comment on function agentdb._refusals (timestamptz, interval) is
  'Who was refused what by an error within a period before a moment, and between which '
  'looks.';
