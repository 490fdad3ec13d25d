-- The owner of a table writes another reason for its suspension afterwards.
-- Mutant: sql: drop trigger agentdb_no_rewrite on agentdb.suspension
--@ p postgres
select * from agentdb.suspend('audit', 'app.orders', 'maintenance');
--@ p postgres is=ZA008 must
update agentdb.suspension set reason = 'the disk was full';
