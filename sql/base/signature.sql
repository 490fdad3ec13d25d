-- Signatures: what makes two calls, results or steps the same to a person who reads
-- them.  What differs by itself (times, ids, counters) is taken out before hashing, in
-- the head and the tail of a large text; the rest between them is hashed as it is.

-- Ids first: UUIDs, long hashes, ids of requests.  Then any number; or else times of
-- day with or without a date, but no bare date, which is what was asked for, seconds
-- and milliseconds since 1970, durations, counters of attempts.  Most texts have none
-- of most of these: what a pattern needs is looked for first, at a tenth of its cost.
create or replace function agentdb._signature (value text, numbers boolean)
  returns bigint
  language plpgsql
  immutable
  parallel safe
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text := value;
  v_rest bigint := 0;
  v_lower text;
begin
  if length(value) > 4000 then
    v_text := left(value, 2000) || ' ' || right(value, 2000);
    v_rest := hashtextextended(substr(value, 2001, length(value) - 4000), 0);
  end if;
  -- Most of it has digits, or is what an id is called.
  if v_text !~ '[0-9]|[iI][dD]|[kK][eE][yY]|[nN]on' then
    return hashtextextended(v_text, v_rest);
  end if;
  v_lower := lower(v_text collate "C");
  if v_lower like '%-____-____-____-%' then
    v_text := regexp_replace(v_text collate "C",
      '\m[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\M', '#', 'gi');
  end if;
  v_text := regexp_replace(v_text collate "C", '\m[0-9a-f]{16,}\M', '#', 'gi');
  if v_lower like any ('{%req%id%,%trace%id%,%span%id%,%correlation%id%}') then
    v_text := regexp_replace(v_text collate "C",
      '\m(request|req|trace|span|correlation)[_-]?id["'' :=]+[\w.-]+', '#', 'gi');
  end if;
  if numbers then
    return hashtextextended(
      regexp_replace(v_text collate "C", '\d+([.,:]\d+)*', '#', 'gi'), v_rest);
  end if;
  if v_lower like '%__:__:__%' then
    v_text := regexp_replace(v_text collate "C", '(\d{4}-\d\d-\d\d[t ])?'
      '\d\d:\d\d:\d\d([.,]\d+)?(z| ?[-+]\d\d:?\d\d)?', '#', 'gi');
  end if;
  if v_lower like '%-__-___%:__%' then
    v_text := regexp_replace(v_text collate "C",
      '\d{4}-\d\d-\d\d[t ]\d\d:\d\dz?', '#', 'gi');
  end if;
  if v_text ~ '1[0-9]{9}' then
    v_text := regexp_replace(v_text collate "C",
      '\m1\d{9}(\.\d+|\d{3})?\M', '#', 'gi');
  end if;
  if v_lower ~ '[0-9] ?[nums]' then
    v_text := regexp_replace(v_text collate "C",
      '\m\d+([.,]\d+)? ?(ns|us|ms|s|secs?|seconds?)\M', '#', 'gi');
  end if;
  if v_lower like any ('{%attempt%,%try%,%tries%,%iteration%}') then
    v_text := regexp_replace(v_text collate "C",
      '\m(attempts?|retry|retries|tries|try|iteration)["'' :=#_-]*\d+', '#', 'gi');
  end if;
  return hashtextextended(v_text, v_rest);
end;
$$;

comment on function agentdb._signature (text, boolean) is
  'Hash of a text without what differs between two that say the same: ids, times, '
  'counters; or ids and all numbers.';


-- A UUID or a time among the arguments is mostly what the call is about: only members
-- whose name says that they are volatile are taken out.
create or replace function agentdb._call_signature (tool text, args jsonb)
  returns bigint
  language plpgsql
  immutable
  parallel safe
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_value text := tool || coalesce(' ' || args::text, '');
  v_text text := v_value;
  v_rest bigint := 0;
  v_lower text;
begin
  if length(v_value) > 4000 then
    v_text := left(v_value, 2000) || ' ' || right(v_value, 2000);
    v_rest := hashtextextended(substr(v_value, 2001, length(v_value) - 4000), 0);
  end if;
  -- Most of it has digits, or is what an id is called.
  if v_text !~ '[0-9]|[iI][dD]|[kK][eE][yY]|[nN]on' then
    return hashtextextended(v_text, v_rest);
  end if;
  v_lower := lower(v_text collate "C");
  if v_lower like any ('{"%id\": %","%key\": %"}') then
    v_text := regexp_replace(v_text collate "C",
      '"(request|req|trace|span|correlation|idempotency)[_-]?(id|key)": '
        '("[^"]*"|\d+)', '#', 'gi');
  end if;
  if v_lower like any ('{"%mp\": %","%ts\": %","%nonce\": %","%now\": %","%pt\": %",'
    '"%ry\": %","%ries\": %","%ion\": %","%at\": %"}')
  then
    v_text := regexp_replace(v_text collate "C",
      '"(timestamp|ts|nonce|now|attempts?|retry|retries|try|iteration|request_?at)": '
        '("[^"]*"|[\d.]+)', '#', 'gi');
  end if;
  return hashtextextended(v_text, v_rest);
end;
$$;

comment on function agentdb._call_signature (text, jsonb) is
  'The same for the same call: tool and arguments without request ids and counters.';


create or replace function agentdb._shape_signature (tool text, args jsonb)
  returns bigint
  language sql
  immutable
  parallel safe
  return agentdb._signature(tool || coalesce(' ' || args::text, ''), true);

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
    false
  );

comment on function agentdb._result_signature (boolean, text, text) is
  'The same for results that say the same; NULL where neither result nor error is '
  'known.';
