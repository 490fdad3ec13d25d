-- A member of a colleague's role takes the colleague's name on the page, to approve its own changes.
-- Mutant: _may_map: `session_user = role_name or` -> `pg_has_role(session_user, role_name, 'member') or`
--@ p postgres
grant reviewer_r to operator_o;
--@ o operator_o is=42501 must
select agentdb.map_person('me', 'reviewer_r');
--@ p postgres
revoke reviewer_r from operator_o;
