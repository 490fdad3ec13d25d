-- A write of the killed run is in flight; a kill that says it is drained would be wrong.
-- Mutant: sql: do $$ begin execute replace(pg_get_functiondef('agentdb._writer'::regproc), 'for share of g', ''); end $$
--@ a agent_a save=run
select run_id from agentdb.start_run();
--@ a agent_a
begin;
update app.orders set note = 'in flight' where id = 1;
--@ o operator_o
select * from agentdb.kill_run(${run}, 'enough');
--@ o operator_o value=False must
select drained from agentdb.drain_run(${run}, '1 s');
