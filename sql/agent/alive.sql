-- Alive: whether the process of a run still exists, as far as it can be known from
-- outside.

create or replace function agentdb._is_gone (run bigint)
  returns boolean
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
begin
  return not exists (
    select from agentdb.run as r
    join pg_stat_activity as s on s.usename = r.role_name
    where r.run_id = run
  );
end;
$$;

comment on function agentdb._is_gone (bigint) is
  'Tells whether every session that started or bound a run is gone.';
