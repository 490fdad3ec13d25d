-- Gates: reservations pass one after another, so that none counts what it cannot see.

-- The gates are rows that every reservation of the tree and of the agent changes: they
-- pass one after another, and one with an older snapshot (REPEATABLE READ) fails to
-- serialize instead of counting what it cannot see.  The tree's comes first: who has
-- the gate of an agent waits for nobody else of the tree.  A run without children
-- passes it too, for it may have one by the time it commits.
create or replace function agentdb._pass_gate (agent bigint, root bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  update agentdb.tree_gate as g set passed = g.passed + 1 where g.run_id = root;
  if not found then
    insert into agentdb.tree_gate as g (run_id) values (root)
    on conflict on constraint tree_gate_pkey do update set passed = g.passed + 1;
  end if;
  update agentdb.budget_gate as g set passed = g.passed + 1 where g.agent_id = agent;
  if not found then
    insert into agentdb.budget_gate as g (agent_id) values (agent)
    on conflict on constraint budget_gate_pkey do update set passed = g.passed + 1;
  end if;
exception when lock_not_available then
  -- That somebody else is just asking says nothing of what is left.
  raise exception 'the budget is busy: another reservation of the agent, or of the '
      'tree of run %, has not been committed for 2 seconds', root
    using errcode = '55P03',
          hint = 'This is no refusal: try the same call again in a second.  Commit '
            'after reserve_tokens(), before the prompt is sent.';
end;
$$;

comment on function agentdb._pass_gate (bigint, bigint) is
  'Lets the reservations of an agent, and of a tree, through one at a time, until each '
  'commits; raises 55P03 where that takes too long.';
