-- Somebody holds the state of the roll-up in an open transaction; the next one goes on without it.
-- Mutant: roll_up: `for update skip locked;` -> `for update;`
--@ q postgres
begin;
select from agentdb.roll_up_state for update;
--@ o operator_o limit=4 through=55P03 must
select agentdb.roll_up();
