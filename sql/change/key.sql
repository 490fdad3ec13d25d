-- How rows of changes find those of their tables: by the primary key.

create or replace function agentdb._key_match_sql (target integer, source text)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format('t.%I = %s', c.column_name,
    agentdb._typed_sql(source, c.column_name, c.type_name)), ' and ')
  from agentdb.change_column as c
  where c.audit_target_id = target and c.key_place is not null;
$$;

comment on function agentdb._key_match_sql (integer, text) is
  'SQL text: a row t of a table has the key that a JSON object has.';
