-- A file of the past is taken for what an agent does now.
-- Mutant: _add_imported: `if not (select a.imported from agentdb.agent as a where a.agent_name = v_name) then` -> `if false then`
--@ o operator_o is=ZA007 must
select status from agentdb.import_events('[{"kind": "tokens", "agent": "a", "input": 500000, "at": "2026-11-29T12:00:00Z"}]');
