-- The agent stages bytes under the old format of writing them.
-- Mutant: sql: alter function agentdb._propose_8 () reset bytea_output
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
set bytea_output = 'escape';
update agentdb_stage.strange set b = '\x61626300';
--@ r reviewer_r value=\\x61626300 must
select r.new_values ->> 'b' from agentdb.waiting_changes() as w, agentdb.show_change_rows(w.change_id) as r;
