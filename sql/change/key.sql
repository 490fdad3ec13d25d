-- How rows of changes find those of their tables: by the primary key.

create or replace function agentdb._key_match_sql (target integer, source text)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select string_agg(format('t.%I = %s', c.column_name,
    agentdb._typed_sql(source, c.column_name, c.type_name)), ' and ')
  from agentdb.change_column as c
  where c.audit_target_id = target and c.key_place is not null;
$$;

comment on function agentdb._key_match_sql (integer, text) is
  'SQL text: a row t of a table has the key that a JSON object has.';


-- What its proposer has staged since finds the rows under the keys that they have now.
create or replace function agentdb._move_bases (change bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if not exists (
    select from agentdb.change_row as r
    where r.change_id = change and r.shown_key is not null
  ) then
    return;
  end if;
  update agentdb.change_row as r
  set base_key = nullif(m.shown_key, r.row_key)
  from agentdb.change as k
  join agentdb.change as c
    on c.proposed_by = k.proposed_by
    and c.agent_id is not distinct from k.agent_id
    and c.state in ('open', 'pending', 'approved')
    and c.change_id <> k.change_id
  cross join agentdb.change_row as m
  where k.change_id = change
    and m.change_id = change
    and m.shown_key is not null
    and r.change_id = c.change_id
    and r.audit_target_id = m.audit_target_id
    and r.base_key = m.row_key;
end;
$$;

comment on function agentdb._move_bases (bigint) is
  'Notes for what waits which keys an applied change has given to rows.';
