-- A reviewer kills a run by way of the page, which the database would not let it do.
-- Mutant: _act_for: `elsif not has_function_privilege(v_role, action, 'execute') then` -> `elsif false then`
--@ r reviewer_r
select agentdb.map_person('rev', 'reviewer_r');
--@ b agent_b save=run
select run_id from agentdb.start_run();
--@ w web_w is=42501 must
select * from agentdb.kill_run_for('rev', ${run}, 'in my way');
