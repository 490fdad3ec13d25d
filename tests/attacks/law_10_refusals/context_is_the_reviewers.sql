-- The agent reads in its own change the columns that its reviewers are shown.
-- Mutant: show_change_rows: `where not agentdb._is_proposer(change)` -> `where true`
--@ p postgres
select agentdb.guard_table('app.happy', context => '{note}');
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ p postgres
update app.happy set note = 'hidden since' where id = 2;
revoke all on app.happy from agent_a;
--@ a agent_a unlike=hidden must
select r.context from agentdb.my_changes() as m, agentdb.show_change_rows(m.change_id) as r;
