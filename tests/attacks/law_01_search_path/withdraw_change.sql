-- The agent withdraws a change with operators and functions of its own first in its search_path.
-- Mutant: sql: alter function agentdb.withdraw_change(bigint) reset search_path
--@ p postgres
create schema work authorization agent_a;
--@ a agent_a file=trap.sql
--@ a agent_a
select token from agentdb.start_run();
--@ a agent_a
set search_path = work, pg_catalog;
begin;
update agentdb_stage.happy set amount = 3 where id = 2;
commit;
select agentdb.withdraw_change(max(change_id)) from agentdb.my_changes();
--@ p postgres value=0 must
select count(*) from work.stolen as s where s.who <> 'agent_a';
