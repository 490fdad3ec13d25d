-- The agent empties a table at once, with TRUNCATE instead of DELETE.
-- Mutant: _check_truncate: `where t.audit_target_id = target and t.refuse_blast` -> `where false`
--@ p postgres
update agentdb.policy set blast_radius_rows = 1;
select agentdb.audit_table('app.orders', redact => '{card}', refuse_blast => true);
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA031 must
truncate app.orders;
