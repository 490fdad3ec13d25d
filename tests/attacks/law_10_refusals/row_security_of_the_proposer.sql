-- The agent stages a row that its own row security would not let it write.
-- Servers: 15-99
-- Mutant: _check_policies: `if not v_passed then raise exception` -> `if false then raise exception`
--@ p postgres
select agentdb.guard_table('app.tenant');
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=42501 through=ok must
insert into agentdb_stage.tenant values (3, 'theirs', 1);
