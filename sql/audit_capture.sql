-- Capture: the trigger functions that write audit_log, one generated for each table, so
-- that a statement costs one insert however many rows it changed.  They belong to
-- agentdb_capture, which can do nothing but insert into audit_log and read what it audits.

create or replace function agentdb._layout_now (table_oid oid)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select md5(concat(
      string_agg(
        concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation), ','
        order by a.attnum
      ),
      (select i.indkey::text from pg_index as i
        where i.indrelid = _layout_now.table_oid and i.indisprimary and i.indimmediate)
    ))
    from pg_attribute as a
    where a.attrelid = _layout_now.table_oid and a.attnum > 0 and not a.attisdropped
  );
end;
$$;

comment on function agentdb._layout_now (oid) is
  'A fingerprint of the columns and the primary key of a table, looked up at every call.';


-- Declared immutable although it is not: the call is folded into the cached plan of a
-- query on a transition table, which PostgreSQL drops when the table is altered.  So the
-- generated code learns of every change of layout, at no cost.
create or replace function agentdb._layout (table_oid oid)
  returns text
  language plpgsql
  immutable
  parallel safe
  set search_path = pg_catalog, pg_temp
as $$
begin
  return agentdb._layout_now(table_oid);
end;
$$;

comment on function agentdb._layout (oid) is
  'The same fingerprint, looked up once a plan.';


create or replace function agentdb._writer (
  out agent_id bigint,
  out run_id bigint,
  out max_rows integer
)
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_bound bigint;
begin
  select a.agent_id, p.blast_radius_rows into _writer.agent_id, max_rows
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where a.role_name = session_user and not a.pooled;
  if found then
    select case when count(*) = 1 then min(r.run_id) end into _writer.run_id
    from agentdb.run as r
    where r.role_name = session_user
      and r.agent_id = _writer.agent_id
      and r.ended_at is null;
  end if;
  -- Rarely set where the role is an agent's own, and a function call to save.
  if current_setting('agentdb.run_token', true) <> '' or max_rows is null then
    v_bound := agentdb._bound_run();
    select case when r.ended_at is null then r.run_id end, r.agent_id
      into _writer.run_id, _writer.agent_id
    from agentdb.run as r
    where r.run_id = v_bound and r.role_name = session_user
    union all
    select _writer.run_id, _writer.agent_id
    limit 1;
    select min(p.blast_radius_rows) into max_rows
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
    where a.role_name = session_user;
  end if;
end;
$$;

comment on function agentdb._writer () is
  'Who writes: the session''s agent, its run by the bound token or because it is the only open one, and how many rows its policy allows a statement.';


create or replace function agentdb._refuse_blast (table_name text, max_rows integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'a statement of % changes more than % rows of %', session_user, max_rows,
      table_name
    using errcode = 'ZA031',
          detail = format('policy.blast_radius_rows of the agent is %s; nothing was changed.',
            max_rows),
          hint = 'Check the WHERE clause.  If all these rows are meant, ask an operator to '
            'do it, or to raise the limit of the policy.';
end;
$$;

comment on function agentdb._refuse_blast (text, integer) is
  'Raises ZA031 for a statement of an agent that changes more rows than its policy allows.';
