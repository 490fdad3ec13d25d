-- The tree of a run, asked in both directions.

create or replace function agentdb.run_family (run bigint)
  returns table (
    depth integer, run_id bigint, parent_run_id bigint, parent_is text,
    agent_name text, state text, on_behalf_of text, purpose text
  )
  language sql
  stable
begin atomic
  with recursive above (run_id, parent_run_id, depth) as (
    select r.run_id, r.parent_run_id, 0
    from agentdb.run as r where r.run_id = run_family.run
    union all
    select r.run_id, r.parent_run_id, a.depth - 1
    from above as a
    join agentdb.run as r on r.run_id = a.parent_run_id
  ),
  below (run_id, depth) as (
    select r.run_id, 1 from agentdb.run as r where r.parent_run_id = run_family.run
    union all
    select r.run_id, b.depth + 1
    from below as b
    join agentdb.run as r on r.parent_run_id = b.run_id
  )
  select f.depth, s.run_id, s.parent_run_id, s.parent_is, s.agent_name, s.state,
    s.on_behalf_of, s.purpose
  from (
    select a.run_id, a.depth from above as a
    union all
    select b.run_id, b.depth from below as b
  ) as f
  join agentdb.run_summary as s on s.run_id = f.run_id
  order by f.depth, s.run_id;
end;

comment on function agentdb.run_family (bigint) is
  'A run (depth 0), what started it and that (below 0), what it started and those '
  '(above 0), each with how its parent is known: proven or claimed.';
