-- A change, $1, as one statement, with a data-modifying CTE for each table and
-- operation: foreign keys are checked at its end, so the order of the tables does not
-- matter.  The expected values are part of its conditions: a row that was changed
-- meanwhile, also by a transaction that it waited for, does not match.

-- How many rows of the change name each column, in new_values or in expected.
create or replace function agentdb._column_uses (
  change bigint,
  target integer,
  operation text,
  expected boolean
)
  returns table (
    column_name name, type_name text, exact boolean, always boolean,
    default_expression text, place smallint, form text
  )
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    with part as (
      select case when _column_uses.expected then r.expected else r.new_values end
        as object
      from agentdb.change_row as r
      where r.change_id = change
        and r.audit_target_id = target
        and r.operation = _column_uses.operation
    ),
    use as (
      select k.name, count(*) as uses
      from part as p cross join lateral jsonb_object_keys(p.object) as k (name)
      group by k.name
    )
    -- One that is gone by now is named all the same: PostgreSQL refuses it.
    select coalesce(c.column_name, u.name::name), coalesce(c.type_name, 'text'),
      coalesce(c.exact or c.comparable, true),
      u.uses = (select count(*) from part), c.default_expression, c.place, c.form
    from use as u
    left join lateral (
      select k.* from agentdb.change_column as k
      where k.audit_target_id = target and k.column_name = u.name::name
      offset 0
    ) as c on true
    order by c.place;
end;
$$;

comment on function agentdb._column_uses (bigint, integer, text, boolean) is
  'The columns that rows of a change set or expect, and whether all of them do.';


-- A value as it was recorded is the one that the column has now.
create or replace function agentdb._holds_sql (
  source text,
  name text,
  column_name name,
  type_name text,
  exact boolean,
  form text
)
  returns text
  language sql
  immutable
  return format(
    case when exact then 't.%1$I is not distinct from %2$s'
      -- As it is recorded: two forms of one value differ in their images.
      else 'to_jsonb(%3$s)::text is not distinct from '
        'nullif((%4$s -> %5$L)::text, ''null'')' end,
    column_name, agentdb._typed_sql(source, name, type_name),
    agentdb._value_sql('t', column_name, form, false), source, name);

comment on function agentdb._holds_sql (text, text, name, text, boolean, text) is
  'SQL text: a column of a row t has the value that a JSON object has under a name.';


-- All that the proposer saw of a row and its reviewer decided on, not only what it
-- sets.  By its place: a column may have got another name since; one that means
-- something else now is not what anybody saw.
create or replace function agentdb._seen_sql (change bigint, target integer)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format(E' and (not i.seen ? %1$L or %2$s)', f.key,
      agentdb._holds_sql('i.seen', f.key, c.column_name, c.type_name,
        c.exact or c.comparable, c.form)), '' order by c.place)
  from agentdb.change as k
  join agentdb.change_table as t
    on t.change_id = k.change_id and t.audit_target_id = target
  cross join lateral jsonb_each(t.columns) as f
  cross join lateral jsonb_each(agentdb._columns_now(target)) as n
  join agentdb.change_column as c
    on c.audit_target_id = target and c.column_name = n.key
  where k.change_id = change
    and k.kind = 'stage'
    and k.strict
    and n.value = f.value
    and not c.hidden
    and not c.generated
    and c.key_place is null;
$$;

comment on function agentdb._seen_sql (bigint, integer) is
  'SQL text: a row is as it was seen, NULL where only what is set is compared.';


create or replace function agentdb._match_sql (
  change bigint,
  target integer,
  operation text
)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return concat(
    format('i.change_id = $1 and i.audit_target_id = %s and i.operation = %L',
      target, operation),
    ' and ' || agentdb._key_match_sql(target, 'i.row_key'),
    (
      select string_agg(format(
        case when u.always then ' and %2$s'
          else ' and (not i.expected ? %1$L or %2$s)' end,
        u.column_name::text,
        agentdb._holds_sql('i.expected', u.column_name, u.column_name, u.type_name,
          u.exact, u.form)), '')
      from agentdb._column_uses(change, target, operation, true) as u
    ),
    case operation when 'update' then agentdb._seen_sql(change, target) end
  );
end;
$$;

comment on function agentdb._match_sql (bigint, integer, text) is
  'SQL text: a row of the change is that of the table, and as it was expected.';


-- In order the rows are updated as the change lists them.
create or replace function agentdb._part_sql (
  change bigint,
  target integer,
  operation text,
  in_order boolean
)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  -- With the rows of its partitions and children, as the same statement reaches them.
  v_table text := (
    select agentdb._table_name(t.table_oid)
    from agentdb.audit_target as t where t.audit_target_id = target
  );
