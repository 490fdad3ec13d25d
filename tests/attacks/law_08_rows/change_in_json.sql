-- The agent stages a value with escapes, and an operator reads the change as JSON on a terminal.
-- Mutant: file agentdb/value.py: `return HIDDEN.sub(lambda found: _escaped(found[0]), text)` -> `return text`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=c
update agentdb_stage.happy set note = U&'x\009B2J\202Eevil\200B' where id = 1;
--@ a agent_a save=c
select max(change_id) from agentdb.my_changes();
--@ o cli:operator_o "unlike=[\x1b\x7f-\x9f\u200b-\u200f\u202a-\u202e]" must
change show ${c} --json
