-- The agent has bytes written in the old format before it changes an audited row.
-- Mutant: sql: alter function agentdb._capture_3 () reset bytea_output
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
set bytea_output = 'escape';
update app.odd set b = '\x61626300';
--@ p postgres value=\\x61626300 must
select new_values ->> 'b' from agentdb.audit_log order by audit_log_id desc limit 1;
