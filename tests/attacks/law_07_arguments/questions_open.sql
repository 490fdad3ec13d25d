-- The agent asks people question after question.
-- Mutant: _check_questions: `if v_open >= v_max_open or v_day >= v_max_day then` -> `if v_day >= v_max_day then`
--@ p postgres
update agentdb.policy set max_questions = 1;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
select * from agentdb.ask_human('one?');
--@ a agent_a is=ZA005 must
select * from agentdb.ask_human('two?');
