-- The agent sets by hand the setting that is on while a change is applied.
-- Mutant: _guard: `v_open := current_setting('agentdb.applying', true) <> '' and exists (` -> `v_open := current_setting('agentdb.applying', true) <> '' or exists (`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
set agentdb.applying = '1';
--@ a agent_a is=ZA050 must
update app.billing set amount = 0;
