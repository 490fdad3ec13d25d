-- The agent is told how to get at a table of the pack.
-- Mutant: explain_access: `case when not s.internal then f.fix end` -> `f.fix`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a value=None must
select string_agg(fix, ' ') from agentdb.explain_access('agentdb.policy', 'update');
