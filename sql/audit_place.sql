-- Putting capture functions in place.  They belong to agentdb_capture, which may create
-- in our schema only within the transactions that do so.

grant create on schema agentdb to agentdb_capture;
grant usage on schema agentdb to agentdb_capture;
set local role agentdb_capture;

create or replace function agentdb._place_capture (target integer, body text)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- The settings that turn rows into text are pinned: a session's own would blur the log.
  execute format(
    'create or replace function agentdb.%1$I () returns trigger
       language plpgsql security definer
       set search_path = pg_catalog, pg_temp
       set extra_float_digits = 1 set "TimeZone" = ''UTC'' set "DateStyle" = ''ISO, YMD''
       set "IntervalStyle" = ''postgres'' set bytea_output = ''hex'' set lc_monetary = ''C''
       as %2$L',
    '_capture_' || target, body);
  execute format('revoke all on function agentdb.%I from public', '_capture_' || target);
  -- Without it `revoke … on all functions` would stop at this one.
  execute format('grant execute on function agentdb.%I to agentdb_owner',
    '_capture_' || target);
  execute format('comment on function agentdb.%I is %L', '_capture_' || target,
    'Trigger function, generated: records what changes in an audited table.');
end;
$$;

comment on function agentdb._place_capture (integer, text) is
  'Creates the capture function of an attachment, as agentdb_capture.';


create or replace function agentdb._lend_capture (target integer, owner name)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  if owner is null then
    execute format('drop function agentdb.%I', '_capture_' || target);
  else
    execute format('grant execute on function agentdb.%I to %I', '_capture_' || target, owner);
    execute format('grant execute on function agentdb._capture_truncate to %I', owner);
  end if;
end;
$$;

comment on function agentdb._lend_capture (integer, name) is
  'Lets the owner of a table name its capture function in a trigger; without an owner, drops the function.';


create or replace function agentdb._take_back_capture (target integer, owner name)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('revoke all on function agentdb.%I from %I', '_capture_' || target, owner);
  execute format('revoke all on function agentdb._capture_truncate from %I', owner);
end;
$$;

comment on function agentdb._take_back_capture (integer, name) is
  'Ends what _lend_capture() began: triggers fire without the right to call their function.';


-- TRUNCATE hands over no rows: they are read before they are gone.  On a partition the
-- trigger of the partition does it, so that no row is recorded twice.
create or replace function agentdb._capture_truncate ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set extra_float_digits = 1
  set "TimeZone" = 'UTC'
  set "DateStyle" = 'ISO, YMD'
  set "IntervalStyle" = 'postgres'
  set bytea_output = 'hex'
  set lc_monetary = 'C'
as $$
declare
  v_writer record;
begin
  if not has_schema_privilege(tg_table_schema, 'usage')
    or not has_table_privilege(tg_relid, 'select')
    or row_security_active(tg_relid) and not exists (
      select from pg_policy as y
      where y.polrelid = tg_relid
        and y.polcmd in ('r', '*')
        and y.polroles @> array['agentdb_capture'::regrole::oid]
      having bool_and(y.polpermissive) and bool_or(pg_get_expr(y.polqual, y.polrelid) = 'true')
    ) then
    raise exception 'truncate of audited table %.% refused: its rows cannot be recorded',
        tg_table_schema, tg_table_name
      using errcode = 'ZA032',
            hint = format('Use DELETE; or let agentdb_capture read it: grant usage on schema '
              '%1$I to agentdb_capture; grant select on %1$I.%2$I to agentdb_capture; with '
              'row security also: create policy agentdb_audit on %1$I.%2$I for select to '
              'agentdb_capture using (true);', tg_table_schema, tg_table_name);
  end if;
  select w.* into v_writer from agentdb._writer() as w;
  execute agentdb._truncate_sql(tg_argv[0]::integer, tg_relid)
    using clock_timestamp(), nextval('agentdb.audit_statement_seq'), v_writer.agent_id,
      v_writer.run_id, current_setting('application_name'), inet_client_addr();
  return null;
end;
$$;

comment on function agentdb._capture_truncate () is
  'Trigger function: records the rows that a TRUNCATE removes from an audited table.';

