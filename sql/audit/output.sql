-- Settings that turn values into text are pinned where they are recorded, as those of
-- a session would blur the log.  Each costs every write up to a microsecond.  Common
-- types, of which PostgreSQL makes the same JSON whatever is set, pin none.

create or replace function agentdb._output_settings ()
  returns table (name text, value text)
  language sql
  immutable
begin atomic
  values ('TimeZone', 'UTC'), ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'),
    ('extra_float_digits', '1'), ('bytea_output', 'hex'), ('lc_monetary', 'C');
end;

comment on function agentdb._output_settings () is
  'What turns values into text, and how the record has it.';


create or replace function agentdb._ignores_settings (type oid)
  returns boolean
  language sql
  immutable
  return type in (
    'bool'::regtype, 'int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'oid'::regtype,
    'numeric'::regtype, 'text'::regtype, 'varchar'::regtype, 'bpchar'::regtype,
    'name'::regtype, 'uuid'::regtype, 'jsonb'::regtype, 'date'::regtype,
    'timestamp'::regtype);

comment on function agentdb._ignores_settings (oid) is
  'Whether values of a type become the same JSON whatever is set.';


create or replace function agentdb._output_sql (target integer)
  returns text
  language sql
  stable
  return (
    select coalesce(string_agg(format('set %I = %L', s.name, s.value), ' '), '')
    from agentdb._output_settings() as s
    where exists (
      select from agentdb.audit_column as c
      where c.audit_target_id = target
        and not agentdb._ignores_settings(c.base_type)
        and (s.name = 'TimeZone' or c.base_type <> 'timestamptz'::regtype))
  );

comment on function agentdb._output_sql (integer) is
  'SQL text: the settings that a capture function pins for the types of its table.';


-- A table that was altered since its capture function was made may have other types.
create or replace function agentdb._pin_output (settings jsonb default null)
  returns jsonb
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_former jsonb := (
    select jsonb_object_agg(s.name, current_setting(s.name))
    from agentdb._output_settings() as s);
begin
  perform set_config(s.name, coalesce(settings ->> s.name, s.value), true)
  from agentdb._output_settings() as s;
  return v_former;
end;
$$;

comment on function agentdb._pin_output (jsonb) is
  'Sets what turns values into text, until it is called again with what it returned.';
