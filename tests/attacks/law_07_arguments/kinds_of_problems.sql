-- An emitter makes up kinds of problems until the disk is full.
-- Mutant: note_problem: `then 500 else 1000 end` -> `then 500000 else 1000000 end`
--@ p postgres
insert into agentdb.intake_problem (agent_name, path, emitter, reason)
select '', '', g::text, 'malformed' from generate_series(1, 1000) as g;
--@ i intake_i
select agentdb.note_problem('{"reason": "malformed", "emitter": "one more"}');
select agentdb.note_problem('{"reason": "malformed", "emitter": "and another"}');
--@ p postgres value=1001 must
select count(*) from agentdb.intake_problem;