begin
  if operation = 'delete' then
    return format('delete from %s as t using agentdb.change_row as i where %s',
      v_table, agentdb._match_sql(change, target, operation));
  elsif operation = 'update' then
    return (
      select format('update %s as t set %s from %s as i where %s',
        v_table,
        coalesce(string_agg(format(
          case when u.always then '%2$I = %3$s'
            else '%2$I = case when i.new_values ? %1$L then %3$s else t.%2$I end' end,
          u.column_name::text, u.column_name,
          agentdb._typed_sql('i.new_values', u.column_name, u.type_name)), ', '),
          -- Triggers may still do something.
          (select format('%1$I = t.%1$I', min(c.column_name::text))
            from agentdb.change_column as c
            where c.audit_target_id = target and c.key_place = 1)),
        case when in_order then '(select * from agentdb.change_row as r '
          'where r.change_id = $1 order by r.place offset 0)'
          else 'agentdb.change_row' end,
        agentdb._match_sql(change, target, operation))
      from agentdb._column_uses(change, target, operation, false) as u);
  end if;
  return (
    select format('insert into %s (%s) overriding system value select %s '
      'from agentdb.change_row as i where i.change_id = $1 and i.audit_target_id = %s '
      'and i.operation = ''insert'' order by i.place',
      v_table,
      string_agg(format('%I', u.column_name), ', ' order by u.place),
      string_agg(format(
        case when u.always then '%2$s'
          else 'case when i.new_values ? %1$L then %2$s else %3$s end' end,
        u.column_name::text,
        agentdb._typed_sql('i.new_values', u.column_name, u.type_name),
        coalesce(u.default_expression, 'null')), ', ' order by u.place),
      target)
    from agentdb._column_uses(change, target, operation, false) as u);
end;
$$;

comment on function agentdb._part_sql (bigint, integer, text, boolean) is
  'SQL text: what a change does to one table by one operation.';


-- What a change removes makes room for what it inserts.
create or replace function agentdb._change_parts (change bigint, in_order boolean)
  returns table (place bigint, part text)
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select row_number() over (
      order by array_position(array['delete', 'update'], o.operation), o.target),
    agentdb._part_sql(_change_parts.change, o.target, o.operation, in_order)
  from (
    select distinct r.audit_target_id as target, r.operation
    from agentdb.change_row as r
    where r.change_id = _change_parts.change and r.operation <> 'check'
  ) as o
  order by 1;
$$;

comment on function agentdb._change_parts (bigint, boolean) is
  'SQL texts: what a change does to each table by each operation, in this order.';


create or replace function agentdb._change_sql (change bigint, in_order boolean)
  returns text
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select case when count(*) = 0 then 'select 0' else format('with %s select %s',
      string_agg(format('c%s as (%s returning 1)', p.place, p.part), E',\n'
        order by p.place),
      string_agg(format('(select count(*) from c%s)', p.place), ' + '
        order by p.place)) end
    from agentdb._change_parts(_change_sql.change, in_order) as p
  );
end;
$$;

comment on function agentdb._change_sql (bigint, boolean) is
  'SQL text: the statement that applies a change and returns how many of its rows '
  'matched.';


create or replace function agentdb._change_digest (change bigint)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select encode(sha256(
        convert_to(concat_ws('|', c.change_id, c.kind, c.proposed_by, c.reason,
          (
            select string_agg(concat_ws(' ', t.audit_target_id, t.table_oid,
              t.table_name), ',' order by t.audit_target_id)
            from agentdb.change_table as t where t.change_id = c.change_id
          )), 'UTF8')
        -- In pieces, for a text ends at 1 GB.
        || coalesce((
          select string_agg(p.piece, '' order by p.place)
          from (
            select r.place / 1000 as place,
              sha256(convert_to(string_agg(
                concat(r.audit_target_id, r.operation, r.row_key::text, '|',
                  coalesce(r.new_values::text, '~'), '|',
                  coalesce(r.expected::text, '~'),
                  case when c.strict then '|' || r.seen::text end),
                E'\n' order by r.place), 'UTF8')) as piece
            from agentdb.change_row as r
            where r.change_id = c.change_id
            group by 1
          ) as p
        ), '')
        || coalesce((
          select sha256(convert_to(string_agg(concat(r.audit_target_id, r.row_key::text,
            '|', coalesce(r.seen::text, '~')), E'\n' order by r.place), 'UTF8'))
          from agentdb.change_read as r where r.change_id = c.change_id
        ), '')
      ), 'hex')
    from agentdb.change as c
    where c.change_id = _change_digest.change
  );
end;
$$;

comment on function agentdb._change_digest (bigint) is
  'SHA-256 of everything that a change would do, and why.';
