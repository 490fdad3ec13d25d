-- The triggers of audited tables, created and dropped with the rights of whoever calls.

create or replace function agentdb._drop_triggers (relation regclass)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_trigger record;
begin
  for v_trigger in
    select t.tgname, t.tgrelid::regclass as name
    from pg_trigger as t
    join pg_proc as p on p.oid = t.tgfoid
    where p.pronamespace = 'agentdb'::regnamespace
      and p.proname like '\_capture\_%'
      and t.tgparentid = 0
      and (t.tgrelid = relation
        or t.tgrelid in (select r.relid from pg_partition_tree(relation) as r))
  loop
    execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.name);
  end loop;
end;
$$;

comment on function agentdb._drop_triggers (regclass) is
  'Drops the audit triggers of a table and its partitions, with the rights of the '
  'caller.';


create or replace function agentdb._create_blast_triggers (relation regclass)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_trigger text[];
begin
  foreach v_trigger slice 1 in array array[
    ['insert', 'new table as agentdb_new'],
    ['update', 'old table as agentdb_old'],
    ['delete', 'old table as agentdb_old']]
  loop
    execute format('create trigger %1$I after %2$s on %3$s referencing %4$s '
      'for each statement execute function agentdb._capture_blast()',
      'agentdb_blast_' || v_trigger[1], v_trigger[1], relation, v_trigger[2]);
    execute format('alter table %s enable always trigger %I',
      relation, 'agentdb_blast_' || v_trigger[1]);
  end loop;
end;
$$;

comment on function agentdb._create_blast_triggers (regclass) is
  'Creates the triggers that refuse statements over the limit on a table that is '
  'audited by row.';


create or replace function agentdb._create_triggers (
  relation regclass,
  target integer,
  level text,
  refuse_blast boolean
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_part regclass;
  v_trigger text[];
begin
  foreach v_trigger slice 1 in array case level
    -- By row it has to come before all others, whose writes it would else record first.
    when 'row' then array[
      ['00_agentdb_audit', 'after insert or update or delete', 'for each row']]
    else array[
      ['agentdb_audit_insert', 'after insert',
        'referencing new table as agentdb_new for each statement'],
      ['agentdb_audit_update', 'after update',
        'referencing old table as agentdb_old new table as agentdb_new '
        'for each statement'],
      ['agentdb_audit_delete', 'after delete',
        'referencing old table as agentdb_old for each statement']] end
  loop
    execute format('create trigger %I %s on %s %s execute function agentdb.%I()',
      v_trigger[1], v_trigger[2], relation, v_trigger[3], '_capture_' || target);
    execute format('alter table %s enable always trigger %I', relation, v_trigger[1]);
  end loop;
  for v_part in
    select coalesce(p.relid, relation) from (select) as one
    left join pg_partition_tree(relation) as p on true
  loop
    execute format('create trigger agentdb_audit_truncate before truncate on %s '
      'for each statement execute function agentdb._capture_truncate(%L)',
      v_part, target);
    execute format('alter table %s enable always trigger agentdb_audit_truncate',
      v_part);
    execute format('grant select on %s to agentdb_capture', v_part);
    if refuse_blast and level = 'row' then
      perform agentdb._create_blast_triggers(v_part);
    end if;
  end loop;
end;
$$;

comment on function agentdb._create_triggers (regclass, integer, text, boolean) is
  'Creates the audit triggers of a table, with the rights of the caller.';


create or replace function agentdb._grant_usage (relation regclass)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_schema name := (
    select n.nspname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = relation
  );
begin
  if not has_schema_privilege('agentdb_capture', v_schema, 'usage')
    and has_schema_privilege(v_schema, 'usage with grant option') then
    execute format('grant usage on schema %I to agentdb_capture', v_schema);
  end if;
end;
$$;

comment on function agentdb._grant_usage (regclass) is
  'Lets agentdb_capture read rows before a TRUNCATE, where the caller may grant that.';
