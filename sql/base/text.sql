-- Text: what agents write is data that people will read on a terminal or a phone.
-- Log entries are made harmless and cut to size, never refused: a fact must not be
-- lost for being ugly.  Names are refused instead, since they are typed again.

-- Control characters but tab and line feed, soft hyphens, zero-width and bidirectional
-- marks (Unicode categories Cc and Cf): they hide or reorder what people see.
create or replace function agentdb._clean_text (value text, max_length integer)
  returns text
  language sql
  immutable
  parallel safe
  -- Cut first: megabytes would be gone through for what is thrown away.
  return regexp_replace(
    left(value, max_length) collate "C",
    U&'[\0001-\0008\000B-\001F\007F-\009F\00AD\061C\180E\200B-\200F'
      '\2028-\202E\2060-\206F\FEFF\FFF9-\FFFB]',
    U&'\FFFD', 'g'
  );

comment on function agentdb._clean_text (text, integer) is
  'Replaces what could deceive a reader by U+FFFD and cuts the text to a length in '
  'characters.';


-- What names something is shown between other things on a line: a line feed in it would
-- let an agent write the next one.
create or replace function agentdb._clean_line (value text, max_length integer)
  returns text
  language sql
  immutable
  parallel safe
  return translate(agentdb._clean_text(value, max_length), E'\t\n', '  ');

comment on function agentdb._clean_line (text, integer) is
  'Returns text as _clean_text() does, on one line: tabs and line feeds are spaces.';


create or replace function agentdb._how_many (number bigint, what text)
  returns text
  language sql
  immutable
  parallel safe
  return concat(number, ' ', what, case when number <> 1 then 's' end);

comment on function agentdb._how_many (bigint, text) is
  'How many there are, in words: 1 row, 2 rows.';


create or replace function agentdb._is_plain_name (value text)
  returns boolean
  language sql
  immutable
  parallel safe
  return value ~ '^[A-Za-z0-9_.:/-]{1,200}$';

comment on function agentdb._is_plain_name (text) is
  'Whether a name is one of those that nearly all are, of which nothing more is asked.';


create or replace function agentdb._is_clean_name (value text, max_length integer)
  returns boolean
  language sql
  immutable
  parallel safe
  return coalesce(
    length(value) between 1 and max_length
      and value = agentdb._clean_text(value, max_length)
      and value !~ '[[:space:]]{2}|^[[:space:]]|[[:space:]]$|[\t\n]',
    false
  );

comment on function agentdb._is_clean_name (text, integer) is
  'Tells whether a text may serve as a name: one line, no hidden characters, not '
  'empty.';


-- JSON deeper than 32 levels breaks the parsers of readers; JSON of megabytes breaks
-- the readers.  Both are kept as their beginning, their size and their hash.
create or replace function agentdb._cut_json (value jsonb)
  returns jsonb
  language sql
  immutable
  parallel safe
  return jsonb_build_object(
    'truncated', true,
    'bytes', octet_length(value::text),
    'md5', md5(value::text),
    'head', agentdb._clean_text(value::text, 1000)
  );

comment on function agentdb._cut_json (jsonb) is
  'What stands in for a value that is too large or too deep.';


create or replace function agentdb._bounded_json (value jsonb, max_bytes integer)
  returns jsonb
  language sql
  immutable
  parallel safe
  return case
    when octet_length(value::text) > max_bytes
      or jsonb_path_exists(value, 'strict $.**{33}')
      then agentdb._cut_json(value)
    else value
  end;

comment on function agentdb._bounded_json (jsonb, integer) is
  'Returns a JSON value, or a stand-in with its size, hash and head where it is too '
  'large or deep.';


-- Escapes that PostgreSQL takes no JSON with: NUL, and halves of surrogate pairs.  A
-- backslash that is itself escaped begins none.
create or replace function agentdb._clean_escapes (value text)
  returns text
  language sql
  immutable
  parallel safe
  return regexp_replace(
    regexp_replace(
      value,
      '(?<!\\)((?:\\\\)*)\\u(?:0000|d[89ab][0-9a-f]{2}(?!\\ud[c-f][0-9a-f]{2}))',
      '\1\\ufffd', 'gi'),
    '(?<!\\)(?<!\\ud[89ab][0-9a-f]{2})((?:\\\\)*)\\ud[c-f][0-9a-f]{2}',
    '\1\\ufffd', 'gi');

comment on function agentdb._clean_escapes (text) is
  'Replaces escapes in the text of JSON that jsonb cannot hold by U+FFFD.';


