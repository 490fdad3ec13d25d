-- Copies of what an audited row says, outside of its log: what agents told of it, what
-- people were told, and changes that were staged.

create or replace function agentdb._copies ()
  returns table (place name, columns text[])
  language sql
  immutable
begin atomic
  select c.place, string_to_array(c.columns, ' ')
  from (
    values
      ('run'::name, 'purpose on_behalf_of summary end_reason hold_reason label advice '
        'released'),
      ('run_stop', 'reason'),
      ('agent_stop', 'reason'),
      ('stop_log', 'reason details'),
      ('progress_log', 'step details'),
      ('run_activity', 'last_step'),
      ('event_unstored', 'last_step'),
      ('tool_call', 'args known'),
      ('tool_call_log', 'args error'),
      ('tool_fault', 'detail'),
      ('tool_diagnosis', 'diagnosis'),
      ('claim', 'target expectation'),
      ('verdict', 'evidence'),
      ('change', 'reason problem rebased'),
      ('change_row', 'row_key new_values expected net_values seen after shown_key '
        'base_key'),
      ('change_read', 'row_key seen'),
      ('change_decision', 'comment'),
      ('lock', 'reason'),
      ('lock_log', 'lock_name reason'),
      ('web_action', 'arguments'),
      ('unproven_log', 'what event'),
      ('intake_problem', 'sample'),
      ('question', 'question options answer comment'),
      ('alert', 'labels annotations end_reason acknowledge_comment'),
      ('alert_log', 'comment'),
      ('alert_group', 'labels'),
      ('group_alert', 'reason'),
      ('silence', 'matchers comment'),
      ('notification', 'payload error')
  ) as c (place, columns);
end;

comment on function agentdb._copies () is
  'The columns of tables in which what a row says can be told again.';


-- Seeking is cheap, and what it does not find is not looked at any closer.
create or replace function agentdb._copy_sql (place name, columns text[])
  returns table (found text, blanked text)
  language sql
  stable
begin atomic
  select format('concat_ws('' '', %s) ~* ($1 ->> ''seek'')%s',
      string_agg(format('c.%I::text', a.attname), ', ' order by a.attnum),
      format(' and (%s) is distinct from (%s)',
        string_agg(format('c.%I', a.attname), ', ' order by a.attnum),
        string_agg(e.blanked, ', ' order by a.attnum))),
    string_agg(format('%I = %s', a.attname, e.blanked), ', ' order by a.attnum)
  from pg_attribute as a
  cross join lateral (
    select format(case a.atttypid
      when 'jsonb'::regtype
        then 'agentdb._erase_json(c.%I, agentdb._beside($1, to_jsonb(c)))'
      when 'text'::regtype then 'agentdb._erase_text(c.%I, $1)'
      else '(select array_agg(agentdb._erase_text(u.said, $1) order by u.place) '
        'from unnest(c.%I) with ordinality as u (said, place))' end, a.attname)
      as blanked
  ) as e
  where a.attrelid = format('agentdb.%I', place)::regclass
    and a.attname = any (columns);
end;

comment on function agentdb._copy_sql (name, text[]) is
  'SQL text: which rows c of a table tell of subject $1, and how they are blanked.';


-- Keys of changes and claims say of which table they are: others are not meant.
create or replace function agentdb._subject_in (subject jsonb, place name)
  returns jsonb
  language sql
  immutable
  return case when place in ('change_row', 'change_read', 'claim')
    then subject || '{"names": [], "sure": []}' else subject end;

comment on function agentdb._subject_in (jsonb, name) is
  'A subject as it is to be found in a table.';


-- A change that is not decided yet is bound to what it says; nobody may approve what
-- nobody can read any more.
create or replace function agentdb._check_undecided (
  relation regclass,
  keys jsonb[],
  subject jsonb
)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_copy record;
  v_found bigint[];
  v_changes bigint[] := array(
    select distinct r.change_id
    from (
      select w.change_id, w.audit_target_id, array[w.row_key, w.shown_key, w.base_key]
        as keys
      from agentdb.change_row as w
      union all
      select d.change_id, d.audit_target_id, array[d.row_key]
      from agentdb.change_read as d
    ) as r
    join agentdb.change as c on c.change_id = r.change_id
    join agentdb.audit_target as t on t.audit_target_id = r.audit_target_id
    where c.state in ('open', 'pending', 'approved')
      and t.table_oid = relation::oid
      and r.keys && _check_undecided.keys);
