-- Days of the log that retention has removed.

create or replace function agentdb._is_removed (day date)
  returns boolean
  language sql
  stable
  return exists (
    select from agentdb.removed_day as d where d.day = _is_removed.day);

comment on function agentdb._is_removed (date) is
  'Whether retention has removed the rows of a UTC day.';


create or replace function agentdb._removed_text (
  first_day date,
  last_day date,
  rows numeric,
  removed_at timestamptz
)
  returns text
  language sql
  stable
  set "DateStyle" = 'ISO, YMD'
  return case when last_day is not null then
    format('%s of %s%s: removed by retention on %s',
      agentdb._how_many(rows::bigint, 'row'), first_day,
      ' to ' || nullif(last_day, first_day), (removed_at at time zone 'UTC')::date) end;

comment on function agentdb._removed_text (date, date, numeric, timestamptz) is
  'Says what retention has removed and when last; NULL where it has removed nothing.';
