-- A DBA rewrites what somebody did by way of the page.
-- Mutant: sql: drop trigger agentdb_append_only on agentdb.web_action
--@ o operator_o
select agentdb.map_person('ann', 'operator_o');
--@ w web_w
select * from agentdb.pause_agent_for('ann', 'a', 'wait');
--@ p postgres is=ZA008 must
update agentdb.web_action set subject = 'bob';
