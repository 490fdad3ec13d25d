-- The agent settles the reservation of another, whose budget is free again.
-- Mutant: settle_tokens: `
--     and v.run_id = settle_tokens.run_id
--     and v.settled_at is null` -> ` and v.settled_at is null`
--@ b agent_b save=r
select run_id from agentdb.start_run();
select reservation from agentdb.reserve_tokens(1000, 0);
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA006 must
select * from agentdb.settle_tokens(${r}, 1, 1);
