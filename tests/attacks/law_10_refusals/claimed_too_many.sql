-- The agent says that it has updated forty rows, and has updated two.
-- Mutant: _row_verdicts: `and coalesce(n.rows, 0) = coalesce((c.expectation ->> 'count')::bigint, case when c.expectation ? 'keys' then n.rows else greatest(n.rows, 1) end, 0)` -> ``
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update app.orders set note = 'x';
--@ a agent_a save=c
select claim_id from agentdb.claim_rows('app.orders', 'update', count => 40);
--@ a agent_a
select * from agentdb.complete_run('updated them');
--@ p postgres value=refuted must
select state from agentdb.claim where claim_id = ${c};
