-- An operator reads the hashes of the tokens of emitters.
-- Mutant: sql: grant select on agentdb.intake_token to agentdb_operator
--@ o operator_o is=42501 must
select token_hash from agentdb.intake_token;
