-- The agent starts a run with operators and functions of its own first in its search_path.
-- Mutant: sql: alter function agentdb.start_run(text, text, interval, text, text, text, text, text, interval) reset search_path
--@ p postgres
create schema work authorization agent_a;
--@ a agent_a file=trap.sql
--@ a agent_a
set search_path = work, pg_catalog;
select run_id from agentdb.start_run(conversation => 'c');
--@ p postgres value=0 must
select count(*) from work.stolen as s where s.who <> 'agent_a';
