-- Whoever proves nothing writes to a terminal all the same.
-- Mutant: _event_text: `agentdb._clean_line(` -> `left(`
--@ i intake_i value=unproven
select status from agentdb.record_events('[{"kind": "progress", "agent": "a", "step": "\u001b[2J"}]');
--@ p postgres value=1 must
select count(*) from agentdb.unproven_log where what !~ '[\x01-\x1f]';
