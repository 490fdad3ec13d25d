-- The agent lets itself in to the page.
-- Mutant: sql: grant execute on function agentdb.make_web_link to agentdb_agent
--@ a agent_a is=42501 must
select agentdb.make_web_link();
