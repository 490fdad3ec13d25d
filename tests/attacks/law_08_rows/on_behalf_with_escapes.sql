-- The agent names whom it works for with escapes.
-- Mutant: _add_run: `agentdb._clean_line(_add_run.on_behalf_of, 200)` -> `_add_run.on_behalf_of`
--@ a agent_a
select run_id from agentdb.start_run(on_behalf_of => E'ann\x1b[8m');
--@ p postgres value=0 must
select count(*) from agentdb.run where on_behalf_of ~ E'\x1b';
