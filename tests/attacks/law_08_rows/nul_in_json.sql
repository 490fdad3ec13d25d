-- The agent logs JSON text with a NUL in it, which PostgreSQL refuses to keep.
-- Mutant: clean_json: `exception when data_exception or program_limit_exceeded then begin` -> `exception when program_limit_exceeded then begin`
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a is=ok through=22P05|22P02 must
select agentdb.clean_json('{"a": "x\u0000y"}');
