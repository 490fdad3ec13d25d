-- What a call is refused with that cannot be given to a run.

create or replace function agentdb._refuse_closed_run (run bigint)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_outcome text;
  v_ended_at timestamptz;
begin
  select r.outcome, r.ended_at into v_outcome, v_ended_at
  from agentdb.run as r where r.run_id = _refuse_closed_run.run;
  -- Killed while this call waited for the run.
  perform agentdb._refuse_stopped(s.kind, s.reason, format('run %s', run))
  from agentdb.run_stop as s
  where s.run_id = _refuse_closed_run.run and s.kind = 'killed';
  raise exception 'run % has ended', run
    using errcode = 'ZA003',
          detail = format(case when v_outcome in ('replaced', 'abandoned', 'cancelled')
              then 'It was %s at %s.' else 'It %s at %s.' end, v_outcome, v_ended_at),
          hint = 'Stop working for this run.  If there is more to do, open another: '
            'select * from agentdb.start_run();';
end;
$$;

comment on function agentdb._refuse_closed_run (bigint) is
  'Raises ZA003 for a run that has ended, ZA040 for one that was killed.';


create or replace function agentdb._refuse_foreign_run (run bigint)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'run % is not open to role %', run, session_user
    using errcode = 'ZA001',
          hint = 'Use the run_id that agentdb.start_run() returned to you; behind a '
            'shared role bind its token first: select agentdb.bind_run(token);';
end;
$$;

comment on function agentdb._refuse_foreign_run (bigint) is
  'Raises ZA001 for a run that the session may not speak for, whether or not it '
  'exists.';


create or replace function agentdb._refuse_older_session (run bigint, reason text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'run % was killed: %', run, reason
    using errcode = 'ZA040',
          detail = case when agentdb._own_start() = '-infinity'
            then 'This session may have been connected then: when it began is hidden '
              'from agentdb (grant pg_read_all_stats to agentdb_owner).'
            else 'This session was connected then, and belongs to no other run.' end,
          hint = 'If it is the process of that run, stop now.  If it is another one, '
            'say whose: select agentdb.bind_run(token); with the token of its run.';
end;
$$;

comment on function agentdb._refuse_older_session (bigint, text) is
  'Raises ZA040 in a session that could be a killed run''s.';


create or replace function agentdb._refuse_choice (runs bigint[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_last bigint := runs[cardinality(runs)];
begin
  raise exception using
    errcode = 'ZA001',
    message = case when cardinality(runs) > 1
      then format('role %s has %s open runs, and this session has started none: %s',
        session_user, cardinality(runs), array_to_string(runs, ', '))
      else format('role %s had another run within %s, and this session has started '
        'none', session_user, agentdb._run_silence(session_user)) end,
    detail = (
      select string_agg(format('Run %s%s began %s ago; sessions: %s.', r.run_id,
          ' of instance ' || r.instance,
          agentdb._span(clock_timestamp() - r.started_at),
          coalesce(agentdb._connected_sessions(r.run_id), 'none connected')),
        ' ' order by r.run_id)
      from agentdb.run as r where r.run_id = any (runs))
      || case when agentdb._own_start() = '-infinity' then ' When a session began is '
        'hidden from agentdb, one of no run could be theirs (grant pg_read_all_stats '
        'to agentdb_owner).' else '' end,
    hint = format('Say which: add run => %s to a call of agentdb; before an INSERT, '
      'UPDATE or DELETE bind the token that start_run() returned: select '
      'agentdb.bind_run(token); a process of its own starts its own run: select * from '
      'agentdb.start_run();', v_last);
end;
$$;

comment on function agentdb._refuse_choice (bigint[]) is
  'Raises ZA001 where a session could be any run''s, and names them.';


create or replace function agentdb._refuse_without_run ()
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._check_last_run(session_user);
  raise exception 'role % has no open run', session_user
    using errcode = 'ZA001',
          hint = 'Open one first: select * from agentdb.start_run(); behind a shared '
            'role then bind its token in every transaction: '
            'select agentdb.bind_run(token);';
end;
$$;

comment on function agentdb._refuse_without_run () is
  'Raises ZA001 for a role that has no open run, ZA040 or ZA041 where the last was '
  'stopped.';
