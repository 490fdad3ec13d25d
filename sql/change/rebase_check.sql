-- What keeps a change from being staged anew in the name of who proposed it.

-- As if it staged them now: a right that it had then is none that it has.
create or replace function agentdb._check_proposer (change bigint, proposer name)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_table record;
begin
  for v_table in
    select t.table_name, g.table_name is null or c.oid is null as bare, g.columns,
      not has_table_privilege(proposer, c.oid, 'select') or exists (
        select from agentdb.change_row as r
        where r.change_id = change
          and r.audit_target_id = t.audit_target_id
          and r.operation <> 'check'
          and agentdb._unwritable(proposer, c.oid, r.operation, r.new_values)
            is not null
          and not agentdb._only_proposes(proposer, c.oid)) as forbidden,
      exists (
        select from agentdb.change_row as r
        where r.change_id = change
          and r.audit_target_id = t.audit_target_id
          and (r.operation <> 'update' or r.new_values - g.columns <> '{}')) as beside
    from agentdb.change_table as t
    left join pg_class as c on c.oid = t.table_oid
    left join agentdb.guarded_table as g on g.audit_target_id = t.audit_target_id
    where t.change_id = change
  loop
    if v_table.bare then
      perform agentdb._refuse(format('%s is not guarded any more', v_table.table_name),
        'Reject or withdraw the change: nothing can be staged there.');
    elsif v_table.forbidden then
      raise exception '% may not write that of % any more', proposer,
          v_table.table_name
        using errcode = '42501',
              hint = 'What its proposer may not stage now nobody stages in its name: '
                'grant it that again, or reject the change.';
    elsif v_table.columns is not null and v_table.beside then
      perform agentdb._refuse(format('a change of %s may only set %s now',
          v_table.table_name, array_to_string(v_table.columns, ', ')),
        'Have the agent stage what is still allowed.');
    end if;
  end loop;
end;
$$;

comment on function agentdb._check_proposer (bigint, name) is
  'Raises 42501 or ZA004 where the proposer of a change could not stage its rows now.';


-- What was staged anew waits in the place of what it was.
create or replace function agentdb._undecided_base (changes bigint[])
  returns bigint
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  with recursive base (change_id) as (
    select unnest(changes)
    union
    select (c.rebased ->> 'as')::bigint
    from base as b
    join agentdb.change as c on c.change_id = b.change_id
    where c.rebased ? 'as'
  )
  select min(c.change_id)
  from base as b
  join agentdb.change as c on c.change_id = b.change_id
  where c.state in ('open', 'pending', 'approved');
$$;

comment on function agentdb._undecided_base (bigint[]) is
  'The first of some changes, or of what they were staged anew as, that is undecided.';


create or replace function agentdb._check_rebase (change bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_change agentdb.change;
  v_former bigint;
  v_table text;
begin
  select c.* into v_change
  from agentdb.change as c where c.change_id = change for no key update;
  if not found then
    perform agentdb._refuse_state(change, null, null);
  elsif v_change.state not in ('pending', 'approved', 'conflict', 'expired') then
    perform agentdb._refuse_state(change, v_change.state,
      'pending, approved, conflict or expired');
  elsif v_change.kind <> 'stage' then
    perform agentdb._refuse('an undo is made anew, not rebased',
      'Undo the same once more: what others wrote since is looked at then.');
  elsif v_change.run_id is not null then
    perform agentdb._check_write(v_change.run_id, v_change.agent_id);
  end if;
  if v_change.rebased ? 'as' then
    perform agentdb._refuse(format('change %s was staged anew as change %s', change,
        v_change.rebased ->> 'as'),
      format('agentdb change show %s', v_change.rebased ->> 'as'));
  end if;
  v_former := agentdb._undecided_base(v_change.builds_on);
  if v_former is not null then
    perform agentdb._refuse(
      format('change %s builds on one that is not decided', change),
      format('Decide it first: agentdb change show %s', v_former));
  end if;
  -- Only its own session can say what row security lets a role write.
  select string_agg(t.table_name, ', ') into v_table
  from agentdb.change_table as t
  join pg_class as c on c.oid = t.table_oid
  join pg_roles as r on r.rolname = v_change.proposed_by
  where t.change_id = change
    and c.relrowsecurity
    and not (r.rolsuper or r.rolbypassrls);
  if v_table is not null then
    perform agentdb._refuse(format('%s has row security that holds for %s', v_table,
        v_change.proposed_by),
      'Only its proposer can stage the change again.');
  end if;
  perform agentdb._check_proposer(change, v_change.proposed_by);
end;
$$;

comment on function agentdb._check_rebase (bigint) is
  'Locks a change; raises 42501, ZA004, ZA006, ZA040, ZA041 or ZA053 where it cannot '
  'be staged anew.';