revoke all on function agentdb._place_capture, agentdb._lend_capture,
  agentdb._take_back_capture, agentdb._capture_truncate from public;
grant execute on function agentdb._place_capture, agentdb._lend_capture,
  agentdb._take_back_capture, agentdb._capture_truncate to agentdb_owner;

set local role agentdb_owner;
revoke create on schema agentdb from agentdb_capture;


create or replace function agentdb._truncate_sql (target integer, table_oid oid)
  returns text
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select replace(
    agentdb._capture_sql(target, 'DELETE', '$1, $2, session_user, $3, $4, $5, $6',
      format('only %s', table_oid::regclass)),
    '''delete'', ', '''truncate'', ');
$$;

comment on function agentdb._truncate_sql (integer, oid) is
  'SQL text: records all rows of a table as removed.';


create or replace function agentdb._generate_capture (target integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- Two at a time would both change the rights on the schema.
  lock table agentdb.audit_target in share row exclusive mode;
  update agentdb.audit_target as t
  set layout = agentdb._layout_now(t.table_oid),
      exclude_places = array(
        select c.place from agentdb.audit_column as c
        where c.audit_target_id = target and c.excluded),
      redact_places = array(
        select c.place from agentdb.audit_column as c
        where c.audit_target_id = target and c.redacted)
  where t.audit_target_id = target;
  grant create on schema agentdb to agentdb_capture;
  perform agentdb._place_capture(target, agentdb._capture_function(target));
  revoke create on schema agentdb from agentdb_capture;
end;
$$;

comment on function agentdb._generate_capture (integer) is
  'Makes the capture function of an attachment for the present layout of its table.';


create or replace function agentdb._maintain_audit ()
  returns table (action text, object text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_target integer;
begin
  -- A table that was restored from a dump has another number; its trigger knows which it is.
  update agentdb.audit_target as t
  set table_oid = g.tgrelid
  from pg_trigger as g
  join pg_proc as p on p.oid = g.tgfoid and p.pronamespace = 'agentdb'::regnamespace
  where p.proname = '_capture_' || t.audit_target_id
    and t.unaudited_at is null
    and g.tgparentid = 0
    and g.tgrelid <> t.table_oid;
  for v_target, object, action in
    select t.audit_target_id, t.table_name,
      case when c.oid is null then 'unaudited (dropped)' else 'regenerated' end
    from agentdb.audit_target as t
    left join pg_class as c on c.oid = t.table_oid
    where t.unaudited_at is null
      and (c.oid is null or t.layout is distinct from agentdb._layout_now(t.table_oid)
        or t.table_name <> agentdb._table_name(t.table_oid))
    order by t.audit_target_id
  loop
    if action = 'regenerated' then
      update agentdb.audit_target as t
      set table_name = agentdb._table_name(t.table_oid) where t.audit_target_id = v_target;
      perform agentdb._generate_capture(v_target);
    else
      perform agentdb._forget_target(v_target);
    end if;
    return next;
  end loop;
end;
$$;

comment on function agentdb._maintain_audit () is
  'Adapts the capture functions to tables that were altered, and forgets tables that were dropped.';


create or replace function agentdb._table_name (table_oid oid)
  returns text
  language sql
  stable
  return (
    select format('%I.%I', n.nspname, c.relname)
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = table_oid
  );

comment on function agentdb._table_name (oid) is
  'The name of a table with its schema, quoted where it must be.';


create or replace function agentdb._forget_target (target integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.audit_target as t
  set unaudited_at = clock_timestamp()
  where t.audit_target_id = target;
  perform agentdb._lend_capture(target, null);
end;
$$;

comment on function agentdb._forget_target (integer) is
  'Ends an attachment and drops its capture function.';


-- A new generator means new functions.
do $$
declare
  v_target integer;
begin
  for v_target in
    select t.audit_target_id
    from agentdb.audit_target as t
    join pg_class as c on c.oid = t.table_oid
    where t.unaudited_at is null
    order by t.audit_target_id
  loop
    perform agentdb._generate_capture(v_target);
  end loop;
end;
$$;
