-- Batches: what comes as one JSON array, and what is said of a row that is refused.

create or replace function agentdb._checked_batch (items jsonb, required_key text)
  returns jsonb
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
begin
  items := agentdb._unquoted(items);
  if jsonb_typeof(items) is distinct from 'array' then
    perform agentdb._refuse(
      format('expected a JSON array, got %s', coalesce(jsonb_typeof(items), 'NULL')),
      format('Send [{"%s": …}, …].', required_key)
    );
  elsif jsonb_array_length(items) > 10000 then
    perform agentdb._refuse(
      format('%s rows are too many for one call', jsonb_array_length(items)),
      'Send at most 10000 at a time.'
    );
  end if;
  return items;
end;
$$;

comment on function agentdb._checked_batch (jsonb, text) is
  'A batch of rows, also where it came as text; raises ZA004 for what is no array, or '
  'more than 10000 rows.';


create or replace function agentdb._refused_row (place bigint, why text)
  returns jsonb
  language sql
  stable
  return jsonb_build_object('row', place, 'why', agentdb._clean_line(why, 300));

comment on function agentdb._refused_row (bigint, text) is
  'What a batch says of a row that was not recorded, by its place from 1 on; made '
  'harmless, as PostgreSQL quotes the value that it refuses.';


-- What was done one after the other is read so, in whatever tables it is.
create or replace function agentdb._moment_in_batch (at timestamptz, place bigint)
  returns timestamptz
  language sql
  immutable
  parallel safe
  return at + place * interval '1 microsecond';

comment on function agentdb._moment_in_batch (timestamptz, bigint) is
  'When an event of a batch was recorded: the order of a batch is that of its events.';
