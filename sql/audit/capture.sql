-- Capture: the trigger functions that write audit_log, one generated for each table, so
-- that a statement costs one insert however many rows it changed.  They belong to
-- agentdb_capture, which can do nothing but insert into audit_log and read what it
-- audits.

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
        concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation,
          nullif(a.attgenerated, '')),
        ',' order by a.attnum
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
  'A fingerprint of the columns and the primary key of a table, looked up at every '
  'call.';


-- Declared immutable although it is not: the call is folded into the cached plan of a
-- query on a transition table, which PostgreSQL drops when the table is altered.  So
-- the generated code learns of every change of layout, at no cost.
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


-- What a change writes is its proposer's, in whosever session it is applied.  The
-- setting only says where to look; what is believed is the row of the transaction.
create or replace function agentdb._applied_change (
  out agent_id bigint,
  out run_id bigint,
  out change_id bigint
)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select c.agent_id, c.run_id, c.change_id
  from agentdb.change_pass as p
  join agentdb.change as c on c.change_id = p.change_id
  where p.xid = pg_current_xact_id_if_assigned();
$$;

comment on function agentdb._applied_change () is
  'The change that the transaction is applying, with its agent and run.';


-- One query where no token is bound: it is asked at every statement of an agent.
create or replace function agentdb._writer (
  out agent_id bigint,
  out run_id bigint,
  out change_id bigint
)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_bound bigint;
begin
  if current_setting('agentdb.applying', true) <> '' then
    select c.agent_id, c.run_id, c.change_id
      into _writer.agent_id, _writer.run_id, _writer.change_id
    from agentdb._applied_change() as c;
    if change_id is not null then
      return;
    end if;
  end if;
  if current_setting('agentdb.run_token', true) <> '' then
    v_bound := agentdb._bound_run();
    select case when r.ended_at is null then r.run_id end, r.agent_id
      into _writer.run_id, _writer.agent_id
    from agentdb.run as r
    where r.run_id = v_bound and r.role_name = session_user;
    if found then
      perform agentdb._check_write(v_bound, _writer.agent_id);
      return;
    end if;
  end if;
  select min(a.agent_id), case when count(r.run_id) = 1 then min(r.run_id) end
    into _writer.agent_id, _writer.run_id
  from agentdb.agent as a
  left join agentdb.run as r
    on r.role_name = session_user
    and r.agent_id = a.agent_id
    and r.ended_at is null
  where a.role_name = session_user and not a.pooled;
  perform agentdb._check_write(_writer.run_id, _writer.agent_id);
end;
$$;

comment on function agentdb._writer () is
  'Who writes: the proposer of the change that is being applied, else the session''s '
  'agent, and its run by the bound token or because it is the only open one; refuses a '
  'stopped run, see _check_write().';


create or replace function agentdb._max_rows ()
  returns integer
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select min(p.blast_radius_rows)
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
    where a.role_name = session_user
  );
end;
$$;

comment on function agentdb._max_rows () is
  'How many rows a statement of the session may change; NULL where it is no agent''s.';


create or replace function agentdb._refuse_blast (table_name text, max_rows integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'a statement of % changes more than % rows of %',
      session_user, max_rows, table_name
    using errcode = 'ZA031',
          detail = format('policy.blast_radius_rows of the agent is %s; '
            'nothing was changed.', max_rows),
          hint = 'Check the WHERE clause.  If all these rows are meant, a person does '
            'it, or raises the limit: select * from agentdb.ask_human(question => '
            '''…'');';
end;
$$;

comment on function agentdb._refuse_blast (text, integer) is
  'Raises ZA031 for a statement of an agent that changes more rows than its policy '
  'allows.';
