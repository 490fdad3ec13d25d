-- An operator gives itself the rights of a reviewer on the page.
-- Mutant: _may_map: `session_user = role_name or` -> `true or`
--@ o operator_o is=42501 must
select agentdb.map_person('me', 'reviewer_r');
