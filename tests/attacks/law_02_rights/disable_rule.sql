-- The agent disables the rule that would report its loop.
-- Mutant: sql: grant select, update on agentdb.alert_rule to agentdb_agent
--@ a agent_a is=42501 must
update agentdb.alert_rule set enabled = false where rule_name = 'silent_loop';
