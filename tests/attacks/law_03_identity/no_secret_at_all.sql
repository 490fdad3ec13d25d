-- Behind a shared role nobody is an agent without saying which: the role alone is not enough.
-- Mutant: _session_agent: `(agent is null and not a.pooled)` -> `agent is null`
--@ p postgres save=s1
select secret from agentdb.register_agent('p1', 'agent_pool', pooled => true);
--@ c agent_pool is=ZA002 must
select run_id from agentdb.start_run(secret => '${s1}');
