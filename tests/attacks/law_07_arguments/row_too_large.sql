-- The agent stages a row that nobody can review.
-- Mutant: _check_stage: `elsif octet_length(new_values::text) > 1000000 then` -> `elsif false then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
update agentdb_stage.happy set note = repeat('x', 1100000) where id = 1;
