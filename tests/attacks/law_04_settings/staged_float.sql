-- The agent stages a float with its digits cut, so that what is applied is not what it wrote.
-- Mutant: sql: alter function agentdb._propose_8 () reset extra_float_digits
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
set extra_float_digits = -10;
update agentdb_stage.strange set f = 0.123456789012345;
--@ r reviewer_r value=0.123456789012345 must
select r.new_values ->> 'f' from agentdb.waiting_changes() as w, agentdb.show_change_rows(w.change_id) as r;
