-- A paused agent resumes itself.
-- Mutant: sql: grant execute on function agentdb.resume_agent to agentdb_agent
--@ o operator_o
select * from agentdb.pause_agent('a', 'too fast');
--@ a agent_a is=42501 must
select * from agentdb.resume_agent('a', 'fast enough');
