-- A role that is nobody here calls a function of the pack.
-- Mutant: sql: grant usage on schema agentdb to public; grant execute on function agentdb.explain_access to public
--@ x app_user is=42501 must
select * from agentdb.explain_access('app.billing', role => 'agent_a');
