-- An operator reads the hashes of the tokens with which runs are bound.
-- Mutant: sql: grant select on agentdb.run_token to agentdb_operator
--@ o operator_o is=42501 must
select * from agentdb.run_token;
