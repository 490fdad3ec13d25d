-- Import: files of the past, so that rules can be asked what they would have seen.  It
-- goes to agents of their own, that no session can be and nobody is alerted to: nothing
-- of the present is spent, stopped or proven by a file.

create or replace function agentdb._add_imported (events jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text;
begin
  for v_name in
    select distinct agentdb._json_text(e.item, 'agent')
    from jsonb_array_elements(events) as e (item)
    where agentdb._json_text(e.item, 'agent') is not null
    order by 1
  loop
    perform agentdb._add_agent(v_name, 'default', true)
    where not exists (select from agentdb.agent as a where a.agent_name = v_name);
    if not (select a.imported from agentdb.agent as a where a.agent_name = v_name) then
      raise exception 'agent % is of the present', v_name
        using errcode = 'ZA007',
              hint = format('Import under another name, such as %s-past: what is '
                'imported would be taken for what the agent does now.', v_name);
    end if;
  end loop;
end;
$$;

comment on function agentdb._add_imported (jsonb) is
  'Registers the agents of a file; raises ZA004 or ZA007.';


create or replace function agentdb._import_problem (happened_at timestamptz)
  returns text
  language sql
  stable
  return (
    select case
      when happened_at is null then 'at is missing: an event of the past has a moment'
      when happened_at < clock_timestamp() - p.keep
        then format('it is older than the logs are kept (%s, policy.log_retention)',
          agentdb._span(p.keep))
      when happened_at > clock_timestamp() then 'at is in the future'
    end
    from (select max(o.log_retention) as keep from agentdb.policy as o) as p
  );

comment on function agentdb._import_problem (timestamptz) is
  'Why an event cannot be one of the past that is kept, else NULL.';


-- One conversation or thread of a file is one run, whenever its parts are imported.
create or replace function agentdb._place_import (events agentdb.intake_event[])
  returns agentdb.intake_event[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_session record;
begin
  for v_session in
    select s.agent_id, s.conversation, s.thread, p.run_id as parent
    from agentdb.intake_session as s
    left join agentdb.intake_session as p
      on (p.agent_id, p.conversation, p.thread) = (s.agent_id, s.conversation, '')
      and s.thread <> ''
    where s.run_id is null
      and (s.agent_id, s.conversation, s.thread) in (
        select e.agent_id, e.conversation, t.thread
        from unnest(events) as e
        cross join lateral (values (''), (e.thread)) as t (thread)
        where e.status is null)
    order by s.agent_id, s.conversation, s.thread
  loop
    update agentdb.intake_session as s
    set run_id = agentdb._open_intake_run(s.agent_id, s.conversation, (
      select p.run_id from agentdb.intake_session as p
      where (p.agent_id, p.conversation, p.thread) = (s.agent_id, s.conversation, '')
        and s.thread <> ''), 'import')
    where (s.agent_id, s.conversation, s.thread)
      = (v_session.agent_id, v_session.conversation, v_session.thread);
  end loop;
  return array(
    select row(
      e.place, e.kind, e.agent_id, e.proven, e.conversation, e.thread, e.parent_thread,
      e.happened_at, e.emitter, e.keys, e.call_id, e.tool, e.event, e.status, e.problem,
      s.run_id
    )::agentdb.intake_event
    from unnest(events) as e
    left join lateral (
      select o.run_id from agentdb.intake_session as o
      where (o.agent_id, o.conversation, o.thread)
        = (e.agent_id, e.conversation, e.thread)
      offset 0
    ) as s on true
    order by e.happened_at, e.place);
end;
$$;

comment on function agentdb._place_import (agentdb.intake_event[]) is
  'The events of a file in the order in which they happened, each with its run.';


create or replace function agentdb._date_imported (events agentdb.intake_event[])
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  update agentdb.run as r
  set started_at = case when r.ended_at is null then s.first_at
        else least(r.started_at, s.first_at) end,
      ended_at = greatest(r.ended_at, s.last_at),
      outcome = coalesce(s.outcome, r.outcome, 'abandoned'),
      summary = coalesce(agentdb._clean_text(s.summary, 4000), r.summary)
  from (
    select t.run_id, min(e.happened_at) as first_at, max(e.happened_at) as last_at,
      max(coalesce(agentdb._json_text(e.event, 'outcome'), 'succeeded'))
        filter (where e.kind = 'end' and e.run_id = t.run_id) as outcome,
      max(agentdb._json_text(e.event, 'summary'))
        filter (where e.kind = 'end' and e.run_id = t.run_id) as summary
    from unnest(events) as e
    join agentdb.run as o on o.run_id = e.run_id
    cross join lateral (
      select e.run_id union select o.parent_run_id where o.parent_run_id is not null
    ) as t
    where e.status is null
    group by t.run_id
  ) as s
  where r.run_id = s.run_id;
$$;

comment on function agentdb._date_imported (agentdb.intake_event[]) is
  'Gives the runs of a file the time in which its events happened.';


create or replace function agentdb.import_events (events jsonb)
  returns table (place integer, status text, problem text, run_id bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_events agentdb.intake_event[];
begin
  events := agentdb._unquoted(events);
  perform agentdb._check_batch(events);
  perform agentdb._add_imported(events);
  v_events := array(
    select row(
      e.place, e.kind, e.agent_id, true, e.conversation, e.thread, e.parent_thread,
      e.happened_at, e.emitter, e.keys, e.call_id, e.tool, e.event,
      case when coalesce(e.problem, p.problem) is not null then 'refused' end,
      coalesce(e.problem, p.problem), null
    )::agentdb.intake_event
    from unnest(agentdb._parse_events(events)) as e
    cross join lateral agentdb._import_problem(e.happened_at)
      as p (problem));
  perform agentdb._touch_sessions(v_events, 'import');
  v_events := agentdb._mark(v_events, agentdb._take_keys(v_events), 'repeated');
  v_events := agentdb._record_placed(agentdb._place_import(v_events), 'import');
  perform agentdb._record_starts(v_events);
  perform agentdb._date_imported(v_events);
  return query
    select e.place, coalesce(e.status, 'recorded'), e.problem, e.run_id
    from unnest(v_events) as e
    order by e.place;
end;
$$;

comment on function agentdb.import_events (jsonb) is
  'Records events of files of the past, each at its own moment, in runs of the past of '
  'agents that are known from files alone; the same again is repeated; raises ZA004 or '
  'ZA007.';
