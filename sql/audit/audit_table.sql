-- Attaching the audit to a table.  The triggers are created with the rights of whoever
-- calls: the owner of the table.  The function behind them is made by definer
-- functions, which judge by session_user for themselves.

create or replace function agentdb._register_audit (
  relation regclass,
  exclude text[],
  redact text[],
  level text,
  refuse_blast boolean,
  out target integer,
  out chosen text
)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._check_audit(relation, exclude, redact);
  if level not in ('statement', 'row') or refuse_blast is null
    or level = 'statement' and agentdb._needs_rows(relation) is not null then
    perform agentdb._refuse(
      format('level %s is not possible: %s', level,
        coalesce(agentdb._needs_rows(relation), 'statement or row')),
      'Leave level out to have the fastest that is right.');
  end if;
  chosen := coalesce(level, case when agentdb._needs_rows(relation) is null
    then 'statement' else 'row' end);
  lock table agentdb.audit_target in share row exclusive mode;
  update agentdb.audit_target as t
  set excluded = _register_audit.exclude,
      redacted = _register_audit.redact,
      excluded_places = '{}',
      redacted_places = '{}',
      level = chosen,
      attached_name = agentdb._table_name(relation),
      refuse_blast = _register_audit.refuse_blast
  where t.table_oid = relation::oid and t.unaudited_at is null
  returning t.audit_target_id into target;
  if target is null then
    insert into agentdb.audit_target as t (
      table_oid, table_name, attached_name, level, excluded, redacted, refuse_blast,
      layout
    )
    values (
      relation, agentdb._table_name(relation), agentdb._table_name(relation), chosen,
      exclude, redact, refuse_blast, ''
    )
    returning t.audit_target_id into target;
  end if;
  perform agentdb._generate_capture(target);
  perform agentdb._lend_capture(target, (
    select pg_get_userbyid(c.relowner) from pg_class as c where c.oid = relation));
end;
$$;

comment on function agentdb._register_audit (regclass, text[], text[], text, boolean) is
  'Makes the capture function of a table and lets its owner use it in triggers.';


create or replace function agentdb._end_audit (relation regclass, detach boolean)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_target integer;
  v_owner oid;
begin
  select t.audit_target_id, c.relowner into v_target, v_owner
  from agentdb.audit_target as t
  join pg_class as c on c.oid = t.table_oid
  where t.table_oid = relation::oid and t.unaudited_at is null;
  if v_target is null then
    raise exception '% is not audited', coalesce(agentdb._table_name(relation), 'NULL')
      using errcode = 'ZA006', hint = 'select table_name from agentdb.audited_table;';
  elsif not pg_has_role(session_user, v_owner, 'MEMBER') then
    perform agentdb._refuse_audit(relation, format('%s does not own it', session_user),
      format('Log in as a member of %s.', v_owner::regrole));
  elsif detach then
    perform agentdb._forget_target(v_target);
  else
    perform agentdb._take_back_capture(v_target, pg_get_userbyid(v_owner));
    perform agentdb._note_in_place(v_target);
  end if;
end;
$$;

comment on function agentdb._end_audit (regclass, boolean) is
  'Takes the right to a capture function back, or ends the attachment; raises ZA006 '
  'or ZA030.';


create or replace function agentdb.audit_table (
  relation regclass,
  exclude text[] default '{}',
  redact text[] default '{}',
  level text default null,
  refuse_blast boolean default false
)
  returns table (table_name text, fires text, row_key text[])
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
declare
  v_target integer;
  v_child regclass;
begin
  perform agentdb._look_at_table(relation);
  perform agentdb._drop_triggers(relation);
  select r.target, r.chosen into v_target, audit_table.fires
  from agentdb._register_audit(
    relation, exclude, redact, audit_table.level, refuse_blast) as r;
  perform agentdb._create_triggers(relation, v_target, fires, refuse_blast);
  perform agentdb._grant_usage(relation);
  perform agentdb._end_audit(relation, false);
  select t.table_name, t.row_key into audit_table.table_name, audit_table.row_key
  from agentdb.audited_table as t where t.table_oid = relation::oid;
  return next;
  -- Each table of an inheritance tree holds rows of its own.
  for v_child in
    select i.inhrelid from pg_inherits as i
    join pg_class as c on c.oid = i.inhparent and c.relkind = 'r'
    where i.inhparent = relation::oid
  loop
    return query select *
      from agentdb.audit_table(v_child, exclude, redact, 'row', refuse_blast);
  end loop;
end;
$$;

comment on function agentdb.audit_table (regclass, text[], text[], text, boolean) is
  'Records every change of a table from now on, without some columns or only that '
  'they changed; raises ZA004 or ZA030.';


create or replace function agentdb.unaudit_table (relation regclass)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
as $$
declare
  v_part regclass;
begin
  perform agentdb._drop_triggers(relation);
  perform agentdb._end_audit(relation, true);
  for v_part in
    select coalesce(p.relid, relation) from (select) as one
    left join pg_partition_tree(relation) as p on true
  loop
    execute format('revoke select on %s from agentdb_capture', v_part);
  end loop;
end;
$$;

comment on function agentdb.unaudit_table (regclass) is
  'Records a table no more; what was recorded stays until its retention ends; raises '
  'ZA006 or ZA030.';
