-- What nobody proves ends a session.
-- Mutant: _record: `where e.status is null and not e.proven), 'unproven');` -> `where false), 'unproven');`
--@ i intake_i value=recorded
select status from agentdb.record_events('[{"agent": "a", "proven": true, "conversation": "c", "kind": "start"}]');
--@ i intake_i value=unproven must
select status from agentdb.record_events('[{"agent": "a", "proven": false, "conversation": "c", "kind": "end"}]');
--@ p postgres value=1 must
select count(*) from agentdb.run where ended_at is null;