begin
  for v_copy in
    select c.place, s.found
    from agentdb._copies() as c
    cross join lateral agentdb._copy_sql(c.place, c.columns) as s
    where c.place in ('change', 'change_row', 'change_read')
  loop
    execute format(
      'select array_agg(distinct c.change_id) from agentdb.%I as c '
      'join agentdb.change as o on o.change_id = c.change_id '
      'where o.state in (''open'', ''pending'', ''approved'') and %s',
      v_copy.place, v_copy.found)
      into v_found using agentdb._subject_in(subject, v_copy.place);
    v_changes := v_changes || coalesce(v_found, '{}');
  end loop;
  if v_changes <> '{}' then
    perform agentdb._refuse(
      format('change %s is not decided yet and mentions it', (
        select string_agg(distinct c::text, ', ') from unnest(v_changes) as c)),
      'Reject, withdraw or apply it first: select * from agentdb.waiting_changes();');
  end if;
end;
$$;

comment on function agentdb._check_undecided (regclass, jsonb[], jsonb) is
  'Raises ZA004 where a change that waits mentions a subject.';


create or replace function agentdb._blanked (
  content jsonb,
  row_key jsonb,
  pseudonym text
)
  returns jsonb
  language sql
  immutable
  return case when jsonb_typeof(content) = 'object' then (
    select coalesce(jsonb_object_agg(m.key,
      case when row_key ? m.key then pseudonym else '[erased]' end), '{}')
    from jsonb_each(content) as m
  ) else content end;

comment on function agentdb._blanked (jsonb, jsonb, text) is
  'The values of a row with the pseudonym for its key and [erased] for all others.';


-- Changes of the row itself, and claims about it, have nothing that is not its.
create or replace function agentdb._erase_rows_of (
  relation regclass,
  keys jsonb[],
  subject jsonb
)
  returns table (place text, rows bigint)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text := subject ->> 'pseudonym';
  v_targets integer[] := array(
    select t.audit_target_id from agentdb.audit_target as t
    where t.table_oid = relation::oid);
begin
  update agentdb.change_row as r
  set row_key = agentdb._blanked(r.row_key, r.row_key, v_name),
      shown_key = agentdb._blanked(r.shown_key, r.row_key, v_name),
      base_key = agentdb._blanked(r.base_key, r.row_key, v_name),
      new_values = agentdb._blanked(r.new_values, r.row_key, v_name),
      expected = agentdb._blanked(r.expected, r.row_key, v_name),
      net_values = agentdb._blanked(r.net_values, r.row_key, v_name),
      seen = agentdb._blanked(r.seen, r.row_key, v_name),
      after = agentdb._blanked(r.after, r.row_key, v_name)
  where r.audit_target_id = any (v_targets)
    and array[r.row_key, r.shown_key, r.base_key] && keys;
  get diagnostics rows = row_count;
  place := 'change_row';
  return next;
  update agentdb.change_read as r
  set row_key = agentdb._blanked(r.row_key, r.row_key, v_name),
      seen = agentdb._blanked(r.seen, r.row_key, v_name)
  where r.audit_target_id = any (v_targets) and r.row_key = any (keys);
  get diagnostics rows = row_count;
  place := 'change_read';
  return next;
  update agentdb.claim as c
  set expectation = agentdb._erase_json(c.expectation - 'values',
        subject || jsonb_build_object('names', keys)),
      state = case c.state when 'pending' then 'unreachable' else c.state end
  where c.kind = 'rows'
    and c.target = agentdb._table_name(relation)
    and exists (
      select from jsonb_array_elements(case jsonb_typeof(c.expectation -> 'keys')
        when 'array' then c.expectation -> 'keys' else '[]' end) as k
      where k = any (keys));
  get diagnostics rows = row_count;
  place := 'claim';
  return next;
end;
$$;

comment on function agentdb._erase_rows_of (regclass, jsonb[], jsonb) is
  'Blanks what changes and claims have of a row.';


create or replace function agentdb._erase_copies (subject jsonb)
  returns table (place text, rows bigint)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_copy record;
begin
  for v_copy in
    select c.place, s.found, s.blanked
    from agentdb._copies() as c
    cross join lateral agentdb._copy_sql(c.place, c.columns) as s
  loop
    place := v_copy.place;
    execute format('update agentdb.%I as c set %s%s where %s', v_copy.place,
      v_copy.blanked,
      -- What is claimed can no longer be looked up.
      case v_copy.place when 'claim' then ', state = case c.state when ''pending'' '
        'then ''unreachable'' else c.state end' else '' end, v_copy.found)
      using agentdb._subject_in(subject, v_copy.place);
    get diagnostics rows = row_count;
    return next;
  end loop;
end;
$$;

comment on function agentdb._erase_copies (jsonb) is
  'Erases a subject in all that was told of it, and says in how many rows of each '
  'table.';
