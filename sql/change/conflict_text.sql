-- Conflicts as people and proposers are shown them.

-- What others wrote is not for a proposer to learn here: it may have lost the right to
-- read it, or the sight of the row.  It reads the table again.  Rows that a guard names
-- it may never have been allowed to read.
create or replace function agentdb._veiled (conflicts jsonb)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select jsonb_agg(case jsonb_typeof(c.value -> 'columns')
      when 'object' then jsonb_set(c.value, '{columns}', (
        select coalesce(jsonb_object_agg(d.key, case c.value ->> 'operation'
          when 'read' then '{}' else d.value - 'current' end), '{}')
        from jsonb_each(c.value -> 'columns') as d))
      else c.value end order by c.place)
  from jsonb_array_elements(conflicts) with ordinality as c (value, place);
$$;

comment on function agentdb._veiled (jsonb) is
  'Conflicts without what is there now, nor what rows were that are only read.';


create or replace function agentdb._veiled_problem (problem jsonb)
  returns jsonb
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select case when agentdb._is_agent() then jsonb_strip_nulls(problem - 'detail'
      || jsonb_build_object('conflicts', agentdb._veiled(problem -> 'conflicts')))
    else problem end;
$$;

comment on function agentdb._veiled_problem (jsonb) is
  'Why a change could not be applied, as the session may know it.';


create or replace function agentdb._conflict_text (conflicts jsonb)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select string_agg(concat(
      'row ', c.value -> 'key', ' of ', c.value ->> 'table', ' ',
      c.value ->> 'conflict',
      (
        select string_agg(format(': %s was expected to be %s and is %s%s', d.key,
          d.value -> 'expected',
          coalesce((d.value -> 'current')::text, 'not any more'),
          ', would be ' || (d.value -> 'proposed')::text), '')
        from jsonb_each(case jsonb_typeof(c.value -> 'columns')
          when 'object' then c.value -> 'columns' else '{}' end) as d
      ),
      ' (by ' || nullif(concat_ws(' of ', 'run ' || (c.value #>> '{by,run}'),
        coalesce(c.value #>> '{by,agent}', c.value #>> '{by,role}')), '') || ')'
    ), '; ' order by c.place)
  from jsonb_array_elements(conflicts) with ordinality as c (value, place);
$$;

comment on function agentdb._conflict_text (jsonb) is
  'Conflicts as a person reads them; NULL where there are none.';
