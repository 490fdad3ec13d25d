-- A session that was killed goes on under another run.
-- Mutant: _place_known: `when k.outcome = 'killed'` -> `when k.outcome = 'none'`
--@ i intake_i save=run
select run_id from agentdb.record_events('[{"agent": "a", "proven": true, "conversation": "c", "kind": "start"}]');
--@ o operator_o
select * from agentdb.kill_run(${run}, 'enough');
--@ p postgres
update agentdb.run set ended_at = ended_at - interval '2 hours';
--@ i intake_i value=recorded
select status from agentdb.record_events('[{"agent": "a", "proven": true, "conversation": "c", "kind": "call", "tool": "t"}]');
--@ p postgres value=1 must
select count(*) from agentdb.run;
