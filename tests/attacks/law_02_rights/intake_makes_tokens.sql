-- What takes in events makes itself a token of any agent.
-- Mutant: sql: grant execute on function agentdb.make_intake_token to agentdb_intake
--@ i intake_i is=42501 must
select agentdb.make_intake_token('b');
