-- Access: why a relation cannot be used.  Missing table, missing schema privilege,
-- missing grant, hidden rows and single columns look alike to an agent and need
-- different fixes.

-- Trigrams as PostgreSQL's own pg_trgm counts them, without the extension.
create or replace function agentdb._trigrams (word text)
  returns text[]
  language sql
  immutable
  parallel safe
  return array(
    select distinct substr(w.padded, p.place, 3)
    from (select '  ' || lower(left(word, 200)) || ' ') as w (padded)
    cross join generate_series(1, length(w.padded) - 2) as p (place)
  );

comment on function agentdb._trigrams (text) is
  'The sets of three letters that a word is made of.';


create or replace function agentdb._similarity (one text, other text)
  returns double precision
  language sql
  immutable
  parallel safe
  return (
    select count(*) filter (where t.places = 2)::double precision / nullif(count(*), 0)
    from (
      select count(*) as places
      from (
        select unnest(agentdb._trigrams(one)) union all
        select unnest(agentdb._trigrams(other))
      ) as u (trigram)
      group by u.trigram
    ) as t
  );

comment on function agentdb._similarity (text, text) is
  'How alike two names are, from 0 to 1: shared trigrams among all (Jaccard).';


-- Reads only catalogs that everybody may read.
-- As the role finds it when it connects: its own setting, that of the database, the
-- server's.
create or replace function agentdb._search_path (role_name name)
  returns text[]
  language sql
  stable
  return array(
    select replace(btrim(p.part, ' "'), '$user', role_name)
    from regexp_split_to_table(coalesce((
      select substr(c.setting, length('search_path=') + 1)
      from pg_db_role_setting as s
      cross join lateral unnest(s.setconfig) as c (setting)
      where s.setdatabase in (0, (
          select d.oid from pg_database as d where d.datname = current_database()))
        and s.setrole in (0, (select r.oid from pg_roles as r
          where r.rolname = role_name))
        and c.setting ~ '^search_path='
      order by s.setrole <> 0 desc, s.setdatabase <> 0 desc
      limit 1), '"$user", public'), ',') with ordinality as p (part, place)
    order by p.place
  );

comment on function agentdb._search_path (name) is
  'The schemas in which a role looks for a table whose schema it does not name.';


create or replace function agentdb._relation_of (parts text[], role_name name)
  returns oid
  language sql
  stable
begin atomic
  with found as (
    select c.oid,
      array_position(agentdb._search_path(role_name), n.nspname::text) as place
    from pg_class as c
    join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f')
      and c.relname = parts[cardinality(parts)]
      and n.nspname = coalesce(
        case when cardinality(parts) = 2 then parts[1] end, n.nspname)
      and n.nspname !~ '^pg_(toast|temp)'
  )
  select f.oid
  from found as f
  where f.place is not null or (select count(*) from found) = 1
  order by f.place
  limit 1;
end;

comment on function agentdb._relation_of (text[], name) is
  'The table that a role means by a name: by its search path, or the only one of that '
  'name.';


create or replace function agentdb.explain_access (
  relation text,
  privilege text default 'select',
  role text default null
)
  returns table (verdict text, detail text, fix text)
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_role name := coalesce(explain_access.role, session_user);
  v_parts text[];
  v_oid oid;
begin
  if privilege is null
    or lower(privilege) not in ('select', 'insert', 'update', 'delete') then
    perform agentdb._refuse(
      format('%L is no privilege', agentdb._clean_text(privilege, 50)),
      'Say select, insert, update or delete.');
  elsif not exists (select from pg_roles as r where r.rolname = v_role) then
    raise exception 'there is no role %', agentdb._clean_text(v_role::text, 100)
      using errcode = 'ZA006', hint = 'select rolname from pg_roles;';
  end if;
  begin
    v_parts := parse_ident(relation);
  exception when invalid_parameter_value then
    v_parts := null;
  end;
  if v_parts is null or cardinality(v_parts) > 2 then
    perform agentdb._refuse(
      format('%L is no name of a table', agentdb._clean_text(relation, 200)),
      'Give it as schema.table.');
  end if;
  v_oid := agentdb._relation_of(v_parts, v_role);
  if v_oid is null then
    return query select f.verdict, f.detail, f.fix
      from agentdb._missing_relation(v_parts) as f;
    return;
  end if;
  -- Nobody is to be talked into a right on these, least of all by what an agent tried.
  return query
    select f.verdict,
      concat(f.detail, case when s.internal then '; it is not for agents to have' end),
      case when not s.internal then f.fix end
    from agentdb._access_faults(v_oid, lower(privilege), v_role) as f
    cross join (
      select n.nspname in ('agentdb', 'pg_catalog', 'information_schema') as internal
      from pg_class as c
      join pg_namespace as n on n.oid = c.relnamespace
      where c.oid = v_oid
    ) as s;
  if not found then
    return query select 'ok',
      format('%s may %s %s', v_role, privilege, v_oid::regclass), null::text;
  end if;
