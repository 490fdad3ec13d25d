-- Grants: what each group may do, in one place.  PUBLIC may do nothing.

-- Some functions have owners of their own and are revoked where they are made: of those
-- PostgreSQL warns here.
set local client_min_messages = 'error';
revoke all on all functions in schema agentdb from public;
set local client_min_messages = 'warning';
revoke all on all tables in schema agentdb from public;
revoke all on schema agentdb from public;

grant usage on schema agentdb
  to agentdb_agent, agentdb_reviewer, agentdb_auditor, agentdb_operator,
    agentdb_capture, agentdb_applier, agentdb_intake, agentdb_web;

-- Agents: functions only, no table and no view.
grant execute on function
  agentdb.start_run, agentdb.spawn_token, agentdb.bind_run, agentdb.end_run,
  agentdb.log_progress, agentdb.log_progress_many,
  agentdb.log_tool_call, agentdb.log_tool_call_many, agentdb.clean_json,
  agentdb.begin_tool_call, agentdb.end_tool_call, agentdb.tool_schema,
  agentdb.log_tokens, agentdb.log_tokens_many, agentdb.log_events,
  agentdb.reserve_tokens, agentdb.settle_tokens, agentdb.remaining_budget,
  agentdb.hold_run, agentdb.ask_human, agentdb.answer_of,
  agentdb.acquire_lock, agentdb.acquire_slot, agentdb.renew_lock, agentdb.release_lock,
  agentdb.begin_wait, agentdb.end_wait, agentdb.wake_waiters,
  agentdb.claim_file, agentdb.claim_rows, agentdb.claim_http, agentdb.claim_message,
  agentdb.claim_command, agentdb.claim_custom, agentdb.complete_run,
  agentdb.explain_access, agentdb.check_run
  to agentdb_agent;

-- Changes: who proposes and who decides is looked at in the functions.
grant usage on schema agentdb_stage
  to agentdb_agent, agentdb_operator, agentdb_reviewer;
-- Row security is judged in the proposer's own name.
grant execute on function agentdb.row_policy
  to agentdb_agent, agentdb_operator, agentdb_reviewer;
grant execute on function
  agentdb.open_change, agentdb.submit_change, agentdb.stage_change,
  agentdb.staging_view, agentdb.staging_statement, agentdb.staged_rows,
  agentdb.my_changes, agentdb.withdraw_change, agentdb.next_number,
  agentdb.stage_reads, agentdb.stage_absent, agentdb.reads_statement,
  agentdb.waiting_changes, agentdb.show_change, agentdb.show_change_rows,
  agentdb.change_conflicts,
  agentdb.approve_change, agentdb.reject_change
  to agentdb_agent, agentdb_operator, agentdb_reviewer;
grant execute on function
  agentdb.show_change, agentdb.show_change_rows, agentdb.waiting_changes,
  agentdb.change_conflicts, agentdb.run_tree, agentdb.tool_board
  to agentdb_auditor;
grant execute on function agentdb.change_alike
  to agentdb_auditor, agentdb_operator, agentdb_reviewer;
grant execute on function agentdb.rebase_change
  to agentdb_operator, agentdb_reviewer;
grant execute on function agentdb.run_tree, agentdb.tool_board to agentdb_operator;

-- What is not guarded is taken back with the rights of whoever does it.
grant execute on function
  agentdb.undo_row, agentdb.undo_transaction, agentdb.undo_run, agentdb.undo_change,
  agentdb.apply_change,
  agentdb._undo, agentdb._plan_undo, agentdb._all_guarded, agentdb._try,
  agentdb._try_as_applier, agentdb._attempt, agentdb._perform, agentdb._change_sql,
  agentdb._execute_in_order, agentdb._written, agentdb._written_anywhere,
  agentdb._table_name, agentdb._manner, agentdb._execute_by_detour,
  agentdb._detour_parts, agentdb._refuse_exchange, agentdb._exchange,
  agentdb._is_ordered,
  agentdb._resolve,
  agentdb._conflict_rows, agentdb._read_conflicts, agentdb._read_rows,
  agentdb._current_sql, agentdb._key_match_sql, agentdb._conflicts,
  agentdb._conflicts_of, agentdb._settled,
  agentdb._drop_rows, agentdb._override_rows, agentdb._is_wider, agentdb._finish_undo,
  agentdb._safe_detail, agentdb._execute_in_parts,
  agentdb._change_parts, agentdb._try_undo, agentdb._left_undone,
  agentdb._row_total, agentdb._is_crossed,
  agentdb._leave_to_triggers,
  agentdb._check_outcome, agentdb._missed, agentdb._missed_sql,
  agentdb._is_same,
  agentdb._apply, agentdb._apply_as_caller, agentdb._begin_apply,
  agentdb._end_apply_as_caller,
  agentdb._refuse, agentdb._object_sql, agentdb._value_sql,
  agentdb._typed_sql,
  agentdb._acts_for, agentdb._person, agentdb._by_way_of, agentdb._refuse_for_other
  to agentdb_operator, agentdb_reviewer;
