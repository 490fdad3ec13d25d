-- The agent reports progress; the owner of the log empties it.
-- Mutant: sql: drop trigger agentdb_no_truncate on agentdb.progress_log; do $$ declare v text; begin for v in select format('drop trigger agentdb_no_truncate on %s', i.inhrelid::regclass) from pg_inherits as i where i.inhparent = 'agentdb.progress_log'::regclass loop execute v; end loop; end $$
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.log_progress('s');
--@ p postgres is=ZA008 must
truncate agentdb.progress_log;
