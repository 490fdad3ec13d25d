-- An agent withdraws a change that a reviewer is looking at in an open transaction.
-- Mutant: sql: alter function agentdb.withdraw_change (bigint) reset lock_timeout
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ a agent_a save=change
select max(change_id) from agentdb.my_changes();
--@ q postgres
begin;
select from agentdb.change for update;
--@ a agent_a is=55P03 limit=4 must
select * from agentdb.withdraw_change(${change});
