-- Behind a shared role an agent starts a run of another with a secret of its own.
-- Mutant: _session_agent: `and (not a.pooled or s.secret_hash = agentdb._hash_secret(secret))` -> ``
--@ p postgres
select secret from agentdb.register_agent('p1', 'agent_pool', pooled => true);
--@ p postgres save=s2
select secret from agentdb.register_agent('p2', 'agent_pool', pooled => true);
--@ c agent_pool is=ZA002 must
select run_id from agentdb.start_run('p1', secret => '${s2}');
