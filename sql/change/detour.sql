-- A detour: rows that exchange values of a unique column cannot do so one after the
-- other.  Each gives its value up first, for NULL or for one that no row has.

-- A value that nobody has meanwhile; NULL of the text where there is none to find.
create or replace function agentdb._free_sql (
  col name,
  type_name text,
  category "char",
  width integer,
  nullable boolean,
  source text
)
  returns text
  language sql
  immutable
  return case
    when nullable then 'null'
    when category in ('N', 'D') then format(
      '(greatest((select max(p.%1$I) from %2$s as p), (select max((r.new_values ->> '
      '%3$L)::%4$s) from agentdb.change_row as r where r.change_id = i.change_id '
      'and r.audit_target_id = i.audit_target_id)) + i.place%5$s)::%4$s',
      col, source, col, type_name,
      case when category = 'D' and type_name <> 'date' then ' * interval ''1 day'''
        else '' end)
    when category = 'S' then format(
      'left(md5(concat_ws(''/'', i.change_id, i.place)), %s)', coalesce(width, 32))
    when type_name = 'uuid' then 'md5(concat_ws(''/'', i.change_id, i.place))::uuid'
  end;

comment on function agentdb._free_sql (name, text, "char", integer, boolean, text) is
  'SQL text: a value of a column that no row has, for a row of a change that gives its '
  'own up.';


-- Not what other tables refer to: they would follow, or lose it.
create or replace function agentdb._given_up (change bigint, target integer)
  returns table (column_name name, free text)
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select c.column_name, f.free
  from agentdb.audit_target as a
  join agentdb.change_column as c on c.audit_target_id = a.audit_target_id
  join pg_attribute as k on k.attrelid = a.table_oid and k.attnum = c.place
  join pg_type as b on b.oid = c.base_type
  cross join lateral (
    select bool_or(to_jsonb(x) ->> 'indnullsnotdistinct' = 'true') as nulls_count
    from pg_index as x
    where x.indrelid = a.table_oid
      and (x.indisunique and x.indimmediate or x.indisexclusion)
      and not x.indisprimary
      and (c.place = any (x.indkey) or exists (
        select from pg_depend as d
        where d.classid = 'pg_class'::regclass and d.objid = x.indexrelid
          and d.refclassid = 'pg_class'::regclass and d.refobjid = a.table_oid
          and d.refobjsubid = c.place))
    having count(*) > 0
  ) as u
  cross join lateral (
    select agentdb._free_sql(c.column_name, c.type_name, b.typcategory,
      case when k.atttypmod > 4 then k.atttypmod - 4 end,
      not k.attnotnull and u.nulls_count is not true,
      agentdb._table_name(a.table_oid)) as free
  ) as f
  where a.audit_target_id = target
    and c.key_place is null and not c.generated and not c.hidden
    and f.free is not null
    and not exists (
      select from pg_constraint as o
      where o.confrelid = a.table_oid and o.contype = 'f'
        and c.place = any (o.confkey))
    and exists (
      select from agentdb.change_row as r
      where r.change_id = change and r.audit_target_id = target
        and r.operation = 'update' and r.new_values ? c.column_name);
$$;

comment on function agentdb._given_up (bigint, integer) is
  'The unique columns of a table that a change updates, each with a value that is '
  'free.';


-- Of a staged change those that it wrote more than once: what one statement could not
-- do directly it shall not do here.
create or replace function agentdb._detour_sql (change bigint, target integer)
  returns table (holds text, give_up text, take text)
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select
    format('select from agentdb.change_row as i where i.change_id = %s '
      'and i.audit_target_id = %s and i.operation = ''update'' and %s', change, target,
      w.rows),
    format('update %s as t set %s from agentdb.change_row as i where %s and %s',
      n.table_name, g.free, agentdb._match_sql(change, target, 'update'), w.rows),
    format('update %s as t set %s from agentdb.change_row as i where i.change_id = %s '
      'and i.audit_target_id = %s and i.operation = ''update''%s and %s',
      n.table_name, s.settings, change, target, s.same_key, w.rows)
  from agentdb.audit_target as a
  cross join lateral (select agentdb._table_name(a.table_oid) as table_name) as n
  cross join lateral (
    select string_agg(format('%1$I = case when i.new_values ? %2$L then %3$s '
        'else t.%1$I end', c.column_name, c.column_name::text, c.free), ', ') as free,
      string_agg(format('i.expected ->> %L is not null', c.column_name::text), ' or ')
        as held
    from agentdb._given_up(change, target) as c
  ) as g
  cross join lateral (
    select format('(%s)%s', g.held, case k.kind when 'stage'
      then ' and cardinality(i.staged_at) > 1' else '' end) as rows
    from agentdb.change as k where k.change_id = change
  ) as w
  cross join lateral (
    select string_agg(format('%1$I = case when i.new_values ? %2$L then %3$s '
        'else t.%1$I end', c.column_name, c.column_name::text,
        agentdb._typed_sql('i.new_values', c.column_name, c.type_name)), ', ')
        filter (where not c.generated and exists (
          select from agentdb.change_row as r
          where r.change_id = change and r.audit_target_id = target
            and r.operation = 'update' and r.new_values ? c.column_name)) as settings,
      string_agg(format(' and t.%I = %s', c.column_name,
        agentdb._typed_sql('i.row_key', c.column_name, c.type_name)), '')
        filter (where c.key_place is not null) as same_key
    from agentdb.change_column as c
    where c.audit_target_id = target
  ) as s
  where a.audit_target_id = target and g.free is not null;
