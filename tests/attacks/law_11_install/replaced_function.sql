-- A function of the pack was replaced by hand, and does nothing now.
-- Mutant: file agentdb/schema/check.py: `*_edited(before, after),` -> ``
--@ p postgres
create or replace function agentdb._refuse_rewrite () returns trigger language plpgsql as $$ begin return new; end $$;
--@ i cli:postgres is=1 like=_refuse_rewrite must
install --check
