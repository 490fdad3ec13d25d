-- The agent fires a trigger function of the pack from a table of its own.
-- Mutant: sql: grant execute on function agentdb._pass_changed_limit to public
--@ p postgres
create schema work authorization agent_a;
--@ a agent_a is=42501 must
create table work.policy (agent_id int);
create constraint trigger t after insert on work.policy deferrable
  for each row execute function agentdb._pass_changed_limit();
