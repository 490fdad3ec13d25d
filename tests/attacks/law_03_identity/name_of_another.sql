-- The agent starts a run under another's name.
-- Mutant: _session_agent: `where a.role_name = session_user` -> `where (a.role_name = session_user or a.agent_name = agent)`
--@ a agent_a is=ZA002 must
select run_id from agentdb.start_run('b');
