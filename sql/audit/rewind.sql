-- A row taken back through what was recorded of it, the newest first.  Each event has
-- to fit what the row was after it: so an unrecorded write is found by content.

create or replace function agentdb._refuse_row (
  relation regclass,
  row_key jsonb,
  problem text
)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- Without a key where the reader may not know of the row.
  perform agentdb._refuse_history(relation,
    format('%s of %s', problem, coalesce('row ' || left(row_key::text, 200), 'a row')),
    case when row_key is null
      then 'Ask for a later moment, or as a role that bypasses row security.'
      else format('Ask for a later moment, or look at what is recorded: select * from '
        'agentdb.row_history(%L, %L);', agentdb._table_name(relation),
        left(row_key::text, 1000)) end);
  return null;
end;
$$;

comment on function agentdb._refuse_row (regclass, jsonb, text) is
  'Raises ZA033 for a row whose past the log cannot tell.';


create or replace function agentdb._fits (
  operation text,
  present jsonb,
  new_values jsonb,
  partial boolean
)
  returns boolean
  language sql
  immutable
  return case
    when operation in ('insert', 'update')
      then partial or coalesce(present || new_values = present, false)
    else present is null
  end;

comment on function agentdb._fits (text, jsonb, jsonb, boolean) is
  'Whether a row can be what an event left behind.';


-- A statement whose triggers write the same row is recorded after them: within a
-- transaction the order is the one in which the events fit.  Of a row that is hidden
-- from the reader only what changed is known; member '' marks it.
create or replace function agentdb._rewind (
  relation regclass,
  row_key jsonb,
  present jsonb,
  hidden boolean,
  operations text[],
  xids xid8[],
  moments timestamptz[],
  olds jsonb[],
  news jsonb[]
)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_row jsonb := present;
  v_partial boolean := false;
  v_done boolean[] := array_fill(false, array[cardinality(operations)]);
  v_first integer := 1;
  v_place integer;
begin
  if hidden and present is null and operations[1] in ('insert', 'update') then
    v_partial := true;
    v_row := '{"": true}';
  end if;
  while v_first <= cardinality(operations) loop
    v_place := v_first;
    while v_done[v_place]
      or not agentdb._fits(operations[v_place], v_row, news[v_place], v_partial) loop
      v_place := v_place + 1;
      if xids[v_place] is distinct from xids[v_first] then
        return agentdb._refuse_row(relation, case when not hidden then row_key end,
          format('something unrecorded happened after the %s of %s',
            operations[v_first], agentdb._utc(moments[v_first])));
      end if;
    end loop;
    v_done[v_place] := true;
    v_partial := v_partial and operations[v_place] <> 'insert';
    v_row := case operations[v_place] when 'insert' then null
      when 'update' then v_row || olds[v_place] else olds[v_place] end;
    while v_done[v_first] loop
      v_first := v_first + 1;
    end loop;
  end loop;
  return v_row;
end;
$$;

comment on function agentdb._rewind (
  regclass, jsonb, jsonb, boolean, text[], xid8[], timestamptz[], jsonb[], jsonb[]
) is
  'What a row was before some events, given from the newest to the oldest; NULL where '
  'there was none; raises ZA033 where they do not fit.';
