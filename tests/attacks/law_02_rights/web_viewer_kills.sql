-- Who is mapped to nobody kills a run by way of the page.
-- Mutant: _act_for: `elsif v_role is null then raise exception '% is a viewer'` -> `elsif false then raise exception '% is a viewer'`
--@ b agent_b save=run
select run_id from agentdb.start_run();
--@ w web_w is=42501 must
select * from agentdb.kill_run_for('stranger', ${run}, 'in my way');
