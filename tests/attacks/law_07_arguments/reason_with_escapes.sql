-- The agent gives a reason for its change that rewrites the terminal of its reviewer.
-- Mutant: _add_change: `agentdb._check_said(reason, 'reason', 2000)` -> `agentdb._check_said(reason, 'reason')`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.open_change(E'harmless\x1b[2J');
