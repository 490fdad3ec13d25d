-- The agent proposes until nobody finds the change that matters.
-- Mutant: _add_change: `select count(*) >= v_max_pending from` -> `select false from`
--@ p postgres
update agentdb.policy set max_pending_changes = 1;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 1;
--@ a agent_a is=ZA005 must
update agentdb_stage.happy set amount = 3 where id = 2;
