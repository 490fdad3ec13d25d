-- The agent writes an audited row; the owner of the log empties it.
-- Mutant: sql: drop trigger agentdb_no_truncate on agentdb.audit_log; do $$ declare v text; begin for v in select format('drop trigger agentdb_no_truncate on %s', i.inhrelid::regclass) from pg_inherits as i where i.inhparent = 'agentdb.audit_log'::regclass loop execute v; end loop; end $$
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update app.orders set note = 'x' where id = 1;
--@ p postgres is=ZA008 must
truncate agentdb.audit_log;