grant select on agentdb.change, agentdb.change_row, agentdb.change_read,
  agentdb.change_table,
  agentdb.change_summary, agentdb.change_column, agentdb.guarded_table,
  agentdb.audit_target
  to agentdb_reviewer;

-- agentdb_applier writes guarded tables, by rows of a change and nothing else.
grant select on agentdb.change_row, agentdb.change_read to agentdb_applier;
grant execute on function
  agentdb._perform, agentdb._change_sql, agentdb._execute_in_order, agentdb._written,
  agentdb._written_anywhere, agentdb._table_name, agentdb._read_rows,
  agentdb._check_outcome, agentdb._missed, agentdb._missed_sql, agentdb._is_same,
  agentdb._execute_in_parts, agentdb._change_parts,
  agentdb._execute_by_detour, agentdb._detour_parts, agentdb._refuse_exchange,
  agentdb._exchange, agentdb._is_ordered, agentdb._may_apply
  to agentdb_applier;

-- A table's owner guards it, with its own rights.
grant execute on function
  agentdb.guard_table, agentdb.unguard_table, agentdb._register_guard,
  agentdb._end_guard, agentdb._drop_guard, agentdb._create_guard, agentdb._lend_table,
  agentdb._guard_arguments, agentdb._attached, agentdb._place_guard,
  agentdb._note_children,
  agentdb._guard, agentdb._guard_role, agentdb.drop_staging_view,
  agentdb.advance_changes
  to agentdb_operator;

-- Auditors and operators read everything but the hashes of secrets.
grant select on all tables in schema agentdb to agentdb_auditor, agentdb_operator;
revoke all on agentdb.agent_secret, agentdb.run_token, agentdb.spawn_token,
  agentdb.intake_token, agentdb.web_link
  from agentdb_auditor, agentdb_operator;

-- What people read by calling it; a rule is one by its name.
grant execute on function
  agentdb.timeline, agentdb.run_marks, agentdb.run_family, agentdb.evidence_query,
  agentdb.row_diff, agentdb.tool_diff,
  agentdb.explain_access, agentdb.row_history, agentdb.row_as_of, agentdb.table_as_of,
  agentdb.exact_at,
  agentdb.run_changes, agentdb.seal_audit, agentdb.verify_audit
  to agentdb_auditor, agentdb_operator;

-- What rules reach from PL/pgSQL, where PostgreSQL does not know it.
grant execute on function agentdb._whole_minutes to agentdb_auditor, agentdb_operator;

-- A view, a rule and a SQL-standard body call functions with the rights of whoever
-- reads them.  PostgreSQL knows which, so that nobody has to list them; a trigger
-- function is only named there.
do $$
declare
  v_function regprocedure;
begin
  for v_function in
    with recursive used (classid, objid) as (
      select 'pg_rewrite'::regclass::oid, r.oid
      from pg_rewrite as r
      join pg_class as c on c.oid = r.ev_class and c.relkind = 'v'
      where c.relnamespace = 'agentdb'::regnamespace
      union
      select 'pg_proc'::regclass::oid, p.oid
      from pg_proc as p
      where p.pronamespace = 'agentdb'::regnamespace
        and (p.proname like 'rule\_%'
          or has_function_privilege('agentdb_auditor', p.oid, 'execute'))
      union
      select d.refclassid, d.refobjid
      from used as u
      join pg_depend as d on d.classid = u.classid and d.objid = u.objid
      where d.refclassid = 'pg_proc'::regclass
    )
    select p.oid
    from used as u
    join pg_proc as p on p.oid = u.objid and u.classid = 'pg_proc'::regclass
    where p.pronamespace = 'agentdb'::regnamespace
      and p.prorettype <> 'trigger'::regtype
  loop
    execute format(
      'grant execute on function %s to agentdb_auditor, agentdb_operator', v_function);
  end loop;
end;
$$;

