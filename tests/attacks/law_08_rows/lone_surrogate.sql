-- The agent logs JSON text that no jsonb can be: half of a character.
-- Mutant: clean_json: `return agentdb._clean_escapes(value)::jsonb;` -> `return value::jsonb;`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a value=False must
select agentdb.clean_json('{"a": "\ud83d"}') ? 'truncated';
