-- Whom an erasure is about: the key of a row, and the values by which free text tells
-- of it.  What other rows of the table have too (a state, a city) is nobody's, and
-- stays in text unless an operator names it.

create or replace function agentdb._is_telling (value text)
  returns boolean
  language sql
  immutable
  return length(value) >= 4
    and value !~* '^(true|false|null|erased|\[erased\]|\[redacted\])$'
    and (value !~ '^[-+0-9.,e ]*$' or length(regexp_replace(value, '\D', '', 'g')) > 5);

comment on function agentdb._is_telling (text) is
  'Whether a value is long enough to tell of a row by itself.';


-- A pattern of each as it is written in text, in JSON and, to seek, in JSON in JSON.
create or replace function agentdb._spellings (value text, deep boolean)
  returns setof text
  language sql
  stable
begin atomic
  with recursive spelling (said, depth) as (
    select value, 0
    union
    select substr(to_json(s.said)::text, 2, length(to_json(s.said)::text) - 2),
      s.depth + 1
    from spelling as s
    where s.depth < case when deep then 3 else 1 end
  )
  select distinct regexp_replace(s.said, '[][\\^$.|?*+(){}#-]', '\\\&', 'g')
  from spelling as s;
end;

comment on function agentdb._spellings (text, boolean) is
  'Patterns that find a value in text and in JSON.';


-- Ann is not to be found in Annapolis; but behind the \n of JSON she is.
create or replace function agentdb._pattern (said text[])
  returns text
  language sql
  stable
  return (
    select string_agg(
      concat(
        case when s.said ~ '^[a-zA-Z0-9]'
          then '(?:(?<![a-zA-Z0-9])|(?<=\\[bfnrt]))' end,
        p.pattern,
        case when s.said ~ '[a-zA-Z0-9]$' then '(?![a-zA-Z0-9])' end),
      '|' order by length(p.pattern) desc, p.pattern)
    from unnest(said) as s (said)
    cross join lateral agentdb._spellings(s.said, false) as p (pattern)
  );

comment on function agentdb._pattern (text[]) is
  'A pattern that finds texts as words of their own, the longest first.';


