-- Somebody was granted a single column of the pack.
-- Mutant: file agentdb/schema/check.py: `cross join aclexplode(o.acl) as g where g.grantee <> o.owner` -> `cross join aclexplode(o.acl) as g where g.grantee <> o.owner and g.grantee <> 'app_user'::regrole`
--@ p postgres
grant update (kill_forbids_restart) on agentdb.policy to app_user;
--@ i cli:postgres is=1 like=policy must
install --check
