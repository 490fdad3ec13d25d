-- Runs after every revision: gives the owner roles back, lets ours see when a session
-- began, and makes whoever installs an operator: the right to grant the group is not
-- yet the right to use it.

reset role;

do $$
declare
  v_role text;
begin
  -- Who may not grant it is told at the end of the installation, and by the doctor.
  if not pg_has_role('agentdb_owner', 'pg_read_all_stats', 'usage') then
    begin
      grant pg_read_all_stats to agentdb_owner;
    exception when insufficient_privilege then
      null;
    end;
  end if;
  if not (select r.rolsuper from pg_roles as r where r.rolname = current_user) then
    foreach v_role in array array[
      'agentdb_owner', 'agentdb_capture', 'agentdb_applier'
    ] loop
      execute format('revoke %I from current_user', v_role);
    end loop;
    if not pg_has_role('agentdb_operator', 'usage') then
      execute 'grant agentdb_operator to current_user' || case
        -- A role made NOINHERIT would have to SET ROLE first.
        when current_setting('server_version_num')::integer >= 160000
          then ' with inherit true' else '' end;
    end if;
  end if;
end;
$$;
