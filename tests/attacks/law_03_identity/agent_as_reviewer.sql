-- An agent that nobody named as a validator approves the change of another.
-- Mutant: _is_validator: `coalesce(bool_and(a.agent_name = any (g.validators)), false)` -> `true`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ a agent_a save=change
select max(change_id) from agentdb.my_changes();
--@ p postgres save=digest
select digest from agentdb.change where change_id = ${change};
--@ b agent_b
select run_id from agentdb.start_run();
--@ b agent_b is=ZA006 must
select c.state from agentdb.approve_change(${change}, '${digest}') as c;
