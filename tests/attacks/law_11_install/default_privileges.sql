-- What will be made tomorrow is granted to an agent today.
-- Mutant: file agentdb/schema/by_hand.py: `where d.defaclrole in ('agentdb_owner'::regrole,` -> `where d.defaclrole in (`
--@ p postgres
alter default privileges for role agentdb_owner grant select on tables to agent_a;
--@ i cli:postgres is=1 like=default.privileges must
install --check
