-- The agent holds its run for a reason with escapes.
-- Mutant: hold_run: `hold_reason = agentdb._clean_text(hold_run.reason, 500)` -> `hold_reason = hold_run.reason`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.hold_run(now() + interval '1 minute', E'r\x1b[8m');
--@ p postgres value=0 must
select count(*) from agentdb.run where hold_reason ~ E'\x1b';