$$;

comment on function agentdb._detour_sql (bigint, integer) is
  'SQL texts: which rows hold unique values, that they give these up, and that they '
  'take what they are to have.';


create or replace function agentdb._detour_parts (change bigint)
  returns table (place bigint, part text, weight integer)
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select row_number() over (
      order by array_position(
        array['delete', 'holds', 'give up', 'update', 'take'], p.kind),
        p.target), p.part, p.weight
  from (
    select o.operation as kind, o.target,
      agentdb._part_sql(_detour_parts.change, o.target, o.operation, true) as part,
      0 as weight
    from (
      select distinct r.audit_target_id as target, r.operation
      from agentdb.change_row as r
      where r.change_id = _detour_parts.change and r.operation <> 'check'
    ) as o
    union all
    select k.kind, t.audit_target_id, k.part, k.weight
    from (
      select distinct r.audit_target_id from agentdb.change_row as r
      where r.change_id = _detour_parts.change and r.operation = 'update'
    ) as t
    cross join lateral agentdb._detour_sql(
      _detour_parts.change, t.audit_target_id) as d
    cross join lateral (values ('holds', d.holds, -1), ('give up', d.give_up, 1),
      ('take', d.take, 0)) as k (kind, part, weight)
  ) as p
  order by 1;
$$;

comment on function agentdb._detour_parts (bigint) is
  'SQL texts: what a change does by the detour, in this order; -1 where they count '
  'rows that hold a value, 1 where these give it up.';


create or replace function agentdb._execute_by_detour (change bigint, path text)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set enable_hashjoin = off
  set enable_mergejoin = off
  set enable_seqscan = off
  set enable_bitmapscan = off
as $$
declare
  v_part record;
  v_count bigint;
  v_given_up bigint := 0;
  v_matched bigint := 0;
begin
  perform set_config('search_path', path, true);
  for v_part in
    select p.part, p.weight from agentdb._detour_parts(change) as p order by p.place
  loop
    if v_part.weight = 0 and v_given_up <> 0 then
      raise exception 'change % does not match its rows any more', change
        using errcode = 'ZA052';
    end if;
    execute v_part.part using change;
    get diagnostics v_count = row_count;
    v_given_up := v_given_up + v_part.weight * v_count;
    v_matched := v_matched + case v_part.weight when 0 then v_count else 0 end;
  end loop;
  return v_matched;
exception when integrity_constraint_violation or data_exception then
  perform agentdb._refuse_exchange(change);
  raise;
end;
$$;

comment on function agentdb._execute_by_detour (bigint, text) is
  'Executes a change whose rows exchange unique values; returns how many of its rows '
  'matched; raises ZA052.';


create or replace function agentdb._exchange (change bigint)
  returns text
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format('%s %s takes %I of %s', t.table_name, e.row_key,
    e.column_name, e.former), '; ')
  from (
    select distinct on (r.place) r.audit_target_id, r.row_key, v.key as column_name,
      o.row_key as former
    from agentdb.change as k
    join agentdb.change_row as r on r.change_id = k.change_id
    cross join lateral jsonb_each(r.new_values) as v
    join agentdb.change_row as o
      on o.change_id = r.change_id and o.audit_target_id = r.audit_target_id
      and o.operation = 'update' and o.place <> r.place
      and o.expected -> v.key = v.value
    join agentdb.audit_target as a on a.audit_target_id = r.audit_target_id
    join pg_attribute as c on c.attrelid = a.table_oid and c.attname = v.key
    where k.change_id = change and k.kind = 'undo'
      and r.operation = 'update' and v.value <> 'null'
      and exists (
        select from pg_index as x
        where x.indrelid = a.table_oid and c.attnum = any (x.indkey)
          and (x.indisunique and x.indimmediate or x.indisexclusion))
    order by r.place
    limit 10
  ) as e
  join agentdb.audit_target as t on t.audit_target_id = e.audit_target_id;
$$;

comment on function agentdb._exchange (bigint) is
  'Which rows of an undo take a unique value of each other; NULL where none does.';


create or replace function agentdb._refuse_exchange (change bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_exchange text := agentdb._exchange(change);
begin
  if v_exchange is not null then
    raise exception 'rows exchange unique values, which cannot be done in one go: %',
        v_exchange
      using errcode = 'unique_violation',
            hint = 'No value is free for the moment between: NULL is not allowed, or '
              'others refer to it.  Take the rows back one by one, by hand.';
  end if;
end;
$$;

comment on function agentdb._refuse_exchange (bigint) is
  'Raises 23505 with the rows of an undo that exchange unique values, if any do.';
