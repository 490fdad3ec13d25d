-- The past: a table, or a row of it, as it was at a moment.  Present rows are read with
-- the rights of the caller: who may not see a table cannot see it by its past.

-- The present rows and what happened since, put together by _rewind().
create or replace function agentdb._past_sql (
  relation regclass,
  condition text,
  by_key boolean
)
  returns text
  language sql
  stable
  return (
    select format(
      $past$
    with event as materialized (%1$s
    ),
    changed as (
      select e.target, e.row_key,
        array_agg(e.operation order by e.audit_log_id desc) as operations,
        array_agg(e.xid order by e.audit_log_id desc) as xids,
        array_agg(e.recorded_at order by e.audit_log_id desc) as moments,
        array_agg(e.old_values order by e.audit_log_id desc) as olds,
        array_agg(e.new_values order by e.audit_log_id desc) as news
      from event as e
      group by e.target, e.row_key
    ),
    present as (
      select %2$s as target, %3$s as row_key, %4$s as row_values, o.tableoid
      from %5$s as o%6$s
    )
    select v.row_key, v.row_values
    from (
      select coalesce(p.row_key, c.row_key) as row_key,
        case when c.row_key is not null then
            agentdb._rewind(%5$L, c.row_key, p.row_values, %7$L, c.operations, c.xids,
              c.moments, c.olds, c.news)
          when p.tableoid = any ($3) then agentdb._refuse_row(%5$L, p.row_key,
            'a partition was attached since, and nothing tells the past')
          else p.row_values end as row_values
      from present as p
      full join changed as c on c.target = p.target and c.row_key = p.row_key
      offset 0
    ) as v
    where v.row_values is not null and %8$s$past$,
      agentdb._since_sql(relation, condition, by_key),
      case when count(*) > 1 then 'case o.tableoid '
        || string_agg(format('when %s then %s', m.table_oid, m.target), ' ')
        || ' end' else agentdb._target_of(relation)::text end,
      agentdb._key_sql(agentdb._target_of(relation), 'o'),
      agentdb._row_sql(agentdb._target_of(relation), 'o'),
      relation,
      case when by_key then ' where ' || agentdb._equal_sql(relation, 'o.%1$I',
        '($2 ->> %2$L)::%3$s') else '' end,
      row_security_active(relation),
      case when row_security_active(relation) then agentdb._visible_sql(relation)
        else 'true' end
    )
    from agentdb._past_members(relation) as m
  );

comment on function agentdb._past_sql (regclass, text, boolean) is
  'SQL text: the rows of a table, or those of key $2, before what the log has where a '
  'condition holds; rows of the partitions $3 must have come since.';


create or replace function agentdb._gaps (target integer)
  returns table (gap text, hint text, began_at timestamptz, ended_at timestamptz)
  language sql
  stable
begin atomic
  select agentdb._gap_text(g.began_at, g.ended_at, g.suspended_by, g.reason),
    case when g.suspended_by is null then format('It is known again since '
        'agentdb.audit_table(%L), or since agentdb.maintain() may do that.',
        g.table_name)
      else 'It is known again a minute after agentdb.unsuspend(), once the '
        'transactions of that time have ended.' end,
    g.began_at, g.ended_at
  from agentdb.recording_gap as g
  where g.audit_target_id = target
  union all
  -- Not looked at yet.
  select agentdb._gap_text(t.in_place_at, null, null, m.missed),
    format('select * from agentdb.maintain_tables(); or select * from '
      'agentdb.audit_table(%L); then ask for a moment since.', t.table_name),
    t.in_place_at, null
  from agentdb.audit_target as t
  cross join lateral agentdb._record_missed(t.audit_target_id) as m (missed)
  where t.audit_target_id = target and m.missed is not null;
end;

comment on function agentdb._gaps (integer) is
  'The gaps in the record of a table, with what ends one that is open.';


create or replace function agentdb._check_past (relation regclass, at timestamptz)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_since timestamptz := (
    select greatest(t.audited_at, clock_timestamp()
      - (select max(p.audit_retention) from agentdb.policy as p),
      (select max(d.day + 1)::timestamp at time zone 'UTC'
        from agentdb.removed_day as d))
    from agentdb.audit_target as t
    where t.audit_target_id = agentdb._target_of(relation)
  );
  v_gap text;
  v_hint text;
  v_ended_at timestamptz;
  v_fault text;
begin
  select g.gap, g.ended_at, g.hint into v_gap, v_ended_at, v_hint
  from agentdb._gaps(agentdb._target_of(relation)) as g
  where coalesce(g.ended_at > at, true)
  order by g.ended_at desc nulls first, g.began_at
  limit 1;
  if v_gap is not null then
    perform agentdb._refuse_history(relation, v_gap, case when v_ended_at is null
      then v_hint else format('Ask for a moment since %s.', v_ended_at) end);
  end if;
  if at is null or at < v_since then
    perform agentdb._refuse_history(relation,
      format('it is recorded since %s', v_since),
      format('Ask for a moment since then, not for %s.', coalesce(at::text, 'NULL')));
  end if;
  select s.fault, s.since into v_fault, v_ended_at
  from agentdb._shape_at(agentdb._target_of(relation), at) as s;
  if v_fault is not null then
    perform agentdb._refuse_history(relation, v_fault, case when v_ended_at is null
      then 'select * from agentdb.maintain_tables(); then ask for a moment since.'
      else format('Ask for a moment since %s.', v_ended_at) end);
  end if;
end;
$$;

comment on function agentdb._check_past (regclass, timestamptz) is
  'Raises ZA033 for a moment before the audit of a table began, its retention ends or '
  'a gap in its record does, or its columns were others.';


