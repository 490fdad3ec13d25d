-- The guard, the rights and the row security as they are when a change is decided and
-- applied count as well as those of the proposal: the stricter wins.

create or replace function agentdb._policies_now (table_oid oid)
  returns text
  language sql
  stable
  return (
    select md5(concat_ws(' ', c.relrowsecurity, c.relforcerowsecurity, (
      select string_agg(concat_ws(' ', p.polname, p.polcmd, p.polpermissive, p.polroles,
        p.polqual, p.polwithcheck), ', ' order by p.polname)
      from pg_policy as p where p.polrelid = c.oid)))
    from pg_class as c
    where c.oid = _policies_now.table_oid
  );

comment on function agentdb._policies_now (oid) is
  'A fingerprint of the row security of a table.';


create or replace function agentdb._forbidden_now (
  change bigint,
  target integer,
  policies text
)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select case
      when g.columns is not null and exists (
        select from agentdb.change_row as r
        where r.change_id = change
          and r.audit_target_id = target
          and (r.operation <> 'update' or r.new_values - g.columns <> '{}')
      ) then format('a change of %s may only set %s now', t.table_name,
        array_to_string(g.columns, ', '))
      when t.policies <> _forbidden_now.policies
        then format('the row security of %s is another one now', t.table_name)
      when c.with_rights and not agentdb._has_rights(change)
        then format('%s may not write that any more', c.proposed_by)
    end
    from agentdb.change as c
    join agentdb.change_table as t
      on t.change_id = c.change_id and t.audit_target_id = target
    left join agentdb.guarded_table as g on g.audit_target_id = target
    where c.change_id = change
      and c.kind = 'stage'
  );
end;
$$;

comment on function agentdb._forbidden_now (bigint, integer, text) is
  'What has become stricter since a change was proposed, so that it cannot be applied; '
  'NULL where nothing has.';


create or replace function agentdb._approvals_now (change bigint)
  returns integer
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select greatest(c.approvals, (
      select max(g.approvals)
      from agentdb.change_table as t
      join agentdb.guarded_table as g on g.audit_target_id = t.audit_target_id
      where t.change_id = c.change_id))
    from agentdb.change as c
    where c.change_id = change
  );
end;
$$;

comment on function agentdb._approvals_now (bigint) is
  'How many approvals a change needs, by the guards as they were and as they are.';


create or replace function agentdb._all_guarded (change bigint)
  returns boolean
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
as $$
begin
  return (
    select not exists (
      select from agentdb.change_row as r
      where r.change_id = change
        and not exists (
          select from agentdb.guarded_table as g
          where g.audit_target_id = r.audit_target_id)
    )
  );
end;
$$;

comment on function agentdb._all_guarded (bigint) is
  'Whether agentdb_applier may write all tables of a change.';
