-- A claim is locked by an open transaction; the rest of the claims is judged.
-- Mutant: _verify_rows: `for no key update skip locked` -> `for no key update`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.claim_rows('app.orders', 'update', count => 0);
--@ a agent_a
select * from agentdb.end_run();
--@ q postgres
begin;
select from agentdb.claim for update;
--@ o operator_o limit=4 through=55P03 must
select agentdb.verify_rows();
