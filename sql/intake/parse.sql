-- Parse: what came from an emitter becomes events of agents, or is said to be none.
-- Everything of an element may be anything: nothing is cast before it has been looked
-- at, so that one bad element never costs the others.

create or replace function agentdb._moment (value text)
  returns timestamptz
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
  set "DateStyle" = 'ISO, YMD'
as $$
declare
  v_at timestamptz;
begin
  if value is null or length(value) > 40
    or value !~ '^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d' then
    return null;
  end if;
  v_at := value::timestamptz;
  -- A clock that is off by years is no clock.
  return case when v_at between '2000-01-01' and clock_timestamp() + interval '1 day'
    then v_at end;
exception when data_exception then
  return null;
end;
$$;

comment on function agentdb._moment (text) is
  'A moment of an emitter''s clock, NULL for what can be none.';


create or replace function agentdb._count_of (object jsonb, key text)
  returns bigint
  language sql
  immutable
  parallel safe
  return case
    when object -> key is null or object -> key = 'null' then null
    when agentdb._json_text(object, key) ~ '^\d{1,10}(\.0+)?$'
      then least((object ->> key)::numeric, 4000000000)::bigint
    else -1
  end;

comment on function agentdb._count_of (jsonb, text) is
  'A count that a JSON object has, NULL where it has none, -1 for what is no count.';


create or replace function agentdb._is_name_or_absent (object jsonb, key text)
  returns boolean
  language sql
  immutable
  parallel safe
  return coalesce(object -> key, 'null') in ('null', '""')
    or agentdb._is_clean_name(agentdb._json_text(object, key), 200);

comment on function agentdb._is_name_or_absent (jsonb, text) is
  'Whether a member of a JSON object is a name, or absent.';


create or replace function agentdb._usage_problem (item jsonb)
  returns text
  language sql
  immutable
  parallel safe
  return (
    select case
      when count(*) filter (where c.count < 0 or c.count > 1000000000) > 0
        then 'input, cached_input, output and reasoning are whole numbers between 0 '
          'and 1000000000, or absent'
      when max(c.count) is null then 'it tells no count of tokens'
      when agentdb._count_of(item, 'reasoning') > agentdb._count_of(item, 'output')
        then 'reasoning is a part of output, and cannot be more'
      when item ? 'cost' and item -> 'cost' <> 'null'
        and agentdb._json_text(item, 'cost') !~ '^\d{1,9}(\.\d{1,20})?([eE]-\d{1,2})?$'
        then 'cost is an amount between 0 and 1000000000'
    end
    from (values ('input'), ('cached_input'), ('output'), ('reasoning')) as k (key)
    cross join lateral agentdb._count_of(item, k.key) as c (count)
  );

comment on function agentdb._usage_problem (jsonb) is
  'Why an element cannot be the tokens of a model call, else NULL.';


create or replace function agentdb._call_problem (item jsonb, kind text)
  returns text
  language sql
  immutable
  parallel safe
  return case
    when not agentdb._is_name_or_absent(item, 'call_id')
      then 'call_id is 1 to 200 visible characters on one line'
    when coalesce(agentdb._json_text(item, 'call_id'), '') = ''
      and (kind = 'begin' or coalesce(agentdb._json_text(item, 'tool'), '') !~ '\S')
      then 'it has no call_id to know the call by'
    when coalesce(agentdb._json_text(item, 'tool'), '') !~ '\S' and kind = 'begin'
      then 'tool must not be empty'
    when coalesce(agentdb._count_of(item, 'occurrence'), 1) not between 1 and 1000
      then 'occurrence is a whole number between 1 and 1000'
    when agentdb._count_of(item, 'result_size') < 0 then 'result_size is no size'
    when item ? 'ok' and jsonb_typeof(item -> 'ok') not in ('boolean', 'null')
      then 'ok is true or false'
  end;

comment on function agentdb._call_problem (jsonb, text) is
  'Why an element cannot be a call of a tool, else NULL.';


