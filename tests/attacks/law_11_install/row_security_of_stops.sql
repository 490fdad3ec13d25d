-- Row security hides every stop from the functions that look for one.
-- Mutant: file agentdb/schema/by_hand.py: `where o.relrowsecurity or o.relforcerowsecurity` -> `where false`
--@ p postgres
alter table agentdb.run_stop enable row level security, force row level security;
--@ i cli:postgres is=1 like=row.security.of.agentdb.run_stop must
install --check
