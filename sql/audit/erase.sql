-- Erasing a person: what the log, and every copy of it, says of a row.  The seals hold:
-- of each erased row of the log the hash of its values stays, without the salt that it
-- was made with, and the erasure is recorded in the log itself.

create or replace function agentdb._check_erasable (
  relation regclass,
  reason text,
  terms text[]
)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform agentdb._target_of(relation);
  perform agentdb._check_said(reason, 'reason', 1000, true);
  if current_setting('transaction_isolation') <> 'read committed' then
    perform agentdb._refuse('an erasure must see what was committed just now',
      'Call it in a transaction that is READ COMMITTED.');
  elsif terms is null or exists (
    select from unnest(terms) as t where coalesce(length(btrim(t)) < 4, true)
  ) then
    perform agentdb._refuse('a term has at least 4 characters',
      'Name what points to this person alone, such as an address or a whole name.');
  elsif exists (
    select from unnest(terms) as t
    where t ~* '^[\s[]*(erased|redacted)' or length(t) > 1000) then
    perform agentdb._refuse('a term has at most 1000 characters, and is nothing that '
      'is written in place of what was erased', 'Leave it out.');
  end if;
end;
$$;

comment on function agentdb._check_erasable (regclass, text, text[]) is
  'Raises ZA004 or ZA006 for an erasure that cannot be.';


create or replace function agentdb._blank_log (erasure bigint, ids bigint[])
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  insert into agentdb.erased_leaf (audit_log_id, recorded_at, erasure_id, leaf)
  select l.audit_log_id, l.recorded_at, erasure,
    agentdb._leaf(l.salt, l.row_key, l.old_values, l.new_values)
  from agentdb.audit_log as l
  where l.audit_log_id = any (ids);
  update agentdb.audit_log as l
  set salt = null,
      row_key = agentdb._blanked(l.row_key, l.row_key, e.pseudonym),
      old_values = agentdb._blanked(l.old_values, l.row_key, e.pseudonym),
      new_values = agentdb._blanked(l.new_values, l.row_key, e.pseudonym)
  from agentdb.erasure as e
  where e.erasure_id = erasure
    and l.audit_log_id = any (ids);
  insert into agentdb.audit_log (
    statement, audit_target_id, operation, new_values, session_role
  )
  select nextval('agentdb.audit_statement_seq'), e.audit_target_id, 'erase',
    to_jsonb(e) || jsonb_build_object('digests', (
      select coalesce(jsonb_object_agg(d.day, d.digest), '{}')
      from agentdb._erased_digest(erasure) as d)),
    session_user
  from agentdb.erasure as e
  where e.erasure_id = erasure;
end;
$$;

comment on function agentdb._blank_log (bigint, bigint[]) is
  'Blanks rows of the log, keeps their hashes and records both in the log.';


create or replace function agentdb._note_erasure (
  relation regclass,
  reason text,
  subject jsonb,
  ids bigint[],
  as_of pg_snapshot,
  places jsonb
)
  returns bigint
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.erasure as e (
    reason, audit_target_id, pseudonym, log_rows, first_at, last_at, inserted, removed,
    epoch_id, snapshot, places
  )
  select reason, agentdb._target_of(relation), subject ->> 'pseudonym', count(*),
    min(l.recorded_at), max(l.recorded_at),
    (array_agg(l.operation order by l.audit_log_id))[1] = 'insert',
    (array_agg(l.operation order by l.audit_log_id desc))[1] in ('delete', 'truncate'),
    agentdb._epoch_now(), as_of, places
  from agentdb.audit_log as l
  where l.audit_log_id = any (ids)
  returning e.erasure_id;
$$;

comment on function agentdb._note_erasure (
  regclass, text, jsonb, bigint[], pg_snapshot, jsonb) is
  'Notes an erasure and returns its number.';


-- Whatever is still there is somebody's to erase too: the row itself, and rows that
-- have the same values.
create or replace function agentdb._left_of (
  relation regclass,
  subject jsonb,
  erasure bigint
)
  returns table (place text, rows bigint)
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select format('left: the row in %s itself', agentdb._table_name(relation)), 1
  from agentdb.erasure as e
  where e.erasure_id = erasure and not e.removed
  union all
  select format('left: audit_log of %s', t.table_name), count(*)
  from agentdb.audit_log as l
  join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
  where concat_ws('|', nullif(subject ->> 'key', ''), nullif(subject ->> 'values', ''))
      <> ''
    and l.salt is not null
    and l.operation <> 'erase'
    and concat_ws(' ', l.row_key, l.old_values, l.new_values) ~* concat_ws('|',
      nullif(subject ->> 'key', ''), nullif(subject ->> 'values', ''))
  group by t.table_name
  union all
  select 'left: values that other rows have too',
    jsonb_array_length(subject -> 'shared')
  where subject -> 'shared' <> '[]';
