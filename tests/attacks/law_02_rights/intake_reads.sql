-- What takes in events reads what agents have done.
-- Mutant: sql: grant select on agentdb.tool_call_log to agentdb_intake
--@ i intake_i is=42501 must
select count(*) from agentdb.tool_call_log;
