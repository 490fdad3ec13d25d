-- Columns that are computed when they are read (PostgreSQL 18).

-- Triggers are handed NULL for a virtual column: it is computed here, by an expression
-- in which PostgreSQL allows nothing but its own functions and types.
create or replace function agentdb._rows_sql (target integer, rows text)
  returns text
  language sql
  stable
  return coalesce(
    (
      select format('(select %s from %s as q)',
        string_agg(
          case a.attgenerated when 'v' then format('(%s) as %I',
            pg_get_expr(d.adbin, d.adrelid), a.attname)
          else format('q.%I', a.attname) end,
          ', ' order by a.attnum),
        rows)
      from agentdb.audit_target as t
      join pg_attribute as a
        on a.attrelid = t.table_oid and a.attnum > 0 and not a.attisdropped
      left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
      where t.audit_target_id = target
      having bool_or(a.attgenerated = 'v')
    ),
    rows
  );

comment on function agentdb._rows_sql (integer, text) is
  'SQL text: rows that a trigger was handed, with the values of virtual columns.';


create or replace function agentdb._image_sql (target integer, image text)
  returns text
  language sql
  stable
  return case
    when agentdb._rows_sql(target, '') = '' then format('v_%1$s := %1$s', image)
    -- A table that was altered since is recorded by its general form.
    else format(E'if v_same then\n    select * into v_%s from %s as r;\n    end if',
      image, agentdb._rows_sql(target, format('(select (%s).*)', image)))
  end;

comment on function agentdb._image_sql (integer, text) is
  'PL/pgSQL text: takes the image of a row over, with its virtual columns.';
