-- The agent proposes a change of more rows than a person can look at.
-- Mutant: _add_row: `if v_place > max_rows then` -> `if false then`
--@ p postgres
update agentdb.policy set max_change_rows = 1;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA005 must
update agentdb_stage.happy set amount = 3;
