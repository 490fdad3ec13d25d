-- A reviewer approves a change that ran out, in a transaction that began before it did.
-- Mutant: _begin_decision: `v_change.expires_at <= clock_timestamp()` -> `v_change.expires_at <= transaction_timestamp()`
--@ p postgres
select agentdb.guard_table('app.happy', expires => '1 s', apply => 'hand');
--@ a agent_a
select run_id from agentdb.start_run();
--@ r reviewer_r
begin;
select 1;
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ a agent_a save=change
select max(change_id) from agentdb.my_changes();
--@ p postgres save=digest
select digest from agentdb.change where change_id = ${change};
--@ r reviewer_r
select pg_sleep(1.2);
--@ r reviewer_r value=expired must
select c.state from agentdb.approve_change(${change}, '${digest}') as c;
