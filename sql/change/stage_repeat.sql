-- Rows that a change has already: a key that is taken, a row that a join meets twice,
-- rows of which nothing is left.

-- Which statement stages, of all that ever did.
create or replace function agentdb._statement ()
  returns bigint
  language sql
  stable
  return nullif(current_setting('agentdb.stage_statement', true), '')::bigint;

comment on function agentdb._statement () is
  'The number of the statement on a staging view that runs now.';


-- PostgreSQL accepts ONLY for a view and lets nobody know: only the text of the
-- client's statement shows it.
create or replace function agentdb._begin_statement ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table regclass := tg_argv[0]::regclass;
  v_number text;
begin
  if not has_table_privilege(session_user, v_table, tg_op) then
    perform agentdb._check_right(v_table, lower(tg_op), '{}');
  end if;
  if tg_op <> 'INSERT'
    and current_query() ~* ('\monly[\s(]+("?agentdb_stage"?\s*\.\s*)?"?'
      || regexp_replace(tg_table_name, '(\W)', '\\\1', 'g') || '\M')
  then
    if exists (select from pg_inherits as i where i.inhparent = v_table) then
      perform agentdb._refuse(
        format('ONLY means nothing on agentdb_stage.%I', tg_table_name),
        'The view reaches the rows of its child tables as well: leave ONLY out, and '
          'say in WHERE which rows are meant.');
    end if;
  end if;
  v_number := set_config('agentdb.stage_statement',
    nextval('agentdb.audit_statement_seq')::text, true);
  return null;
end;
$$;

comment on function agentdb._begin_statement () is
  'Trigger function on staging views: numbers the statement; raises 42501 where the '
  'session''s role may do no such thing, and ZA004 for ONLY where it would mean '
  'something.';


-- As PostgreSQL does: of several matches the first counts, and MERGE allows one.  That
-- a row was written since the statement saw it, is the deed of another part of it.
create or replace function agentdb._is_met (former agentdb.change_row, seen jsonb)
  returns boolean
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if former.statement = agentdb._statement() then
    if current_query() ~* '\mmerge\s+into\M' then
      raise exception 'MERGE command cannot affect row a second time'
        using errcode = 'cardinality_violation',
              hint = 'Ensure that not more than one source row matches any one '
                'target row.';
    end if;
    return true;
  elsif former.operation in ('delete', 'check')
    or seen || former.new_values <> seen then
    perform agentdb._refuse(
      format('row %s was written by another part of the same statement',
        agentdb._clean_text(former.row_key::text, 200)),
      'Write each row in one part of a WITH, or in a statement of its own.');
  end if;
  return false;
end;
$$;

comment on function agentdb._is_met (agentdb.change_row, jsonb) is
  'Tells whether the running statement has written a row already; raises 21000 for '
  'MERGE, and ZA004 where two parts of one statement write it.';


-- An update that changes nothing is none, but to triggers; a change that was begun for
-- nothing else never was.
create or replace function agentdb._drop_idle_rows (change bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_dropped bigint;
begin
  delete from agentdb.change_row as r
  using agentdb.audit_target as t
  where r.change_id = change
    and t.audit_target_id = r.audit_target_id
    and r.operation = 'update'
    and r.new_values = '{}'
    and not agentdb._fires(t.table_oid, 'update', false);
  get diagnostics v_dropped = row_count;
  if v_dropped > 0 then
    delete from agentdb.change as c
    where c.change_id = change
      and c.automatic
      and not exists (
        select from agentdb.change_row as r where r.change_id = change);
  end if;
  delete from agentdb.change_row as r
  where r.change_id = change and r.operation = 'check';
  -- A new row is one under its last key.
  update agentdb.change_row as r
  set row_key = r.shown_key, shown_key = null
  where r.change_id = change and r.operation = 'insert' and r.shown_key is not null;
end;
$$;

comment on function agentdb._drop_idle_rows (bigint) is
  'Takes out of a change that is submitted what would do nothing.';
