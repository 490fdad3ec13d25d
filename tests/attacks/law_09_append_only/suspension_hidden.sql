-- The owner of a table deletes the record that its audit was suspended.
-- Mutant: sql: drop trigger agentdb_append_only on agentdb.suspension
--@ p postgres
select * from agentdb.suspend('audit', 'app.orders', 'maintenance');
--@ p postgres is=ZA008 must
delete from agentdb.suspension;
