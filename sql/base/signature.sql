-- Signatures: what makes two calls, results or steps the same to a person who reads
-- them.  What differs by itself (times, ids, counters) is taken out before hashing, in
-- the head and the tail of a large text; the rest between them is hashed as it is.

create or replace function agentdb._signature (value text, volatile text[])
  returns bigint
  language plpgsql
  immutable
  parallel safe
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := value;
  v_rest bigint := 0;
  v_pattern text;
begin
  if length(value) > 4000 then
    v_text := left(value, 2000) || ' ' || right(value, 2000);
    v_rest := hashtextextended(substr(value, 2001, length(value) - 4000), 0);
  end if;
  -- Most of it has digits, or is what an id is called.
  if v_text !~ '[0-9]|[iI][dD]|[kK][eE][yY]|[nN]on' then
    return hashtextextended(v_text, v_rest);
  end if;
  -- One after the other: as one pattern they take three times as long.
  foreach v_pattern in array volatile loop
    v_text := regexp_replace(v_text collate "C", v_pattern, '#', 'gi');
  end loop;
  return hashtextextended(v_text, v_rest);
end;
$$;

comment on function agentdb._signature (text, text[]) is
  'Hash of a text without what matches any of the patterns.';


-- Ids first: UUIDs, long hashes, ids of requests.  Then times of day with or without a
-- date, but no bare date, which is what was asked for; seconds and milliseconds since
-- 1970; durations; counters of attempts.
create or replace function agentdb._volatile ()
  returns text[]
  language sql
  immutable
  parallel safe
  return array[
    '\m[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\M',
    '\m[0-9a-f]{16,}\M',
    '\m(request|req|trace|span|correlation)[_-]?id["'' :=]+[\w.-]+',
    '(\d{4}-\d\d-\d\d[t ])?\d\d:\d\d:\d\d([.,]\d+)?(z| ?[-+]\d\d:?\d\d)?',
    '\d{4}-\d\d-\d\d[t ]\d\d:\d\dz?',
    '\m1\d{9}(\.\d+|\d{3})?\M',
    '\m\d+([.,]\d+)? ?(ns|us|ms|s|secs?|seconds?)\M',
    '\m(attempts?|retry|retries|tries|try|iteration)["'' :=#_-]*\d+'
  ];

comment on function agentdb._volatile () is
  'Patterns of what differs between two results that say the same.';


-- A UUID or a time among the arguments is mostly what the call is about: only members
-- whose name says that they are volatile are taken out.
create or replace function agentdb._call_signature (tool text, args jsonb)
  returns bigint
  language sql
  immutable
  parallel safe
  return agentdb._signature(
    concat_ws(' ', tool, args::text),
    array[
      '"(request|req|trace|span|correlation|idempotency)[_-]?(id|key)": ("[^"]*"|\d+)',
      '"(timestamp|ts|nonce|now|attempts?|retry|retries|try|iteration|request_?at)"'
        ': ("[^"]*"|[\d.]+)'
    ]
  );

comment on function agentdb._call_signature (text, jsonb) is
  'The same for the same call: tool and arguments without request ids and counters.';


-- Where any number is taken out, times and counters need no pattern of their own.
create or replace function agentdb._shape_signature (tool text, args jsonb)
  returns bigint
  language sql
  immutable
  parallel safe
  return agentdb._signature(
    concat_ws(' ', tool, args::text),
    (agentdb._volatile())[1:3] || '\d+([.,:]\d+)*'::text
  );

comment on function agentdb._shape_signature (text, jsonb) is
  'The same for calls whose arguments differ in numbers, times and ids only.';


create or replace function agentdb._result_signature (
  ok boolean,
  result text,
  error text
)
  returns bigint
  language sql
  immutable
  parallel safe
  return agentdb._signature(
    case when ok then 'ok ' else 'failed ' end || coalesce(result, error),
    agentdb._volatile()
  );

comment on function agentdb._result_signature (boolean, text, text) is
  'The same for results that say the same; NULL where neither result nor error is '
  'known.';
