-- The agent withdraws what another has proposed.
-- Mutant: withdraw_change: `c.proposed_by = agentdb._person()
--         and ` -> ``
--@ p postgres
update agentdb.agent set agent_name = agent_name;
grant select, update on app.happy to agent_b;
--@ b agent_b
select run_id from agentdb.start_run();
--@ b agent_b
update agentdb_stage.happy set amount = 3 where id = 2;
--@ b agent_b save=change
select max(change_id) from agentdb.my_changes();
--@ p postgres save=agent
update agentdb.change set agent_id = (select agent_id from agentdb.agent where agent_name = 'a') where change_id = ${change};
select 1;
--@ a agent_a is=ZA006 must
select * from agentdb.withdraw_change(${change});