-- What a model wrote is a fact, whether or not it can be a jsonb.
create or replace function agentdb.clean_json (value text)
  returns jsonb
  language plpgsql
  immutable
  parallel safe
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  return value::jsonb;
exception when data_exception or program_limit_exceeded then
  begin
    return agentdb._clean_escapes(value)::jsonb;
  exception when data_exception or program_limit_exceeded then
    return jsonb_build_object(
      'truncated', true,
      'problem', sqlerrm,
      'bytes', octet_length(value),
      'md5', md5(value),
      'head', agentdb._clean_text(value, 1000)
    );
  end;
end;
$$;

comment on function agentdb.clean_json (text) is
  'Returns any text as JSON: U+FFFD marks what jsonb cannot hold, and a stand-in what '
  'is too deep or no JSON at all, so that no event is lost for its arguments.';


create or replace function agentdb._parsed_string (value jsonb)
  returns jsonb
  language plpgsql
  immutable
  parallel safe
  set search_path = pg_catalog, pg_temp
as $$
begin
  if value #>> '{}' ~ '^\s*[{[]' then
    return (value #>> '{}')::jsonb;
  end if;
  return value;
exception when data_exception or program_limit_exceeded then
  return value;
end;
$$;

comment on function agentdb._parsed_string (jsonb) is
  'The object or array that a JSON string holds, anything else as it is.';


-- Some drivers send JSON text as a JSON string that holds it, without an error.  What
-- is no string costs no call.
create or replace function agentdb._unquoted (value jsonb)
  returns jsonb
  language sql
  immutable
  parallel safe
  return case when jsonb_typeof(value) = 'string'
    then agentdb._parsed_string(value) else value end;

comment on function agentdb._unquoted (jsonb) is
  'Returns the object or array that a JSON string holds, anything else as it is.';


-- A call with an ill-formed argument is told what was wrong and what would be right.
create or replace function agentdb._refuse (problem text, hint text)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using errcode = 'ZA004', message = problem, hint = hint;
end;
$$;

comment on function agentdb._refuse (text, text) is
  'Raises ZA004 (invalid argument) with a message and what to do instead.';


-- Used for members of agents' JSON arrays: a wrong type is NULL here, not an error.
create or replace function agentdb._json_text (object jsonb, key text)
  returns text
  language sql
  immutable
  parallel safe
  return case
    when jsonb_typeof(object -> key) in ('string', 'number', 'boolean')
      then object ->> key
  end;

comment on function agentdb._json_text (jsonb, text) is
  'Returns a scalar member of a JSON object as text, else NULL.';


create or replace function agentdb._span (value interval)
  returns text
  language sql
  immutable
  parallel safe
begin atomic
  select coalesce(
    nullif(concat_ws(' ',
      nullif(s.seconds / 86400, 0) || ' d',
      nullif(s.seconds % 86400 / 3600, 0) || ' h',
      nullif(s.seconds % 3600 / 60, 0) || ' min',
      nullif(s.seconds % 60, 0) || ' s'
    ), ''),
    '0 s'
  )
  from (select floor(extract(epoch from value))::bigint as seconds) as s;
end;

comment on function agentdb._span (interval) is
  'A length of time as people say it, such as 1 h 30 min.';


-- Of things that happened: their own length, which does not grow while people look.
create or replace function agentdb._within (first_at timestamptz, last_at timestamptz)
  returns text
  language sql
  immutable
  parallel safe
  return case when last_at - first_at < '1 second' then 'less than 1 s'
    else agentdb._span(last_at - first_at) end;

comment on function agentdb._within (timestamptz, timestamptz) is
  'How long it was from the first event to the last, as people say it.';


create or replace function agentdb._utc (at timestamptz)
  returns text
  language sql
  immutable
  parallel safe
  return to_char(at at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC';

comment on function agentdb._utc (timestamptz) is
  'A moment as people read it, whatever the time zone of the session.';


-- What people say about what they do, and agents about what they want: others read it.
-- Without `most` it is cut where it is kept, for a stop must not fail by its length.
create or replace function agentdb._check_said (
  said text,
  what text,
  most integer default null,
  one_line boolean default false
)
  returns text
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  if said is null or said !~ '[^[:space:]]' then
    perform agentdb._refuse(format('a %s is required', what),
      'Say why, in visible characters: people read it later.');
  elsif length(said) > most or most is not null and said
    <> agentdb._clean_text(said, most) or one_line and said ~ '[\t\n]' then
    perform agentdb._refuse(
      format('a %s is at most %s visible characters%s', what, most,
        case when one_line then ' on one line' else '' end),
      'Say it shorter, without control characters: people read it and decide.');
  end if;
  return said;
end;
$$;

comment on function agentdb._check_said (text, text, integer, boolean) is
  'Returns a text that people will read, or raises ZA004 for an empty, too long or '
  'deceptive one.';
