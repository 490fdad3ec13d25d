-- An emitter names a tool with what a terminal obeys.
-- Mutant: _parse_events: `agentdb._clean_line(agentdb._json_text(e.item, 'tool'), 200)` -> `agentdb._json_text(e.item, 'tool')`
--@ i intake_i value=recorded
select status from agentdb.record_events('[{"kind": "call", "agent": "a", "proven": true, "conversation": "c", "tool": "\u001b[2Jx\ny"}]');
--@ p postgres value=1 must
select count(*) from agentdb.tool_call_log where tool !~ '[\x01-\x1f]';
