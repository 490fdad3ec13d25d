-- Seals: tamper evidence that costs nothing on the write path.  A seal hashes the rows
-- that its snapshot sees and the one before did not, and the seal before it.  So a long
-- transaction neither holds a seal up nor escapes the one after its end, and whoever
-- rewrites a row, DBA included, has to rewrite every seal since: the runner hands the
-- root of each to the outside.

-- In two parts, so that each finds its rows by an index.  What an epoch before has, and
-- was not sealed in it, is sealed by the first seal of the next.
create or replace function agentdb._newly_seen (
  after pg_snapshot,
  after_epoch integer,
  upto pg_snapshot,
  upto_epoch integer
)
  returns setof agentdb.audit_log
  language sql
  stable
begin atomic
  select l.*
  from agentdb.audit_log as l
  where l.xid >= case when after_epoch = upto_epoch
      then pg_snapshot_xmin(after) else '0' end
    and l.xid < pg_snapshot_xmax(upto)
    and l.audit_log_id between (
        select e.first from agentdb.epoch_span as e where e.epoch_id = upto_epoch)
      and (
        select e.last from agentdb.epoch_span as e where e.epoch_id = upto_epoch)
    and pg_visible_in_snapshot(l.xid, upto)
    and not (after_epoch is not distinct from upto_epoch
      and pg_visible_in_snapshot(l.xid, after))
  union all
  select l.*
  from agentdb.audit_log as l
  where after_epoch is distinct from upto_epoch
    and l.audit_log_id < (
      select s.first from agentdb.epoch_span as s where s.epoch_id = upto_epoch)
    and not coalesce((
      select agentdb._is_within(l.audit_log_id, l.xid, after, s.first, s.last)
      from agentdb.epoch_span as s where s.epoch_id = after_epoch), false);
end;

comment on function agentdb._newly_seen (pg_snapshot, integer, pg_snapshot, integer) is
  'The rows of audit_log that a snapshot of an epoch sees and the one before did not.';


create or replace function agentdb._sealed_rows (
  after pg_snapshot,
  after_epoch integer,
  upto pg_snapshot,
  epoch integer
)
  returns table (day date, rows bigint, digest bytea)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
  set extra_float_digits = 1
  set "TimeZone" = 'UTC'
  set "DateStyle" = 'ISO, YMD'
  set "IntervalStyle" = 'postgres'
  set bytea_output = 'hex'
as $$
  -- Of an erased row the hash of its values is kept, see erased.sql.
  select l.recorded_at::date, count(*), sha256(string_agg(
    sha256(sha256(convert_to(row(
      l.audit_log_id, l.recorded_at, l.transaction_at, l.xid, l.statement,
      l.audit_target_id, l.operation, l.session_role, l.agent_id, l.run_id,
      l.change_id, l.application_name, l.client_addr
    )::text, 'UTF8')) || case when l.salt is null and e.leaf is not null then e.leaf
      else agentdb._leaf(l.salt, l.row_key, l.old_values, l.new_values) end),
    '' order by l.audit_log_id))
  from agentdb._newly_seen(after, after_epoch, upto, epoch) as l
  left join agentdb.erased_leaf as e
    on e.audit_log_id = l.audit_log_id and e.recorded_at = l.recorded_at
  group by l.recorded_at::date;
$$;

comment on function agentdb._sealed_rows (
  pg_snapshot, integer, pg_snapshot, integer
) is
  'Hashes of what became visible in audit_log from one snapshot to another, a UTC day'
  ' each.';


create or replace function agentdb._root (
  former bytea,
  day date,
  snapshot pg_snapshot,
  rows bigint,
  digest bytea
)
  returns bytea
  language sql
  stable
  set search_path = pg_catalog, pg_temp
  set "DateStyle" = 'ISO, YMD'
as $$
  select sha256(coalesce(former, '\x') || convert_to(
    concat_ws(' ', day, snapshot, rows), 'UTF8') || digest);
$$;

comment on function agentdb._root (bytea, date, pg_snapshot, bigint, bytea) is
  'The root of a seal: the hash of the root before it and of what it seals.';


