-- What nobody proves is progress, so that a stuck agent looks alive.
-- Mutant: _record: `where e.status is null and not e.proven), 'unproven');` -> `where false), 'unproven');`
--@ i intake_i value=unproven must
select status from agentdb.record_events('[{"agent": "a", "proven": false, "conversation": "c", "kind": "progress", "step": "done"}]');
--@ p postgres value=0 must
select count(*) from agentdb.progress_log;
