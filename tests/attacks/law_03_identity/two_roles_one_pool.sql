-- A role is registered for one agent of its own and then shared: the shared one would speak for the other.
-- Mutant: _register_agent: `where a.role_name = _register_agent.role_name and a.pooled <> _register_agent.pooled` -> `where false`
--@ p postgres is=ZA007 must
select * from agentdb.register_agent('a3', 'agent_a', pooled => true);
