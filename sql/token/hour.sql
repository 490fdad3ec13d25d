-- The hours and days at which an agent works: a bit each, as _hour_of_week has them.

-- Work that comes at any time keeps no hours that could tell anything, and a week must
-- have been seen before hours tell anything at all.
create or replace function agentdb._is_usual_hour (
  hours bigint,
  regular_hours integer,
  days integer,
  at timestamptz
)
  returns boolean
  language sql
  immutable
  parallel safe
  return days < 7 or exists (
    select from generate_series(-1, 1) as d (step)
    where (hours | (hours >> 24))
      >> (extract(hour from at at time zone 'UTC')::integer + d.step + 24) % 24
      & 1 = 1
  ) or (
    select count(*) > regular_hours
    from generate_series(0, 23) as h (hour)
    where (hours | (hours >> 24)) >> h.hour & 1 = 1
  );

comment on function agentdb._is_usual_hour (bigint, integer, integer, timestamptz) is
  'Tells whether an agent was ever active at this hour of the day, or the one before '
  'or after, or is active at all hours, or has not been known for a week.';


-- Weekdays and weekends are told apart once four of each have been seen.
create or replace function agentdb._is_usual_day (
  hours bigint,
  days integer,
  at timestamptz
)
  returns boolean
  language sql
  immutable
  parallel safe
  return days < 28
    or hours >> agentdb._hour_of_week(at) / 24 * 24 & (1::bigint << 24) - 1 <> 0;

comment on function agentdb._is_usual_day (bigint, integer, timestamptz) is
  'Tells whether an agent was ever active on such a day, a weekday or a weekend, or '
  'has not been known for four weeks.';
