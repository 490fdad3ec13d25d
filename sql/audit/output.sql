-- Settings that turn values into text are pinned where they are recorded, as those of
-- a session would blur the log.  Each costs every write up to a microsecond.  Common
-- types, of which PostgreSQL makes the same JSON whatever is set, pin none.

create or replace function agentdb._output_sql (target integer)
  returns text
  language sql
  stable
  return (
    select concat_ws(' ',
      case when bool_or(
        c.base_type = 'timestamptz'::regtype or not agentdb._is_plain(c.base_type))
        then 'set "TimeZone" = ''UTC''' end,
      case when bool_or(not agentdb._is_plain(c.base_type)) then
        'set extra_float_digits = 1 set "DateStyle" = ''ISO, YMD'' '
        'set "IntervalStyle" = ''postgres'' set bytea_output = ''hex'' '
        'set lc_monetary = ''C''' end)
    from agentdb.audit_column as c
    where c.audit_target_id = target
  );

comment on function agentdb._output_sql (integer) is
  'SQL text: the settings that a capture function pins for the types of its table.';


-- A table that was altered since its capture function was made may have other types.
create or replace function agentdb._pin_output (
  settings text[] default array['1', 'UTC', 'ISO, YMD', 'postgres', 'hex', 'C']
)
  returns text[]
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_names constant text[] := array['extra_float_digits', 'TimeZone', 'DateStyle',
    'IntervalStyle', 'bytea_output', 'lc_monetary'];
  v_former text[];
begin
  select array_agg(current_setting(n.name) order by n.place) into v_former
  from unnest(v_names) with ordinality as n (name, place);
  perform set_config(n.name, settings[n.place], true)
  from unnest(v_names) with ordinality as n (name, place);
  return v_former;
end;
$$;

comment on function agentdb._pin_output (text[]) is
  'Sets what turns values into text, until it is called again with what it returned.';
