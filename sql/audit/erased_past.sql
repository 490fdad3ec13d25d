-- The past of a table of which a row was erased: what is gone is not made up.

-- Erased rows that a moment lies before.  Where their row came and went after it, it
-- was not there, and nothing is missing.
create or replace function agentdb._erased_since (relation oid, at timestamptz)
  returns setof agentdb.erasure
  language sql
  stable
begin atomic
  select e.*
  from agentdb.erasure as e
  join agentdb.audit_target as t on t.audit_target_id = e.audit_target_id
  where t.table_oid = relation
    and e.last_at > at
    and not (e.inserted and e.removed and e.first_at > at);
end;

comment on function agentdb._erased_since (oid, timestamptz) is
  'Erasures of rows of a table without which its past of a moment is not known.';


-- Nothing tells the key of an erased row.  That another row is not it is known where
-- something older of it is in the log, for of the erased one nothing was left, or where
-- one of them was in the table when it was erased and the other was not.
create or replace function agentdb._may_be_erased (
  relation regclass,
  key jsonb,
  erased agentdb.erasure
)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_older boolean;
  v_next text;
  v_there boolean;
begin
  select coalesce(bool_or(
      agentdb._is_within(l.audit_log_id, l.xid, erased.snapshot, e.first, e.last)),
      false),
    (array_agg(l.operation order by l.audit_log_id))[1]
    into v_older, v_next
  from agentdb.row_history(relation, key) as h
  join agentdb.audit_log as l on l.audit_log_id = h.audit_log_id
  join agentdb.epoch_span as e on e.epoch_id = erased.epoch_id;
  if v_older then
    return false;
  elsif v_next is null then
    execute format('select exists (select from %s as o where %s)', relation,
        agentdb._equal_sql(relation, 'o.%1$I', '($1 ->> %2$L)::%3$s'))
      into v_there using key;
  else
    v_there := v_next <> 'insert';
  end if;
  return v_there <> erased.removed;
end;
$$;

comment on function agentdb._may_be_erased (regclass, jsonb, agentdb.erasure) is
  'Whether a row may be the one of an erasure.';


create or replace function agentdb._check_erased (
  relation regclass,
  at timestamptz,
  key jsonb
)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_erased agentdb.erasure;
begin
  for v_erased in
    select e.* from agentdb._erased_since(relation, at) as e order by e.last_at desc
  loop
    if key is null or agentdb._is_pseudonym(key)
      or agentdb._may_be_erased(relation, key, v_erased) then
      perform agentdb._refuse_history(relation,
        format('a row of it was erased by %s on %s (erasure %s), and %s',
          v_erased.erased_by, (v_erased.erased_at at time zone 'UTC')::date,
          v_erased.erasure_id, case when key is null then 'what it was is gone'
            else 'this may be it' end),
        format('Ask for a moment since %s%s', agentdb._utc(v_erased.last_at),
          case when key is null then ', or for single rows: row_as_of().'
            else '.' end));
    end if;
  end loop;
  if agentdb._is_pseudonym(key) then
    perform agentdb._refuse_history(relation, 'the row was erased',
      'select * from agentdb.erasure_log;');
  end if;
end;
$$;

comment on function agentdb._check_erased (regclass, timestamptz, jsonb) is
  'Raises ZA033 for a moment of a table, or of a row, that an erasure made unknown.';
