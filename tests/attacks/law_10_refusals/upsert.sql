-- The agent writes a guarded table by an INSERT that turns into an UPDATE.
-- Mutant: sql: drop trigger "00_agentdb_guard" on app.customers
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA050 must
insert into app.customers values (10, 'eve') on conflict (id) do update set name = excluded.name;
