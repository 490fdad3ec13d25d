-- Trying and applying are one: the difference is whether it stays.

-- PostgreSQL shows the row that failed, and the key that is there already.  A key that
-- the change itself gives is known to whoever proposes it; a whole row has more.
create or replace function agentdb._safe_detail (
  state text,
  detail text,
  schema_name text,
  table_name text
)
  returns text
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select case
    when state !~ '^23' then detail
    when state in ('23503', '23505') and not exists (
      select
      from agentdb.audit_target as t
      where t.table_name = format('%I.%I', _safe_detail.schema_name,
          _safe_detail.table_name)
        and (t.redacted <> '{}' or t.excluded <> '{}')
    ) then detail
  end;
$$;

comment on function agentdb._safe_detail (text, text, text, text) is
  'The detail of an error, NULL where it could show what is not to be recorded.';

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
  v_former bigint;
  v_state text;
  v_message text;
  v_detail text;
  v_constraint text;
  v_schema text;
  v_table text;
begin
  begin
    v_applying := set_config('agentdb.applying', change::text, true);
    if as_applier then
      insert into agentdb.change_pass (change_id, trial) values (change, not keep)
      on conflict on constraint change_pass_pkey do update
      set change_id = excluded.change_id, opens_guard = true, trial = excluded.trial;
      foreach v_former in array basis loop
        perform agentdb._check_tables(v_former);
        perform agentdb._perform_as_applier(v_former, agentdb._manner(v_former));
      end loop;
      perform agentdb._check_reads(change);
      effects := agentdb._perform_as_applier(change, v_manner);
      if keep then
        delete from agentdb.change_pass as p where p.xid = pg_current_xact_id();
      end if;
    else
      effects := agentdb._perform(change, v_manner);
    end if;
    v_applying := set_config('agentdb.applying', '', true);
    if keep and exists (
      select from jsonb_each_text(effects) as e
      where e.value::bigint > coalesce((allowed ->> e.key)::bigint, 0)
    ) then
      raise exception 'it would now write more than was reviewed: %', effects
        using errcode = 'ZA052';
    elsif not keep then
      raise exception using errcode = 'ZZ999', message = 'tried';
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
