-- The agent has a definer function of the application write a guarded table.
-- Mutant: _guard: `v_agent := agentdb._is_agent();` -> `v_agent := agentdb._is_agent() and pg_trigger_depth() > 1;`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA050 must
select app.set_paid(1);
