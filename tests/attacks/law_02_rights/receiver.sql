-- The agent has messages sent to an address of its own.
-- Mutant: sql: grant insert on agentdb.receiver to agentdb_agent
--@ a agent_a is=42501 must
insert into agentdb.receiver (receiver_name, channel, target) values ('mine', 'webhook', 'https://example.com/');
