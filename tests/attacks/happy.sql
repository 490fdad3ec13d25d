-- What everybody does every day, and what a mutant must not disturb: or any broken
-- function would count as a fault that is found.
--@ h agent_h
select run_id from agentdb.start_run(purpose => 'pay invoices', tick_interval => '1 hour');
--@ h agent_h value=False
select repeated from agentdb.log_tool_call('send_mail', '{"to": "ann"}', call_id => 'c-1');
--@ h agent_h value=True
select repeated from agentdb.log_tool_call('send_mail', '{"to": "ann"}', call_id => 'c-1');
--@ h agent_h save=call
select call from agentdb.begin_tool_call('search', '{"q": 1}');
--@ h agent_h value=False
select repeated from agentdb.end_tool_call('${call}', result => 'found');
--@ h agent_h
select * from agentdb.log_progress('mail sent', '{"n": 1}');
--@ h agent_h save=reservation
select reservation from agentdb.reserve_tokens(1000, 100);
--@ h agent_h value=False
select repeated from agentdb.settle_tokens(${reservation}, 900, 50);
--@ h agent_h
select * from agentdb.log_tokens(100, 10);
--@ h agent_h save=hfence
select fence from agentdb.acquire_lock('happy', ttl => '1 minute');
--@ h agent_h value=True
select renewed from agentdb.renew_lock('happy', ${hfence});
--@ h agent_h value=True
select released from agentdb.release_lock('happy', ${hfence});
--@ h agent_h
begin;
update agentdb_stage.happy set amount = 10 where id = 1;
commit;
--@ r reviewer_r value=applied
select a.state from agentdb.waiting_changes() as w
cross join lateral agentdb.approve_change(w.change_id, w.digest, 'fine') as a
where w.agent_name = 'h';
--@ h agent_h value=10
select amount from app.happy where id = 1;
--@ h agent_h save=hclaim
select claim_id from agentdb.claim_rows('app.happy', 'update', '[{"id": 1}]');
--@ h agent_h
select question_id from agentdb.ask_human('may I?');
--@ h agent_h value=succeeded
select state from agentdb.complete_run('done');
--@ p postgres value=verified
select state from agentdb.claim where claim_id = ${hclaim};
--@ o operator_o
select agentdb.roll_up();
--@ o operator_o
select count(*) from agentdb.agent_health;
--@ u auditor_u like=^[1-9]
select count(*) from agentdb.row_history('app.happy', '{"id": 1}');
--@ x app_user
insert into app.orders values (77, 1, 'by the application', 'x');
delete from app.orders where id = 77;
--@ h agent_h save=hrun
select run_id from agentdb.start_run();
--@ o operator_o
select * from agentdb.kill_run(${hrun}, 'enough');
--@ o operator_o
select * from agentdb.drain_run(${hrun});
--@ h agent_h is=ZA040
select * from agentdb.log_progress('more');
