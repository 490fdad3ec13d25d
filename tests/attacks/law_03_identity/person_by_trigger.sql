-- A trigger of a guarded table says that somebody else applied the change.
-- Mutant: _attempt: `v_person := set_config('agentdb.person', v_person, true);` -> `null;`
--@ p postgres
create function app.lie () returns trigger language plpgsql as 'begin perform set_config(''agentdb.person'', ''ann'', true); return new; end';
--@ p postgres
create trigger lie before update on app.happy for each row execute function app.lie();
--@ o operator_o
select agentdb.map_person('ann', 'operator_o');
--@ r reviewer_r
select agentdb.map_person('rev', 'reviewer_r');
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ p postgres save=change
select change_id from agentdb.change where state = 'pending';
--@ p postgres save=digest
select digest from agentdb.change where state = 'pending';
--@ w web_w
select state from agentdb.approve_change_for('rev', ${change}, '${digest}');
--@ p postgres value='reviewer_r by way of agentdb serve' must
select applied_by from agentdb.change where change_id = ${change};
