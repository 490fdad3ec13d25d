-- Statements of changes that come again and again: maintain() makes functions of them,
-- which each session plans once.

-- Its search path is that of the fact: pg_catalog, and schemas in which no agent can
-- create anything.
create or replace function agentdb._plan_statement (kept bigint)
  returns name
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name name := '_write_' || kept;
  v_statement record;
begin
  select s.statement, s.parts,
    concat_ws(', ', 'pg_catalog', nullif(array_to_string(f.path, ', '), ''), 'pg_temp')
      as path
    into v_statement
  from agentdb.change_statement as s
  join agentdb.change_fact as f on f.change_fact_id = s.change_fact_id
  where s.change_statement_id = kept;
  execute format('create or replace function agentdb.%I (change bigint) returns bigint '
    'language plpgsql set search_path = %s set plan_cache_mode = force_generic_plan '
    'as %L', v_name, v_statement.path, format(
      E'#variable_conflict use_column\n'
      'declare v_count bigint; begin %s; get diagnostics v_count = row_count; '
      'return v_count; end', v_statement.statement));
  execute format('revoke all on function agentdb.%I from public', v_name);
  execute format('grant execute on function agentdb.%I to agentdb_applier, '
    'agentdb_operator, agentdb_reviewer', v_name);
  execute format('comment on function agentdb.%I is %L', v_name,
    'Generated: applies changes of one form.');
  return v_name;
end;
$$;

comment on function agentdb._plan_statement (bigint) is
  'Makes the function of a statement.';


-- The first forms of a table are those that come most.  What is not needed any more
-- goes the next time: who has just found it may still call it.
create or replace function agentdb._plan_statements ()
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name name;
  v_statement bigint;
  v_count bigint := 0;
begin
  for v_name in
    select p.proname from pg_proc as p
    where p.pronamespace = 'agentdb'::regnamespace
      and p.proname ~ '^_write_[0-9]+$'
      and not exists (
        select from agentdb.change_statement as s where s.function_name = p.proname)
  loop
    execute format('drop function if exists agentdb.%I', v_name);
  end loop;
  perform agentdb._forget_facts();
  for v_statement in
    select s.change_statement_id
    from agentdb.change_statement as s
    where s.function_name is null
      and s.change_statement_id in (
        select o.change_statement_id
        from (
          select o.*, row_number() over (
            partition by o.change_fact_id order by o.change_statement_id) as place
          from agentdb.change_statement as o
          where o.parts = 1 and octet_length(o.statement) < 20000
        ) as o
        where o.place <= 20)
    -- Another maintenance does the others.
    for no key update skip locked
  loop
    update agentdb.change_statement as s
    set function_name = agentdb._plan_statement(v_statement)
    where s.change_statement_id = v_statement;
    v_count := v_count + 1;
  end loop;
  return v_count;
end;
$$;

comment on function agentdb._plan_statements () is
  'Makes functions of the first statements of each table, and drops those of facts '
  'that do not hold any more; returns how many were made.';


-- They are as they were made, whatever was edited.
do $$
begin
  perform agentdb._plan_statement(s.change_statement_id)
  from agentdb.change_statement as s
  where s.function_name is not null;
end;
$$;