-- A column that was renamed twice, or came and went, before anybody looked is found by
-- what a row lacks, or has too much.
create or replace function agentdb._whole (
  relation regclass,
  row_key jsonb,
  content jsonb,
  names text[]
)
  returns jsonb
  language sql
  stable
  return case when content ?& names and content - names = '{}' then content
    else agentdb._refuse_row(relation, row_key,
      'columns were altered before anybody looked, and nothing tells all values') end;

comment on function agentdb._whole (regclass, jsonb, jsonb, text[]) is
  'A row of the past that has the columns of its moment; raises ZA033 for another.';


create or replace function agentdb._past (
  relation regclass,
  at timestamptz,
  mark text,
  key jsonb,
  by_clock boolean
)
  returns table (row_key jsonb, row_values jsonb, exact_at timestamptz)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_moment record;
  v_member record;
  v_at timestamptz;
  v_then jsonb;
  v_now jsonb := agentdb._shape_now(agentdb._target_of(relation));
begin
  select * into v_moment
  from agentdb._past_moment(relation, at, mark, key, by_clock) as m;
  v_at := coalesce(v_moment.exact_at, at);
  for v_member in select m.table_oid from agentdb._past_members(relation) as m loop
    perform agentdb._check_past(v_member.table_oid::regclass, v_at);
    perform agentdb._check_erased(v_member.table_oid::regclass, v_at, key);
  end loop;
  select s.shape into v_then
  from agentdb._shape_at(agentdb._target_of(relation), v_at) as s;
  if by_clock then
    null;
  elsif v_moment.exact_at is null then
    raise notice 'no runner kept a snapshot at %: read by the clock of each write', at;
  elsif v_moment.exact_at <> at then
    raise notice 'exact at %: what was committed at % is not known', v_at, at;
  end if;
  return query execute format('select w.row_key, agentdb._whole(%L, %s, '
      'w.row_values, $10), $9 from (%s) as w', relation,
      case when row_security_active(relation) then 'null' else 'w.row_key' end,
      format(case when agentdb._column_names(v_now) = agentdb._column_names(v_then)
        then 'select p.row_key, p.row_values from (%s) as p'
      else 'select agentdb._named_then(p.row_key, $7, $8) as row_key, '
        'agentdb._named_then(p.row_values, $7, $8) as row_values from (%s) as p' end,
      agentdb._past_sql(relation, v_moment.condition, key is not null)))
    using at, key,
      array(select substr(n.name, 2)::oid from jsonb_object_keys(v_now) as n (name)
        where n.name ~ '^p[0-9]' and not v_then ? n.name),
      v_moment.seen, v_moment.later, v_moment.open, v_now, v_then, v_moment.exact_at,
      agentdb._recorded_names(v_then);
end;
$$;

comment on function agentdb._past (regclass, timestamptz, text, jsonb, boolean) is
  'The rows of a table, or those of a key, as they were at a moment; raises ZA004 or '
  'ZA033.';


create or replace function agentdb.table_as_of (
  relation regclass,
  at timestamptz default null,
  mark text default null,
  by_clock boolean default false
)
  returns table (row_key jsonb, row_values jsonb, exact_at timestamptz)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set extra_float_digits = 1
  set "TimeZone" = 'UTC'
  set "DateStyle" = 'ISO, YMD'
  set "IntervalStyle" = 'postgres'
  set bytea_output = 'hex'
  set lc_monetary = 'C'
as $$
begin
  if agentdb._key_sql(agentdb._target_of(relation), 'o') = 'null::jsonb' then
    perform agentdb._refuse_history(relation,
      'it has no primary key, so its rows have no names',
      'Give it a primary key.');
  end if;
  return query select * from agentdb._past(relation, at, mark, null, by_clock);
end;
$$;

comment on function agentdb.table_as_of (regclass, timestamptz, text, boolean) is
  'All rows of a table as they were at a moment, or at a mark; (row_values ->> '
  'column)::type gives a value back.  exact_at is the moment for which that is exactly '
  'what a SELECT gave, NULL where no runner kept snapshots at the time.  by_clock asks '
  'for what was written until then instead, committed at that time or later; raises '
  'ZA004, ZA006 or ZA033.';


create or replace function agentdb.row_as_of (
  relation regclass,
  key jsonb,
  at timestamptz default null,
  mark text default null,
  by_clock boolean default false
)
  returns jsonb
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set extra_float_digits = 1
  set "TimeZone" = 'UTC'
  set "DateStyle" = 'ISO, YMD'
  set "IntervalStyle" = 'postgres'
  set bytea_output = 'hex'
  set lc_monetary = 'C'
as $$
declare
  v_row jsonb;
begin
  select p.row_values into v_row
  from agentdb._past(relation, at, mark, agentdb._canonical_key(relation, key),
    by_clock) as p;
  return v_row;
end;
$$;

comment on function agentdb.row_as_of (regclass, jsonb, timestamptz, text, boolean) is
  'A row as it was at a moment, or at a mark, NULL where it did not exist; exact_at() '
  'says for which moment; raises ZA004, ZA006 or ZA033.';


create or replace function agentdb.exact_at (
  relation regclass,
  at timestamptz default null,
  mark text default null,
  key jsonb default null
)
  returns timestamptz
  language sql
  stable
begin atomic
  select m.exact_at
  from agentdb._past_moment(relation, at, mark, case when key is not null
    then agentdb._canonical_key(relation, key) end, false) as m;
end;

comment on function agentdb.exact_at (regclass, timestamptz, text, jsonb) is
  'The moment for which the past of a table, or of a row, is exactly known when it is '
  'asked for at another: the latest one before it of which a snapshot tells what was '
  'committed; NULL where no runner kept snapshots at the time; raises ZA004 or ZA006.';
