-- A reviewer approves with the digest of something else than what is there now.
-- Mutant: _begin_decision: `(digest is distinct from v_change.digest
--     or agentdb._change_digest(change) is distinct from v_change.digest)` -> `false`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a
update agentdb_stage.happy set amount = 3 where id = 2;
--@ r reviewer_r is=ZA054 must
select c.state from agentdb.waiting_changes() as w, agentdb.approve_change(w.change_id, md5('what I saw')) as c;
