-- Making the facts of a table.

-- Where nothing of anybody's runs along, a write writes what it reaches and no more.
create or replace function agentdb._is_closed (reached oid[], functions oid[])
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return cardinality(reached) <= 100
    and not exists (
      select from pg_rewrite as r
      where r.ev_class = any (reached) and r.ev_type <> '1')
    and not exists (
      select from pg_proc as p
      join pg_language as l on l.oid = p.prolang
      where p.oid = any (functions)
        and p.pronamespace <> 'agentdb'::regnamespace
        -- Only a superuser makes these.
        and l.lanname not in ('internal', 'c'))
    and not exists (
      select from agentdb.application_trigger as t where t.table_oid = any (reached));
end;
$$;

comment on function agentdb._is_closed (oid[], oid[]) is
  'Whether tables have no rule and no function of anybody''s that could write others.';


create or replace function agentdb._columns_now (target integer)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_object_agg(c.column_name, jsonb_build_object(
    'place', c.place,
    'is', concat_ws(', ', format_type(a.atttypid, a.atttypmod),
      (select format('collation %s', a.attcollation::regcollation)
        where a.attcollation not in (0, 100)),
      case when c.generated
        then 'generated as ' || pg_get_expr(d.adbin, d.adrelid) end,
      'part ' || c.key_place || ' of the key')))
  from agentdb.change_column as c
  join agentdb.audit_target as t on t.audit_target_id = c.audit_target_id
  join pg_attribute as a on a.attrelid = t.table_oid and a.attnum = c.place
  left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where c.audit_target_id = target;
$$;

comment on function agentdb._columns_now (integer) is
  'The columns of an audited table, each with its place and what a value of it means.';


-- Whatever comes to be special changes a row of the catalogue that always counts.
create or replace function agentdb._is_special (f agentdb.change_fact)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select f.others <> '{}'
    or exists (select from unnest(f.types) as t (oid) where t.oid >= 16384)
    or exists (select from unnest(f.collations) as c (oid) where c.oid >= 16384)
    or exists (
      select from pg_class as c
      where c.oid = any (f.relations)
        and (c.relhasrules or c.relhassubclass or c.relispartition))
    or not exists (select from pg_namespace as n where n.nspname = 'public');
$$;

comment on function agentdb._is_special (agentdb.change_fact) is
  'Whether a table has what most do not: types of users, rules, children.';


-- Its condition is kept as a tree of nodes.
create or replace function agentdb._deep_trigger (reached oid[])
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select min(format('%I of %s', t.tgname, agentdb._table_name(t.tgrelid)))
    from agentdb.application_trigger as a
    join pg_trigger as t on t.tgrelid = a.table_oid and t.tgname = a.trigger_name
    join pg_proc as p on p.oid = t.tgfoid
    where a.table_oid = any (reached)
      and (p.prosrc ~* 'pg_trigger_depth' or position(format(':funcid %s ',
        'pg_trigger_depth()'::regprocedure::oid) in t.tgqual::text) > 0));
end;
$$;

comment on function agentdb._deep_trigger (oid[]) is
  'A trigger of some tables that asks how deep in triggers it is, itself or by its '
  'WHEN; NULL where none does.';


-- One statement, and so one moment: no fact is younger than its fingerprint.
create or replace function agentdb._made_fact (target integer)
  returns agentdb.change_fact
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_fact agentdb.change_fact;
  v_counted record;
begin
  select t.table_oid into v_fact.table_oid
  from agentdb.audit_target as t where t.audit_target_id = target;
  select c.* into v_counted from agentdb._counted(v_fact.table_oid) as c;
  v_fact.audit_target_id := target;
  v_fact.relations := v_counted.relations;
  v_fact.types := v_counted.types;
  v_fact.functions := v_counted.functions;
  v_fact.schemas := v_counted.schemas;
  v_fact.collations := v_counted.collations;
  v_fact.reached := v_counted.reached;
  v_fact.others := v_counted.others;
  v_fact.roles := agentdb._counted_roles();
  v_fact.special := agentdb._is_special(v_fact);
  v_fact.fingerprint := agentdb._fingerprint(v_fact);
  v_fact.table_name := agentdb._table_name(v_fact.table_oid);
  v_fact.layout := agentdb._layout_now(v_fact.table_oid);
  v_fact.columns := agentdb._columns_now(target);
  v_fact.policies := agentdb._policies_now(v_fact.table_oid);
  v_fact.hostile := agentdb._hostile_reached(v_fact.table_oid, v_counted.reached);
  v_fact.keyed := exists (
    select from agentdb.audit_column as c
    where c.audit_target_id = target and c.key_place is not null);
  v_fact.ruled := exists (
    select from pg_rewrite as r
    where r.ev_class = v_fact.table_oid and r.ev_type <> '1');
  v_fact.triggered := exists (
    select from agentdb.application_trigger as t
    where t.table_oid = v_fact.table_oid
      or t.table_oid in (select p.relid from pg_partition_tree(v_fact.table_oid) as p));
  v_fact.deferring := exists (
    select from pg_trigger as t
    where t.tgrelid = any (v_fact.relations) and t.tgdeferrable);
  v_fact.deep := agentdb._deep_trigger(v_counted.reached || v_fact.relations);
  v_fact.path := agentdb._schemas_open(v_fact.table_oid);
  v_fact.written := case when agentdb._is_closed(v_counted.reached, v_fact.functions)
    then v_counted.reached end;
  v_fact.names := array(
    select agentdb._table_name(coalesce(pg_partition_root(r.oid), r.oid))
    from unnest(v_fact.written) with ordinality as r (oid, place)
    order by r.place);
  return v_fact;
end;
$$;

comment on function agentdb._made_fact (integer) is
  'The facts of a table, looked up.';


-- Triggers of the application find its tables, but nothing that an agent could have
-- put in their way.
create or replace function agentdb._schemas_open (table_oid oid)
  returns text[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select array(
    select quote_ident(n.nspname)
    from pg_namespace as n
    where (n.nspname = 'public' or n.oid = (
        select c.relnamespace from pg_class as c where c.oid = _schemas_open.table_oid))
      -- Also by SET ROLE, where it does not inherit the right.
      and not exists (
        select from unnest(agentdb._agents_roles()) as r (oid)
        where has_schema_privilege(r.oid, n.oid, 'create'))
    order by n.nspname = 'public');
$$;

comment on function agentdb._schemas_open (oid) is
  'Of the schema of a table and public those in which no agent can create anything.';
