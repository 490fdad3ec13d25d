-- The agent rewrites a whole table at once.
-- Mutant: _check_blast: `if changed > v_max_rows then` -> `if false then`
--@ p postgres
update agentdb.policy set blast_radius_rows = 1;
select agentdb.audit_table('app.orders', redact => '{card}', refuse_blast => true);
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA031 must
update app.orders set note = 'all';
