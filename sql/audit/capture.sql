-- Capture: the trigger functions that write audit_log, one generated for each table, so
-- that a statement costs one insert however many rows it changed.  They belong to
-- agentdb_capture, which can do nothing but insert into audit_log and read what it
-- audits.

create or replace function agentdb._layout_now (table_oid oid)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select md5(concat(
      string_agg(
        concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation,
          nullif(a.attgenerated, ''),
          -- Another expression rewrites no row and changes every value.  As it is
          -- stored: to spell it out, PostgreSQL would lock the table.
          case when a.attgenerated = 'v' then (
            select d.adbin from pg_attrdef as d
            where d.adrelid = a.attrelid and d.adnum = a.attnum) end),
        ',' order by a.attnum
      ),
      (select i.indkey::text from pg_index as i
        where i.indrelid = _layout_now.table_oid and i.indisprimary and i.indimmediate)
    ))
    from pg_attribute as a
    where a.attrelid = _layout_now.table_oid and a.attnum > 0 and not a.attisdropped
  );
end;
$$;

comment on function agentdb._layout_now (oid) is
  'A fingerprint of the columns and the primary key of a table, looked up at every '
  'call.';


-- A TRUNCATE also removes the rows that its snapshot does not see: those of whoever has
-- committed since it was taken, which nobody here can read.
create or replace function agentdb._check_overtaken (what text)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_overtaken boolean;
  v_next bigint := pg_snapshot_xmax(pg_current_snapshot())::text::bigint;
begin
  if current_setting('transaction_isolation') in (
    'read committed', 'read uncommitted') then
    return;
  end if;
  select coalesce(bool_or(pg_xact_status(x.xid) = 'committed'), false)
    into v_overtaken
  from pg_snapshot_xip(pg_current_snapshot()) as x (xid);
  begin
    while not v_overtaken loop
      v_overtaken := pg_xact_status(v_next::text::xid8) = 'committed';
      v_next := v_next + 1;
    end loop;
  exception when invalid_parameter_value then
    -- That one has not begun: nobody else did.
    return;
  end;
  raise exception 'truncate of audited % refused: rows may have been committed since '
      'the snapshot of this transaction, and would go without a record', what
    using errcode = '40001',
          hint = 'Try the transaction again; or use READ COMMITTED, or DELETE.';
end;
$$;

comment on function agentdb._check_overtaken (text) is
  'Raises 40001 in a REPEATABLE READ or SERIALIZABLE transaction that others have '
  'overtaken.';


-- Declared immutable although it is not: the call is folded into the cached plan of an
-- expression that names the table as a regclass constant, which PostgreSQL drops when
-- that is altered.  So the generated code learns of every change of layout, at no cost.
create or replace function agentdb._layout (table_oid oid)
  returns text
  language plpgsql
  immutable
  parallel safe
  set search_path = pg_catalog, pg_temp
as $$
begin
  return agentdb._layout_now(table_oid);
end;
$$;

comment on function agentdb._layout (oid) is
  'The same fingerprint, looked up once a plan.';


-- What a change writes is its proposer's, in whosever session it is applied.  The
-- setting only says where to look; what is believed is the row of the transaction.
create or replace function agentdb._applied_change (
  out agent_id bigint,
  out run_id bigint,
  out change_id bigint
)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select c.agent_id, c.run_id, c.change_id
  from agentdb.change_pass as p
  join agentdb.change as c on c.change_id = p.change_id
  where p.xid = pg_current_xact_id_if_assigned();
$$;

comment on function agentdb._applied_change () is
  'The change that the transaction is applying, with its agent and run.';


-- Such a row ends with the subtransaction that tries a change, and only _attempt()
-- writes one.
create or replace function agentdb._is_trial ()
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select from agentdb.change_pass as p
    where p.xid = pg_current_xact_id_if_assigned() and p.trial);
end;
$$;

comment on function agentdb._is_trial () is
  'Whether a change is being tried, and will be rolled back.';


