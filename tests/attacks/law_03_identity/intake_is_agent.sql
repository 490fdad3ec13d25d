-- A role that takes in events of all agents becomes one of them.
-- Mutant: _role_fault: `'agentdb_operator', 'agentdb_reviewer', 'agentdb_intake', 'agentdb_web')` -> `'agentdb_operator', 'agentdb_reviewer', 'agentdb_web')`
--@ p postgres
grant agentdb_agent, agentdb_intake to owner_2;
--@ p postgres is=ZA009 must
select * from agentdb.register_agent('two', 'owner_2');
