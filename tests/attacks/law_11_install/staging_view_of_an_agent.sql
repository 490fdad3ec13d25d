-- A staging view was given to an agent, who could have it read what it likes.
-- Mutant: file agentdb/schema/by_hand.py: `where o.namespace in ('agentdb'::regnamespace, 'agentdb_stage'::regnamespace)` -> `where o.namespace in ('agentdb'::regnamespace)`
--@ p postgres
alter view agentdb_stage.billing owner to agent_a;
--@ i cli:postgres is=1 like=billing.belongs.to.agent_a must
install --check
