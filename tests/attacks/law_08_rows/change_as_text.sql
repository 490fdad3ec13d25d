-- The agent stages a value that clears the terminal of its reviewer.
-- Mutant: file agentdb/terminal/diff.py: `return shown(` -> `return str(`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set note = U&'x\202Egone' where id = 1;
--@ a agent_a save=c
select max(change_id) from agentdb.my_changes();
--@ r cli:reviewer_r "unlike=\u202e" must
change show ${c}
