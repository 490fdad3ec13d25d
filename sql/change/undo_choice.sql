-- What of an undo is wanted, and what it cannot bring back.

-- Each of them is {"table": "public.t"} or {"table": "public.t", "key": {"id": 1}}.
create or replace function agentdb._check_choice (change bigint, choice jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_wrong jsonb;
begin
  if choice is null then
    return;
  elsif jsonb_typeof(choice) <> 'array' or choice = '[]'
    or octet_length(choice::text) > 1000000 then
    perform agentdb._refuse('include and keep are arrays of tables or rows',
      'Name them so: [{"table": "public.t"}, {"table": "public.t", "key": {"id": 1}}]');
  end if;
  select e into v_wrong
  from jsonb_array_elements(choice) as e
  where jsonb_typeof(e) <> 'object'
    or jsonb_typeof(e -> 'table') is distinct from 'string'
    or jsonb_typeof(coalesce(e -> 'key', '{}')) <> 'object'
    or e - array['table', 'key'] <> '{}'
    or not exists (
      select from agentdb.change_row as r
      join agentdb.audit_target as t on t.audit_target_id = r.audit_target_id
      where r.change_id = change
        and agentdb._is_named(jsonb_build_array(e), t.table_name, r.row_key))
  limit 1;
  if v_wrong is not null then
    perform agentdb._refuse(
      format('%s is nothing that this undo takes back',
        agentdb._clean_text(v_wrong::text, 200)),
      (select 'It takes back '
        || coalesce('rows of ' || string_agg(distinct t.table_name, ', '), 'nothing')
        || '.'
        from agentdb.change_row as r
        join agentdb.audit_target as t on t.audit_target_id = r.audit_target_id
        where r.change_id = change));
  end if;
end;
$$;

comment on function agentdb._check_choice (bigint, jsonb) is
  'Raises ZA004 unless all that is named are tables or rows of an undo.';


create or replace function agentdb._choose_rows (
  change bigint,
  include jsonb,
  keep jsonb
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if include is null and keep is null then
    return;
  end if;
  perform agentdb._check_choice(change, include);
  perform agentdb._check_choice(change, keep);
  delete from agentdb.change_row as r
  using agentdb.audit_target as t
  where r.change_id = change
    and t.audit_target_id = r.audit_target_id
    and (
      include is not null and not agentdb._is_named(include, t.table_name, r.row_key)
      or keep is not null and agentdb._is_named(keep, t.table_name, r.row_key));
end;
$$;

comment on function agentdb._choose_rows (bigint, jsonb, jsonb) is
  'Leaves out of an undo what is not wanted; raises ZA004.';


create or replace function agentdb._is_named (choice jsonb, table_name text, key jsonb)
  returns boolean
  language sql
  immutable
  return exists (
    select from jsonb_array_elements(choice) as e
    where e ->> 'table' in (table_name, regexp_replace(table_name, '^public\.', ''))
      and (not e ? 'key' or e -> 'key' = key));

comment on function agentdb._is_named (jsonb, text, jsonb) is
  'Tells whether a row, or its table, is among those that are named.';


-- A row that is inserted again was deleted: what went along by a foreign key was
-- recorded only where it is audited.
create or replace function agentdb._row_total (change bigint)
  returns bigint
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select count(*) from agentdb.change_row as r where r.change_id = change;
$$;

comment on function agentdb._row_total (bigint) is
  'How many rows a change has.';


create or replace function agentdb._left_undone (change bigint, skipped bigint)
  returns jsonb
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select nullif(
    case when skipped > 0 then jsonb_build_array(format(
      '%s rows that others have written stay as they are, or are as before already',
      skipped)) else '[]' end || coalesce(jsonb_agg(distinct format(
    case k.confdeltype
      when 'c' then 'rows of %s that were deleted with rows of %s do not come back: '
        'the table is not audited'
      else 'rows of %s that referred to deleted rows of %s do not refer to them '
        'again: the table is not audited'
    end,
    agentdb._table_name(k.conrelid), t.table_name)), '[]'), '[]')
  from agentdb.change_row as r
  join agentdb.audit_target as t on t.audit_target_id = r.audit_target_id
  join pg_constraint as k
    on k.confrelid = t.table_oid and k.contype = 'f'
    and k.confdeltype in ('c', 'n', 'd')
  where r.change_id = change
    and r.operation = 'insert'
    and k.conparentid = 0
    and not exists (
      select from agentdb.audit_target as a
      where a.table_oid in (
          select p.relid from pg_partition_ancestors(k.conrelid) as p
          union all select k.conrelid)
        and a.unaudited_at is null);
$$;

comment on function agentdb._left_undone (bigint, bigint) is
  'What an undo does not bring back, a sentence each, NULL where there is nothing.';
