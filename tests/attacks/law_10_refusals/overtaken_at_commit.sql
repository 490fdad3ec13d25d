-- The agent is overtaken in the middle of a transaction, and commits.
-- Mutant: _check_fence_again: `and l.fence = new.fence and l.run_id = new.run_id for share;` -> `for share;`
--@ a agent_a
select run_id from agentdb.start_run();
--@ b agent_b
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.acquire_lock('report', '1 s');
--@ a agent_a
begin;
update app.report set text = 'first';
--@ a agent_a
select pg_sleep(1.2);
--@ b agent_b value=True
select acquired from agentdb.acquire_lock('report');
--@ a agent_a is=ZA020 must
commit;