create or replace function agentdb._event_problem (item jsonb, kind text)
  returns text
  language sql
  immutable
  parallel safe
  return case
    when jsonb_typeof(item) <> 'object' then 'it is no object'
    when kind is null or kind not in (
        'start', 'end', 'begin', 'call', 'tokens', 'progress', 'denied')
      then 'kind is start, end, begin, call, tokens, progress or denied'
    when not agentdb._is_name_or_absent(item, 'conversation')
      then 'conversation is 1 to 200 visible characters on one line'
    when not agentdb._is_name_or_absent(item, 'thread')
      then 'thread is 1 to 200 visible characters on one line'
    when not agentdb._is_name_or_absent(item, 'parent_thread')
      then 'parent_thread is 1 to 200 visible characters on one line'
    when item ? 'ids' and (jsonb_typeof(item -> 'ids') not in ('array', 'null')
        or item #> '{ids,20}' is not null)
      then 'ids is an array of at most 20 texts'
    when kind in ('begin', 'call', 'denied') then agentdb._call_problem(item, kind)
    when kind = 'tokens' then agentdb._usage_problem(item)
    when kind = 'progress' and coalesce(agentdb._json_text(item, 'step'), '') !~ '\S'
      then 'step must not be empty'
    when kind = 'end' and coalesce(agentdb._json_text(item, 'outcome'), 'succeeded')
        not in ('succeeded', 'failed', 'cancelled')
      then 'outcome is succeeded, failed or cancelled'
  end;

comment on function agentdb._event_problem (jsonb, text) is
  'Why an element of a batch cannot be an event, else NULL.';


-- What has no id is known by what it says and when: the same bytes again are the same
-- event, and the second of two equal ones in a batch is the second.
create or replace function agentdb._event_keys (
  item jsonb,
  kind text,
  happened_at timestamptz,
  nth bigint
)
  returns bytea[]
  language sql
  stable
  parallel safe
  return case
    when jsonb_typeof(item -> 'ids') = 'array' and item -> 'ids' <> '[]' then array(
      -- A short id names nothing but within its moment: some servers count from 1.
      select distinct agentdb._event_key(kind, case when length(i.id) >= 16 then i.id
        else concat_ws(' ', item ->> 'conversation', item ->> 'thread',
          extract(epoch from happened_at), i.id) end)
      from jsonb_array_elements_text(item -> 'ids') as i (id)
      where i.id ~ '\S'
    )
    when happened_at is not null
      then array[agentdb._event_key('same', concat(nth, ' ', item))]
    else '{}'
  end;

comment on function agentdb._event_keys (jsonb, text, timestamptz, bigint) is
  'What an event is known by when it comes another time.';


create or replace function agentdb._parse_events (events jsonb)
  returns agentdb.intake_event[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(row(
      e.place, k.kind, a.agent_id, coalesce(e.item -> 'proven' = 'true', false),
      coalesce(nullif(agentdb._json_text(e.item, 'conversation'), ''), 'unnamed'),
      coalesce(agentdb._json_text(e.item, 'thread'), ''),
      nullif(agentdb._json_text(e.item, 'parent_thread'), ''),
      k.happened_at,
      agentdb._clean_line(agentdb._json_text(e.item, 'emitter'), 100),
      case when p.problem is null then agentdb._event_keys(e.item,
        case when k.kind in ('begin', 'start', 'end', 'tokens', 'progress')
          then k.kind else 'call' end, k.happened_at, e.nth) end,
      nullif(agentdb._json_text(e.item, 'call_id'), '')
        || case when agentdb._count_of(e.item, 'occurrence') > 1
          then '#' || (e.item ->> 'occurrence') else '' end,
      nullif(agentdb._clean_line(agentdb._json_text(e.item, 'tool'), 200), ''),
      e.item,
      case when p.problem is not null then 'refused' end,
      p.problem,
      null
    )::agentdb.intake_event order by e.place), '{}')
  from (
    select i.place::integer, i.item,
      row_number() over (partition by hashtextextended(i.item::text, 0)
        order by i.place) as nth
    from jsonb_array_elements(events) with ordinality as i (item, place)
  ) as e
  cross join lateral (
    select agentdb._json_text(e.item, 'kind') as kind,
      agentdb._moment(agentdb._json_text(e.item, 'at')) as happened_at
    offset 0
  ) as k
  left join agentdb.agent as a
    on a.agent_name = agentdb._json_text(e.item, 'agent')
  cross join lateral (
    select coalesce(
      agentdb._event_problem(e.item, k.kind),
      case when a.agent_id is null then concat('there is no agent ',
        agentdb._clean_line(agentdb._json_text(e.item, 'agent'), 100)) end) as problem
    offset 0
  ) as p;
$$;

comment on function agentdb._parse_events (jsonb) is
  'The elements of a batch as events, each with what is wrong with it.';


-- Of files of the past the moment is the file's, so it has to be one.
create or replace function agentdb._recorded_at (
  recorded_by text,
  happened_at timestamptz
)
  returns timestamptz
  language sql
  volatile
  return case recorded_by when 'import' then happened_at else clock_timestamp() end;

comment on function agentdb._recorded_at (text, timestamptz) is
  'When an event counts as recorded: now, but for files of the past.';


create or replace function agentdb._check_batch (events jsonb)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if jsonb_typeof(events) is distinct from 'array' then
    perform agentdb._refuse(
      format('expected a JSON array, got %s', coalesce(jsonb_typeof(events), 'NULL')),
      'Send [{"kind": "call", "agent": "…", "proven": true, …}, …].');
  elsif jsonb_array_length(events) > 10000 or octet_length(events::text) > 16777216 then
    perform agentdb._refuse(
      format('%s events of %s bytes are too many for one call',
        jsonb_array_length(events), octet_length(events::text)),
      'Send at most 10000 events and 16 MB at a time.');
  end if;
end;
$$;

comment on function agentdb._check_batch (jsonb) is
  'Raises ZA004 for what is no batch of events.';
