-- The agent asks a question that fills the pager.
-- Mutant: ask_human: `agentdb._check_said(question, 'question', 2000)` -> `agentdb._check_said(question, 'question')`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.ask_human(repeat('please ', 100000));
