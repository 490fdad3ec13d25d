-- A reviewer approves a change that another reviewer keeps in an open transaction.
-- Mutant: sql: alter function agentdb.approve_change (bigint, text, text) reset lock_timeout
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ q postgres
begin;
select from agentdb.change for update;
--@ r reviewer_r is=55P03 limit=13 must
select c.state from agentdb.waiting_changes() as w, agentdb.approve_change(w.change_id, w.digest) as c;
