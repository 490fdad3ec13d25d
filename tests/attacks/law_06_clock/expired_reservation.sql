-- A reservation ran out while a transaction was open; what was reserved is free for it too.
-- Mutant: _reserved: `v.expires_at > clock_timestamp()` -> `v.expires_at > transaction_timestamp() - interval '1 day'`
--@ a agent_a save=r
select run_id from agentdb.start_run();
select reservation from agentdb.reserve_tokens(499000);
--@ p postgres
update agentdb.token_reservation set expires_at = clock_timestamp() - interval '1 s';
--@ a agent_a value=True through=ok must
select granted from agentdb.reserve_tokens(2000);
