-- The agent stages a row under another time zone; who reviews it reads the time that it is.
-- Mutant: sql: alter function agentdb._propose_8 () reset "TimeZone"
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
set TimeZone = 'Asia/Kolkata';
update agentdb_stage.strange set at = '2026-06-01 12:00Z';
--@ r reviewer_r value=2026-06-01T12:00:00+00:00 must
select r.new_values ->> 'at' from agentdb.waiting_changes() as w, agentdb.show_change_rows(w.change_id) as r;
