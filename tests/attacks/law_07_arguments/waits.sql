-- The agent waits for a thousand locks.
-- Mutant: begin_wait: `) >= 1000 then` -> `) >= 1000000 then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ p postgres
insert into agentdb.lock_waiter (lock_name, run_id, agent_id, until_at)
select g::text, r.run_id, r.agent_id, now() + interval '1 hour'
from agentdb.run as r, generate_series(1, 1000) as g where r.ended_at is null;
--@ a agent_a is=ZA005 must
select * from agentdb.begin_wait('l');
