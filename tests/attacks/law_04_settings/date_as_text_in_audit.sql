-- The agent has dates written with the day first before it changes an audited range of them.
-- Mutant: sql: alter function agentdb._capture_3 () reset "DateStyle"
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
set DateStyle = 'SQL, DMY';
update app.odd set r = daterange('2026-03-04', '2026-05-06');
--@ p postgres value=[2026-03-04,2026-05-06) must
select new_values ->> 'r' from agentdb.audit_log order by audit_log_id desc limit 1;
