-- All seals are removed, so that nothing is left to compare with.
-- Mutant: sql: drop trigger agentdb_no_truncate on agentdb.seal
--@ x app_user
update app.orders set note = 'x' where id = 1;
--@ p postgres
select agentdb.seal_audit();
--@ p postgres is=ZA008 must
truncate agentdb.seal;