create or replace function agentdb.seal_audit ()
  returns table (seal_id bigint, rows bigint, root text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
  set "TimeZone" = 'UTC'
as $$
declare
  v_part record;
  v_after pg_snapshot;
  v_after_epoch integer;
  v_epoch integer;
  v_root bytea;
begin
  perform agentdb._draw_epoch();
  v_epoch := agentdb._epoch_now();
  -- Before any statement that reads: its snapshot must be newer than the last seal's.
  lock table agentdb.seal in share row exclusive mode;
  select s.seal_id, s.snapshot, s.epoch_id, s.root
    into seal_audit.seal_id, v_after, v_after_epoch, v_root
  from agentdb.seal as s
  order by s.seal_id desc, s.day desc
  limit 1;
  if v_after_epoch = v_epoch
    and pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax(v_after) then
    raise exception 'this transaction sees what was before transaction %, the last '
        'seal what was before %', pg_snapshot_xmax(pg_current_snapshot()),
        pg_snapshot_xmax(v_after)
      using errcode = '55000',
            hint = 'Call it in a transaction of its own, READ COMMITTED.';
  end if;
  seal_audit.seal_id := coalesce(seal_audit.seal_id, 0) + 1;
  rows := 0;
  for v_part in
    select n.snapshot, d.*
    from agentdb._snapshot_now() as n (snapshot)
    cross join lateral
      agentdb._sealed_rows(v_after, v_after_epoch, n.snapshot, v_epoch) as d
    order by d.day
  loop
    v_root := agentdb._root(
      v_root, v_part.day, v_part.snapshot, v_part.rows, v_part.digest);
    rows := rows + v_part.rows;
    insert into agentdb.seal (seal_id, day, epoch_id, snapshot, rows, digest, root)
    values (seal_audit.seal_id, v_part.day, v_epoch, v_part.snapshot, v_part.rows,
      v_part.digest, v_root);
  end loop;
  root := encode(v_root, 'hex');
  if rows > 0 then
    return next;
  end if;
end;
$$;

comment on function agentdb.seal_audit () is
  'Seals what became visible in audit_log since the last seal; no row where there is '
  'nothing new.';


-- Rows that went with their partition at the end of their retention cannot be hashed
-- again; their seals still hold the chain together.  What is there is compared,
-- whatever the retention is by now.
create or replace function agentdb.verify_audit (root text default null)
  returns table (
    intact boolean, seals bigint, rows bigint, expired bigint, unsealed bigint,
    broken_seal bigint, day date, sealed_at timestamptz, problem text, removed text
  )
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  select count(distinct s.seal_id), coalesce(sum(s.rows), 0),
         count(d.day),
         agentdb._removed_text(min(d.day), max(d.day), sum(s.rows)
           filter (where d.day is not null), max(d.removed_at))
    into seals, verify_audit.rows, expired, removed
  from agentdb.seal as s
  left join agentdb.removed_day as d on d.day = s.day;
  select count(*) into unsealed
  from agentdb.audit_log as l
  where not coalesce((
    select agentdb._is_within(l.audit_log_id, l.xid, s.snapshot, e.first, e.last)
    from agentdb.seal as s
    join agentdb.epoch_span as e on e.epoch_id = s.epoch_id
    order by s.seal_id desc
    limit 1), false);
  select b.seal_id, b.day, b.sealed_at, b.problem
    into broken_seal, verify_audit.day, verify_audit.sealed_at, verify_audit.problem
  from agentdb._broken_seal() as b
  limit 1;
  problem := coalesce(problem, agentdb._broken_erasure());
  if problem is null and verify_audit.root is not null and not exists (
    select from agentdb.seal as s where encode(s.root, 'hex') = verify_audit.root
  ) then
    problem := 'the root is not that of any seal: the chain was rewritten since';
  end if;
  intact := problem is null;
  return next;
end;
$$;

comment on function agentdb.verify_audit (text) is
  'Hashes audit_log again and names the first seal whose rows, or which itself, was '
  'changed; give a root from outside to know that the chain is the same.';


-- Whoever verifies for minutes is told how far it is: see agentdb seals.
create or replace function agentdb._hash_again (
  seal bigint,
  after pg_snapshot,
  after_epoch integer,
  upto pg_snapshot,
  epoch integer
)
  returns table (day date, rows bigint, digest bytea)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return query select d.day, d.rows, d.digest
    from agentdb._sealed_rows(after, after_epoch, upto, epoch) as d;
  raise debug 'agentdb: seal % is hashed', seal;
end;
$$;

comment on function agentdb._hash_again (
  bigint, pg_snapshot, integer, pg_snapshot, integer
) is
  'Hashes what a seal has sealed, and says so at level DEBUG.';


create or replace function agentdb._broken_seal ()
  returns table (seal_id bigint, day date, sealed_at timestamptz, problem text)
  language sql
  stable
begin atomic
  with batch as (
    select s.seal_id, min(s.snapshot::text)::pg_snapshot as snapshot,
      min(s.epoch_id) as epoch, min(s.sealed_at) as sealed_at
    from agentdb.seal as s
    group by s.seal_id
  ),
  span as (
    select b.*, lag(b.snapshot) over (order by b.seal_id) as after,
      lag(b.epoch) over (order by b.seal_id) as after_epoch,
      lag(b.seal_id) over (order by b.seal_id) as former_id
    from batch as b
  ),
  chain as (
    select s.*, lag(s.root) over (order by s.seal_id, s.day) as former
    from agentdb.seal as s
  ),
  found as (
    select p.seal_id, p.sealed_at as batch_sealed_at, d.*
    from span as p
    cross join lateral agentdb._hash_again(p.seal_id, p.after, p.after_epoch,
      p.snapshot, p.epoch) as d
  )
  select coalesce(c.seal_id, f.seal_id), coalesce(c.day, f.day),
    coalesce(c.sealed_at, f.batch_sealed_at),
    case
      when c.seal_id is null then format('%s rows of the day were added', f.rows)
      when f.seal_id is null then format('all %s rows are gone', c.rows)
      when f.rows <> c.rows
        then format('%s rows were sealed, %s are there', c.rows, f.rows)
      when f.digest <> c.digest
        then format('at least one of %s rows was changed', c.rows)
      when p.former_id is distinct from nullif(c.seal_id - 1, 0)
        then 'the seal before it is gone'
      else 'the seal itself or one before it was changed'
    end
  from chain as c
  full join found as f on f.seal_id = c.seal_id and f.day = c.day
  left join span as p on p.seal_id = c.seal_id
  where c.seal_id is null
    or f.seal_id is null and not agentdb._is_removed(c.day)
    or f.rows <> c.rows
    or f.digest <> c.digest
    or p.former_id is distinct from nullif(c.seal_id - 1, 0)
    or c.root <> agentdb._root(c.former, c.day, c.snapshot, c.rows, c.digest)
  order by 1, 2;
end;

comment on function agentdb._broken_seal () is
  'Seals that their rows, or the chain, do not agree with, the first one first.';
