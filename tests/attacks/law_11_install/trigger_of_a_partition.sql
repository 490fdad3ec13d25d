-- The trigger that keeps a log append-only was disabled on one partition.
-- Mutant: file agentdb/schema/by_hand.py: `where t.tgenabled in ('D', 'R')` -> `where t.tgenabled in ('R')`
--@ p postgres
alter table agentdb.tool_call_log_default disable trigger user;
--@ i cli:postgres is=1 like=tool_call_log_default.is.disabled must
install --check
