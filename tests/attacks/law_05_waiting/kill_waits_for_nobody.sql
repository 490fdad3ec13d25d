-- An agent keeps its own run locked in an open transaction; a kill does not wait for it.
-- Mutant: _end_run: `for no key update skip locked` -> `for no key update`
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
begin;
select * from agentdb.hold_run(now() + interval '1 minute', 'waiting');
--@ o operator_o limit=4 through=55P03 must
select * from agentdb.kill_run(${run}, 'stuck');
