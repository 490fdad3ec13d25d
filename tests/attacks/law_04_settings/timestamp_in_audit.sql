-- The agent has its clock and calendar written differently before it changes an audited row.
-- Mutant: sql: alter function agentdb._capture_3 () reset "TimeZone"
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
set TimeZone = 'Asia/Kolkata';
update app.odd set at = '2026-06-01 12:00Z';
--@ p postgres value=2026-06-01T12:00:00+00:00 must
select new_values ->> 'at' from agentdb.audit_log order by audit_log_id desc limit 1;
