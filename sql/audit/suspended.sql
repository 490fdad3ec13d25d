-- What a write meets while the audit or the guard of its table is suspended.

-- A stop holds all the same, as long as what knows of it works: who was killed does not
-- go on because somebody else needed to write.
create or replace function agentdb._pass_suspended (what text, table_oid oid)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._confirm_suspension(what, table_oid);
  if pg_has_role(session_user, 'agentdb_agent', 'member') then
    begin
      perform agentdb._writer();
    exception
      when sqlstate 'ZA040' or sqlstate 'ZA041' or serialization_failure then
        raise;
      when others then
        null;
    end;
  end if;
end;
$$;

comment on function agentdb._pass_suspended (text, oid) is
  'Lets a write through whose protection is suspended; raises ZA040, ZA041 or 40001.';