-- A change has more of its row than the log has of an update.
create or replace function agentdb._values_of (
  relation regclass,
  keys jsonb[],
  ids bigint[]
)
  returns setof text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select distinct v.value #>> '{}'
  from (
    select jsonb_build_array(l.old_values, l.new_values) as content
    from agentdb.audit_log as l
    where l.audit_log_id = any (ids)
    union all
    select jsonb_build_array(r.new_values, r.expected, r.net_values, r.seen, r.after)
    from agentdb.change_row as r
    join agentdb.audit_target as t
      on t.audit_target_id = r.audit_target_id and t.table_oid = relation::oid
    where array[r.row_key, r.shown_key, r.base_key] && keys
    union all
    select r.seen
    from agentdb.change_read as r
    join agentdb.audit_target as t
      on t.audit_target_id = r.audit_target_id and t.table_oid = relation::oid
    where r.row_key = any (keys)
  ) as c
  cross join lateral jsonb_path_query(c.content, 'strict $.**') as v (value)
  where jsonb_typeof(v.value) in ('string', 'number')
    and agentdb._is_telling(v.value #>> '{}');
$$;

comment on function agentdb._values_of (regclass, jsonb[], bigint[]) is
  'What the log and changes have of a row that is long enough to tell of it.';


create or replace function agentdb._shared_values (
  relation regclass,
  ids bigint[],
  said text[]
)
  returns text[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(distinct lower(v.value #>> '{}')), '{}')
  from agentdb.audit_log as l
  join agentdb.audit_target as t
    on t.audit_target_id = l.audit_target_id and t.table_oid = relation::oid
  cross join lateral jsonb_path_query(
    jsonb_build_array(l.old_values, l.new_values), 'strict $.**') as v (value)
  where l.audit_log_id <> all (ids)
    and l.salt is not null
    and l.operation <> 'erase'
    and jsonb_typeof(v.value) in ('string', 'number')
    and lower(v.value #>> '{}') = any (said);
$$;

comment on function agentdb._shared_values (regclass, bigint[], text[]) is
  'Which of some values, in lower case, other rows of a table were recorded with.';


-- Where JSON names the row whatever is beside it: {"customer_id": 42}.
create or replace function agentdb._sure_names (relation regclass, keys jsonb[])
  returns jsonb
  language sql
  stable
begin atomic
  select coalesce(jsonb_agg(n.name), '[]')
  from (
    select distinct jsonb_build_object(p.prefix || '_' || m.key, m.value) as name
    from pg_class as c
    cross join unnest(keys) as k (key)
    cross join lateral jsonb_each(k.key) as m
    cross join lateral (
      select c.relname::text union select rtrim(c.relname, 's')) as p (prefix)
    where c.oid = relation::oid
      and (select count(*) = 1 from jsonb_object_keys(k.key))
  ) as n;
end;

comment on function agentdb._sure_names (regclass, jsonb[]) is
  'Objects whose member names a row by its table and its key.';


-- Finds at least all that the patterns, or the names, find in a text or in JSON.
create or replace function agentdb._seek_pattern (said text[], names jsonb)
  returns text
  language sql
  stable
  return concat_ws('|',
    (
      select string_agg(p.pattern, '|')
      from unnest(said) as s (said)
      cross join lateral agentdb._spellings(left(s.said, 500), true) as p (pattern)
    ),
    (
      select string_agg(format('"%s": "?%s"?[,}]', n.pattern, v.pattern), '|')
      from jsonb_array_elements(names) as e (name)
      cross join lateral jsonb_each_text(e.name) as m
      cross join lateral agentdb._spellings(m.key, false) as n (pattern)
      cross join lateral agentdb._spellings(m.value, false) as v (pattern)
    ));

comment on function agentdb._seek_pattern (text[], jsonb) is
  'A pattern that is found wherever a subject may be.';


create or replace function agentdb._subject (
  relation regclass,
  keys jsonb[],
  ids bigint[],
  terms text[]
)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  -- The key of a table with one column for it is of this row alone.
  v_alone boolean := (select count(*) = 1 from jsonb_object_keys(keys[1]));
  v_key text[] := array(
    select distinct k.value from unnest(keys) as n (key)
    cross join lateral jsonb_each_text(n.key) as k where agentdb._is_telling(k.value));
  v_found text[] := array(select agentdb._values_of(relation, keys, ids));
  v_shared text[];
  v_sure jsonb := agentdb._sure_names(relation, keys);
begin
  v_shared := agentdb._shared_values(relation, ids,
    array(select lower(v) from unnest(v_found) as v));
  v_key := array(select k from unnest(v_key) as k
    where v_alone or lower(k) <> all (v_shared));
  v_found := array(
    select v from unnest(v_found) as v where lower(v) <> all (v_shared)
    union select t from unnest(terms) as t
    except select k from unnest(v_key) as k);
  return jsonb_build_object(
    'pseudonym', 'erased-' || left(replace(gen_random_uuid()::text, '-', ''), 12),
    'key', agentdb._pattern(v_key),
    'values', agentdb._pattern(array(
      select v from unnest(v_found) as v where length(v) <= 500)),
    'whole', to_jsonb(array(
      select v from unnest(v_found) as v
      where length(v) > 500 order by length(v) desc)),
    'names', v_sure || to_jsonb(keys),
    'sure', v_sure,
    'table', (
      select p.pattern from pg_class as c
      cross join lateral agentdb._spellings(rtrim(c.relname, 's'), false) as p (pattern)
      where c.oid = relation::oid limit 1),
    'shared', to_jsonb(v_shared),
    'seek', agentdb._seek_pattern(v_key || v_found, v_sure || to_jsonb(keys)));
end;
$$;

comment on function agentdb._subject (regclass, jsonb[], bigint[], text[]) is
  'Whom an erasure is about, as _erase_text() takes it.';