$$;

comment on function agentdb._left_of (regclass, jsonb, bigint) is
  'What an erasure has found and not erased.';


create or replace function agentdb.erase_subject (
  relation regclass,
  key jsonb,
  reason text,
  terms text[] default '{}'
)
  returns table (place text, rows bigint)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '10s'
  set "TimeZone" = 'UTC'
as $$
declare
  v_keys jsonb[];
  v_as_of pg_snapshot;
  v_ids bigint[];
  v_subject jsonb;
  v_places jsonb;
  v_erasure bigint;
begin
  perform agentdb._check_erasable(relation, reason, terms);
  v_keys := agentdb._former_keys(relation, agentdb._canonical_key(relation, key));
  select pg_current_snapshot(), array_agg(h.audit_log_id)
      filter (where h.audit_log_id is not null)
    into v_as_of, v_ids
  from agentdb.row_history(relation, key) as h;
  if v_ids is null and terms = '{}' or agentdb._is_pseudonym(v_keys[1]) then
    perform agentdb._refuse(
      format('nothing is recorded of a row %s of %s',
        agentdb._clean_text(key::text, 200), agentdb._table_name(relation)),
      'Give the key as the log has it; what was erased, or removed by retention, is '
        'found by terms => ''{…}'' alone.');
  end if;
  v_ids := coalesce(v_ids, '{}');
  v_subject := agentdb._subject(relation, v_keys, v_ids, terms);
  perform agentdb._check_undecided(relation, v_keys, v_subject);
  insert into agentdb.erasure_pass (subject) values (v_subject);
  select coalesce(jsonb_object_agg(c.place, c.rows), '{}') into v_places
  from (
    select e.place, sum(e.rows) as rows
    from (
      select * from agentdb._erase_rows_of(relation, v_keys, v_subject)
      union all select * from agentdb._erase_copies(v_subject)
    ) as e
    group by e.place
    having sum(e.rows) > 0
  ) as c;
  -- Who erases cannot choose what was there before.
  perform agentdb.seal_audit();
  v_erasure := agentdb._note_erasure(relation, reason, v_subject, v_ids, v_as_of,
    v_places);
  perform agentdb._blank_log(v_erasure, v_ids);
  delete from agentdb.erasure_pass as p where p.xid = pg_current_xact_id();
  return query
    select 'audit_log', e.log_rows from agentdb.erasure as e
    where e.erasure_id = v_erasure
    union all
    (select p.key, p.value::bigint from jsonb_each(v_places) as p order by p.key)
    union all
    select l.place, l.rows from agentdb._left_of(relation, v_subject, v_erasure) as l;
end;
$$;

comment on function agentdb.erase_subject (regclass, jsonb, text, text[]) is
  'Blanks what the log and its copies say of a row, for good, and puts a pseudonym in '
  'place of its key; terms are further spellings of the person; says in how many rows '
  'of what, and what is left; the row in its table is its application''s to delete '
  'before; raises ZA004, ZA006 or ZA033.';


create or replace view agentdb.erasure_log as
  select e.erasure_id, e.erased_at, e.erased_by, e.reason, t.table_name, e.pseudonym,
    e.log_rows, e.first_at, e.last_at, e.places
  from agentdb.erasure as e
  join agentdb.audit_target as t on t.audit_target_id = e.audit_target_id;

comment on view agentdb.erasure_log is
  'Who had what is recorded of which rows erased, when and why; agentdb.erased_leaf '
  'names the rows of the log, for copies of it that are kept elsewhere.';
comment on column agentdb.erasure_log.erasure_id is
  'Its number.';
comment on column agentdb.erasure_log.erased_at is
  'When it was.';
comment on column agentdb.erasure_log.erased_by is
  'The role that asked for it.';
comment on column agentdb.erasure_log.reason is
  'Why.';
comment on column agentdb.erasure_log.table_name is
  'The table whose row it was.';
comment on column agentdb.erasure_log.pseudonym is
  'What stands for its key in all copies.';
comment on column agentdb.erasure_log.log_rows is
  'How many rows of audit_log were blanked.';
comment on column agentdb.erasure_log.first_at is
  'When the first of them was recorded.';
comment on column agentdb.erasure_log.last_at is
  'When the last of them was.';
comment on column agentdb.erasure_log.places is
  'How many rows of each other table were changed.';
