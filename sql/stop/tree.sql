-- What the tree of a killed run starts while it is being killed.

-- Who has ended may have left a token with which somebody is just starting.
create or replace function agentdb._wait_for_starts (run bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  if (select s.tree from agentdb.run_stop as s
      where s.run_id = run and s.kind = 'killed') then
    perform from agentdb.run_gate as g
    where g.run_id = any (array(select e.run_id from agentdb._spawning_ended(run) as e))
    order by g.run_id
    for update;
    perform agentdb._void_spawn_tokens(run);
  end if;
end;
$$;

comment on function agentdb._wait_for_starts (bigint) is
  'Waits for the starts of runs whose parent, of the tree of a killed run, has ended.';


-- Whoever starts a child holds the gate of its parent: behind it all children are
-- there, those of runs that had ended before as well.
create or replace function agentdb._kill_late (run bigint)
  returns setof bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_late bigint[] := array(
    select r.run_id
    from agentdb.run_tree(run) as t
    join agentdb.run as r on r.run_id = t.run_id and r.ended_at is null
    where not exists (
      select from agentdb.run_stop as s
      where s.run_id = r.run_id and s.kind = 'killed')
    order by r.run_id);
begin
  if v_late <> '{}' then
    perform agentdb._note_stop();
    perform agentdb._kill_run(r.run_id, r.agent_id, k.reason, true)
    from agentdb.run as r
    join agentdb.run_stop as k on k.run_id = run
    where r.run_id = any (v_late);
  end if;
  perform agentdb._void_spawn_tokens(run);
  return query
    select t.run_id
    from agentdb.run_tree(run) as t
    join agentdb.run_stop as s on s.run_id = t.run_id and s.kind = 'killed'
    order by t.run_id;
end;
$$;

comment on function agentdb._kill_late (bigint) is
  'Kills what the tree of a killed run started while it was being killed, and returns '
  'all of the tree that was killed.';
