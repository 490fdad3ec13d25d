-- Which changes may still come.  One that builds on what was rejected, withdrawn or has
-- expired can only end as a conflict: its proposer goes on without it.

create or replace function agentdb._live_changes (proposer name, agent bigint)
  returns table (change_id bigint)
  language sql
  stable
begin atomic
  select c.change_id
  from agentdb.change as c
  where c.proposed_by = proposer
    and c.agent_id is not distinct from agent
    and c.state in ('open', 'pending', 'approved')
    and not exists (
      select from agentdb.change as b
      where b.change_id = any (c.builds_on)
        and b.state not in ('open', 'pending', 'approved', 'applied'));
end;

comment on function agentdb._live_changes (name, bigint) is
  'The undecided changes of a proposer that can still be applied.';
