-- Too many rows: in one statement, and of one run within a window, in however small
-- pieces and over all tables that refuse a blast.  The sum of a run is kept as it
-- writes, a row for each of its sessions and a twelfth of the window, so that nobody
-- waits for another session and nothing is added up from the log.  What is rolled back
-- takes its count with it; what another session has not committed yet is not seen.

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


create or replace function agentdb._refuse_wide_run (
  run bigint,
  table_name text,
  changed numeric,
  max_rows integer,
  period interval
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'run % would change or remove more than % rows within %',
      run, max_rows, agentdb._span(period)
    using errcode = 'ZA031',
          detail = format('With this statement on %s it would be %s, over all its '
            'statements and tables; policy.blast_radius_window_rows of the agent is '
            '%s; this statement changed nothing.', table_name, changed, max_rows),
          hint = 'Stop and check what this run is doing.  If all these rows are meant, '
            'a person does it, or raises the limit: select * from '
            'agentdb.ask_human(question => ''…'');';
end;
$$;

comment on function agentdb._refuse_wide_run (
  bigint, text, numeric, integer, interval) is
  'Raises ZA031 for a statement with which a run changes more rows in a window than '
  'its policy allows.';


-- Behind a shared role the narrowest policy counts, as nobody says whose it is.
create or replace function agentdb._check_blast (
  table_name text,
  operation text,
  changed bigint,
  agent bigint,
  run bigint,
  change bigint
)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_max_rows integer;
  v_max_window_rows integer;
  v_window interval;
  v_agent bigint;
  v_now timestamptz := clock_timestamp();
  v_sum numeric;
begin
  select min(p.blast_radius_rows), min(p.blast_radius_window_rows),
    max(p.blast_radius_window), coalesce(agent, min(a.agent_id))
    into v_max_rows, v_max_window_rows, v_window, v_agent
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where a.role_name = session_user;
  if changed > v_max_rows then
    perform agentdb._count_refusal('blast', v_agent);
    perform agentdb._refuse_blast(table_name, v_max_rows);
  end if;
  -- New rows harm none that there are; what was approved has been looked at.
  if v_max_window_rows is null or operation = 'INSERT' or changed = 0
    or run is null or change is not null then
    return;
  end if;
  -- In one statement, which sees the sum as it was before.
  with added as (
    insert into agentdb.run_blast as b (run_id, slice_at, pid, changed)
    values (run, date_bin(v_window / 12, v_now, 'epoch'), pg_backend_pid(),
      _check_blast.changed)
    on conflict on constraint run_blast_pkey do update
    set changed = b.changed + excluded.changed,
        statements = b.statements + 1
  )
  select coalesce(sum(b.changed), 0) + _check_blast.changed into v_sum
  from agentdb.run_blast as b
  where b.run_id = run and b.slice_at > v_now - v_window - v_window / 12;
  if v_sum > v_max_window_rows then
    perform agentdb._count_refusal('blast', v_agent);
    perform agentdb._refuse_wide_run(
      run, table_name, v_sum, v_max_window_rows, v_window);
  end if;
end;
$$;

comment on function agentdb._check_blast (
  text, text, bigint, bigint, bigint, bigint) is
  'Refuses a statement of an agent with too many rows, itself or with what its run has '
  'changed before; raises ZA031.';


create or replace function agentdb._check_truncate (
  target integer,
  changed bigint,
  agent bigint,
  run bigint,
  change bigint
)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._check_blast(t.table_name, 'TRUNCATE', changed, agent, run, change)
  from agentdb.audit_target as t
  where t.audit_target_id = target and t.refuse_blast;
end;
$$;

comment on function agentdb._check_truncate (integer, bigint, bigint, bigint, bigint) is
  'Does the same for the rows that a TRUNCATE removes.';
