-- An auditor, who reads everything, changes a policy.
-- Mutant: sql: grant update on agentdb.policy to agentdb_auditor
--@ u auditor_u is=42501 must
update agentdb.policy set max_locks = 1;
