-- Somebody was granted the rows of a log by the name of a partition.
-- Mutant: file agentdb/schema/by_hand.py: `where g.grantee <> g.relowner and not g.is_usual` -> `where false`
--@ p postgres
grant select on agentdb.tool_call_log_default to app_user;
--@ i cli:postgres is=1 like=app_user.has.SELECT.on.agentdb.tool_call_log_default must
install --check
