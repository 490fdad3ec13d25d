-- The agent tries to approve its own change, and its refusal leaves no row.
-- Mutant: _reviewer: `perform agentdb._count_refusal('approval', agent_id);` -> ``
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.billing set note = 'mine' where id = 1;
--@ a agent_a save=d
select c.digest from agentdb.my_changes() as m cross join lateral agentdb.show_change(m.change_id) as c order by m.change_id desc limit 1;
--@ a agent_a save=c
select change_id from agentdb.my_changes() order by change_id desc limit 1;
--@ a agent_a is=ZA055
select * from agentdb.approve_change(${c}, '${d}');
--@ p postgres value=1 must
select count(*) from agentdb.self_approval;
