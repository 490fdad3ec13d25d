-- How a change is performed: its statement, kept for the next change of that form, and
-- what of the catalogue decides about it.

-- The columns that its rows name, by which its statement is made.
create or replace function agentdb._forms (
  change bigint,
  out form text,
  out parts bigint,
  out row_count bigint
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_row record;
begin
  select concat(r.audit_target_id, r.operation, array(
      select jsonb_object_keys(r.new_values)), array(
      select jsonb_object_keys(r.expected))) as form,
    exists (
      select from agentdb.change_row as o
      where o.change_id = change and o.place <> r.place and o.operation <> 'check')
      as several
    into v_row
  from agentdb.change_row as r
  where r.change_id = change and r.operation <> 'check'
  limit 1;
  if not v_row.several then
    form := v_row.form;
    parts := 1;
    row_count := 1;
    return;
  end if;
  select string_agg(f.form, E'\n' order by f.form),
    count(distinct (f.target, f.operation)), sum(f.count)
    into form, parts, row_count
  from (
    select r.audit_target_id as target, r.operation, count(*) as count,
      concat(r.audit_target_id, r.operation,
        -- Mostly what the first row names, which is seen at a glance.
        case when r.new_values ?& o.named and r.new_values - o.named = '{}' then o.named
          else array(select jsonb_object_keys(r.new_values)) end,
        case when r.expected ?& o.held and r.expected - o.held = '{}' then o.held
          else array(select jsonb_object_keys(r.expected)) end) as form
    from (
      select array(select jsonb_object_keys(k.new_values)) as named,
        array(select jsonb_object_keys(k.expected)) as held
      from agentdb.change_row as k
      where k.change_id = change
      order by k.place
      limit 1
    ) as o
    cross join agentdb.change_row as r
    where r.change_id = change and r.operation <> 'check'
    group by 1, 2, 4
  ) as f;
end;
$$;

comment on function agentdb._forms (bigint) is
  'Which columns the rows of a change name, how many parts its statement has, and how '
  'many rows it is to match.';


-- Not by a key that two could want at once: nobody waits for what another keeps.
create or replace function agentdb._kept_statement (
  change bigint,
  fact bigint,
  form text,
  parts bigint
)
  returns agentdb.change_statement
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_statement agentdb.change_statement;
begin
  select s.* into v_statement
  from agentdb.change_statement as s
  where s.change_fact_id = fact
    and hashtextextended(s.form, 0) = hashtextextended(_kept_statement.form, 0)
    and s.form = _kept_statement.form
  limit 1;
  if not found then
    v_statement.statement := case when parts = 1
      then (select p.part from agentdb._change_parts(change, false) as p)
      else agentdb._change_sql(change, false) end;
    insert into agentdb.change_statement (change_fact_id, form, statement, parts)
    select fact, _kept_statement.form, v_statement.statement, _kept_statement.parts
    -- Whoever makes up forms fills nothing.
    where (
      select count(*) < 1000 from agentdb.change_statement as s
      where s.change_fact_id = fact);
  end if;
  return v_statement;
end;
$$;

comment on function agentdb._kept_statement (bigint, bigint, text, bigint) is
  'What applies a change, as it was made for one of the same form.';


-- Of several tables what they have together.
create or replace function agentdb._shared_fact (change bigint)
  returns agentdb.change_fact
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_fact agentdb.change_fact;
begin
  select min(f.change_fact_id), bool_or(f.ruled), bool_or(f.triggered),
      bool_or(f.deferring)
    into v_fact.change_fact_id, v_fact.ruled, v_fact.triggered, v_fact.deferring
  from agentdb.change_table as t
  join agentdb.change_fact as f on f.change_fact_id = t.change_fact_id
  where t.change_id = change;
  v_fact.path := array(
    select n.name
    from (
      select distinct unnest(f.path) as name
      from agentdb.change_table as t
      join agentdb.change_fact as f on f.change_fact_id = t.change_fact_id
      where t.change_id = change
    ) as n
    order by n.name = 'public');
  select array_agg(w.oid), array_agg(w.name) into v_fact.written, v_fact.names
  from (
    select distinct w.oid, w.name
    from agentdb.change_table as t
    join agentdb.change_fact as f on f.change_fact_id = t.change_fact_id
    cross join lateral unnest(f.written, f.names) as w (oid, name)
    where t.change_id = change
      and not exists (
        select from agentdb.change_table as o
        join agentdb.change_fact as g on g.change_fact_id = o.change_fact_id
        where o.change_id = change and g.written is null)
  ) as w;
  return v_fact;
end;
$$;

comment on function agentdb._shared_fact (bigint) is
  'What decides about a change of several tables.';


create or replace function agentdb._manner_of_tables (
  change bigint,
  out manner agentdb.change_manner,
  out fact bigint,
  out known boolean,
  out form text,
  out alone boolean,
  out deferring boolean
)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table record;
  v_fact agentdb.change_fact;
  v_manner agentdb.change_manner;
begin
  -- Mostly it is one, for which nothing has to be put together.
  select concat_ws(' ', k.kind, k.strict, f.change_fact_id) as form,
    coalesce(f.columns = t.columns, false) as known, k.kind = 'undo' as undoes,
    f as fact, not exists (
      select from agentdb.change_table as o
      where o.change_id = change and o.audit_target_id <> t.audit_target_id) as alone
    into v_table
  from agentdb.change as k
  join agentdb.change_table as t on t.change_id = k.change_id
  left join agentdb.change_fact as f on f.change_fact_id = t.change_fact_id
  where k.change_id = change
  limit 1;
  alone := v_table.alone;
  v_manner.compared := v_table.undoes;
  if alone then
    form := v_table.form;
    known := v_table.known;
    v_fact := v_table.fact;
  else
    select string_agg(concat_ws(' ', k.kind, k.strict, f.change_fact_id), ' '
        order by t.change_fact_id),
      bool_and(coalesce(f.columns = t.columns, false))
      into form, known
    from agentdb.change as k
    join agentdb.change_table as t on t.change_id = k.change_id
    left join agentdb.change_fact as f on f.change_fact_id = t.change_fact_id
    where k.change_id = change;
    v_fact := agentdb._shared_fact(change);
  end if;
  fact := v_fact.change_fact_id;
  known := coalesce(known, true);
  deferring := v_fact.deferring is not false;
  v_manner.ruled := v_fact.ruled;
  v_manner.compared := v_manner.compared and v_fact.triggered;
  v_manner.search_path := concat_ws(', ', 'pg_catalog',
    nullif(array_to_string(v_fact.path, ', '), ''), 'pg_temp');
  v_manner.written := v_fact.written;
  v_manner.closed := v_fact.written is not null;
  v_manner.names := v_fact.names;
  manner := v_manner;
end;
$$;

comment on function agentdb._manner_of_tables (bigint) is
  'How a change is performed, by the facts of its tables.';


create or replace function agentdb._manner (change bigint)
  returns agentdb.change_manner
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
as $$
declare
  v_manner agentdb.change_manner;
  v_tables record;
  v_rows record;
  v_kept agentdb.change_statement;
begin
  v_tables := agentdb._manner_of_tables(change);
  v_rows := agentdb._forms(change);
  v_manner := v_tables.manner;
  v_manner.row_count := coalesce(v_rows.row_count, 0);
  v_manner.parts := coalesce(v_rows.parts, 0);
  -- Where it writes what it reaches and no more, nothing else is deferred by it.
  if v_tables.deferring or not v_manner.closed then
    v_manner.constraints := agentdb._deferred(case when agentdb._all_guarded(change)
      then 'agentdb_applier' else session_user end);
    if v_manner.constraints is not null then
      -- What is deferred may be anything.
      v_manner.written := null;
    end if;
  end if;
  if v_manner.ruled then
    return v_manner;
  elsif v_manner.parts = 0 then
    v_manner.statement := 'select 0';
  elsif v_tables.known then
    v_kept := agentdb._kept_statement(change, v_tables.fact,
      concat_ws(E'\n', v_tables.form, v_rows.form), v_manner.parts);
    v_manner.statement := v_kept.statement;
    -- Many rows are worth a plan of their own.
    if v_kept.function_name is not null and v_tables.alone
      and v_manner.row_count <= 100 then
      v_manner.parts := 2;
      v_manner.statement := format('select agentdb.%I($1)', v_kept.function_name);
    end if;
  else
    v_manner.parts := 2;
    v_manner.statement := agentdb._change_sql(change, false);
  end if;
  return v_manner;
end;
$$;

comment on function agentdb._manner (bigint) is
  'How a change is performed.';
