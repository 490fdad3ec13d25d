-- A change of the agent is locked by an open transaction; a kill does not wait for it.
-- Mutant: _withdraw_unfinished: `for no key update skip locked` -> `for no key update`
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ q postgres
begin;
select from agentdb.change for update;
--@ o operator_o limit=4 through=55P03 must
select * from agentdb.kill_run(${run}, 'stuck');
