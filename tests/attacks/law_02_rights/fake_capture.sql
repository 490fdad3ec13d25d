-- The agent fires the capture of an audited table from one of its own, to put rows on record that were never there.
-- Mutant: sql: grant execute on function agentdb._capture_1 to public
--@ p postgres
create schema work authorization agent_a;
--@ a agent_a is=42501 must
create table work.orders (id int primary key, total numeric, note text, card text);
create trigger t after insert on work.orders referencing new table as agentdb_new
  for each statement execute function agentdb._capture_1();
