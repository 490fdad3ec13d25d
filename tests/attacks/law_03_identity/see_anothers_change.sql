-- The agent looks at a change of another, with rows that it may not read.
-- Mutant: _check_seen: `if v_proposed_by = session_user and v_agent = v_proposer
--       or` -> `if true or`
--@ b agent_b
select run_id from agentdb.start_run();
--@ p postgres
grant select, update on app.happy to agent_b;
--@ b agent_b
update agentdb_stage.happy set amount = 3 where id = 2;
--@ b agent_b save=change
select max(change_id) from agentdb.my_changes();
--@ a agent_a is=ZA006 must
select * from agentdb.show_change_rows(${change});
