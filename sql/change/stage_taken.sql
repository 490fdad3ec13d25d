-- Keys and unique values that are taken, as a row is staged: an INSERT or an UPDATE of
-- the table would say so at once.

-- Only what PostgreSQL itself can compare: it runs with our rights, and whoever makes a
-- type may make casts of it.
create or replace function agentdb._unique_keys (target integer)
  returns table (
    constraint_name name, is_primary boolean, columns text[], same text, changed text,
    shown text
  )
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select n.relname, x.indisprimary,
    array_agg(c.column_name::text order by c.place),
    string_agg(format('t.%1$I = n.%1$I', c.column_name), ' and '),
    string_agg(agentdb._changed_sql('o', 'n', c.column_name, c.exact), ' or '),
    string_agg(format('n.%I', c.column_name), ', ' order by c.place)
  from agentdb.audit_target as a
  join pg_index as x on x.indrelid = a.table_oid
  join pg_class as n on n.oid = x.indexrelid
  join agentdb.change_column as c
    on c.audit_target_id = a.audit_target_id
    and c.place = any ((x.indkey::smallint[])[0:x.indnkeyatts - 1])
  join pg_type as b on b.oid = c.base_type
  where a.audit_target_id = target
    and x.indisunique and x.indimmediate and x.indisvalid
    and x.indexprs is null and x.indpred is null
  group by n.relname, x.indisprimary, x.indnkeyatts
  having count(*) = x.indnkeyatts
    and bool_and(not c.hidden and b.oid < 16384);
$$;

comment on function agentdb._unique_keys (integer) is
  'The primary key and the unique indexes of a table, each with SQL texts: that a row '
  't has the values of a row n, that these are not those of a row o, and the values.';


-- As the table has it: what the change did to the row is known anyway.  What cannot be
-- looked up, the trial finds: a policy of the table would run with our rights.
create or replace function agentdb._taken_sql (target integer)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(string_agg(format($taken$
  if (tg_op = 'INSERT' or %1$s) and not row_security_active(%7$L::regclass) then
    begin
      v_holder := (select %2$s from %3$s%4$s as t where %5$s limit 1);
    exception when undefined_table or insufficient_privilege then
      v_holder := null;
    end;
    %6$s
  end if;$taken$,
      k.changed, agentdb._key_sql(target, 't'),
      -- Tables that inherit have keys of their own.
      case r.relkind when 'r' then 'only ' else '' end,
      agentdb._table_name(r.oid), k.same,
      case when k.is_primary then 'v_present := v_holder is not null;'
        else format('if v_holder not in (%s, %s) then
      perform agentdb._check_free(%s, %L, v_holder, %L, tg_op, concat_ws('', '', %s));
    end if;', agentdb._key_sql(target, 'o'), agentdb._key_sql(target, 'n'), target,
          k.constraint_name, k.columns, k.shown) end,
      agentdb._table_name(r.oid)
    ), '' order by k.is_primary desc, k.constraint_name), '')
  from agentdb.audit_target as a
  join pg_class as r on r.oid = a.table_oid
  cross join agentdb._unique_keys(target) as k
  where a.audit_target_id = target;
$$;

comment on function agentdb._taken_sql (integer) is
  'PL/pgSQL text: looks whether a table has a row with the key of a row n, or with a '
  'unique value of it.';


-- Both find the row in the table under the same key.
create or replace function agentdb._is_moved_on (
  staged agentdb.change_row,
  agent bigint
)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return exists (
    select from agentdb._live_changes(session_user, agent) as c
    join agentdb.change_row as r
      on jsonb_hash_extended(coalesce(r.base_key, r.row_key), r.change_id)
        = jsonb_hash_extended(coalesce(staged.base_key, staged.row_key), c.change_id)
      and (r.shown_key is not null or r.base_key is not null)
      and r.change_id + 0 = c.change_id
    where r.audit_target_id = staged.audit_target_id
      and r.builds_on = staged.change_id
      and r.row_key = coalesce(staged.shown_key, staged.row_key)
      and r.shown_key is not null);
end;
$$;

comment on function agentdb._is_moved_on (agentdb.change_row, bigint) is
  'Whether a later change of the session gives the row that a change staged another '
  'key.';


