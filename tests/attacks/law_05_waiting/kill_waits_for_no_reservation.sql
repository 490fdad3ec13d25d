-- A reservation is being settled in an open transaction; a kill does not wait for it.
-- Mutant: _cancel_reservations: `for no key update skip locked` -> `for no key update`
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a save=r
select reservation from agentdb.reserve_tokens(10);
--@ a agent_a
begin;
select * from agentdb.settle_tokens(${r}, 1, 1);
--@ o operator_o limit=4 through=55P03 must
select * from agentdb.kill_run(${run}, 'stuck');
