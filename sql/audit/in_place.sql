-- What is in place to record a table, written down at every look: what was taken away
-- and put back between two looks is a gap too.

-- The number and version of each trigger, by the number of its table.  A TRUNCATE gives
-- a table another file, and so does VACUUM FULL.
create or replace function agentdb._in_place_now (target integer)
  returns jsonb
  language sql
  stable
begin atomic
  select jsonb_build_object(
    'server', (select s.system_identifier::text from pg_control_system() as s),
    'logged', bool_and(c.relpersistence <> 'u'),
    'files', jsonb_object_agg(c.oid, c.relfilenode::bigint),
    'triggers', jsonb_object_agg(c.oid, (
      select coalesce(jsonb_object_agg(g.tgname, format('%s %s', g.oid, g.xmin)), '{}')
      from pg_trigger as g
      where g.tgrelid = c.oid
        and g.tgname in ('00_agentdb_audit', 'agentdb_audit_insert',
          'agentdb_audit_update', 'agentdb_audit_delete', 'agentdb_audit_truncate'))))
  from agentdb.audit_target as t
  cross join lateral (
    select t.table_oid
    union
    select p.oid from agentdb._parts_of(t.table_oid) as p (oid)
  ) as r (oid)
  join pg_class as c on c.oid = r.oid
  where t.audit_target_id = target;
end;

comment on function agentdb._in_place_now (integer) is
  'What is in place now to record a table.';


-- Row triggers of a new partition are PostgreSQL's own work; who truncated it has given
-- it another file.
create or replace function agentdb._record_missed (target integer)
  returns text
  language sql
  stable
begin atomic
  select case
    when t.in_place is null then null
    when exists (
      select from agentdb.audit_fault as f
      where f.audit_target_id = target
        and f.fault !~ '^it needs level row|another table now|writes before the audit'
        and f.fault !~ '^trigger agentdb_audit_truncate on .* is missing$'
    ) then (
      select string_agg(f.fault, '; ' order by f.fault)
      from agentdb.audit_fault as f where f.audit_target_id = target)
    when n.value -> 'server' <> t.in_place -> 'server' then null
    when exists (
      select
      from jsonb_each(t.in_place -> 'triggers') as o
      join jsonb_each(n.value -> 'triggers') as w on w.key = o.key
      where not w.value @> o.value
    ) then 'its triggers were switched off or made again'
    when exists (
      select
      from jsonb_each(n.value -> 'files') as w
      where not n.value #> array['triggers', w.key] ? 'agentdb_audit_truncate'
        and w.value <> coalesce(
          t.in_place #> array['files', w.key], to_jsonb(w.key::bigint))
    ) then 'a partition was truncated'
    when t.in_place -> 'logged' = 'false' then 'it was unlogged'
  end
  from agentdb.audit_target as t
  cross join lateral agentdb._in_place_now(t.audit_target_id) as n (value)
  where t.audit_target_id = target;
end;

comment on function agentdb._record_missed (integer) is
  'What may have kept a table from being recorded since it was last looked at; NULL '
  'where nothing did.';


create or replace function agentdb._look_at_record (target integer)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_missed text := agentdb._record_missed(target);
  v_ended_at timestamptz := case when v_missed is null or not exists (
    select from agentdb.audit_fault as f
    where f.audit_target_id = target and f.fault !~ 'another table now'
  ) then clock_timestamp() end;
begin
  update agentdb.record_fault as f
  set ended_at = v_ended_at,
      fault = case when v_ended_at is null then v_missed else f.fault end
  where f.audit_target_id = target and f.ended_at is null;
  if not found and v_missed is not null then
    insert into agentdb.record_fault (audit_target_id, fault, began_at, ended_at)
    select target, v_missed, t.in_place_at, v_ended_at
    from agentdb.audit_target as t
    where t.audit_target_id = target;
  end if;
  update agentdb.audit_target as t
  set in_place = agentdb._in_place_now(target),
      in_place_at = clock_timestamp()
  where t.audit_target_id = target;
end;
$$;

comment on function agentdb._look_at_record (integer) is
  'Writes down what is in place to record a table, and since when something is not.';


-- What follows has made it whole: nothing was written since the last look.
create or replace function agentdb._note_in_place (target integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.audit_target as t
  set in_place = agentdb._in_place_now(target),
      in_place_at = clock_timestamp()
  where t.audit_target_id = target;
  update agentdb.record_fault as f
  set ended_at = clock_timestamp()
  where f.audit_target_id = target and f.ended_at is null;
end;
$$;

comment on function agentdb._note_in_place (integer) is
  'Writes down what is in place now, after the triggers of a table were made.';


create or replace function agentdb._look_at_table (relation regclass)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._look_at_record(t.audit_target_id)
  from agentdb.audit_target as t
  where t.table_oid = relation::oid and t.unaudited_at is null;
end;
$$;

comment on function agentdb._look_at_table (regclass) is
  'Looks at the record of a table, if it is audited, before its triggers are made '
  'again.';
