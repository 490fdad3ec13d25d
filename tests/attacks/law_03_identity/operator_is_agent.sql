-- An agent whose role was made a member of the operators is refused from then on.
-- Mutant: _role_fault: `and pg_has_role(r.oid, g.oid, 'MEMBER')` -> `and false`
--@ p postgres
grant agentdb_operator to owner_2;
grant agentdb_agent to owner_2;
--@ p postgres is=ZA009 must
select * from agentdb.register_agent('c', 'owner_2');
