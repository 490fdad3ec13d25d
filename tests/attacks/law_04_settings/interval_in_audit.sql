-- The agent has intervals written in another style before it changes an audited row.
-- Mutant: sql: alter function agentdb._capture_3 () reset "IntervalStyle"
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
set IntervalStyle = 'sql_standard';
update app.odd set i = '3 days 4 hours';
--@ p postgres "value=3 days 04:00:00" must
select new_values ->> 'i' from agentdb.audit_log order by audit_log_id desc limit 1;
