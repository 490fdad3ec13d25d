-- A seal is rewritten to fit a log that was rewritten.
-- Mutant: sql: drop trigger agentdb_append_only on agentdb.seal
--@ x app_user
update app.orders set note = 'x' where id = 1;
--@ p postgres
select agentdb.seal_audit();
--@ p postgres is=ZA008 must
update agentdb.seal set rows = 0;
