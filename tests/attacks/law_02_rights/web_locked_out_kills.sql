-- A person whose role may not log in any more kills a run by way of the page.
-- Mutant: _role_of_subject: `and r.rolcanlogin` -> ``
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ o operator_o
select agentdb.map_person('ann', 'operator_o');
--@ p postgres
alter role operator_o nologin;
--@ w web_w is=42501 must
select run_id from agentdb.kill_run_for('ann', ${run}, 'mine');
--@ p postgres
alter role operator_o login;
