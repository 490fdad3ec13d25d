-- The agent reads what people have answered to another.
-- Mutant: answer_of: `
--       and q.agent_id = v_agent` -> ``
--@ b agent_b save=q
select run_id from agentdb.start_run();
select question_id from agentdb.ask_human('what is the password?');
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA006 must
select * from agentdb.answer_of(${q});
