-- Staging: rows that an agent proposes, held until somebody approves them.  All ways
-- (a view, a call, a set opened over several transactions) end in _stage_row().

create or replace function agentdb._check_stage (
  target integer,
  operation text,
  new_values jsonb
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_name text;
  v_oid oid;
  v_columns text[];
begin
  select g.table_name, g.table_oid, g.columns into v_name, v_oid, v_columns
  from agentdb.guarded_table as g where g.audit_target_id = target;
  if v_name is null then
    perform agentdb._refuse('the table is not guarded any more',
      'Write to it directly.');
  elsif not has_table_privilege(session_user, v_oid, 'select') then
    raise exception '% may not read %', session_user, v_name
      using errcode = '42501',
            hint = format('Who stages must see: grant select on %s to %I;', v_name,
              session_user);
  end if;
  if not has_table_privilege(session_user, v_oid, operation) then
    perform agentdb._check_right(v_oid::regclass, operation, new_values);
  end if;
  if v_columns is not null
    and (operation <> 'update' or new_values - v_columns <> '{}') then
    perform agentdb._refuse_hostile(target);
    perform agentdb._refuse(
      format('a change of %s may only set %s', v_name,
        array_to_string(v_columns, ', ')),
      'Leave all else as it is, and neither insert nor delete rows.');
  elsif octet_length(new_values::text) > 1000000 then
    perform agentdb._refuse(format('a row of %s is too large to review', v_name),
      'Keep the values of a row below 1 MB.');
  end if;
end;
$$;

comment on function agentdb._check_stage (integer, text, jsonb) is
  'Raises ZA004, ZA051 or 42501 for a row that may not be staged.';


-- What is wrong with the table comes before what is wrong with the row: nothing that
-- the proposer does about its row would help.
create or replace function agentdb._refuse_hostile (target integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_fact agentdb.change_fact := agentdb._fact(target);
begin
  if v_fact.hostile is not null then
    raise exception 'an agent controls a part of %: %', v_fact.table_name,
        v_fact.hostile
      using errcode = 'ZA051',
            hint = 'The table has to be put right and guarded again.  Tell people: '
              'select * from agentdb.ask_human(question => ''…'');';
  end if;
end;
$$;

comment on function agentdb._refuse_hostile (integer) is
  'Raises ZA051 for a table of which an agent controls a part.';


create or replace function agentdb._refuse_more_rows (max_rows integer)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception 'a change of this agent may have at most % rows', max_rows
    using errcode = 'ZA005',
          detail = 'See policy.max_change_rows.',
          hint = 'Check the WHERE clause.  If all these rows are meant, stage them '
            'in several changes, or have a person do it: select * from '
            'agentdb.ask_human(question => ''…'');';
end;
$$;

comment on function agentdb._refuse_more_rows (integer) is
  'Raises ZA005 for a row beyond policy.max_change_rows.';


create or replace function agentdb._stage_row (
  target integer,
  operation text,
  key jsonb,
  new_values jsonb,
  expected jsonb,
  seen jsonb,
  after jsonb,
  present boolean,
  new_key jsonb default null
)
  returns boolean
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_change record;
  v_row agentdb.change_row;
begin
  perform agentdb._check_stage(target, operation, new_values);
  v_change := agentdb._current_change();
  if not v_change.alone then
    v_row := agentdb._staged_row(target, key, v_change.agent_id, v_change.change_id);
  end if;
  if operation = 'insert' then
    perform agentdb._check_absent(target, key, operation, present, v_change.agent_id,
      v_row);
    -- Deleted and inserted again it is another row, without what the former one had.
    if v_row.change_id = v_change.change_id then
      v_row := null;
    end if;
  elsif v_row.change_id = v_change.change_id and agentdb._is_met(v_row, seen) then
    return false;
  elsif new_key is not null then
    perform agentdb._check_absent(target, new_key, operation, present,
      v_change.agent_id, agentdb._staged_row(target, new_key, v_change.agent_id,
        v_change.change_id));
  end if;
  if v_row.change_id = v_change.change_id then
    perform agentdb._restage_row(v_row, operation, new_values, expected, after,
      new_key);
  else
    perform agentdb._add_row(v_change.change_id, v_change.max_rows, v_change.alone,
      target, operation, key, new_values, expected, seen, after, new_key, v_row);
  end if;
  if new_key is not null then
    perform agentdb._mark_left(v_change.change_id, target, key);
  end if;
  return true;
end;
$$;

comment on function agentdb._stage_row (
  integer, text, jsonb, jsonb, jsonb, jsonb, jsonb, boolean, jsonb) is
  'Stages a row in the session''s open change; what an earlier change of its own did '
  'to the row comes first; false for one that the same statement has met before.';


-- A row is known by the key under which it is shown; the one that it has in the table
-- is another, while earlier changes that give it this one wait.
create or replace function agentdb._add_row (
  change bigint,
  max_rows integer,
  first boolean,
  target integer,
  operation text,
  key jsonb,
  new_values jsonb,
  expected jsonb,
  seen jsonb,
  after jsonb,
  new_key jsonb,
  former agentdb.change_row
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_place integer := 1 + case when first then 0 else coalesce((
    select max(r.place) from agentdb.change_row as r
    where r.change_id = change), 0) end;
  v_former text := coalesce(former.net_operation, former.operation);
begin
  if v_place > max_rows then
    perform agentdb._refuse_more_rows(max_rows);
  end if;
  insert into agentdb.change_row (
    change_id, place, audit_target_id, operation, row_key, new_values, expected, seen,
    after, builds_on, net_operation, net_values, statement, shown_key, base_key
  )
  values (
    change, v_place, target, operation, key, new_values, expected, seen, after,
    former.change_id,
    case
      when former.change_id is null then null
      when operation = 'update' then v_former
      else operation end,
    case
      when former.change_id is null then null
      when operation = 'update'
        then coalesce(former.net_values, former.new_values) || new_values
      else new_values end,
    agentdb._statement(), new_key,
    case when v_former in ('insert', 'update')
      then nullif(coalesce(former.base_key, former.row_key), key) end
  );
end;
$$;

comment on function agentdb._add_row (bigint, integer, boolean, integer, text, jsonb,
  jsonb, jsonb, jsonb, jsonb, jsonb, agentdb.change_row) is
  'Adds a row to a change, after what an earlier change did to it; raises ZA005.';


-- The statement that gives a row another key may meet it again under the former one.
create or replace function agentdb._mark_left (
  change bigint,
  target integer,
  key jsonb
)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  insert into agentdb.change_row (
    change_id, place, audit_target_id, operation, row_key, statement
  )
  select change, least(min(r.place), 0) - 1, target, 'check', key,
    agentdb._statement()
  from agentdb.change_row as r where r.change_id = change;
$$;

comment on function agentdb._mark_left (bigint, integer, jsonb) is
  'Notes until the change is submitted that a row has left a key.';


-- The same row twice in one change is one row; one that is inserted and deleted stays
-- until the change is submitted, for the statement may meet it again.
create or replace function agentdb._restage_row (
  former agentdb.change_row,
  operation text,
  new_values jsonb,
  expected jsonb,
  after jsonb,
  new_key jsonb
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_gone boolean := former.operation = 'insert' and operation = 'delete';
  v_values jsonb := former.new_values || new_values;
  v_operation text := case when operation = 'delete' then operation
    else former.operation end;
begin
  update agentdb.change_row as r
  set operation = case when v_gone then 'check' else v_operation end,
      new_values = v_values,
      expected = case when v_operation = 'insert' or v_gone then null
        else _restage_row.expected || former.expected end,
      after = _restage_row.after,
      shown_key = nullif(coalesce(new_key, r.shown_key), r.row_key),
      net_operation = case
        when v_gone then null
        when r.builds_on is null and r.net_operation is null then null
        when _restage_row.operation = 'update'
          then coalesce(r.net_operation, v_operation)
        else v_operation end,
      net_values = case when r.builds_on is not null and not v_gone
        then coalesce(former.net_values, former.new_values)
          || _restage_row.new_values end,
      staged_at = case when cardinality(r.staged_at) < 100
        then r.staged_at || clock_timestamp() else r.staged_at end,
      statement = agentdb._statement()
  where r.change_id = former.change_id and r.place = former.place;
end;
$$;

comment on function agentdb._restage_row (
  agentdb.change_row, text, jsonb, jsonb, jsonb, jsonb) is
  'Merges a second write of a row into what the same change has staged for it.';
