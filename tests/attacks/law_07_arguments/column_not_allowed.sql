-- The agent stages a column of a guarded table that its changes may not set.
-- Mutant: _check_stage: `and (operation <> 'update' or new_values - v_columns <> '{}') then` -> `and operation <> 'update' then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
update agentdb_stage.billing set secret = 'iban-9' where id = 1;
