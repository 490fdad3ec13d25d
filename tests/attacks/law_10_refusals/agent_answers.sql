-- An agent that was made an operator answers questions.
-- Mutant: answer_question: `if agentdb._is_agent() then` -> `if false then`
--@ b agent_b save=q
select run_id from agentdb.start_run();
select question_id from agentdb.ask_human('may I?');
--@ p postgres
grant agentdb_operator to agent_a;
--@ a agent_a is=ZA055 must
select * from agentdb.answer_question(${q}, 'yes');