-- What bodies that PostgreSQL keeps as text call for those who read.
grant execute on function
  agentdb._deed, agentdb._change_event, agentdb._call_told, agentdb._used,
  agentdb._unproven_told, agentdb._logged, agentdb._write_told, agentdb._course,
  agentdb._call_mark, agentdb._write_mark, agentdb._lock_mark,
  agentdb._deeds, agentdb._taken_back, agentdb._did, agentdb._claimed_keys,
  agentdb._row_event, agentdb._writes,
  agentdb._refuse, agentdb._refuse_history, agentdb._canonical_key, agentdb._target_of,
  agentdb._codeless_type,
  agentdb._gap_text, agentdb._unrecorded, agentdb._past, agentdb._past_sql,
  agentdb._check_past, agentdb._check_erased, agentdb._may_be_erased,
  agentdb._erased_since, agentdb._is_pseudonym, agentdb._how_many, agentdb._utc,
  agentdb._gaps, agentdb._record_missed, agentdb._in_place_now,
  agentdb._past_members, agentdb._children_of, agentdb._types_of,
  agentdb._shape_now, agentdb._shape_at, agentdb._columns_between,
  agentdb._column_names,
  agentdb._since_sql, agentdb._former_key_sql, agentdb._name_periods,
  agentdb._renamed, agentdb._named_then,
  agentdb._past_moment, agentdb._unseen_sql, agentdb._mark_named, agentdb._is_within,
  agentdb._epoch_now,
  agentdb._doubt_sql, agentdb._open_sql, agentdb._read_at,
  agentdb._recorded_names, agentdb._whole,
  agentdb._shape_difference, agentdb._rewind, agentdb._fits, agentdb._refuse_row,
  agentdb._equal_sql, agentdb._same_key_sql,
  agentdb._former_keys, agentdb._history_sql, agentdb._approved_by, agentdb._policies,
  agentdb._visible_sql,
  agentdb._key_sql, agentdb._row_sql,
  agentdb._value_sql, agentdb._object_sql, agentdb._layout, agentdb._calls_of,
  agentdb._hostile_part, agentdb._owners_of, agentdb._made_of, agentdb._attached,
  agentdb._read_with, agentdb._lasted, agentdb._diagnosis_text
  to agentdb_auditor, agentdb_operator;

-- For good, so operators alone.
grant execute on function agentdb.erase_subject to agentdb_operator;

grant execute on function agentdb.changed_since to agentdb_auditor, agentdb_operator;

-- What an agent asks, a person answers.
grant execute on function agentdb.answer_question
  to agentdb_operator, agentdb_reviewer;
grant select on agentdb.open_question to agentdb_reviewer;
-- Operators: the runner and people on call.
grant execute on function
  agentdb.register_agent, agentdb._register_agent, agentdb._watch_connection,
  agentdb._role_setting, agentdb.maintain, agentdb.maintain_tables, agentdb._maintain,
  agentdb._maintain_tables, agentdb._repair_tables, agentdb._is_agent, agentdb.roll_up,
  agentdb.close_gone_runs, agentdb.mark, agentdb.note_moment,
  agentdb.refresh_normal, agentdb.unset_schedule, agentdb.set_due,
  agentdb.claim_rule, agentdb.next_evaluation_ms, agentdb.ingest, agentdb.fail_rule,
  agentdb.flush, agentdb.claim_notification, agentdb.mark_sent, agentdb.mark_failed,
  agentdb.set_route, agentdb.unset_route, agentdb.set_quiet_hours,
  agentdb.unset_quiet_hours, agentdb.set_digest, agentdb.unset_digest,
  agentdb.check_in, agentdb.adopt,
  agentdb.set_inhibition, agentdb.unset_inhibition,
  agentdb.silence_alerts, agentdb.end_silence,
  agentdb.acknowledge_alert, agentdb.unacknowledge_alert,
  agentdb.acknowledge_group, agentdb.unacknowledge_group,
  agentdb.resolve_alert, agentdb.resolve_group,
  agentdb.retry_notification, agentdb.drop_notification, agentdb.test_receiver,
  agentdb.beat, agentdb.retire_runner,
  agentdb.kill_run, agentdb.kill_agent, agentdb.kill_all,
  agentdb.pause_agent, agentdb.resume_agent, agentdb.drain_run, agentdb.drain_agent,
  agentdb.drain_stopped, agentdb.left_after_kill,
  agentdb.end_sessions, agentdb._sessions_of, agentdb.reap_transactions,
  agentdb._note_reaped,
  agentdb.force_release_lock,
  agentdb.verify_rows, agentdb.take_claim, agentdb.give_verdict,
  agentdb.look_for_message, agentdb._check_relation,
  agentdb.register_message_channel,
  agentdb.set_os_user, agentdb.declare_path,
  agentdb.register_tool, agentdb.register_tools, agentdb.rename_tool,
  agentdb.take_unchecked_calls, agentdb.note_faults,
  agentdb.take_failed_calls, agentdb.note_diagnosis
  to agentdb_operator;

