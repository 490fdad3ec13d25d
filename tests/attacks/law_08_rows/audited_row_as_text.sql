-- The agent writes a row with escapes, and an operator asks who changed it.
-- Mutant: file agentdb/harmless.py: `return "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text)` -> `return text`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update app.orders set note = U&'n\202Egone' where id = 1;
--@ o cli:operator_o "unlike=\u202e" must
audit app.orders 1
