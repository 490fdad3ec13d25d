-- What no change can have: columns that the audit hides or the database computes, and
-- NaN.
create or replace function agentdb._stage_check_sql (target integer)
  returns text
  language sql
  stable
  return (
    select concat(
      string_agg(
        format(E'if (tg_op = ''UPDATE'' and %s) or tg_op = ''INSERT'' and '
          'num_nulls(n.%I) = 0 then\n    '
          'perform agentdb._refuse_column(%s, %L); end if;\n  ',
          agentdb._changed_sql('o', 'n', c.column_name, false), c.column_name,
          target, c.column_name::text),
        '' order by c.place) filter (where c.hidden),
      string_agg(
        format(E'if (tg_op = ''INSERT'' or %4$s) and concat(n.%1$I) ~ %5$L then\n    '
          'perform agentdb._refuse_value(%2$s, %3$L); end if;\n  ',
          c.column_name, target, c.column_name::text,
          agentdb._changed_sql('o', 'n', c.column_name, c.exact),
          -- Of an array each element.
          '(^|[{,])NaN($|[},])'),
        '' order by c.place)
        -- What the table gives a new row by itself means something to it.
        filter (where not c.hidden and not c.generated
          and coalesce(c.default_expression, '') !~* '''nan'''
          and coalesce(nullif(b.typelem, 0), b.oid) in (
            'numeric'::regtype, 'float4'::regtype, 'float8'::regtype)),
      string_agg(
        format(E'if (tg_op = ''UPDATE'' and %s) or tg_op = ''INSERT'' and '
          'num_nulls(n.%I) = 0 then\n    '
          'perform agentdb._refuse_generated(%s, %L); end if;\n  ',
          agentdb._changed_sql('o', 'n', c.column_name, false), c.column_name,
          target, c.column_name::text),
        '' order by c.place) filter (where c.generated)
    )
    from agentdb.change_column as c
    join pg_type as b on b.oid = c.base_type
    where c.audit_target_id = target
  );

comment on function agentdb._stage_check_sql (integer) is
  'PL/pgSQL text: refuses values that nobody could review or that mean none.';


create or replace function agentdb._refuse_generated (target integer, col text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'column % of % is generated: it cannot be given a value', col,
      (select t.table_name from agentdb.audit_target as t
        where t.audit_target_id = target)
    using errcode = 'generated_always',
          hint = 'Leave it out: the database computes it from the other columns.';
end;
$$;

comment on function agentdb._refuse_generated (integer, text) is
  'Raises 428C9, as PostgreSQL does, for a value of a generated column.';


create or replace function agentdb._refuse_column (target integer, col text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._refuse(
    format('column %I of %s cannot be changed: its values are not shown', col,
      (select t.table_name from agentdb.audit_target as t
        where t.audit_target_id = target)),
    'Leave the column and the primary key as they are; a person changes them.');
end;
$$;

comment on function agentdb._refuse_column (integer, text) is
  'Raises ZA004 for a column that the audit hides.';


create or replace function agentdb._refuse_value (target integer, col text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._refuse(
    format('column %I of %s cannot become NaN', col,
      (select t.table_name from agentdb.audit_target as t
        where t.audit_target_id = target)),
    'Give a number that exists, or NULL.');
end;
$$;

comment on function agentdb._refuse_value (integer, text) is
  'Raises ZA004 for NaN.';


create or replace function agentdb._typed_sql (source text, col text, type_name text)
  returns text
  language sql
  immutable
  return format('(%s ->> %L)::%s', source, col, type_name);

comment on function agentdb._typed_sql (text, text, text) is
  'SQL text: a member of a JSON object as a value of a type.';
