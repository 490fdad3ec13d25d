-- The agent claims the values of more rows than anybody could look up.
-- Mutant: _claimed_values: `or jsonb_array_length(v_each) not between 1 and 1000` -> ``
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ZA004 must
select claim_id from agentdb.claim_rows('app.orders', 'update', new_values => (select jsonb_agg(jsonb_build_object('id', i, 'note', 'x')) from generate_series(1, 1001) as i));
