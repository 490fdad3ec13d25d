-- Somebody who is no reviewer approves a change as an operator.
-- Mutant: _reviewer: `elsif not pg_has_role(agentdb._person(), 'agentdb_reviewer', 'usage') then` -> `elsif false then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ o operator_o is=ZA055 must
select c.state from agentdb.waiting_changes() as w, agentdb.approve_change(w.change_id, w.digest) as c;
