-- The agent rewrites a whole table a row at a time.
-- Mutant: _check_blast: `if v_sum > v_max_window_rows then` -> `if false then`
--@ p postgres
update agentdb.policy set blast_radius_window_rows = 1, wide_run_rows = null;
select agentdb.audit_table('app.orders', redact => '{card}', refuse_blast => true);
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update app.orders set note = 'all' where id = 1;
--@ a agent_a is=ZA031 must
update app.orders set note = 'all' where id = 2;
