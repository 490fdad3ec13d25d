-- The agent has floats rounded before it changes an audited row.
-- Mutant: sql: alter function agentdb._capture_3 () reset extra_float_digits
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
set extra_float_digits = -10;
update app.odd set f = 0.123456789012345;
--@ p postgres value=0.123456789012345 must
select new_values ->> 'f' from agentdb.audit_log order by audit_log_id desc limit 1;
