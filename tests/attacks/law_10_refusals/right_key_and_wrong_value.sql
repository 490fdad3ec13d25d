-- The agent says that it has written one value, and has written another.
-- Mutant: _row_verdicts: `and f.wrong is null` -> ``
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update app.orders set note = 'viod' where id = 1;
--@ a agent_a save=c
select claim_id from agentdb.claim_rows('app.orders', 'update', new_values => '[{"id": 1, "note": "void"}]');
--@ a agent_a
select * from agentdb.complete_run('void');
--@ p postgres value=refuted must
select state from agentdb.claim where claim_id = ${c};
