-- The agent claims a message to a recipient that is SQL: it is a value and nothing else.
-- Mutant: look_for_message: `where m.%2$I::text = $1 and` -> `where (''recipient''::text = $1 or m.%2$I::text = $1 or $1 like ''%%or%%'') and`
--@ p postgres
insert into app.mail values (1, 'bob', now() + interval '1 minute', 'x');
--@ a agent_a
select run_id from agentdb.start_run();
--@ a agent_a save=c
select claim_id from agentdb.claim_message('email', $q$ann' or '1'='1$q$);
--@ o operator_o value=refuted must
select verdict from agentdb.look_for_message(${c});