-- Of all that its own changes have for a key what was written last.
create or replace function agentdb._staged_row (
  target integer,
  key jsonb,
  agent bigint,
  change bigint
)
  returns agentdb.change_row
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_row agentdb.change_row;
begin
  select r.* into v_row
  from agentdb._live_changes(session_user, agent) as c
  join agentdb.change_row as r
    on jsonb_hash_extended(coalesce(r.shown_key, r.row_key), r.change_id)
      = jsonb_hash_extended(key, c.change_id)
    -- Not by the index of this number: it has all other rows too.
    and r.change_id + 0 = c.change_id
  where r.audit_target_id = target
    and coalesce(r.shown_key, r.row_key) = key
    and not agentdb._is_moved_on(r, agent)
    -- A key that a trigger has still to make names no row.
    and jsonb_strip_nulls(key) = key
  order by r.change_id = change desc, r.change_id desc, r.statement desc nulls last,
    r.place desc
  limit 1;
  return v_row;
end;
$$;

comment on function agentdb._staged_row (integer, jsonb, bigint, bigint) is
  'What the session has staged last for the row that it sees under a key.';


create or replace function agentdb._moved_row (target integer, key jsonb, agent bigint)
  returns agentdb.change_row
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_row agentdb.change_row;
begin
  select r.* into v_row
  from agentdb._live_changes(session_user, agent) as c
  join agentdb.change_row as r
    on jsonb_hash_extended(coalesce(r.base_key, r.row_key), r.change_id)
      = jsonb_hash_extended(key, c.change_id)
    and (r.shown_key is not null or r.base_key is not null)
    and r.change_id + 0 = c.change_id
  where r.audit_target_id = target
    and coalesce(r.base_key, r.row_key) = key
    and r.operation in ('update', 'delete')
  order by r.change_id desc, r.statement desc nulls last
  limit 1;
  return v_row;
end;
$$;

comment on function agentdb._moved_row (integer, jsonb, bigint) is
  'What the session has staged last for a row of the table to which it has given '
  'another key.';


-- The row that holds the value may be about to give it up.
create or replace function agentdb._check_free (
  target integer,
  constraint_name text,
  holder jsonb,
  columns text[],
  operation text,
  shown text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_change record := agentdb._current_change();
  v_row agentdb.change_row := agentdb._moved_row(target, holder, v_change.agent_id);
begin
  if v_row.change_id is null then
    v_row := agentdb._staged_row(target, holder, v_change.agent_id,
      v_change.change_id);
  end if;
  if coalesce(v_row.net_operation, v_row.operation) in ('delete', 'check')
    or coalesce(v_row.net_values, v_row.new_values) ?| columns then
    return;
  end if;
  perform agentdb._refuse_taken(target, constraint_name, lower(operation),
    format('Key (%s)=(%s) already exists.', array_to_string(columns, ', '),
      left(shown, 500)));
end;
$$;

comment on function agentdb._check_free (integer, text, jsonb, text[], text, text) is
  'Raises 23505 for a unique value that another row holds.';


create or replace function agentdb._check_absent (
  target integer,
  key jsonb,
  operation text,
  present boolean,
  agent bigint,
  staged agentdb.change_row
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_constraint name;
  v_detail text;
begin
  if staged.change_id is not null then
    if coalesce(staged.net_operation, staged.operation) in ('delete', 'check') then
      return;
    end if;
  elsif not present
    or (agentdb._moved_row(target, key, agent)).change_id is not null then
    return;
  end if;
  select k.conname into v_constraint
  from agentdb.audit_target as a
  join pg_constraint as k on k.conrelid = a.table_oid and k.contype = 'p'
  where a.audit_target_id = target;
  select format('Key (%s)=(%s) already exists.',
      string_agg(c.column_name, ', ' order by c.key_place),
      string_agg(left(key ->> c.column_name, 200), ', ' order by c.key_place))
    into v_detail
  from agentdb.change_column as c
  where c.audit_target_id = target and c.key_place is not null;
  perform agentdb._refuse_taken(target, v_constraint, operation, v_detail);
end;
$$;

comment on function agentdb._check_absent (integer, jsonb, text, boolean, bigint,
  agentdb.change_row) is
  'Raises 23505 for a key that is taken, by a row that is staged or by one of the '
  'table, as that would do itself.';


-- Only a trigger that comes before the row may still give it other values.
create or replace function agentdb._refuse_taken (
  target integer,
  constraint_name text,
  operation text,
  detail text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if (
    select agentdb._fires(t.table_oid, operation, true)
    from agentdb.audit_target as t where t.audit_target_id = target
  ) then
    return;
  end if;
  raise exception 'duplicate key value violates unique constraint "%"', constraint_name
    using errcode = 'unique_violation',
          detail = _refuse_taken.detail,
          constraint = _refuse_taken.constraint_name,
          hint = 'The staging view shows the row as it would become: update it, or '
            'insert only what is not there (… where not exists …); ON CONFLICT is not '
            'possible on a staging view.';
end;
$$;

comment on function agentdb._refuse_taken (integer, text, text, text) is
  'Raises 23505, unless a trigger may still give the row other values.';
