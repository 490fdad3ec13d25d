-- The agent says that it has deleted a row, and has not.
-- Mutant: _row_verdicts: `case when k.missing is null and k.wrong is null` -> `case when k.wrong is null`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=c
select claim_id from agentdb.claim_rows('app.orders', 'delete', '[{"id": 1}]');
--@ a agent_a
select * from agentdb.complete_run('deleted it');
--@ p postgres value=refuted must
select state from agentdb.claim where claim_id = ${c};
