-- The agent settles a reservation with operators and functions of its own first in its search_path.
-- Mutant: sql: alter function agentdb.settle_tokens reset search_path
--@ p postgres
create schema work authorization agent_a;
--@ a agent_a file=trap.sql
--@ a agent_a
select token from agentdb.start_run();
--@ a agent_a save=r
select reservation from agentdb.reserve_tokens(10, 10);
--@ a agent_a
set search_path = work, pg_catalog;
select * from agentdb.settle_tokens(${r}, 5, 5);
--@ p postgres value=0 must
select count(*) from work.stolen as s where s.who <> 'agent_a';
