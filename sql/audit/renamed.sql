-- Columns that were renamed: the log has each value under the name of its time.

-- {"first": …, "last": …, "names": {name of that time: name of now}}, in their order;
-- all have since when the names are surely those of now.  Between two of them a table
-- was altered, and nobody saw when.
create or replace function agentdb._name_periods (target integer)
  returns jsonb
  language sql
  stable
begin atomic
  with now (place, name) as (
    select c.key, c.value ->> 'name'
    from jsonb_each(agentdb._shape_now(target)) as c where c.key ~ '^c[0-9]'
  ),
  period as (
    select l.audit_layout_id as place, l.first_at, l.last_at,
      (select jsonb_object_agg(c.value ->> 'name', n.name)
        from jsonb_each(l.shape) as c
        join now as n on n.place = c.key) as names
    from agentdb.audit_layout as l
    where l.audit_target_id = target
    union all
    select 9223372036854775807, clock_timestamp(), 'infinity',
      (select jsonb_object_agg(n.name, n.name) from now as n)
  ),
  other as (
    select max(p.place) as last_place from period as p
    where exists (
      select from jsonb_each_text(p.names) as n where n.key <> n.value)
  )
  select case when max(o.last_place) is not null then jsonb_agg(jsonb_build_object(
      'first', p.first_at, 'last', p.last_at, 'names', p.names,
      'same', (select min(s.first_at) from period as s where s.place > o.last_place))
    order by p.place) end
  from period as p cross join other as o;
end;

comment on function agentdb._name_periods (integer) is
  'Which names the columns of a table had, and when; NULL where they are those of now.';


create or replace function agentdb._renamed (
  recorded jsonb,
  at timestamptz,
  periods jsonb,
  relation regclass
)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_place integer;
  v_names jsonb;
  v_later jsonb;
begin
  if recorded is null or at >= (periods -> 0 ->> 'same')::timestamptz then
    return recorded;
  end if;
  select max(p.ordinality) into v_place
  from jsonb_array_elements(periods) with ordinality as p (period, ordinality)
  where (p.period ->> 'first')::timestamptz <= at;
  v_place := coalesce(v_place, 1) - 1;
  v_names := periods -> v_place -> 'names';
  v_later := periods -> v_place + 1 -> 'names';
  if (periods -> v_place ->> 'last')::timestamptz < at and v_later <> v_names
    and exists (
      select from jsonb_object_keys(recorded) as k (name)
      where v_names -> k.name is distinct from v_later -> k.name) then
    if exists (
      select from jsonb_object_keys(recorded) as k (name) where not v_names ? k.name
    ) then
      v_names := v_later;
    elsif not exists (
      select from jsonb_object_keys(recorded) as k (name) where not v_later ? k.name
    ) then
      perform agentdb._refuse_row(relation, null, format('columns of it exchanged '
        'their names, and nothing tells whether before %s', agentdb._utc(at)));
    end if;
  end if;
  return (
    select coalesce(jsonb_object_agg(coalesce(v_names ->> e.key, e.key), e.value), '{}')
    from jsonb_each(recorded) as e);
end;
$$;

comment on function agentdb._renamed (jsonb, timestamptz, jsonb, regclass) is
  'Recorded values under the names that their columns have now; raises ZA033 where it '
  'is not known under which they were recorded.';


create or replace function agentdb._named_then (
  present jsonb,
  shape_now jsonb,
  shape_then jsonb
)
  returns jsonb
  language sql
  immutable
begin atomic
  select case when present is not null then coalesce((
    select jsonb_object_agg(t.value ->> 'name', present -> (n.value ->> 'name'))
    from jsonb_each(shape_now) as n
    join jsonb_each(shape_then) as t on t.key = n.key
    where n.key ~ '^c[0-9]' and present ? (n.value ->> 'name')), '{}') end;
end;

comment on function agentdb._named_then (jsonb, jsonb, jsonb) is
  'A row, or its key, with the columns of another shape and under their names.';
