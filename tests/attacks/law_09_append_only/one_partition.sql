-- The owner of the log empties the partition of a day by its own name.
-- Mutant: sql: do $$ declare v text; begin for v in select format('drop trigger agentdb_no_truncate on %s', i.inhrelid::regclass) from pg_inherits as i where i.inhparent = 'agentdb.audit_log'::regclass loop execute v; end loop; end $$
--@ x app_user
update app.orders set note = 'x' where id = 1;
--@ p postgres save=part
select tableoid::regclass from agentdb.audit_log limit 1;
--@ p postgres is=ZA008 must
truncate ${part};
