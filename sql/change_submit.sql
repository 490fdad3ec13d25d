-- Submitting: a change is tried for real in a subtransaction and rolled back, so that
-- constraints, triggers and cascades speak up before a person is asked.

create or replace function agentdb._change_digest (change bigint)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select encode(sha256(
      convert_to(concat_ws('|', c.change_id, c.kind, c.proposed_by, c.reason,
        (
          select string_agg(concat_ws(' ', t.audit_target_id, t.table_oid,
            t.table_name), ',' order by t.audit_target_id)
          from agentdb.change_table as t where t.change_id = c.change_id
        )), 'UTF8')
      -- In pieces, for a text ends at 1 GB.
      || coalesce((
        select string_agg(p.piece, '' order by p.place)
        from (
          select r.place / 1000 as place,
            sha256(convert_to(string_agg(
              concat(r.audit_target_id, r.operation, r.row_key::text, '|',
                coalesce(r.new_values::text, '~'), '|',
                coalesce(r.expected::text, '~')),
              E'\n' order by r.place), 'UTF8')) as piece
          from agentdb.change_row as r
          where r.change_id = c.change_id
          group by 1
        ) as p
      ), '')
    ), 'hex')
  from agentdb.change as c
  where c.change_id = _change_digest.change;
$$;

comment on function agentdb._change_digest (bigint) is
  'SHA-256 of everything that a change would do, and why.';


create or replace function agentdb._raise_again (
  state text,
  message text,
  detail text,
  hint text,
  constraint_name text
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  raise exception using
    errcode = state,
    message = message,
    detail = detail,
    hint = hint,
    constraint = constraint_name;
end;
$$;

comment on function agentdb._raise_again (text, text, text, text, text) is
  'Raises an error that was caught.';


-- What a row continues, and what that continues, the oldest first.
create or replace function agentdb._basis (change bigint)
  returns bigint[]
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with recursive basis (change_id) as (
    select r.builds_on
    from agentdb.change_row as r
    where r.change_id = _basis.change and r.builds_on is not null
    union
    select unnest(c.builds_on)
    from basis as b
    join agentdb.change as c on c.change_id = b.change_id
  )
  select coalesce(array_agg(b.change_id order by b.change_id), '{}')
  from basis as b
  join agentdb.change as c on c.change_id = b.change_id
  where c.state in ('pending', 'approved');
$$;

comment on function agentdb._basis (bigint) is
  'The undecided changes that a change builds on, the oldest first.';


create or replace function agentdb._refuse_change (change bigint, problem jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_conflicts jsonb;
begin
  if problem ->> 'sqlstate' <> 'ZA052' then
    perform agentdb._raise_again(problem ->> 'sqlstate',
      'the change would fail: ' || (problem ->> 'message'), problem ->> 'detail',
      'Nothing was staged by this transaction; put it right and stage it again.',
      problem ->> 'constraint');
  end if;
  v_conflicts := agentdb._conflicts(change, 5, true);
  raise exception 'the change does not fit the rows as they are now'
    using errcode = 'ZA052',
          detail = coalesce(agentdb._conflict_text(v_conflicts),
            problem ->> 'message' || '; or row security or a trigger keeps the '
              'database from writing some.'),
          hint = 'Somebody else changed them meanwhile: read them again, decide anew, '
            'and stage what is still right.';
end;
$$;

comment on function agentdb._refuse_change (bigint, jsonb) is
  'Raises why a change cannot be staged.';


-- It runs while an agent stages: looked up anew, for the name may be another's by now.
-- One that fails approves nothing.
create or replace function agentdb._meets (
  change bigint,
  target integer,
  table_oid oid,
  condition text
)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_met boolean;
begin
  execute format('select bool_and(coalesce(%s(r.expected, r.new_values), false)) '
      'from agentdb.change_row as r '
      'where r.change_id = $1 and r.audit_target_id = $2',
      agentdb._condition_of(table_oid, condition))
    into v_met using change, target;
  return v_met;
exception when others then
  raise log 'condition % of change %: %', condition, change, sqlerrm;
  return false;
end;
$$;

comment on function agentdb._meets (bigint, integer, oid, text) is
  'Whether all rows of a change in one table meet the condition of its guard.';


-- Automatic approval asks for every row; an effect beyond the rows needs a person.
create or replace function agentdb._is_harmless (change bigint)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table record;
  v_met boolean;
begin
  if (
    select c.row_count is distinct from (
      select sum(e.value::bigint) from jsonb_each_text(c.effects) as e)
    from agentdb.change as c
    where c.change_id = change
  ) then
    return false;
  end if;
  for v_table in
    select t.audit_target_id, t.table_oid, g.auto_approve as rule
    from agentdb.change_table as t
    left join agentdb.guarded_table as g on g.audit_target_id = t.audit_target_id
    where t.change_id = change
  loop
    select v_table.rule is not null
        and count(*) <= coalesce((v_table.rule ->> 'rows')::numeric, 1)
        and bool_and(coalesce(v_table.rule -> 'operations', '["update"]')
          ? r.operation)
        and bool_and(r.operation = 'delete' or not v_table.rule ? 'columns'
          or r.new_values - array(
            select jsonb_array_elements_text(v_table.rule -> 'columns')) = '{}')
      into v_met
    from agentdb.change_row as r
    where r.change_id = change and r.audit_target_id = v_table.audit_target_id;
    if v_met and v_table.rule ? 'condition' then
      v_met := agentdb._meets(change, v_table.audit_target_id, v_table.table_oid,
        v_table.rule ->> 'condition');
    end if;
    if v_met is not true then
      return false;
    end if;
  end loop;
  return true;
end;
$$;

comment on function agentdb._is_harmless (bigint) is
  'Whether the rules of all tables of a change approve it without anybody.';
