-- The agent holds its run and does not say why.
-- Mutant: _check_said: `if said is null or said !~ '[^[:space:]]' then` -> `if false then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.hold_run(now() + interval '1 minute', '  ');
