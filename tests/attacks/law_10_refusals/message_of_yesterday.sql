-- The agent claims a message that was sent before its run began.
-- Mutant: look_for_message: `m.%3$I >= $2` -> `(m.%3$I >= $2 or true)`
--@ p postgres
insert into app.mail values (1, 'ann', now() - interval '1 day', 'x');
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=c
select claim_id from agentdb.claim_message('email', 'ann');
--@ o operator_o value=refuted must
select verdict from agentdb.look_for_message(${c});
