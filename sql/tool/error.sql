-- Why tool calls failed: by SQLSTATE, errno or HTTP status where the error names one,
-- else by its words.  What failed for want of a file or a right is looked into.

create or replace function agentdb._error_class (error text)
  returns text
  language sql
  immutable
  parallel safe
  return case
    when error is null then 'failed'
    when error ~ '\m(42501|EACCES|EPERM)\M' then 'permission denied'
    when error ~ '\m(42P01|42703|42883|3F000|ENOENT|ENOTDIR)\M' then 'not found'
    when error ~ '\m(57014|55P03|25P03|ETIMEDOUT|ESTALE)\M' then 'timeout'
    when error ~ '\m(22[0-9A-Z]{3}|23[0-9]{3}|42601|EINVAL|ZA004)\M'
      then 'bad arguments'
    when error ~ '\mZA0[0-9]{2}\M' then 'refused'
    when error ~* '\m(http|status|code)[^0-9a-z]{0,3}(401|403)\M'
      then 'permission denied'
    when error ~* '\m(http|status|code)[^0-9a-z]{0,3}(404|410)\M' then 'not found'
    when error ~* '\m(http|status|code)[^0-9a-z]{0,3}(408|504)\M' then 'timeout'
    when error ~* '\m(http|status|code)[^0-9a-z]{0,3}429\M' then 'rate limited'
    when error ~* '\m(http|status|code)[^0-9a-z]{0,3}(400|422)\M' then 'bad arguments'
    when error ~* 'unknown tool|no such tool|tool .{0,80}not found' then 'unknown tool'
    when error ~* 'permission denied|access denied|not permitted|forbidden|unauthori'
      then 'permission denied'
    when error ~* 'no such file|not found|does not exist|no such' then 'not found'
    when error ~* 'timed? ?out|deadline' then 'timeout'
    when error ~* 'rate.?limit|too many requests|quota' then 'rate limited'
    when error ~* 'invalid|must be|required|missing|expected|malformed|type ?error'
      then 'bad arguments'
    when error ~* 'refused|rejected|not allowed|denied' then 'refused'
    else 'failed'
  end;

comment on function agentdb._error_class (text) is
  'unknown tool, bad arguments, not found, permission denied, timeout, rate limited, '
  'refused or failed.';


create or replace view agentdb.tool_error as
  select l.recorded_at, a.agent_name, l.run_id, l.tool,
    agentdb._error_class(l.error) as error_class, l.error, l.args,
    d.diagnosis, l.tool_call_log_id
  from agentdb.tool_call_log as l
  join agentdb.agent as a on a.agent_id = l.agent_id
  left join agentdb.tool_diagnosis as d
    on d.run_id = l.run_id and d.tool_call_log_id = l.tool_call_log_id
  where not l.ok;

comment on view agentdb.tool_error is
  'Every failed tool call with its class, and what was found where a file or a right '
  'was missing.';
comment on column agentdb.tool_error.recorded_at is
  'When it was logged.';
comment on column agentdb.tool_error.agent_name is
  'Whose call it was.';
comment on column agentdb.tool_error.run_id is
  'In which run.';
comment on column agentdb.tool_error.tool is
  'The tool, as the model wrote it.';
comment on column agentdb.tool_error.error_class is
  'unknown tool, bad arguments, not found, permission denied, timeout, rate limited, '
  'refused or failed.';
comment on column agentdb.tool_error.error is
  'What the tool said.';
comment on column agentdb.tool_error.args is
  'What it was called with.';
comment on column agentdb.tool_error.diagnosis is
  'What the runner found when it looked as the agent would.';
comment on column agentdb.tool_error.tool_call_log_id is
  'The number of the call.';


