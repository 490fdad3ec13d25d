-- Automatic approval: what the guards of all tables of a change let pass by themselves.

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
  execute format('select bool_and(coalesce(%s(r.seen, r.after), false)) '
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
  if agentdb._is_outdated('0') or (
    select c.row_count is distinct from (
      select sum(e.value::bigint) from jsonb_each_text(c.effects) as e)
      -- Staged anew by somebody else than its proposer.
      or c.rebased is not null
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
  return agentdb._has_rights(change);
end;
$$;

comment on function agentdb._is_harmless (bigint) is
  'Whether the rules of all tables of a change approve it without anybody.';
