-- What takes in events approves a change.
-- Mutant: sql: grant execute on function agentdb.waiting_changes, agentdb.approve_change to agentdb_intake
--@ i intake_i is=42501 must
select * from agentdb.waiting_changes();
