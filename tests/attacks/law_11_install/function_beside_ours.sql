-- Somebody has put a function of its own among those of the pack.
-- Mutant: file agentdb/schema/check.py: `*(f"{name} is not part of agentdb" for name in foreign),` -> ``
--@ p postgres
create function agentdb.backdoor () returns void language sql security definer as 'select';
--@ i cli:postgres is=1 like=backdoor must
install --check
