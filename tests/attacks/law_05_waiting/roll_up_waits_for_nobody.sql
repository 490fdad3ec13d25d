-- Somebody holds the state of the roll-up in an open transaction; the next one goes on without it.
-- Mutant: roll_up: `select s.horizon into v_low from agentdb.roll_up_state as s for update skip locked;` -> `select s.horizon into v_low from agentdb.roll_up_state as s for update;`
--@ q postgres
begin;
select from agentdb.roll_up_state for update;
--@ o operator_o limit=4 through=55P03 must
select agentdb.roll_up();
