-- A transaction that began before the stop goes on writing on its older snapshot.
-- Mutant: _check_stop: `if current_setting('transaction_isolation') <> 'read committed' then` -> `if false then`
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
begin isolation level repeatable read;
select count(*) from app.orders;
--@ o operator_o
select * from agentdb.pause_agent('a', 'wrong table');
--@ a agent_a is=40001 must
update app.orders set note = 'later' where id = 1;
commit;
