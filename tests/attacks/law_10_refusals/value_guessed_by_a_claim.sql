-- The agent guesses what a column holds that it may not read, and has the verdict tell.
-- Mutant: _check_claimed_columns: `elsif not has_column_privilege(session_user, relation, v_name::name, 'select') then` -> `elsif false then`
--@ p postgres
alter table app.orders alter total set default 777;
revoke select on app.orders from agent_a;
grant select (id, note) on app.orders to agent_a;
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
insert into app.orders (id, note) values (9, 'mine');
--@ a agent_a is=42501 must
select claim_id from agentdb.claim_rows('app.orders', 'insert', new_values => '{"total": 777}');
