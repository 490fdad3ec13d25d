-- What a proposer may not write directly it may not stage: whoever applies the change
-- has rights of its own, and may approve it by a rule.

-- The column that keeps a role from writing a row directly, the empty text for the
-- whole table, NULL where nothing does.
create or replace function agentdb._unwritable (
  role_name name,
  target oid,
  operation text,
  new_values jsonb
)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select case
    when has_table_privilege(role_name, target, operation) then null
    when operation = 'delete' then ''
    when new_values = '{}' then (
      select '' where not has_any_column_privilege(role_name, target, operation))
    else (
      select k.name
      from jsonb_each(new_values) as k (name, value)
      join pg_attribute as a on a.attrelid = target and a.attname = k.name
      where not has_column_privilege(role_name, target, a.attnum, operation)
        -- A column that is not given is there as NULL.
        and (operation = 'update' or k.value <> 'null')
      limit 1)
  end;
$$;

comment on function agentdb._unwritable (name, oid, text, jsonb) is
  'Which column a role may not write so, empty for any; NULL where it may.';


-- Who may only read a table proposes, and a person always decides.
create or replace function agentdb._only_proposes (role_name name, target oid)
  returns boolean
  language sql
  stable
  return not has_any_column_privilege(role_name, target, 'insert, update')
    and not has_table_privilege(role_name, target, 'delete');

comment on function agentdb._only_proposes (name, oid) is
  'Whether a role has no right to write anything of a table.';


create or replace function agentdb._check_right (
  target regclass,
  operation text,
  new_values jsonb
)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_column text := agentdb._unwritable(session_user, target, operation, new_values);
begin
  if v_column is null or agentdb._only_proposes(session_user, target) then
    return;
  end if;
  raise exception '% may not % %', session_user, operation,
      case v_column when '' then target::text
        else format('column %I of %s', v_column, target) end
    using errcode = '42501',
          hint = format('What it may not write directly it may not stage: '
            'grant %s on %s to %I;', case v_column when '' then operation
              else format('%s (%I)', operation, v_column) end, target, session_user);
end;
$$;

comment on function agentdb._check_right (regclass, text, jsonb) is
  'Raises 42501 where the session''s role has the right to write a part of a table, '
  'and stages another.';


-- A trigger for the columns of an UPDATE knows what it sets, whatever rows it finds.
create or replace function agentdb._check_set ()
  returns trigger
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._check_right(g.table_oid::regclass, 'update',
    jsonb_build_object(tg_argv[0], true))
  from agentdb.guarded_table as g
  where g.view_name = tg_table_name
    and not has_table_privilege(session_user, g.table_oid, 'update');
  return null;
end;
$$;

comment on function agentdb._check_set () is
  'Trigger function on staging views: a column is set that the session''s role may not '
  'update; raises 42501.';


-- For a change that a rule would approve: nobody else looks at it.  The right to the
-- whole table first, for all rows at once.
create or replace function agentdb._has_rights (change bigint)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- Most may write the table however they like.
  if not exists (
    select
    from agentdb.change as c
    cross join agentdb.change_table as t
    where c.change_id = change
      and t.change_id = change
      and not (has_table_privilege(c.proposed_by, t.table_oid, 'insert')
        and has_table_privilege(c.proposed_by, t.table_oid, 'update')
        and has_table_privilege(c.proposed_by, t.table_oid, 'delete'))
  ) then
    return true;
  end if;
  return not exists (
    select
    from (
      select distinct r.audit_target_id, r.operation
      from agentdb.change_row as r
      where r.change_id = change and r.operation <> 'check'
    ) as p
    join agentdb.audit_target as t on t.audit_target_id = p.audit_target_id
    cross join agentdb.change as c
    where c.change_id = change
      and not has_table_privilege(c.proposed_by, t.table_oid, p.operation)
      and exists (
        select from agentdb.change_row as r
        where r.change_id = change
          and r.audit_target_id = p.audit_target_id
          and r.operation = p.operation
          and agentdb._unwritable(c.proposed_by, t.table_oid, r.operation, r.new_values)
            is not null));
end;
$$;

comment on function agentdb._has_rights (bigint) is
  'Whether the proposer of a change may write all its rows directly, but for the '
  'guard.';


-- The policies that a row must pass, as one condition on a row that is called like the
-- table: permissive ones are alternatives, restrictive ones hold as well.
create or replace function agentdb.row_policy (
  relation oid,
  commands "char"[],
  new_row boolean
)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
  select concat('(', coalesce(string_agg(p.condition, ' or ')
      filter (where p.permissive), 'false'), ')',
    string_agg(' and ' || p.condition, '') filter (where not p.permissive))
  from (
    select o.polpermissive as permissive,
      format('coalesce((%s), false)', pg_get_expr(case when new_row
          then coalesce(o.polwithcheck, o.polqual) else o.polqual end, o.polrelid))
        as condition
    from pg_policy as o
    where o.polrelid = relation
      and o.polcmd = any (commands)
      and exists (
        select from unnest(o.polroles) as r (oid)
        where r.oid = 0 or pg_has_role(session_user, r.oid, 'usage'))
  ) as p;
$$;

comment on function agentdb.row_policy (oid, "char"[], boolean) is
  'SQL text: whether a row passes the row security of the session''s role for some '
  'commands (* and a, r, w or d as in pg_policy), as an old row or as a new one.';


-- In the proposer's own name: only there do its policies mean what they say.  It comes
-- before the trigger that stages, whose rights are others.
create or replace function agentdb._check_policies ()
  returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table regclass := tg_argv[0]::regclass;
  v_name text := tg_argv[1];
  v_passed boolean;
begin
  -- Nothing is written where the row is only named, as what a change rests on.
  if row_security_active(v_table)
    and (tg_op <> 'UPDATE'
      or current_setting('agentdb.reads', true) is distinct from 'on'
      or not new *= old)
  then
    if tg_op <> 'INSERT' then
      execute format('select %s from (select ($1).*) as %I',
        agentdb.row_policy(v_table,
          case tg_op when 'DELETE' then '{*,d}' else '{*,w}' end::"char"[], false),
        v_name) into v_passed using old;
      -- As PostgreSQL does: the row is not there to be written.
      if not v_passed and current_query() ~* '\mmerge\s+into\M' then
        raise exception 'target row violates row-level security policy for table "%"',
            v_name
          using errcode = '42501',
                hint = 'Leave such rows out by the condition of WHEN MATCHED.';
      elsif not v_passed then
        return null;
      end if;
    end if;
    if tg_op <> 'DELETE' then
      execute format('select %s and %s from (select ($1).*) as %I',
        agentdb.row_policy(v_table,
          case tg_op when 'INSERT' then '{*,a}' else '{*,w}' end::"char"[], true),
        case tg_op when 'INSERT' then 'true'
          else agentdb.row_policy(v_table, '{*,r}', false) end,
        v_name) into v_passed using new;
      if not v_passed then
        raise exception 'new row violates row-level security policy for table "%"',
            v_name
          using errcode = '42501',
                hint = 'Stage a row that your role may write: see the policies of the '
                  'table.';
      end if;
    end if;
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end;
$$;

comment on function agentdb._check_policies () is
  'Trigger function on staging views: a row that row security keeps from the proposer '
  'cannot be staged; raises 42501.';
