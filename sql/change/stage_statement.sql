-- Staging by a call: one row, written as JSON, becomes ordinary SQL on its view.

create or replace function agentdb.staging_statement (
  relation regclass,
  operation text,
  key jsonb,
  new_values jsonb
)
  returns text
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_view text := agentdb.staging_view(relation);
  v_target integer := agentdb._target_of(relation);
  v_where text;
begin
  if operation is null or operation not in ('insert', 'update', 'delete') then
    perform agentdb._refuse(format('%L is no operation', left(operation, 50)),
      'Say insert, update or delete.');
  end if;
  perform agentdb._check_names(v_target, new_values, operation = 'delete');
  if operation <> 'insert' or key is not null then
    perform agentdb._check_names(v_target, key, false);
  end if;
  if operation = 'insert' then
    if coalesce(new_values || key <> key || new_values, false) then
      perform agentdb._refuse(
        format('key is %s, and new_values have another one', key),
        'Leave key out for an insert, or give its columns in one of both.');
    end if;
    return (
      select format('insert into %s (%s) select %s', v_view,
        string_agg(format('%I', c.column_name), ', ' order by c.place),
        string_agg(
          agentdb._typed_sql('(coalesce($1, ''{}'') || $2)', c.column_name,
            c.type_name),
          ', ' order by c.place))
      from agentdb.change_column as c
      where c.audit_target_id = v_target
        and (coalesce(key, '{}') || new_values) ? c.column_name);
  end if;
  select string_agg(format('s.%I = %s', c.column_name,
      agentdb._typed_sql('$1', c.column_name, c.type_name)), ' and ')
    into v_where
  from agentdb.change_column as c
  where c.audit_target_id = v_target and c.key_place is not null
  having bool_and(key ? c.column_name) and count(*) = (
    select count(*) from jsonb_object_keys(key));
  if v_where is null then
    perform agentdb._refuse(format('%s is not the primary key of %s', key, relation),
      'Give all columns of the key and no other: {"id": 1}.');
  elsif operation = 'delete' then
    return format('delete from %s as s where %s', v_view, v_where);
  end if;
  return (
    select format('update %s as s set %s where %s', v_view,
      string_agg(format('%I = %s', c.column_name,
        agentdb._typed_sql('$2', c.column_name, c.type_name)), ', '), v_where)
    from agentdb.change_column as c
    where c.audit_target_id = v_target and new_values ? c.column_name);
end;
$$;

comment on function agentdb.staging_statement (regclass, text, jsonb, jsonb) is
  'SQL text: what stage_change() executes, key as $1 and values as $2; raises ZA004 or '
  'ZA006.';


create or replace function agentdb._check_names (
  target integer,
  object jsonb,
  absent boolean
)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_unknown text;
begin
  if absent and object is null then
    return;
  elsif absent or jsonb_typeof(object) is distinct from 'object' or object = '{}'
    or octet_length(object::text) > 1000000 then
    perform agentdb._refuse('key and new_values are JSON objects, with what is needed',
      'insert needs new_values, update key and new_values, delete key: {"id": 1}.');
  end if;
  select string_agg(format('%I', left(k.name, 63)), ', ') into v_unknown
  from jsonb_object_keys(object) as k (name)
  where not exists (
    select from agentdb.change_column as c
    where c.audit_target_id = target and c.column_name = k.name and not c.generated);
  if v_unknown is not null then
    perform agentdb._refuse(
      format('%s has no column %s that a change can set',
        (select t.table_name from agentdb.audit_target as t
          where t.audit_target_id = target), agentdb._clean_text(v_unknown, 300)),
      (select 'It has ' || string_agg(c.column_name, ', ' order by c.place) || '.'
        from agentdb.change_column as c
        where c.audit_target_id = target and not c.hidden and not c.generated));
  end if;
end;
$$;

comment on function agentdb._check_names (integer, jsonb, boolean) is
  'Raises ZA004 unless a JSON object has columns of a table as its members, or is '
  'absent.';


create or replace function agentdb.my_changes (undecided boolean default false)
  returns table (
    change_id bigint, state text, reason text, row_count integer, effects jsonb,
    expires_at timestamptz, problem jsonb
  )
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent_id bigint := (select w.agent_id from agentdb._known_writer() as w);
begin
  return query
    select c.change_id, c.state, c.reason, c.row_count, c.effects, c.expires_at,
      agentdb._veiled_problem(c.problem)
    from (
      select o.* from agentdb.change as o
      where o.state in ('open', 'pending', 'approved')
      union all
      select o.* from agentdb.change as o
      where not undecided
        and o.state not in ('open', 'pending', 'approved')
        and o.closed_at > statement_timestamp() - interval '1 day'
    ) as c
    where c.proposed_by = session_user
      and c.agent_id is not distinct from v_agent_id
    order by c.change_id;
end;
$$;

comment on function agentdb.my_changes (boolean) is
  'The changes the session proposed and what became of them, until a day after.';


-- With the rights of the caller: it stages what it can see, by its staging view.
create or replace function agentdb.stage_change (
  relation regclass,
  operation text,
  key jsonb default null,
  new_values jsonb default null,
  reason text default null
)
  returns table (change_id bigint)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_reason text := current_setting('agentdb.change_reason', true);
  v_count bigint;
begin
  if reason is not null then
    -- An empty setting would say that none was given.
    perform set_config('agentdb.change_reason', coalesce(nullif(reason, ''), ' '),
      true);
  end if;
  -- Some drivers send JSON text as a JSON string that holds it.
  if jsonb_typeof(key) = 'string' and key #>> '{}' ~ '^\s*{' then
    key := (key #>> '{}')::jsonb;
  end if;
  if jsonb_typeof(new_values) = 'string' and new_values #>> '{}' ~ '^\s*{' then
    new_values := (new_values #>> '{}')::jsonb;
  end if;
  execute agentdb.staging_statement(relation, operation, key, new_values)
    using key, new_values;
  get diagnostics v_count = row_count;
  perform set_config('agentdb.change_reason', coalesce(v_reason, ''), true);
  if v_count = 0 then
    raise exception 'there is no row % in %', key, relation
      using errcode = 'ZA006',
            hint = format('Look for it: select * from %s;',
              agentdb.staging_view(relation));
  end if;
  return query
    select max(m.change_id)
    from agentdb.my_changes(undecided => true) as m where m.state = 'open';
end;
$$;

comment on function agentdb.stage_change (regclass, text, jsonb, jsonb, text) is
  'Stages one row (insert, update or delete) of a guarded table; submitted when the '
  'transaction commits, or with the open change; raises ZA004 or ZA006.';
