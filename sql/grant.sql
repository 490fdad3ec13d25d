-- Grants: what each group may do, in one place.  PUBLIC may do nothing.

revoke all on all functions in schema agentdb from public;
revoke all on all tables in schema agentdb from public;
revoke all on schema agentdb from public;

grant usage on schema agentdb
  to agentdb_agent, agentdb_reviewer, agentdb_auditor, agentdb_operator,
    agentdb_capture, agentdb_applier;

-- Agents: functions only, no table and no view.
grant execute on function
  agentdb.start_run, agentdb.bind_run, agentdb.end_run,
  agentdb.log_progress, agentdb.log_progress_many,
  agentdb.log_tool_call, agentdb.log_tool_call_many,
  agentdb.begin_tool_call, agentdb.end_tool_call,
  agentdb.log_tokens, agentdb.log_tokens_many
  to agentdb_agent;

-- Auditors and operators read everything but the hashes of secrets.
grant select on all tables in schema agentdb to agentdb_auditor, agentdb_operator;
revoke all on agentdb.agent_secret, agentdb.run_token from agentdb_auditor, agentdb_operator;

-- A view calls functions with the rights of whoever reads it.
grant execute on function
  agentdb._span, agentdb._horizon, agentdb._recent_run, agentdb._tokens_of_run, agentdb._last_progress,
  agentdb._token_baseline, agentdb._token_use, agentdb._conversation_use,
  agentdb.rule_token_rate, agentdb.rule_conversation_budget,
  agentdb.rule_repeated_tool_call, agentdb.rule_tool_errors, agentdb.rule_hung_tool_call,
  agentdb.rule_no_progress, agentdb.rule_missed_tick, agentdb.rule_long_tick,
  agentdb.timeline, agentdb.evidence_query
  to agentdb_auditor, agentdb_operator;

-- Operators: the runner and people on call.
grant execute on function
  agentdb.register_agent, agentdb.maintain, agentdb.roll_up,
  agentdb.claim_rule, agentdb.next_evaluation_ms, agentdb.ingest, agentdb.fail_rule,
  agentdb.flush, agentdb.claim_notification, agentdb.mark_sent, agentdb.mark_failed,
  agentdb.beat, agentdb.retire_runner
  to agentdb_operator;

-- What a person configures is rows.
grant insert, update, delete on agentdb.policy, agentdb.receiver to agentdb_operator;
grant insert, delete, update (description, view_name, evidence_query, severity, enabled,
  evaluate_every, fire_after, keep_firing, max_alerts, timeout)
  on agentdb.alert_rule to agentdb_operator;
