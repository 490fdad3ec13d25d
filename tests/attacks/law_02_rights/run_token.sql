-- The agent puts a token of its own choice to somebody else's run.
-- Mutant: sql: grant insert on agentdb.run_token to agentdb_agent
--@ b agent_b save=run
select run_id from agentdb.start_run();
--@ a agent_a is=42501 must
insert into agentdb.run_token (token_hash, run_id) values (sha256('mine'), ${run});
