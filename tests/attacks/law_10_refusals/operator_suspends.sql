-- An operator who does not own a table takes its audit off.
-- Mutant: _check_suspender: `elsif not pg_has_role(session_user, v_owner, 'MEMBER') then` -> `elsif false then`
--@ o operator_o is=ZA035 must
select * from agentdb.suspend('audit', 'app.orders', 'in my way');