-- The common case first, it is asked at every statement of an agent: the number of the
-- last stop is read again behind the gate, which a stop that is later waits for.
create or replace function agentdb._writer (
  out agent_id bigint,
  out run_id bigint,
  out change_id bigint
)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_stop_seen bigint;
begin
  if current_setting('agentdb.applying', true) <> '' then
    select c.agent_id, c.run_id, c.change_id
      into _writer.agent_id, _writer.run_id, _writer.change_id
    from agentdb._applied_change() as c;
    if change_id is not null then
      return;
    end if;
  end if;
  if current_setting('agentdb.session_run', true) <> '' then
    select h.run_id, h.agent_id, h.stop_seen
      into _writer.run_id, _writer.agent_id, v_stop_seen
    from agentdb._held_run() as h
    join agentdb.run_gate as g on g.run_id = h.run_id
    for share of g;
  else
    select o.run_id, o.agent_id, o.stop_seen
      into _writer.run_id, _writer.agent_id, v_stop_seen
    from agentdb._lone_run() as o
    join agentdb.run_gate as g on g.run_id = o.run_id
    for share of g;
  end if;
  if found and agentdb._is_unstopped(v_stop_seen) then
    return;
  end if;
  select w.agent_id, w.run_id into _writer.agent_id, _writer.run_id
  from agentdb._any_writer() as w;
end;
$$;

comment on function agentdb._writer () is
  'Who writes: the proposer of the change that is being applied, else the session''s '
  'agent and its run; refuses a stopped run, and a session that could be any run''s; '
  'raises ZA001, ZA003, ZA040, ZA041 or 40001.';


create or replace function agentdb._any_writer (out agent_id bigint, out run_id bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_bound bigint := agentdb._bound_run();
  v_pooled boolean;
  v_outcome text;
begin
  if v_bound is not null then
    select r.run_id, r.agent_id into _any_writer.run_id, _any_writer.agent_id
    from agentdb.run as r
    where r.run_id = v_bound and r.role_name = session_user;
  end if;
  if _any_writer.run_id is null then
    select a.agent_id, a.pooled into _any_writer.agent_id, v_pooled
    from agentdb.agent as a
    where a.role_name = session_user
    order by a.agent_id
    limit 1;
    if v_pooled is null then
      return;
    elsif v_pooled then
      agent_id := null;
      perform agentdb._check_unbound();
      return;
    end if;
    run_id := (select o.run_id from agentdb._own_run() as o);
  end if;
  perform agentdb._check_write(_any_writer.run_id, _any_writer.agent_id);
  perform agentdb._check_session();
  select r.outcome into v_outcome
  from agentdb.run as r where r.run_id = _any_writer.run_id;
  -- Killed, too: since it was looked for stops.
  if v_outcome in ('crashed', 'replaced', 'killed') then
    perform agentdb._refuse_closed_run(_any_writer.run_id);
  elsif v_outcome is not null then
    -- What it writes after its end is no run's.
    run_id := null;
  end if;
end;
$$;

comment on function agentdb._any_writer () is
  'The agent of a session and its run, in every case but the common one.';


-- Behind a shared role only a token says who writes: without one it is nobody, and
-- whoever was killed would go on by leaving it out.
create or replace function agentdb._check_unbound ()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_kind text;
  v_reason text;
  v_what text;
begin
  if exists (
    select
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
    where a.role_name = session_user and p.unbound_writes = 'refuse'
  ) then
    perform agentdb._refuse_unbound();
  end if;
  -- Stops of the role's agents wait for what is written here, as for their own.
  perform from agentdb.agent_gate as g
  join agentdb.agent as a on a.agent_id = g.agent_id
  where a.role_name = session_user
  for share of g;
  if current_setting('transaction_isolation') <> 'read committed' then
    perform agentdb._check_overtaken();
  end if;
  select s.kind, s.reason, 'agent ' || a.agent_name into v_kind, v_reason, v_what
  from agentdb.agent_stop as s
  join agentdb.agent as a on a.agent_id = s.agent_id
  where a.role_name = session_user
  union all
  select s.kind, s.reason, 'run ' || s.run_id
  from agentdb.run_stop as s
  where s.role_name = session_user
    and s.kind = 'killed'
    and s.stopped_at > clock_timestamp() - agentdb._run_silence(session_user)
  limit 1;
  if v_kind is not null then
    perform agentdb._refuse_stopped(v_kind, v_reason, v_what);
  end if;
end;
$$;

comment on function agentdb._check_unbound () is
  'Refuses a write that binds no token behind a shared role, unless '
  'policy.unbound_writes says record and none of its agents was stopped; raises ZA001, '
  'ZA040, ZA041 or 40001.';


create or replace function agentdb._refuse_unbound ()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'role % is shared, and this transaction has bound no run',
      session_user
    using errcode = 'ZA001',
          detail = 'Nobody could say whose write this is.',
          hint = 'Bind the token that start_run() returned, in the same transaction: '
            'select agentdb.bind_run(token);  policy.unbound_writes = ''record'' lets '
            'such writes through, as nobody''s.';
end;
$$;

comment on function agentdb._refuse_unbound () is
  'Raises ZA001 for a write behind a shared role that has bound no token.';
