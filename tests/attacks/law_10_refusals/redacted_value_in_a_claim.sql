-- The agent claims what a redacted column holds, so that the claim keeps it in the clear.
-- Mutant: _check_claimed_columns: `elsif v_hidden then` -> `elsif false then`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update app.orders set card = '4111-9' where id = 1;
--@ a agent_a is=ZA004 must
select claim_id from agentdb.claim_rows('app.orders', 'update', new_values => '{"card": "4111-9"}');
