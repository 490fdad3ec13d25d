-- Unproven events: what somebody says in the name of an agent, who may be anybody on
-- the machine.  It is kept to be seen, and reaches no run, budget, loop or verdict.

create or replace function agentdb._event_text (item jsonb)
  returns text
  language sql
  immutable
  parallel safe
  return agentdb._clean_line(case agentdb._json_text(item, 'kind')
    when 'tokens' then format('input %s, cached input %s, output %s',
      coalesce(agentdb._json_text(item, 'input'), '?'),
      coalesce(agentdb._json_text(item, 'cached_input'), '?'),
      coalesce(agentdb._json_text(item, 'output'), '?'))
    when 'progress' then agentdb._json_text(item, 'step')
    when 'start' then agentdb._json_text(item, 'purpose')
    when 'end' then agentdb._json_text(item, 'outcome')
    else concat_ws(' ', agentdb._json_text(item, 'tool'), item -> 'args')
  end, 500);

comment on function agentdb._event_text (jsonb) is
  'An event in a few words, as its emitter tells it.';


-- A flood is counted, and kept no further than 10,000 events an hour of an agent.
create or replace function agentdb._record_unproven (
  events agentdb.intake_event[],
  recorded_by text
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  with counted as (
    insert into agentdb.unproven_hour as h (agent_id, hour_at, events)
    select e.agent_id,
      date_trunc('hour', clock_timestamp() at time zone 'UTC') at time zone 'UTC',
      count(*)
    from unnest(events) as e
    where e.status is null and not e.proven
    group by e.agent_id
    order by e.agent_id
    on conflict on constraint unproven_hour_pkey do update
    set events = h.events + excluded.events,
        last_at = clock_timestamp()
    returning h.agent_id, h.events
  )
  insert into agentdb.unproven_log (
    agent_id, conversation, thread, kind, what, event, emitter, happened_at,
    recorded_by
  )
  select e.agent_id, e.conversation, e.thread, e.kind, agentdb._event_text(e.event),
    agentdb._bounded_json(e.event, 16384), e.emitter, e.happened_at,
    _record_unproven.recorded_by
  from (
    select u.*, row_number() over (partition by u.agent_id order by u.place) as nth,
      count(*) over (partition by u.agent_id) as many
    from unnest(events) as u
    where u.status is null and not u.proven
  ) as e
  join counted as c on c.agent_id = e.agent_id
  where c.events - e.many + e.nth <= 10000
  order by e.place;
$$;

comment on function agentdb._record_unproven (agentdb.intake_event[], text) is
  'Keeps and counts the events of a batch that nothing proves.';


create or replace view agentdb.unproven_event as
  select u.recorded_at, a.agent_name, u.conversation, nullif(u.thread, '') as thread,
    u.kind, u.what, u.emitter, u.happened_at, u.recorded_by, u.event
  from agentdb.unproven_log as u
  join agentdb.agent as a on a.agent_id = u.agent_id;

comment on view agentdb.unproven_event is
  'What somebody said in the name of an agent without proof.';
comment on column agentdb.unproven_event.recorded_at is
  'When it came.';
comment on column agentdb.unproven_event.agent_name is
  'The agent that it names.';
comment on column agentdb.unproven_event.conversation is
  'The conversation that it names.';
comment on column agentdb.unproven_event.thread is
  'The subagent that it names.';
comment on column agentdb.unproven_event.kind is
  'start, end, begin, call, tokens, progress or denied.';
comment on column agentdb.unproven_event.what is
  'What it says, in a few words.';
comment on column agentdb.unproven_event.emitter is
  'What sent it, as it says itself.';
comment on column agentdb.unproven_event.happened_at is
  'The emitter''s clock.';
comment on column agentdb.unproven_event.recorded_by is
  'Through what it came.';
comment on column agentdb.unproven_event.event is
  'All of it.';
