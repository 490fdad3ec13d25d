-- A person whose role is gone has the rights of another that got its name.
-- Mutant: _role_of_subject: `and r.oid = p.role_oid` -> ``
--@ p postgres
create role former_f login in role agentdb_operator;
--@ p postgres
select agentdb.map_person('former', 'former_f');
--@ p postgres
drop role former_f;
--@ p postgres
create role former_f login in role agentdb_operator;
--@ w web_w is=42501 must
select agent_name from agentdb.pause_agent_for('former', 'a', 'mine');
--@ p postgres
drop role former_f;