-- Absolute paths anywhere in the arguments or the error, the longest first.
create or replace function agentdb._paths_in (args jsonb, error text)
  returns text[]
  language sql
  immutable
  return array(
    select p.path
    from (
      select distinct rtrim(m.found[1], '.,;:''")') as path
      from (
        select v.value #>> '{}' as said
        from jsonb_path_query(args, 'lax $.**') as v (value)
        where jsonb_typeof(v.value) = 'string'
        union all
        select error
      ) as t
      cross join regexp_matches(
        left(t.said, 4000), '(?:^|[\s''"(=])(/[^\s''"()<>|*?]+)', 'g'
      ) as m (found)
    ) as p
    where p.path ~ '^/[^/]'
    order by length(p.path) desc
    limit 3
  );

comment on function agentdb._paths_in (jsonb, text) is
  'Up to three absolute paths that a failed call names.';


create or replace function agentdb._relation_in (error text)
  returns text
  language sql
  immutable
  return (regexp_match(left(error, 4000),
    '(?:relation|table|view) "?([[:alnum:]_.$"]{1,130}?)"?(?:[[:space:]]|$)'))[1];

comment on function agentdb._relation_in (text) is
  'The table that an error of PostgreSQL names.';


create or replace function agentdb._schema_in (error text)
  returns text
  language sql
  immutable
  return (regexp_match(left(error, 4000),
    'schema "?([[:alnum:]_.$"]{1,130}?)"?(?:[[:space:]]|$)'))[1];

comment on function agentdb._schema_in (text) is
  'The schema that an error of PostgreSQL names.';


-- Which of them are SQL, a parser in the runner finds out.
create or replace function agentdb._texts_in (args jsonb)
  returns text[]
  language sql
  immutable
  return array(
    select v.value #>> '{}'
    from jsonb_path_query(args, 'lax $.**') with ordinality as v (value, place)
    where jsonb_typeof(v.value) = 'string'
      and length(v.value #>> '{}') between 6 and 20000
      and v.value #>> '{}' ~ '[[:space:]]'
    order by v.place
    limit 5
  );

comment on function agentdb._texts_in (jsonb) is
  'Up to five texts of several words in the arguments of a call.';


create or replace function agentdb.take_failed_calls (max_calls integer default 20)
  returns table (
    run_id bigint, tool_call_log_id bigint, role_name name, os_user text,
    paths text[], relation text, schema_name text, texts text[]
  )
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  -- A fixed moment: the index on the time serves no clock that goes on.
  v_since timestamptz := clock_timestamp() - interval '10 minutes';
begin
  return query
    select l.run_id, l.tool_call_log_id, a.role_name, a.os_user,
      agentdb._paths_in(l.args, l.error), agentdb._relation_in(l.error),
      agentdb._schema_in(l.error), agentdb._texts_in(l.args)
    from agentdb.tool_call_log as l
    join agentdb.agent as a on a.agent_id = l.agent_id
    where l.recorded_at > v_since
      and not l.ok
      and agentdb._error_class(l.error) in ('not found', 'permission denied')
      and not exists (
        select from agentdb.tool_diagnosis as d
        where d.run_id = l.run_id and d.tool_call_log_id = l.tool_call_log_id
      )
    order by l.tool_call_log_id desc
    limit greatest(max_calls, 0);
end;
$$;

comment on function agentdb.take_failed_calls (integer) is
  'Failed calls of the last minutes for want of a file or a right, that nobody has '
  'looked into, the newest first.';


create or replace function agentdb.note_diagnosis (
  run bigint,
  call bigint,
  diagnosis jsonb
)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  if call is null or diagnosis is null then
    perform agentdb._refuse('call and diagnosis must not be NULL',
      'Give the number of the call, and what was found.');
  end if;
  insert into agentdb.tool_diagnosis (run_id, tool_call_log_id, diagnosis)
  select r.run_id, call, agentdb._bounded_json(note_diagnosis.diagnosis, 65536)
  from agentdb.run as r where r.run_id = run
  on conflict on constraint tool_diagnosis_pkey do nothing;
end;
$$;

comment on function agentdb.note_diagnosis (bigint, bigint, jsonb) is
  'Writes beside a failed call what was found.';
