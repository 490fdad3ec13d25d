-- An agent that was made the owner of a table takes its audit off.
-- Mutant: _check_suspender: `elsif agentdb._is_agents_session() then` -> `elsif false then`
--@ p postgres
grant agentdb_operator to agent_a;
grant app_owner to agent_a;
--@ a agent_a is=ZA035 must
select * from agentdb.suspend('audit', 'app.orders', 'in my way');
