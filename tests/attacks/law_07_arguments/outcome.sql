-- The agent ends its run as if an operator had.
-- Mutant: end_run: `outcome not in ('succeeded', 'failed', 'cancelled') then` -> `outcome not in ('succeeded', 'failed', 'cancelled', 'killed') then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.end_run('killed');
