-- The agent writes a fenced table again and again without its lock; nobody hears of it.
-- Mutant: _refuse_write: `perform agentdb._count_refusal('fence', ( select r.agent_id from agentdb.run as r where r.run_id = _refuse_write.run_id));` -> ``
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA020
insert into app.report values (7, 'x');
--@ p postgres value=1 must
select count(*) from agentdb.stale_write;
