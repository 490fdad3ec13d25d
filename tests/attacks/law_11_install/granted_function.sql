-- Somebody was granted an inner function of the pack.
-- Mutant: file agentdb/schema/check.py: `|| coalesce(p.proacl::text, '')` -> ``
--@ p postgres
grant execute on function agentdb._give_verdict to app_user;
--@ i cli:postgres is=1 like=_give_verdict must
install --check
