-- Row security in the past: today's policies of the reader, over the values of then.

create or replace function agentdb._policies (relation regclass)
  returns table (
    policy_name name, permissive boolean, condition text, columns text[], fault text
  )
  language sql
  stable
begin atomic
  select y.polname, y.polpermissive, pg_get_expr(y.polqual, y.polrelid),
    d.columns,
    case
      -- A sub-select, or a function that may hide one.
      when y.polqual::text like '%{SUBLINK %' then 'reads other tables'
      when d.functions then 'calls a function that may read other tables'
      -- No dependency says that of a whole row or a system column.
      when d.unknown or y.polqual::text ~ ':varattno (0|-[0-9]+) '
        then 'reads a column that is not recorded, or the whole row'
    end
  from pg_policy as y
  cross join lateral (
    select
      coalesce(array_agg(distinct a.attname::text) filter (where a.attnum > 0), '{}')
        as columns,
      coalesce(bool_or(p.provolatile <> 'i' and p.oid >= 16384), false) as functions,
      coalesce(bool_or(c.redacted or c.excluded), false) as unknown
    from pg_depend as d
    left join pg_proc as p on d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid
    left join pg_attribute as a
      on d.refclassid = 'pg_class'::regclass
      and a.attrelid = d.refobjid and a.attnum = d.refobjsubid
    left join agentdb.audit_column as c
      on c.place = a.attnum
      and c.audit_target_id = (
        select t.audit_target_id from agentdb.audit_target as t
        where t.table_oid = y.polrelid and t.unaudited_at is null)
    where d.classid = 'pg_policy'::regclass
      and d.objid = y.oid
      and d.deptype <> 'a'
  ) as d
  where y.polrelid = relation
    and y.polcmd in ('r', '*')
    and y.polqual is not null
    and exists (
      select from unnest(y.polroles) as r (oid)
      where r.oid = 0 or pg_has_role(r.oid, 'usage'));
end;

comment on function agentdb._policies (regclass) is
  'The policies under which the session may read a table, and what keeps one from '
  'being applied to the past.';


-- SQL text over a row v of the past: its values cast back, and the conditions on them.
create or replace function agentdb._visible_sql (relation regclass)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_fault text;
begin
  select string_agg(format('policy %I %s', p.policy_name, p.fault), ', ')
    into v_fault
  from agentdb._policies(relation) as p where p.fault is not null;
  if v_fault is not null then
    perform agentdb._refuse_history(relation,
      format('%s sees only some of its rows, by what cannot be asked of the past: %s',
        current_user, v_fault),
      'Ask as the owner of the table, or as a role that bypasses row security.');
  end if;
  return (
    select format(
      'case when v.row_values ? '''' then v.row_values ?| %L::text[] '
      'and agentdb._refuse_row(%L::regclass, null, %L) is null '
      'else (select coalesce((%s) and (%s), false) from (select %s) as t) end',
      (select coalesce(array_agg(distinct u.name), '{}')
        from agentdb._policies(relation) as p cross join unnest(p.columns) as u (name)),
      relation, current_user
        || ' does not see what became since',
      coalesce((select string_agg(format('(%s)', p.condition), ' or ')
        from agentdb._policies(relation) as p where p.permissive), 'false'),
      coalesce((select string_agg(format('(%s)', p.condition), ' and ')
        from agentdb._policies(relation) as p where not p.permissive), 'true'),
      string_agg(format('(v.row_values ->> %L)::%s%s as %I', a.attname::text,
        format_type(a.atttypid, a.atttypmod),
        ' collate ' || nullif(a.attcollation, 0)::regcollation::text, a.attname), ', '))
    from pg_attribute as a
    where a.attrelid = relation and a.attnum > 0 and not a.attisdropped
  );
end;
$$;

comment on function agentdb._visible_sql (regclass) is
  'SQL text: whether the session may see a row v of the past; raises ZA033 where that '
  'cannot be said.';
