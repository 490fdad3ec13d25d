-- What the log has of a table since a moment, whatever it consists of.

-- The tables whose rows SELECT shows, each with its attachment and the columns that it
-- has beside those of the first.
create or replace function agentdb._past_members (relation regclass)
  returns table (target integer, table_oid oid, extra text[])
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_child oid;
begin
  target := agentdb._target_of(relation);
  table_oid := relation;
  extra := '{}';
  return next;
  for v_child in select c.oid from agentdb._children_of(relation) as c (oid) loop
    select t.audit_target_id into target
    from agentdb.audit_target as t
    where t.table_oid = v_child and t.unaudited_at is null;
    if target is null or agentdb._key_sql(target, 'o')
      <> agentdb._key_sql(agentdb._target_of(relation), 'o') then
      perform agentdb._refuse_history(relation,
        format('%s inherits from it, and %s', agentdb._table_name(v_child),
          case when target is null then 'is not audited'
            else 'has another primary key' end),
        format('select * from agentdb.audit_table(%L);', agentdb._table_name(v_child)));
    end if;
    table_oid := v_child;
    extra := array(
      select a.attname::text from pg_attribute as a
      where a.attrelid = v_child and a.attnum > 0
      except
      select a.attname::text from pg_attribute as a
      where a.attrelid = relation and a.attnum > 0);
    return next;
  end loop;
end;
$$;

comment on function agentdb._past_members (regclass) is
  'A table and those that inherit from it, as they are recorded; raises ZA033 where '
  'one is not.';


-- An index finds these; which of them are of the key, their names tell then.
create or replace function agentdb._former_key_sql (relation regclass)
  returns text
  language sql
  stable
  return (
    select case when bool_and(c.exact) then format(
      ' and jsonb_hash_extended(l.row_key, 0) = any (array(select '
      'jsonb_hash_extended(k.key, 0) from unnest(agentdb._former_keys(%L, $2)) as k '
      '(key)))', relation) else '' end
    from agentdb.audit_column as c
    where c.audit_target_id = agentdb._target_of(relation) and c.key_place is not null
  );

comment on function agentdb._former_key_sql (regclass) is
  'SQL text: whether a row l of the log may have key $2, under any names of its '
  'columns.';


-- The log since a moment; where columns were renamed since, under the names of now.
create or replace function agentdb._since_sql (
  relation regclass,
  condition text,
  by_key boolean
)
  returns text
  language sql
  stable
  return (
    select format(
      $since$
      select l.audit_target_id as target, l.audit_log_id, l.row_key, l.operation, l.xid,
        l.recorded_at, l.old_values%3$s as old_values, l.new_values%3$s as new_values
      from %1$s as l
      where l.audit_target_id = any (%2$L) and (%4$s)%5$s$since$,
      case when bool_or(n.periods is not null) then format($renamed$(
        select l.audit_target_id, l.audit_log_id, l.operation, l.xid, l.recorded_at,
          l.transaction_at, l.salt, r.row_key, r.old_values, r.new_values
        from agentdb.audit_log as l
        cross join lateral (select case l.audit_target_id %s end) as n (periods)
        cross join lateral (
          select agentdb._renamed(l.row_key, l.recorded_at, n.periods, %L) as row_key,
            agentdb._renamed(l.old_values, l.recorded_at, n.periods, %2$L)
              as old_values,
            agentdb._renamed(l.new_values, l.recorded_at, n.periods, %2$L)
              as new_values
          offset 0) as r
        where l.audit_target_id = any (%3$L) and (%4$s)%5$s)$renamed$,
          string_agg(format('when %s then %L::jsonb', m.target, n.periods), ' '),
          relation::oid, array_agg(m.target), condition,
          case when by_key and count(*) = 1 then agentdb._former_key_sql(relation) end)
        else 'agentdb.audit_log' end,
      array_agg(m.target),
      case when count(*) > 1 then ' - case l.audit_target_id '
        || string_agg(format('when %s then %L::text[]', m.target, m.extra), ' ')
        || ' end' else '' end,
      condition,
      case when by_key then ' and ' || agentdb._same_key_sql(relation) else '' end)
    from agentdb._past_members(relation) as m
    cross join lateral agentdb._name_periods(m.target) as n (periods)
  );

comment on function agentdb._since_sql (regclass, text, boolean) is
  'SQL text: what the log has of a table, or of key $2, where a condition holds.';
