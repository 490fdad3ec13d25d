-- The agent claims a message by a channel whose table was dropped: the claim is unreachable, and the verifier goes on.
-- Mutant: look_for_message: `exception when others then return query select 'unreachable', jsonb_build_object('problem', sqlerrm);` -> ``
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=c
select claim_id from agentdb.claim_message('email', 'ann');
--@ p postgres
drop table app.mail;
--@ o operator_o value=unreachable through=42P01 must
select verdict from agentdb.look_for_message(${c});
