-- The agent writes a guarded table directly.
-- Mutant: _guard: `if not v_open then` -> `if false then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA050 must
update app.billing set amount = 0;
