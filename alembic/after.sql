-- Runs after every revision: gives the owner roles back.

reset role;

do $$
declare
  v_role text;
begin
  if not (select r.rolsuper from pg_roles as r where r.rolname = current_user) then
    foreach v_role in array array[
      'agentdb_owner', 'agentdb_capture', 'agentdb_applier'
    ] loop
      execute format('revoke %I from current_user', v_role);
    end loop;
  end if;
end;
$$;
