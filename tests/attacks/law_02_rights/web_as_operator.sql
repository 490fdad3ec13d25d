-- An operator acts in the name of a reviewer, as the page does for people.
-- Mutant: sql: grant agentdb_web to operator_o
--@ r reviewer_r
select agentdb.map_person('rev', 'reviewer_r');
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ o operator_o is=42501 must
select a.state from agentdb.waiting_changes() as c, agentdb.approve_change_for('rev', c.change_id, c.digest) as a;
