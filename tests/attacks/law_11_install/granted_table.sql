-- Somebody was granted a table of the pack.
-- Mutant: file agentdb/schema/check.py: `c.relowner::regrole || coalesce(c.relacl::text, '') || coalesce(( select string_agg(a.attname || a.attacl::text, ' ' order by a.attnum) from pg_attribute as a where a.attrelid = c.oid), '') from pg_class as c where c.relnamespace = 'agentdb'::regnamespace and c.relkind in ('r', 'p', 'S')` -> `c.relowner::regrole::text from pg_class as c where c.relnamespace = 'agentdb'::regnamespace and c.relkind in ('r', 'p', 'S')`
--@ p postgres
grant update on agentdb.policy to app_user;
--@ i cli:postgres is=1 like=policy must
install --check
