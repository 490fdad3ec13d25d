-- Putting capture functions in place.  They belong to agentdb_capture, which may create
-- in our schema only within the transactions that do so.

grant create on schema agentdb to agentdb_capture;
grant usage on schema agentdb to agentdb_capture;
set local role agentdb_capture;

create or replace function agentdb._place_capture (
  target integer,
  body text,
  settings text
)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  execute format(
    'create or replace function agentdb.%1$I () returns trigger
       language plpgsql security definer
       set search_path = pg_catalog, pg_temp %3$s
       as %2$L',
    '_capture_' || target, body, settings);
  execute format('revoke all on function agentdb.%I from public',
    '_capture_' || target);
  -- Without it `revoke … on all functions` would stop at this one.
  execute format('grant execute on function agentdb.%I to agentdb_owner',
    '_capture_' || target);
  execute format('comment on function agentdb.%I is %L', '_capture_' || target,
    'Trigger function, generated: records what changes in an audited table.');
end;
$$;

comment on function agentdb._place_capture (integer, text, text) is
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
    execute format('grant execute on function agentdb.%I to %I',
      '_capture_' || target, owner);
    execute format('grant execute on function agentdb._capture_truncate, '
      'agentdb._capture_blast to %I', owner);
  end if;
end;
$$;

comment on function agentdb._lend_capture (integer, name) is
  'Lets the owner of a table name its capture function in a trigger; without an '
  'owner, drops the function.';


create or replace function agentdb._take_back_capture (target integer, owner name)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  execute format('revoke all on function agentdb.%I from %I',
    '_capture_' || target, owner);
  execute format('revoke all on function agentdb._capture_truncate, '
    'agentdb._capture_blast from %I', owner);
end;
$$;

comment on function agentdb._take_back_capture (integer, name) is
  'Ends what _lend_capture() began: triggers fire without the right to call their '
  'function.';


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
  v_changed bigint;
begin
  -- Whoever waits for the end of what a suspended audit missed waits for this too.
  perform pg_current_xact_id();
  if coalesce(pg_sequence_last_value('agentdb.suspension_seq'), 0) > 0
    and agentdb._is_suspended('audit', tg_relid) then
    perform agentdb._pass_suspended('audit', tg_relid);
    return null;
  end if;
  if not has_schema_privilege(tg_table_schema, 'usage')
    or not has_table_privilege(tg_relid, 'select')
    or row_security_active(tg_relid) and not exists (
      select from pg_policy as y
      where y.polrelid = tg_relid
        and y.polcmd in ('r', '*')
        and y.polroles && array['agentdb_capture'::regrole::oid, 0]
      having bool_and(y.polpermissive)
        and bool_or(pg_get_expr(y.polqual, y.polrelid) = 'true')
    ) then
    raise exception 'truncate of audited %.% refused: its rows cannot be recorded',
        tg_table_schema, tg_table_name
      using errcode = 'ZA032',
            hint = format('Use DELETE; or let agentdb_capture read it: grant usage on '
              'schema %1$I to agentdb_capture; grant select on %1$I.%2$I to '
              'agentdb_capture; with row security also: create policy agentdb_audit '
              'on %1$I.%2$I for select to agentdb_capture using (true);',
              tg_table_schema, tg_table_name);
  end if;
  perform agentdb._check_overtaken(format('%I.%I', tg_table_schema, tg_table_name));
  select w.* into v_writer from agentdb._writer() as w;
  -- Restored from a dump it has another number.
  if agentdb._is_elsewhere(tg_argv[0]::integer, tg_relid) then
    perform agentdb._follow_restored();
  end if;
  execute agentdb._truncate_sql(tg_argv[0]::integer, tg_relid)
    using clock_timestamp(), nextval('agentdb.audit_statement_seq'), v_writer.agent_id,
      v_writer.run_id, v_writer.change_id, current_setting('application_name'),
      inet_client_addr();
  get diagnostics v_changed = row_count;
  if pg_has_role(session_user, 'agentdb_agent', 'member') then
    perform agentdb._check_truncate(tg_argv[0]::integer, v_changed, v_writer.agent_id,
      v_writer.run_id, v_writer.change_id);
  end if;
  return null;
end;
$$;

comment on function agentdb._capture_truncate () is
  'Trigger function: records the rows that a TRUNCATE removes from an audited table.';

-- Where rows are recorded one by one, nobody else sees how many a statement changes.
create or replace function agentdb._capture_blast ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_changed bigint;
  v_writer record;
begin
  if pg_has_role(session_user, 'agentdb_agent', 'member')
    and not agentdb._is_suspended('audit', tg_relid) then
    if tg_op = 'INSERT' then
      select count(*) into v_changed from agentdb_new;
    else
      select count(*) into v_changed from agentdb_old;
    end if;
    select w.* into v_writer from agentdb._writer() as w;
    perform agentdb._check_blast(format('%I.%I', tg_table_schema, tg_table_name),
      tg_op, v_changed, v_writer.agent_id, v_writer.run_id, v_writer.change_id);
  end if;
  return null;
end;
$$;

comment on function agentdb._capture_blast () is
  'Trigger function: refuses an agent''s statement over its limit, on a table that is '
  'audited by row.';

revoke all on function agentdb._place_capture, agentdb._lend_capture,
  agentdb._take_back_capture, agentdb._capture_truncate, agentdb._capture_blast
  from public;
grant execute on function agentdb._place_capture, agentdb._lend_capture,
  agentdb._take_back_capture, agentdb._capture_truncate, agentdb._capture_blast
  to agentdb_owner;

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
    agentdb._capture_sql(target, 'DELETE', '$1, $2, session_user, $3, $4, $5, $6, $7',
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
      excluded_places = array(
        select c.place from agentdb.audit_column as c
        where c.audit_target_id = target and c.excluded),
      redacted_places = array(
        select c.place from agentdb.audit_column as c
        where c.audit_target_id = target and c.redacted)
  where t.audit_target_id = target;
  grant create on schema agentdb to agentdb_capture;
  perform agentdb._place_capture(target, agentdb._capture_function(target),
    agentdb._output_sql(target));
  revoke create on schema agentdb from agentdb_capture;
  perform agentdb._note_shape(target);
end;
$$;

comment on function agentdb._generate_capture (integer) is
  'Makes the capture function of an attachment for the present layout of its table.';
