-- An agent that was killed altogether writes an audited table without any run.
-- Mutant: _check_idle_agent: `where s.agent_id = agent; if not found` -> `where false; if not found`
--@ o operator_o
select * from agentdb.kill_agent('b', 'it is not ours');
--@ b agent_b is=ZA040 must
update app.orders set note = 'later' where id = 1;
