-- A rule swallows what is written to a log.
-- Mutant: file agentdb/schema/by_hand.py: `join pg_rewrite as r on r.ev_class = o.oid` -> `join pg_rewrite as r on false`
--@ p postgres
create rule nothing as on insert to agentdb.stop_log do instead nothing;
--@ i cli:postgres is=1 like=rule.nothing must
install --check
