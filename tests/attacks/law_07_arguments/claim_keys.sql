-- The agent claims more keys in one call than can be looked up.
-- Mutant: claim_rows: `elsif count < 0 or jsonb_array_length(v_keys) > 1000 then` -> `elsif count < 0 then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select * from agentdb.claim_rows('app.orders', 'delete', (select jsonb_agg(jsonb_build_object('id', g)) from generate_series(1, 1001) as g));
