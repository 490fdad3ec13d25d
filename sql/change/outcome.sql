-- The outcome of an undo: are its rows as they are to become?  Triggers of the
-- application run again when it is applied, and may make something else of them.

-- Triggers of ours and of foreign keys change no row that they are not told to.
create or replace view agentdb.application_trigger as
  select t.tgrelid as table_oid, t.tgname as trigger_name
  from pg_trigger as t
  join pg_proc as p on p.oid = t.tgfoid
  where not t.tgisinternal
    and t.tgenabled <> 'D'
    and p.pronamespace <> 'agentdb'::regnamespace;

comment on view agentdb.application_trigger is
  'The triggers that are neither ours nor a constraint''s.';
comment on column agentdb.application_trigger.table_oid is
  'The table.';
comment on column agentdb.application_trigger.trigger_name is
  'The trigger.';


create or replace function agentdb._fires (
  relation oid,
  operation text,
  before_row boolean
)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select
    from (
      select p.relid as oid from pg_partition_tree(relation) as p
      union select relation
    ) as r
    join agentdb.application_trigger as a on a.table_oid = r.oid
    join pg_trigger as t on t.tgrelid = a.table_oid and t.tgname = a.trigger_name
    where t.tgtype & (case operation when 'insert' then 4 when 'delete' then 8 else 16
        end) > 0
      and (not before_row or t.tgtype & 3 = 3)
  );
$$;

comment on function agentdb._fires (oid, text, boolean) is
  'Whether a table has triggers of the application for an operation; only those before '
  'each row, where asked.';


-- A trigger of the table itself, such as one that sets updated_at, writes what it
-- likes: there only whether the row is there is compared, and what differs is counted.
create or replace function agentdb._missed_sql (change bigint, target integer)
  returns text
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
  select format($missed$
    select w.place, w.written_by_trigger and not w.misplaced
    from (
      select f.place, r.new_values, f.present, f.present is not null
        and r.operation <> 'delete' and r.new_values is not null and exists (
          select from jsonb_each(r.new_values) as v
          where agentdb._is_same(f.present -> v.key, v.value) is not true) as differs,
        %3$L::boolean as written_by_trigger,
        (f.present is null) <> (r.operation = 'delete' or r.new_values is null)
          as misplaced
      from (%1$s) as f
      join agentdb.change_row as r on r.change_id = %2$s and r.place = f.place
      -- Under its former key it is another row.
      where not (r.operation = 'update'
        and r.new_values ?| array(select jsonb_object_keys(r.row_key)))
    ) as w
    where w.misplaced or w.differs$missed$,
    agentdb._current_sql(change, target), change,
    exists (
      select
      from agentdb.audit_target as a
      join agentdb.application_trigger as t on t.table_oid = a.table_oid
      where a.audit_target_id = target));
$$;

comment on function agentdb._missed_sql (bigint, integer) is
  'SQL text: the rows of a change in one table that are not as they are to become.';


create or replace function agentdb._missed (
  change bigint,
  out places integer[],
  out written_by_trigger bigint
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set extra_float_digits = 1
  set bytea_output = 'hex'
as $$
declare
  v_target integer;
  v_place integer;
  v_by_trigger boolean;
begin
  places := '{}';
  written_by_trigger := 0;
  for v_target in
    select distinct r.audit_target_id from agentdb.change_row as r
    where r.change_id = change
  loop
    for v_place, v_by_trigger in
      execute agentdb._missed_sql(change, v_target)
    loop
      if v_by_trigger then
        written_by_trigger := written_by_trigger + 1;
      else
        places := places || v_place;
      end if;
    end loop;
  end loop;
end;
$$;

comment on function agentdb._missed (bigint) is
  'The rows of a change that are not as they are to become, and how many are but for '
  'what a trigger of their table makes of them; with the rights of the caller.';


create or replace function agentdb._check_outcome (change bigint)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_missed record;
begin
  select m.* into v_missed from agentdb._missed(change) as m;
  if v_missed.places <> '{}' then
    raise exception 'triggers make something else of % rows',
      cardinality(v_missed.places)
      using errcode = 'ZA052',
            constraint = 'agentdb_outcome',
            detail = to_jsonb(v_missed.places)::text;
  end if;
  return v_missed.written_by_trigger;
end;
$$;

comment on function agentdb._check_outcome (bigint) is
  'Raises ZA052 where rows of an undo are not as they are to become.';


-- A counter that the undone rows had a trigger count up is counted down by that
-- trigger: it is left to it, and looked at afterwards.
create or replace function agentdb._leave_to_triggers (change bigint, places jsonb)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.change_row as r
  set operation = 'check',
      new_values = case r.operation when 'delete' then null else r.new_values end
  from agentdb.change as c
  where c.change_id = change
    and c.kind = 'undo'
    and c.state = 'open'
    and c.proposed_by = agentdb._person()
    and r.change_id = change
    and r.place in (select p::integer from jsonb_array_elements_text(places) as p);
end;
$$;

comment on function agentdb._leave_to_triggers (bigint, jsonb) is
  'Has rows of an undo that is being made become what they are to by triggers alone.';
