-- What an erasure makes of a text or a JSON value in which its subject occurs.  The
-- subject is {"pseudonym": …, "seek": …, "key": …, "values": …, "whole": […],
-- "names": […], "sure": […], "table": …}: patterns of the key and of the values, texts
-- too long for a pattern, objects whose members name the row, and which of these do so
-- whatever is beside them; seek is found wherever any of them is.

create or replace function agentdb._erase_text (said text, subject jsonb)
  returns text
  language plpgsql
  immutable
  cost 10000
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_said text := said;
  v_whole text;
begin
  if said !~* (subject ->> 'seek') then
    return said;
  end if;
  for v_whole in select * from jsonb_array_elements_text(subject -> 'whole') loop
    v_said := replace(v_said, v_whole, '[erased]');
  end loop;
  if subject ->> 'key' <> '' then
    v_said := regexp_replace(v_said, subject ->> 'key', subject ->> 'pseudonym', 'gi');
  end if;
  if subject ->> 'values' <> '' then
    v_said := regexp_replace(v_said, subject ->> 'values', '[erased]', 'gi');
  end if;
  return v_said;
end;
$$;

comment on function agentdb._erase_text (text, jsonb) is
  'A text with the pseudonym for each key of a subject and [erased] for its values.';


create or replace function agentdb._erase_json (doc jsonb, subject jsonb)
  returns jsonb
  language plpgsql
  immutable
  cost 10000
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_text text;
  v_named text[];
begin
  if doc is null or doc::text !~* (subject ->> 'seek') then
    return doc;
  elsif jsonb_path_exists(doc, 'strict $.**{64}') then
    -- Deeper than anybody logs: our stack is not for others to fill.
    return '"[erased]"';
  elsif jsonb_typeof(doc) = 'array' then
    return (
      select jsonb_agg(agentdb._erase_json(e.item, subject) order by e.place)
      from jsonb_array_elements(doc) with ordinality as e (item, place));
  elsif jsonb_typeof(doc) = 'object' then
    v_named := array(
      select m.name
      from jsonb_array_elements(subject -> 'names') as n (key)
      cross join lateral jsonb_object_keys(n.key) as m (name)
      where not exists (
        select from jsonb_each_text(n.key) as k
        where lower(doc ->> k.key) is distinct from lower(k.value)));
    return (
      select jsonb_object_agg(agentdb._erase_text(m.key, subject),
        case when m.key = any (v_named) then subject -> 'pseudonym'
          else agentdb._erase_json(m.value, subject) end)
      from jsonb_each(doc) as m);
  end if;
  v_text := agentdb._erase_text(doc #>> '{}', subject);
  return case when v_text = doc #>> '{}' then doc else to_jsonb(v_text) end;
end;
$$;

comment on function agentdb._erase_json (jsonb, jsonb) is
  'A JSON value in which a subject is erased as in a text, also from numbers and names '
  'of members.';


-- {"id": 42} is many things; beside the name of the table it is the row.
create or replace function agentdb._beside (subject jsonb, context jsonb)
  returns jsonb
  language sql
  stable
  return case when context::text ~* (subject ->> 'table') then subject
    else subject || jsonb_build_object('names', subject -> 'sure') end;

comment on function agentdb._beside (jsonb, jsonb) is
  'A subject as it is to be found in a row of a table, given as JSON.';


create or replace function agentdb._is_blanked (value jsonb)
  returns boolean
  language sql
  immutable
  return case when jsonb_typeof(value) = 'object' then not exists (
      select from jsonb_each(value) as v
      where v.value <> '"[erased]"' and v.value::text !~ '^"erased-[0-9a-f]{12}"$')
    else value is null end;

comment on function agentdb._is_blanked (jsonb) is
  'Whether nothing is left of the values of a row but [erased] and pseudonyms.';


-- Nobody but the owner can write a pass, and all that one lets through is blanks.
create or replace function agentdb._is_erasure (former jsonb, later jsonb)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select from agentdb.erasure_pass as p
    where p.xid = pg_current_xact_id_if_assigned()
      and not exists (
        select from jsonb_each(former) as f
        where later -> f.key is distinct from f.value
          and case
            when not former ? 'salt'
              then later -> f.key is distinct from agentdb._erase_json(f.value,
                agentdb._beside(p.subject, former))
            when f.key = 'salt' then later -> 'salt' <> 'null'
            when f.key in ('row_key', 'old_values', 'new_values')
              then later -> 'salt' <> 'null' or later -> f.key = 'null'
                or f.value = 'null' or not agentdb._is_blanked(later -> f.key)
            else true
          end));
$$;

comment on function agentdb._is_erasure (jsonb, jsonb) is
  'Whether an update of a log does what an erasure of this transaction does, and '
  'nothing else.';