end;
$$;

comment on function agentdb.explain_access (text, text, text) is
  'Says what keeps a role (default the session''s) from a table, a row an obstacle, '
  'with the statement that removes it; ok where nothing does; raises ZA004 or ZA006.';


create or replace function agentdb._missing_relation (parts text[])
  returns table (verdict text, detail text, fix text)
  language sql
  stable
begin atomic
  select
    case
      when count(c.oid) filter (where c.relname = parts[cardinality(parts)]) > 1
        then 'ambiguous'
      when cardinality(parts) = 2 and not exists (
        select from pg_namespace as n where n.nspname = parts[1]) then 'missing_schema'
      else 'missing_table'
    end,
    format('there is %s table %s',
      case when count(c.oid) filter (where c.relname = parts[cardinality(parts)]) > 1
        then 'more than one' else 'no' end,
      -- Quoted, so that a name cannot read like words of ours.
      (select string_agg(quote_ident(p.part), '.' order by p.place)
        from unnest(parts) with ordinality as p (part, place)))
      || coalesce('; nearest: ' || string_agg(
        format('%I.%I', c.nspname, c.relname), ', ' order by c.likeness desc), ''),
    null::text
  from (
    select r.oid, n.nspname, r.relname,
      agentdb._similarity(r.relname, parts[cardinality(parts)]) as likeness
    from pg_class as r
    join pg_namespace as n on n.oid = r.relnamespace
    where r.relkind in ('r', 'p', 'v', 'm', 'f')
      and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'agentdb')
      and agentdb._similarity(r.relname, parts[cardinality(parts)]) >= 0.3
    order by likeness desc
    limit 3
  ) as c;
end;

comment on function agentdb._missing_relation (text[]) is
  'Says which tables have names like one that does not exist.';


create or replace function agentdb._access_faults (
  relation oid,
  privilege text,
  role_name name
)
  returns table (verdict text, detail text, fix text)
  language sql
  stable
begin atomic
  select f.verdict, f.detail, f.fix
  from pg_class as c
  join pg_namespace as n on n.oid = c.relnamespace
  join pg_roles as r on r.rolname = role_name
  -- PostgreSQL refuses to be asked whether a column may be deleted.
  cross join (
    select case privilege when 'delete' then 'select' else privilege end as of_column
  ) as p
  cross join lateral (
    values
      (
        not has_schema_privilege(r.oid, n.oid, 'usage'), 1, 'no_schema_usage',
        format('%s has no USAGE on schema %s', r.rolname, n.nspname),
        format('grant usage on schema %I to %I;', n.nspname, r.rolname)
      ),
      (
        not has_table_privilege(r.oid, c.oid, privilege)
          and (privilege = 'delete'
            or not has_any_column_privilege(r.oid, c.oid, p.of_column)), 2,
        'no_grant',
        format('%s has no %s on %I.%I', r.rolname, upper(privilege), n.nspname,
          c.relname),
        format('grant %s on %I.%I to %I;', privilege, n.nspname, c.relname, r.rolname)
      ),
      (
        privilege <> 'delete' and not has_table_privilege(r.oid, c.oid, privilege)
          and has_any_column_privilege(r.oid, c.oid, p.of_column), 2,
        'some_columns',
        format('%s may %s only these columns of %I.%I: %s', r.rolname, privilege,
          n.nspname, c.relname, (
            select string_agg(quote_ident(a.attname), ', ' order by a.attnum)
            from pg_attribute as a
            where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
              and has_column_privilege(r.oid, c.oid, a.attnum, p.of_column))),
        format('grant %s on %I.%I to %I;', privilege, n.nspname, c.relname, r.rolname)
      ),
      (
        c.relrowsecurity and not r.rolbypassrls and not r.rolsuper
          and (c.relforcerowsecurity or not pg_has_role(r.oid, c.relowner, 'usage')), 3,
        'row_security',
        format('row security of %I.%I shows %s only rows of: %s', n.nspname, c.relname,
          r.rolname, coalesce((
            select string_agg(quote_ident(p.polname), ', ' order by p.polname)
            from pg_policy as p
            where p.polrelid = c.oid
              and p.polcmd in ('*', case privilege when 'select' then 'r'
                when 'insert' then 'a' when 'update' then 'w' else 'd' end)
              and exists (
                select from unnest(p.polroles) as o (oid)
                where o.oid = 0 or pg_has_role(r.oid, o.oid, 'usage'))),
            'no policy, so none')),
        format('create policy %I on %I.%I for %s to %I using (true);  -- or narrower',
          r.rolname || '_rows', n.nspname, c.relname, privilege, r.rolname)
      )
  ) as f (present, place, verdict, detail, fix)
  where c.oid = relation and f.present
  order by f.place;
end;

comment on function agentdb._access_faults (oid, text, name) is
  'What keeps a role from using a relation, and the statements that fix it.';
