-- Runs when the last revision is gone: removes the schema, and the roles unless
-- another database of the cluster still has agentdb or somebody granted them more.

drop table agentdb.alembic_version;
drop schema agentdb_stage;
drop schema agentdb;
reset role;

do $$
declare
  v_role text;
begin
  foreach v_role in array array[
    'agentdb_agent', 'agentdb_reviewer', 'agentdb_auditor', 'agentdb_operator',
    'agentdb_intake', 'agentdb_web',
    'agentdb_capture', 'agentdb_applier', 'agentdb_owner'
  ] loop
    begin
      execute format('drop role %I', v_role);
    exception
      when dependent_objects_still_exist or insufficient_privilege then
        raise notice 'role % is still used elsewhere and stays', v_role;
        -- What before.sql lent for this transaction is given back.
        if v_role in ('agentdb_owner', 'agentdb_capture', 'agentdb_applier')
          and not (select r.rolsuper from pg_roles as r where r.rolname = current_user)
        then
          execute format('revoke %I from current_user', v_role);
        end if;
    end;
  end loop;
end;
$$;
