-- A reviewer writes that a change was applied which never was.
-- Mutant: sql: grant select, update on agentdb.change to agentdb_reviewer
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ r reviewer_r is=42501 must
update agentdb.change set state = 'applied', applied_by = 'reviewer_r', closed_at = now();
