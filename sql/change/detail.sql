-- What of an error is told to those who read about a change.

-- PostgreSQL shows the row that failed, and the key that is there already.  A key that
-- the change itself gives is known to whoever proposes it; a whole row has more.
create or replace function agentdb._safe_detail (
  state text,
  detail text,
  schema_name text,
  table_name text
)
  returns text
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select case
    -- What a trigger names without its schema.
    when state in ('42P01', '42883', '42704') then concat_ws('; ', nullif(detail, ''),
      'triggers of a change find only what is in pg_catalog, or in a schema in which '
        'no agent can create anything' || (
        select ': revoke create on schema public from public'
        where has_schema_privilege('public', 'public', 'create')))
    when state !~ '^23' then detail
    when state in ('23503', '23505') and not exists (
      select
      from agentdb.audit_target as t
      where t.table_name = format('%I.%I', _safe_detail.schema_name,
          _safe_detail.table_name)
        and (t.redacted <> '{}' or t.excluded <> '{}')
    ) then detail
  end;
$$;

comment on function agentdb._safe_detail (text, text, text, text) is
  'The detail of an error, NULL where it could show what is not to be recorded.';
