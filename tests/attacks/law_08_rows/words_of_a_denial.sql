-- The agent reports an error whose table has a name that no statement could have.
-- Mutant: _explained: `exception when others then return;` -> ``
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select run_id from agentdb.log_tool_call('sql', ok => false, error => '42501: permission denied for table a.b.c.d');
--@ a agent_a
select run_id from agentdb.log_tool_call('sql', ok => false, error => '42501: permission denied for table a.b.c.d');
--@ p postgres value=1 through=ZA004 must
select count(*) from agentdb.access_denied;
