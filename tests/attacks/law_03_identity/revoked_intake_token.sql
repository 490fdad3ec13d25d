-- An emitter goes on with a token that was revoked.
-- Mutant: agent_of_intake: `and t.revoked_at is null;` -> `;`
--@ o operator_o save=token
select agentdb.make_intake_token('a');
--@ i intake_i value=a
select agentdb.agent_of_intake('${token}');
--@ o operator_o value=a
select agentdb.revoke_intake_token(token_id) from agentdb.intake_tokens;
--@ i intake_i value=None must
select agentdb.agent_of_intake('${token}');
