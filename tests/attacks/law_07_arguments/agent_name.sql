-- An agent is registered under a name that a command takes for the number of a run.
-- Mutant: _register_agent: `or name ~ '^([ar]-)?[0-9]+$' then` -> `then`
--@ p postgres
grant agentdb_agent to owner_2;
--@ p postgres is=ZA004 must
select * from agentdb.register_agent('r-12', 'owner_2');
