-- Behind a shared role an agent writes for another by the number of its run.
-- Mutant: _current_run: `and (not r.pooled or r.run_id = v_bound)` -> ``
--@ p postgres save=s1
select secret from agentdb.register_agent('p1', 'agent_pool', pooled => true);
--@ p postgres save=s2
select secret from agentdb.register_agent('p2', 'agent_pool', pooled => true);
--@ c agent_pool save=run
select run_id from agentdb.start_run('p1', secret => '${s1}');
--@ d agent_pool is=ZA001 must
select * from agentdb.log_progress('all is well', run => ${run});
