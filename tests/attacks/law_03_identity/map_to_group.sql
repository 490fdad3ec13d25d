-- A reviewer becomes the group of all reviewers on the page, which has proposed nothing.
-- Mutant: _check_subject: `elsif not (select r.rolcanlogin from pg_roles as r where r.rolname = role_name) then` -> `elsif false then`
--@ p postgres is=ZA004 must
select agentdb.map_person('me', 'agentdb_reviewer');
