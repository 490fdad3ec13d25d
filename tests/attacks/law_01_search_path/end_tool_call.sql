-- The agent ends a call with operators and functions of its own first in its search_path.
-- Mutant: sql: alter function agentdb.end_tool_call(text, boolean, text, bigint, text, bigint) reset search_path
--@ p postgres
create schema work authorization agent_a;
--@ a agent_a file=trap.sql
--@ a agent_a
select token from agentdb.start_run();
--@ a agent_a
set search_path = work, pg_catalog;
select * from agentdb.begin_tool_call('t', call_id => 'c');
select * from agentdb.end_tool_call('c', result_size => 5);
--@ p postgres value=0 must
select count(*) from work.stolen as s where s.who <> 'agent_a';
