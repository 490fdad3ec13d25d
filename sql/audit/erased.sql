-- Erased rows of the log: their values and key are blanked and their salt is gone, so
-- that nobody can try values against the hash that is kept of them.  Who wrote them,
-- when and how goes on being hashed from the row itself.

create or replace function agentdb._leaf (
  salt uuid,
  row_key jsonb,
  old_values jsonb,
  new_values jsonb
)
  returns bytea
  language sql
  stable
  return sha256(convert_to(row(salt, row_key, old_values, new_values)::text, 'UTF8'));

comment on function agentdb._leaf (uuid, jsonb, jsonb, jsonb) is
  'The salted hash of the values of a row of the log.';


create or replace function agentdb._is_pseudonym (key jsonb)
  returns boolean
  language sql
  stable
  return case when jsonb_typeof(key) = 'object' then exists (
    select from agentdb.erasure as e
    where e.pseudonym = (select min(v.value) from jsonb_each_text(key) as v)
      and e.pseudonym = (select max(v.value) from jsonb_each_text(key) as v)
  ) else false end;

comment on function agentdb._is_pseudonym (jsonb) is
  'Whether a key is what an erasure has put in place of one.';


-- Each day by itself, as retention removes it.
create or replace function agentdb._erased_digest (erasure bigint)
  returns table (day date, digest text, blank boolean)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
as $$
  select l.recorded_at::date,
    encode(sha256(string_agg(sha256(convert_to(row(l.audit_log_id, e.leaf, l.row_key,
      l.old_values, l.new_values)::text, 'UTF8')), '' order by l.audit_log_id)), 'hex'),
    bool_and(l.salt is null and agentdb._is_blanked(l.row_key)
      and agentdb._is_blanked(l.old_values) and agentdb._is_blanked(l.new_values))
  from agentdb.erased_leaf as e
  join agentdb.audit_log as l
    on l.audit_log_id = e.audit_log_id and l.recorded_at = e.recorded_at
  where e.erasure_id = erasure
  group by l.recorded_at::date;
$$;

comment on function agentdb._erased_digest (bigint) is
  'Hashes of the rows that an erasure blanked, a UTC day each, and whether they are.';


-- An erasure has a row of its own in the log, which is sealed like any other: a hash
-- that somebody has kept of a row without one hides nothing.
create or replace function agentdb._broken_erasure ()
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
as $$
begin
  return (
    select format('erasure %s is not as it is recorded in the log',
      coalesce(i.erasure_id::text, l.new_values ->> 'erasure_id'))
    from (
      select e.erasure_id from agentdb.erasure as e
      union select f.erasure_id from agentdb.erased_leaf as f
    ) as i
    left join agentdb.erasure as e on e.erasure_id = i.erasure_id
    full join (
      select r.new_values, r.new_values -> 'digests' as digests
      from agentdb.audit_log as r where r.operation = 'erase'
    ) as l on l.new_values -> 'erasure_id' = to_jsonb(i.erasure_id)
    where l.new_values - 'digests' is distinct from to_jsonb(e)
        and (e.erasure_id is null or l.new_values is not null
          or not agentdb._is_removed(e.erased_at::date))
      or exists (
        select
        from agentdb._erased_digest(i.erasure_id) as d
        where not d.blank or d.digest is distinct from l.digests ->> d.day::text)
      or exists (
        select from jsonb_object_keys(l.digests) as k (day)
        where not agentdb._is_removed(k.day::date)
          and k.day not in (
            select d.day::text from agentdb._erased_digest(i.erasure_id) as d))
    order by i.erasure_id
    limit 1);
end;
$$;

comment on function agentdb._broken_erasure () is
  'Names an erasure that its record in the log, or what it blanked, does not agree '
  'with; NULL where there is none.';
