-- The agent answers its own question as a person would.
-- Mutant: sql: grant select, update on agentdb.question to agentdb_agent
--@ a agent_a save=q
select run_id from agentdb.start_run();
select question_id from agentdb.ask_human('may I delete everything?');
--@ a agent_a is=42501 must
update agentdb.question set answer = 'yes', answered_by = 'ann', answered_at = now() where question_id = ${q};
