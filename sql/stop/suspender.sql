-- Who may suspend what.  As little as possible is asked of the rest of the pack: it may
-- be what is broken.

create or replace function agentdb._suspension_target (table_name text)
  returns regclass
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table regclass;
begin
  begin
    v_table := to_regclass(table_name);
  exception when syntax_error or invalid_name or feature_not_supported then
    null;
  end;
  if v_table is null then
    raise exception 'there is no table %',
        coalesce(agentdb._clean_text(table_name, 200), 'NULL')
      using errcode = 'ZA006', hint = 'Write the schema in front of it: public.report.';
  end if;
  return v_table;
end;
$$;

comment on function agentdb._suspension_target (text) is
  'Returns the table of a name, or raises ZA006.';


-- By its triggers, whatever has become of the tables in which we note them.
create or replace function agentdb._protection (what text, table_oid oid)
  returns table (audit_target_id integer, lock_name text)
  language sql
  stable
begin atomic
  select case _protection.what when 'audit'
      then substring(p.proname::text, '[0-9]+$')::integer end,
    case _protection.what when 'fence' then convert_from(
      substring(t.tgargs from 1 for octet_length(t.tgargs) - 1), 'UTF8') end
  from pg_trigger as t
  join pg_proc as p on p.oid = t.tgfoid
  where t.tgrelid = _protection.table_oid
    and p.pronamespace = 'agentdb'::regnamespace
    and p.proname::text ~ case _protection.what when 'guard' then '^_guard$'
      when 'fence' then '^_check_fence$' else '^_capture_[0-9]+$' end
    -- Those of a partition are its table's; TRUNCATE has one of its own on each.
    and t.tgparentid = 0
    and t.tgtype & 28 > 0
  limit 1;
end;

comment on function agentdb._protection (text, oid) is
  'What protects a table itself: the attachment of its audit, the lock of its fence; '
  'no row where it has no such protection.';


-- Where the agents themselves cannot be read, membership has to do.
create or replace function agentdb._is_agents_session ()
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return agentdb._is_agent();
exception when others then
  return pg_has_role(session_user, 'agentdb_agent', 'usage')
    and not (select r.rolsuper from pg_roles as r where r.rolname = session_user);
end;
$$;

comment on function agentdb._is_agents_session () is
  'Whether the session belongs to an agent, even where that cannot be looked up.';


create or replace function agentdb._check_suspender (what text, relation regclass)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_owner oid := (select c.relowner from pg_class as c where c.oid = relation::oid);
begin
  if what is null or what not in ('audit', 'guard', 'fence') then
    perform agentdb._refuse(
      format('%L is nothing that can be suspended', agentdb._clean_text(what, 50)),
      'Say audit, guard or fence.');
  elsif v_owner is null then
    perform agentdb._suspension_target(null);
  elsif agentdb._is_agents_session() then
    raise exception 'the % of % is not for % to suspend or resume: it is an agent',
        what, agentdb._table_name(relation), session_user
      using errcode = 'ZA035', hint = 'Ask a person: select * from '
        'agentdb.ask_human(question => ''…'');';
  elsif not pg_has_role(session_user, v_owner, 'MEMBER') then
    raise exception 'the % of % is not for % to suspend or resume: it does not own '
        'the table', what, agentdb._table_name(relation), session_user
      using errcode = 'ZA035', hint = format('Log in as a superuser, or as a member '
        'of %s and agentdb_operator.', v_owner::regrole);
  end if;
end;
$$;

comment on function agentdb._check_suspender (text, regclass) is
  'Raises ZA004, ZA006 or ZA035 for a session that may not suspend a protection.';


create or replace function agentdb._check_protected (what text, relation regclass)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_whole text;
begin
  if not exists (select from agentdb._protection(what, relation)) then
    select agentdb._table_name(a.relid) into v_whole
    from pg_partition_ancestors(relation) as a
    cross join lateral agentdb._protection(_check_protected.what, a.relid) as p
    limit 1;
    raise exception '% has no % of its own', agentdb._table_name(relation), what
      using errcode = 'ZA006', hint = coalesce(
        'It is a partition: that of ' || v_whole || ' can be suspended.',
        'select table_name from agentdb.audited_table, agentdb.guarded_table or '
        'agentdb.fenced_table;');
  end if;
end;
$$;

comment on function agentdb._check_protected (text, regclass) is
  'Raises ZA006 for a table that has no such protection.';
