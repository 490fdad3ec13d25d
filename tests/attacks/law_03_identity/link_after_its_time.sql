-- Somebody whom a link let in acts when the session of the page is over.
-- Mutant: _role_of_subject: `coalesce(p.expires_at > clock_timestamp(), true)` -> `true`
--@ p postgres
insert into agentdb.web_person (subject, role_name, role_oid, expires_at) values ('role operator_o', 'operator_o', 'operator_o'::regrole, clock_timestamp());
--@ w web_w is=42501 must
select * from agentdb.pause_agent_for('role operator_o', 'a', 'late');
