-- Trying and applying are one: the difference is whether it stays.

-- A trigger of the application that names no schema finds what is temporary first, and
-- that would run as agentdb_applier.
create or replace function agentdb._check_temporary ()
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_schema oid := pg_my_temp_schema();
  v_found text;
begin
  if v_schema = 0 then
    return;
  end if;
  select f.what into v_found
  from (
    select 'function ' || p.oid::regprocedure as what from pg_proc as p
    where p.pronamespace = v_schema
    union all
    select 'view ' || c.oid::regclass from pg_class as c
    where c.relnamespace = v_schema and c.relkind = 'v'
    union all
    select 'domain ' || t.oid::regtype from pg_type as t
    where t.typnamespace = v_schema and t.typtype = 'd'
    union all
    select 'a table that calls ' || m.objid::regprocedure
    from agentdb._made_of(array(
      select c.oid from pg_class as c
      where c.relnamespace = v_schema and c.relkind in ('r', 'p'))) as m
    where m.classid = 'pg_proc'::regclass
  ) as f
  limit 1;
  if v_found is not null then
    raise exception 'this session has a temporary %, which triggers could come upon',
        v_found
      using errcode = 'ZA051', hint = 'discard temp;';
  end if;
end;
$$;

comment on function agentdb._check_temporary () is
  'Raises ZA051 where the session has temporary objects that run code.';


create or replace function agentdb._open_guards (
  change bigint,
  basis bigint[],
  trial boolean
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into agentdb.change_pass (change_id, basis, trial)
  values (change, _open_guards.basis, _open_guards.trial)
  on conflict on constraint change_pass_pkey do update
  set change_id = excluded.change_id, opens_guard = true, basis = excluded.basis,
      trial = excluded.trial;
end;
$$;

comment on function agentdb._open_guards (bigint, bigint[], boolean) is
  'Lets the transaction write the tables of a change and of those before it.';


create or replace function agentdb._check_effects (effects jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_roles oid[] := agentdb._agents_roles();
  v_table text;
begin
  select w.name into v_table
  from pg_class as c
  cross join lateral (
    select case c.relpersistence when 't' then format('pg_temp.%I', c.relname)
      else agentdb._table_name(c.oid) end as name
  ) as w
  where c.relkind in ('r', 'p')
    and (c.relpersistence <> 't' or c.relnamespace = pg_my_temp_schema())
    and (c.relowner = any (v_roles) or exists (
      select from pg_trigger as t
      join pg_proc as p on p.oid = t.tgfoid
      where t.tgrelid = c.oid and p.proowner = any (v_roles)))
    and effects ?| array[w.name || ' inserted', w.name || ' updated',
      w.name || ' deleted']
  limit 1;
  if found then
    raise exception 'a trigger writes %, of which an agent controls a part', v_table
      using errcode = 'ZA051';
  end if;
end;
$$;

comment on function agentdb._check_effects (jsonb) is
  'Raises ZA051 where a change has written a table of which an agent controls a part.';


create or replace function agentdb._perform_after (
  basis bigint[],
  change bigint,
  manner agentdb.change_manner
)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_former bigint;
  v_effects jsonb;
begin
  foreach v_former in array basis loop
    perform agentdb._check_tables(v_former);
    perform agentdb._perform_as_applier(v_former, agentdb._manner(v_former));
  end loop;
  perform agentdb._check_reads(change);
  v_effects := agentdb._perform_as_applier(change, manner);
  if not manner.closed then
    perform agentdb._check_effects(v_effects);
  end if;
  return v_effects;
end;
$$;

comment on function agentdb._perform_after (
  bigint[], bigint, agentdb.change_manner) is
  'Applies a change on guarded tables after those it builds on, and returns what it '
  'wrote where; raises ZA051 or ZA052.';


create or replace function agentdb._check_allowed (effects jsonb, allowed jsonb)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if exists (
    select from jsonb_each_text(effects) as e
    where e.value::bigint > coalesce((allowed ->> e.key)::bigint, 0)
  ) then
    raise exception 'it would now write more than was reviewed: %', effects
      using errcode = 'ZA052';
  end if;
end;
$$;

comment on function agentdb._check_allowed (jsonb, jsonb) is
  'Raises ZA052 where a change has written more than it may.';


-- With keep it stays, else it is rolled back.  What another attempt may heal is raised
-- and changes nothing.
create or replace function agentdb._attempt (
  change bigint,
  basis bigint[],
  as_applier boolean,
  keep boolean,
  allowed jsonb,
  out effects jsonb,
  out problem jsonb
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_manner agentdb.change_manner := agentdb._manner(change);
  v_applying text;
  v_person text := coalesce(current_setting('agentdb.person', true), '');
  v_state text;
  v_message text;
  v_detail text;
  v_constraint text;
  v_schema text;
  v_table text;
begin
  if as_applier and (basis <> '{}' or not v_manner.closed) then
    perform agentdb._check_temporary();
  end if;
  begin
    v_applying := set_config('agentdb.applying', change::text, true);
    if as_applier then
      perform agentdb._open_guards(change, basis, not keep);
      effects := agentdb._perform_after(basis, change, v_manner);
      if keep then
        delete from agentdb.change_pass as p where p.xid = pg_current_xact_id();
      end if;
    else
      effects := agentdb._perform(change, v_manner);
    end if;
    v_applying := set_config('agentdb.applying', '', true);
    -- Triggers do not say who it was.
    v_person := set_config('agentdb.person', v_person, true);
    if not keep then
      raise exception using errcode = 'ZZ999', message = 'tried';
    elsif effects is distinct from allowed then
      perform agentdb._check_allowed(effects, allowed);
    end if;
  exception
    when sqlstate 'ZZ999' then
      null;
    -- A full disk, or a server that goes down, says nothing of the change.
    when lock_not_available or deadlock_detected or serialization_failure
      or insufficient_resources or operator_intervention or system_error
      or connection_exception or sqlstate 'ZA040' or sqlstate 'ZA041' then
      raise;
    when others or assert_failure then
      get stacked diagnostics
        v_state = returned_sqlstate,
        v_message = message_text,
        v_detail = pg_exception_detail,
        v_constraint = constraint_name,
        v_schema = schema_name,
        v_table = table_name;
      problem := jsonb_build_object('sqlstate', v_state, 'message', v_message,
        'detail', agentdb._safe_detail(v_state, v_detail, v_schema, v_table),
        'constraint', v_constraint);
  end;
end;
$$;

comment on function agentdb._attempt (bigint, bigint[], boolean, boolean, jsonb) is
  'Applies a change, after those it builds on, and keeps it or rolls back: what it '
  'wrote, or why it would fail.';


create or replace function agentdb._try_as_applier (change bigint)
  returns table (effects jsonb, problem jsonb)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return query
    select a.effects, a.problem
    from agentdb._attempt(change, '{}', true, false, null) as a;
end;
$$;

comment on function agentdb._try_as_applier (bigint) is
  'Tries a change on guarded tables.';


create or replace function agentdb._try (change bigint, as_applier boolean)
  returns table (effects jsonb, problem jsonb)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if as_applier then
    return query select * from agentdb._try_as_applier(change);
  else
    return query
      select a.effects, a.problem
      from agentdb._attempt(change, '{}', false, false, null) as a;
  end if;
end;
$$;

comment on function agentdb._try (bigint, boolean) is
  'Tries a change and rolls back, as agentdb_applier or with the rights of the caller.';
