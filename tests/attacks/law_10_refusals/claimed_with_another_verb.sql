-- The agent says that it has updated a row, and has deleted it.
-- Mutant: _row_verdicts: `case when k.missing is null and k.wrong is null` -> `case when k.missing is null`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
delete from app.orders where id = 1;
--@ a agent_a save=c
select claim_id from agentdb.claim_rows('app.orders', 'update', '[{"id": 1}]');
--@ a agent_a
select * from agentdb.complete_run('updated it');
--@ p postgres value=refuted must
select state from agentdb.claim where claim_id = ${c};