-- What takes in what emitters tell names the agent of each event: nobody else may.
grant execute on function
  agentdb.record_events, agentdb.judge_call, agentdb.agent_of_intake,
  agentdb.agent_of_os_user, agentdb.note_problem
  to agentdb_intake;
grant execute on function
  agentdb.register_intake_agent, agentdb.make_intake_token,
  agentdb.revoke_intake_token, agentdb.import_events
  to agentdb_operator;

-- Who may log in lets itself in to the page; what agentdb serve does there for people
-- is judged by their rights, and nobody else may call it.
grant execute on function agentdb.make_web_link
  to agentdb_auditor, agentdb_operator, agentdb_reviewer;
grant execute on function agentdb.map_person, agentdb.unmap_person
  to agentdb_auditor, agentdb_operator, agentdb_reviewer;
grant execute on function
  agentdb.redeem_web_link, agentdb.rights_of_person, agentdb.note_refusal,
  agentdb.acknowledge_alert_for, agentdb.unacknowledge_alert_for,
  agentdb.acknowledge_group_for, agentdb.unacknowledge_group_for,
  agentdb.resolve_alert_for, agentdb.resolve_group_for,
  agentdb.silence_alerts_for, agentdb.end_silence_for,
  agentdb.retry_notification_for, agentdb.drop_notification_for,
  agentdb.answer_question_for, agentdb.force_release_lock_for,
  agentdb.kill_run_for, agentdb.kill_agent_for,
  agentdb.pause_agent_for, agentdb.resume_agent_for,
  agentdb.drain_run_for, agentdb.drain_agent_for, agentdb.left_after_kill_for,
  agentdb.end_sessions_for, agentdb._sessions_for,
  agentdb.approve_change_for, agentdb.reject_change_for, agentdb.apply_change_for,
  agentdb.undo_run_for
  to agentdb_web;

-- A table's owner fences it, with its own rights.
grant execute on function
  agentdb.fence_table, agentdb.unfence_table, agentdb._fence_target, agentdb._add_fence,
  agentdb._note_fence,
  agentdb._check_fence, agentdb._is_clean_name, agentdb._clean_text, agentdb._refuse
  to agentdb_operator;

-- And suspends what protects it.
grant execute on function
  agentdb.suspend, agentdb.unsuspend, agentdb._suspend, agentdb._unsuspend,
  agentdb._suspension_target
  to agentdb_operator;

-- The capture functions: they insert into the log and read how a table is laid out.
grant insert on agentdb.audit_log to agentdb_capture;
grant usage on sequence agentdb.audit_statement_seq to agentdb_capture;
grant select on sequence agentdb.suspension_seq to agentdb_capture;
grant execute on function
  agentdb._layout, agentdb._layout_now, agentdb._writer, agentdb._check_blast,
  agentdb._check_overtaken, agentdb._check_truncate, agentdb._capture_sql,
  agentdb._truncate_sql, agentdb._is_suspended, agentdb._pass_suspended,
  agentdb._follow_restored, agentdb._is_elsewhere, agentdb._is_trial,
  agentdb._output_settings, agentdb._pin_output
  to agentdb_capture;

-- A table's owner has it audited, with its own rights.
grant execute on function
  agentdb.audit_table, agentdb.unaudit_table, agentdb._register_audit,
  agentdb._end_audit, agentdb._drop_triggers, agentdb._create_triggers,
  agentdb._create_blast_triggers, agentdb._grant_usage, agentdb._look_at_table
  to agentdb_operator;

-- What a person configures is rows.
grant insert, update, delete
  on agentdb.policy, agentdb.receiver, agentdb.budget_override, agentdb.tool,
    agentdb.agent_tool, agentdb.message_channel
  to agentdb_operator;
grant update (policy_name) on agentdb.agent to agentdb_operator;
grant insert (agent_id, cron, time_zone, tick_interval, grace, no_progress_after),
  update (cron, time_zone, tick_interval, grace, no_progress_after), delete
  on agentdb.schedule to agentdb_operator;
grant insert, delete, update (description, view_name, evidence_query, remedy, ends_when,
  ends_with_run, group_by, severity, health, action,
  enabled,
  evaluate_every, fire_after, keep_firing, max_alerts, timeout)
  on agentdb.alert_rule to agentdb_operator;
