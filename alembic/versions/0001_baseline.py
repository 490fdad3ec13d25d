"""The tables of the first release, in the order of the concepts."""

from alembic import op

from agentdb import schema

revision = "0001"
down_revision = None

TABLES = """
create table agentdb.policy (
  policy_name text not null,
  description text not null,
  max_open_runs integer not null default 20,
  abandon_after interval not null default '1 day',
  token_rate_per_hour bigint not null default 1000000,
  token_rate_factor double precision not null default 3,
  token_rate_window interval not null default '30 minutes',
  token_rate_baseline interval not null default '7 days',
  token_rate_min_history interval not null default '1 day',
  token_rate_floor bigint not null default 10000,
  no_progress_after interval not null default '15 minutes',
  repeated_tool_call_count integer not null default 5,
  repeated_tool_call_window interval not null default '10 minutes',
  tool_errors_count integer not null default 3,
  tool_errors_share double precision not null default 0.5,
  tool_errors_window interval not null default '10 minutes',
  conversation_budget_tokens bigint not null default 500000,
  conversation_budget_cost double precision,
  run_budget_tokens bigint,
  run_budget_cost double precision,
  agent_day_budget_tokens bigint,
  agent_day_budget_cost double precision,
  budget_low_share double precision not null default 0.8,
  reservation_ttl interval not null default '10 minutes',
  context_jump_factor double precision not null default 3,
  context_jump_floor bigint not null default 20000,
  context_jump_window interval not null default '10 minutes',
  large_tool_result_size bigint not null default 100000,
  large_tool_result_window interval not null default '10 minutes',
  hung_tool_call_after interval not null default '5 minutes',
  missed_tick_grace interval not null default '1 minute',
  long_tick_after interval not null default '15 minutes',
  max_hold interval not null default '4 hours',
  max_transaction interval not null default '15 minutes',
  lock_max_ttl interval not null default '1 hour',
  max_locks integer not null default 100,
  renew_needs_progress boolean not null default false,
  lock_held_too_long_after interval not null default '1 hour',
  lock_contention_count integer not null default 10,
  lock_contention_window interval not null default '10 minutes',
  schedule_blocked_count integer not null default 3,
  unattributed_write_window interval not null default '1 hour',
  blast_radius_rows integer not null default 1000,
  blast_radius_window interval not null default '1 hour',
  max_claims integer not null default 1000,
  verify_within interval not null default '10 minutes',
  claim_window interval not null default '1 hour',
  log_retention interval not null default '30 days',
  audit_retention interval not null default '90 days',
  constraint policy_pkey primary key (policy_name),
  constraint policy_policy_name_check
    check (policy_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  constraint policy_counts_check check (
    max_open_runs between 1 and 10000
    and token_rate_per_hour > 0
    and token_rate_floor >= 0
    and repeated_tool_call_count > 0
    and tool_errors_count > 0
    and conversation_budget_tokens > 0
    and max_locks between 1 and 10000
    and lock_contention_count > 0
    and schedule_blocked_count > 0
  ),
  constraint policy_budgets_check check (
    run_budget_tokens > 0
    and agent_day_budget_tokens > 0
    and conversation_budget_cost > 0
    and conversation_budget_cost <= 1000000000
    and run_budget_cost > 0
    and run_budget_cost <= 1000000000
    and agent_day_budget_cost > 0
    and agent_day_budget_cost <= 1000000000
    and budget_low_share between 0.01 and 1
    and reservation_ttl between '10 seconds' and '1 day'
    and context_jump_factor > 1
    and context_jump_factor < 'infinity'
    and context_jump_floor >= 0
    and context_jump_window between '1 second' and '1 day'
    and large_tool_result_size > 0
    and large_tool_result_window between '1 second' and '1 day'
  ),
  constraint policy_ratios_check check (
    token_rate_factor > 1
    and token_rate_factor < 'infinity'
    and tool_errors_share between 0 and 1
  ),
  constraint policy_windows_check check (
    token_rate_window between '1 minute' and '1 day'
    and token_rate_baseline between '1 day' and '31 days'
    and repeated_tool_call_window between '1 second' and '1 day'
    and tool_errors_window between '1 second' and '1 day'
    and lock_contention_window between '1 minute' and '1 day'
  ),
  constraint policy_delays_check check (
    abandon_after >= '1 minute'
    and token_rate_min_history >= '0'
    and no_progress_after > '0'
    and hung_tool_call_after > '0'
    and missed_tick_grace >= '0'
    and long_tick_after > '0'
    and max_hold between '1 minute' and '30 days'
    and max_transaction between '1 second' and '30 days'
    and lock_max_ttl between '1 second' and '7 days'
    and lock_held_too_long_after > '0'
    and log_retention >= '2 days'
    and audit_retention >= '2 days'
  ),
  constraint policy_audit_check check (
    blast_radius_rows > 0
    and blast_radius_window between '1 second' and '1 day'
    and unattributed_write_window between '1 second' and '1 day'
  ),
  constraint policy_claims_check check (
    max_claims between 1 and 100000
    and verify_within between '1 second' and '1 day'
    and claim_window between '1 second' and '7 days'
  )
);

insert into agentdb.policy (policy_name, description)
values ('default', 'The thresholds of the playbook, taken literally.');

create table agentdb.agent (
  agent_id bigint generated always as identity,
  agent_name text not null,
  role_name name not null,
  pooled boolean not null,
  policy_name text not null,
  os_user text,
  registered_at timestamptz not null default clock_timestamp(),
  registered_by name not null default session_user,
  constraint agent_pkey primary key (agent_id),
  constraint agent_agent_name_key unique (agent_name),
  constraint agent_agent_name_check
    check (agent_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  constraint agent_policy_name_fkey
    foreign key (policy_name) references agentdb.policy on update cascade
);

create index agent_role_name_idx on agentdb.agent (role_name);
create unique index agent_role_name_key on agentdb.agent (role_name) where not pooled;

create table agentdb.agent_path (
  agent_id bigint not null,
  path text not null,
  want text not null,
  declared_at timestamptz not null default clock_timestamp(),
  declared_by name not null default session_user,
  constraint agent_path_pkey primary key (agent_id, path),
  constraint agent_path_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade,
  constraint agent_path_want_check check (want in ('read', 'write'))
);

create table agentdb.agent_secret (
  agent_id bigint not null,
  secret_hash bytea not null,
  constraint agent_secret_pkey primary key (agent_id),
  constraint agent_secret_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade
);

create table agentdb.run (
  run_id bigint generated always as identity,
  agent_id bigint not null,
  role_name name not null,
  pooled boolean not null,
  conversation text not null,
  purpose text,
  tick_interval interval,
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  outcome text,
  summary text,
  held_until_at timestamptz,
  hold_reason text,
  constraint run_pkey primary key (run_id),
  constraint run_agent_id_fkey foreign key (agent_id) references agentdb.agent,
  constraint run_outcome_check
    check (outcome in ('succeeded', 'failed', 'cancelled', 'abandoned', 'killed')),
  constraint run_ended_at_check check ((ended_at is null) = (outcome is null)),
  constraint run_tick_interval_check check (tick_interval > '0')
);

create index run_role_name_idx on agentdb.run (role_name) where ended_at is null;
create index run_agent_id_idx on agentdb.run (agent_id, started_at desc);
create index run_conversation_idx on agentdb.run (agent_id, conversation);
create index run_ended_at_idx on agentdb.run (ended_at);

create table agentdb.run_token (
  token_hash bytea not null,
  run_id bigint not null,
  constraint run_token_pkey primary key (token_hash),
  constraint run_token_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade
);

create index run_token_run_id_idx on agentdb.run_token (run_id);

create table agentdb.run_gate (
  run_id bigint not null,
  constraint run_gate_pkey primary key (run_id),
  constraint run_gate_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade
);

create table agentdb.agent_gate (
  agent_id bigint not null,
  constraint agent_gate_pkey primary key (agent_id),
  constraint agent_gate_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade
);

create table agentdb.run_stop (
  run_id bigint not null,
  kind text not null,
  reason text not null,
  stopped_at timestamptz not null default clock_timestamp(),
  stopped_by name not null default session_user,
  drained_at timestamptz,
  constraint run_stop_pkey primary key (run_id),
  constraint run_stop_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade,
  constraint run_stop_kind_check check (kind in ('paused', 'killed'))
);

create index run_stop_drained_at_idx
  on agentdb.run_stop (run_id) where kind = 'killed' and drained_at is null;

create table agentdb.agent_stop (
  agent_id bigint not null,
  kind text not null,
  reason text not null,
  stopped_at timestamptz not null default clock_timestamp(),
  stopped_by name not null default session_user,
  constraint agent_stop_pkey primary key (agent_id),
  constraint agent_stop_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade,
  constraint agent_stop_kind_check check (kind in ('paused', 'killed'))
);

create sequence agentdb.stop_last_seq minvalue 0 start 0;
create sequence agentdb.stop_former_seq minvalue 0 start 0;

create table agentdb.stop_log (
  stop_log_id bigint generated always as identity,
  recorded_at timestamptz not null default clock_timestamp(),
  agent_id bigint,
  run_id bigint,
  action text not null,
  reason text not null,
  stopped_by name not null default session_user,
  details jsonb,
  constraint stop_log_pkey primary key (stop_log_id, recorded_at)
) partition by range (recorded_at);

create table agentdb.progress_log (
  progress_log_id bigint generated always as identity,
  run_id bigint not null,
  agent_id bigint not null,
  recorded_at timestamptz not null default clock_timestamp(),
  xid xid8 not null default pg_current_xact_id(),
  step text not null,
  details jsonb,
  constraint progress_log_pkey primary key (run_id, progress_log_id, recorded_at)
) partition by range (recorded_at);

create table agentdb.tool_call (
  run_id bigint not null,
  call_id text not null,
  agent_id bigint not null,
  tool text not null,
  args jsonb,
  began_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  constraint tool_call_pkey primary key (run_id, call_id),
  constraint tool_call_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade
);

create index tool_call_run_id_began_at_idx
  on agentdb.tool_call (run_id, began_at) where ended_at is null;

create table agentdb.tool_call_log (
  tool_call_log_id bigint generated always as identity,
  run_id bigint not null,
  agent_id bigint not null,
  recorded_at timestamptz not null default clock_timestamp(),
  xid xid8 not null default pg_current_xact_id(),
  tool text not null,
  args jsonb,
  ok boolean not null,
  error text,
  result_size bigint,
  duration interval,
  call_id text,
  constraint tool_call_log_pkey primary key (run_id, tool_call_log_id, recorded_at),
  constraint tool_call_log_result_size_check check (result_size >= 0)
) partition by range (recorded_at);

create table agentdb.tool_diagnosis (
  run_id bigint not null,
  tool_call_log_id bigint not null,
  diagnosis jsonb not null,
  found_at timestamptz not null default clock_timestamp(),
  constraint tool_diagnosis_pkey primary key (run_id, tool_call_log_id),
  constraint tool_diagnosis_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade
);

create table agentdb.token_log (
  token_log_id bigint generated always as identity,
  run_id bigint not null,
  agent_id bigint not null,
  recorded_at timestamptz not null default clock_timestamp(),
  xid xid8 not null default pg_current_xact_id(),
  input_tokens bigint not null,
  cached_input_tokens bigint not null,
  output_tokens bigint not null,
  reasoning_tokens bigint not null,
  cost numeric(20, 9) not null,
  model text,
  constraint token_log_pkey primary key (run_id, token_log_id, recorded_at),
  constraint token_log_amounts_check check (
    input_tokens between 0 and 1000000000
    and cached_input_tokens between 0 and 1000000000
    and output_tokens between 0 and 1000000000
    and reasoning_tokens between 0 and output_tokens
    and cost between 0 and 1000000000
  )
) partition by range (recorded_at);

create table agentdb.claim (
  claim_id bigint generated always as identity,
  run_id bigint not null,
  agent_id bigint not null,
  kind text not null,
  target text not null,
  expectation jsonb not null,
  claimed_at timestamptz not null default clock_timestamp(),
  due_at timestamptz not null,
  state text not null default 'pending',
  attempt integer not null default 0,
  leased_until timestamptz,
  next_check_at timestamptz not null default clock_timestamp(),
  checked_at timestamptz,
  constraint claim_pkey primary key (claim_id),
  constraint claim_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade,
  constraint claim_kind_check check (kind ~ '^[a-z][a-z0-9_-]{0,30}$'),
  constraint claim_state_check
    check (state in ('pending', 'verified', 'refuted', 'unreachable', 'refused'))
);

create index claim_run_id_idx on agentdb.claim (run_id);
create index claim_next_check_at_idx
  on agentdb.claim (next_check_at) where state = 'pending';
create index claim_checked_at_idx
  on agentdb.claim (checked_at) where state in ('refuted', 'refused');
create index claim_claimed_at_idx
  on agentdb.claim (claimed_at) where state in ('pending', 'unreachable');

create table agentdb.verdict (
  verdict_id bigint generated always as identity,
  claim_id bigint not null,
  verdict text not null,
  evidence jsonb,
  given_at timestamptz not null default clock_timestamp(),
  given_by name not null default session_user,
  constraint verdict_pkey primary key (verdict_id),
  constraint verdict_claim_id_fkey
    foreign key (claim_id) references agentdb.claim on delete cascade,
  constraint verdict_verdict_check
    check (verdict in ('verified', 'refuted', 'unreachable', 'refused'))
);

create index verdict_claim_id_idx on agentdb.verdict (claim_id, verdict_id);

create table agentdb.message_channel (
  channel_name text not null,
  relation_name text not null,
  recipient_column text not null,
  sent_at_column text not null,
  text_column text,
  registered_at timestamptz not null default clock_timestamp(),
  registered_by name not null default session_user,
  constraint message_channel_pkey primary key (channel_name)
);

create table agentdb.audit_target (
  audit_target_id integer generated always as identity,
  table_oid oid not null,
  table_name text not null,
  level text not null,
  excluded text[] not null default '{}',
  redacted text[] not null default '{}',
  excluded_places integer[] not null default '{}',
  redacted_places integer[] not null default '{}',
  refuse_blast boolean not null default false,
  layout text not null,
  audited_at timestamptz not null default clock_timestamp(),
  audited_by name not null default session_user,
  unaudited_at timestamptz,
  constraint audit_target_pkey primary key (audit_target_id),
  constraint audit_target_level_check check (level in ('statement', 'row'))
);

create unique index audit_target_table_oid_key
  on agentdb.audit_target (table_oid) where unaudited_at is null;

create sequence agentdb.audit_statement_seq;

create table agentdb.audit_log (
  audit_log_id bigint generated always as identity,
  recorded_at timestamptz not null default clock_timestamp(),
  transaction_at timestamptz not null default transaction_timestamp(),
  xid xid8 not null default pg_current_xact_id(),
  statement bigint not null,
  audit_target_id integer not null,
  operation text not null,
  row_key jsonb,
  old_values jsonb,
  new_values jsonb,
  session_role text not null,
  agent_id bigint,
  run_id bigint,
  application_name text,
  client_addr inet,
  constraint audit_log_pkey primary key (audit_log_id, recorded_at),
  constraint audit_log_operation_check
    check (operation in ('insert', 'update', 'delete', 'truncate'))
) partition by range (recorded_at);

create index audit_log_row_key_idx
  on agentdb.audit_log (audit_target_id, jsonb_hash_extended(row_key, 0));
create index audit_log_run_id_idx
  on agentdb.audit_log (run_id) where run_id is not null;

create table agentdb.seal (
  seal_id bigint not null,
  day date not null,
  snapshot pg_snapshot not null,
  rows bigint not null,
  digest bytea not null,
  root bytea not null,
  sealed_at timestamptz not null default clock_timestamp(),
  constraint seal_pkey primary key (seal_id, day)
);

create table agentdb.lock (
  lock_name text not null,
  slot integer not null default 0,
  fence bigint not null,
  agent_id bigint,
  run_id bigint,
  acquired_at timestamptz not null default clock_timestamp(),
  renewed_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null default '-infinity',
  hold_until timestamptz not null default 'infinity',
  renewals integer not null default 0,
  depth integer not null default 0,
  outcome text,
  reason text,
  constraint lock_pkey primary key (lock_name, slot)
) with (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_cost_delay = 0
);

create index lock_agent_id_idx on agentdb.lock (agent_id);

create table agentdb.lock_log (
  lock_name text not null,
  slot integer not null,
  fence bigint not null,
  agent_id bigint,
  run_id bigint not null,
  recorded_at timestamptz not null default clock_timestamp(),
  xid xid8 not null default pg_current_xact_id(),
  acquired_at timestamptz not null,
  expires_at timestamptz not null,
  renewals integer not null,
  outcome text not null,
  ended_by name not null,
  reason text,
  constraint lock_log_pkey primary key (lock_name, fence, recorded_at)
) partition by range (recorded_at);

create table agentdb.lock_denial (
  lock_name text not null,
  run_id bigint not null,
  agent_id bigint not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  denials bigint not null default 1,
  constraint lock_denial_pkey primary key (lock_name, run_id, first_at)
) with (fillfactor = 70);

create index lock_denial_first_at_idx on agentdb.lock_denial (first_at);

create table agentdb.lock_waiter (
  lock_name text not null,
  run_id bigint not null,
  agent_id bigint not null,
  since_at timestamptz not null default clock_timestamp(),
  until_at timestamptz not null,
  constraint lock_waiter_pkey primary key (lock_name, run_id)
) with (fillfactor = 70);

create index lock_waiter_run_id_idx on agentdb.lock_waiter (run_id);

create unlogged table agentdb.fenced_write (
  xid xid8 not null default pg_current_xact_id(),
  lock_name text not null,
  fence bigint not null,
  run_id bigint not null,
  constraint fenced_write_pkey primary key (xid, lock_name, fence)
);

create table agentdb.run_activity (
  run_id bigint not null,
  last_progress_at timestamptz,
  last_step text,
  last_tool_call_at timestamptz,
  last_tokens_at timestamptz,
  steps bigint not null default 0,
  tool_calls bigint not null default 0,
  tool_errors bigint not null default 0,
  model_calls bigint not null default 0,
  input_tokens bigint not null default 0,
  cached_input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost numeric not null default 0,
  constraint run_activity_pkey primary key (run_id),
  constraint run_activity_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade
) with (fillfactor = 70);

create table agentdb.token_hour (
  agent_id bigint not null,
  hour_at timestamptz not null,
  input_tokens bigint not null,
  cached_input_tokens bigint not null,
  output_tokens bigint not null,
  cost numeric not null,
  constraint token_hour_pkey primary key (agent_id, hour_at)
) with (fillfactor = 70);

create table agentdb.budget_override (
  agent_id bigint not null,
  scope text not null,
  max_tokens bigint,
  max_cost double precision,
  constraint budget_override_pkey primary key (agent_id, scope),
  constraint budget_override_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade,
  constraint budget_override_scope_check
    check (scope in ('agent_day', 'conversation', 'run')),
  constraint budget_override_max_tokens_check check (max_tokens >= 0),
  constraint budget_override_max_cost_check check (max_cost between 0 and 1000000000)
);

create table agentdb.budget_gate (
  agent_id bigint not null,
  passed bigint not null default 0,
  constraint budget_gate_pkey primary key (agent_id),
  constraint budget_gate_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade
) with (fillfactor = 50);

create table agentdb.token_reservation (
  token_reservation_id bigint generated always as identity,
  run_id bigint not null,
  agent_id bigint not null,
  conversation text not null,
  tokens bigint not null,
  prompt_tokens bigint not null,
  reserved_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  settled_at timestamptz,
  constraint token_reservation_pkey primary key (token_reservation_id),
  constraint token_reservation_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade,
  constraint token_reservation_tokens_check
    check (tokens > 0 and prompt_tokens between 0 and tokens)
);

create index token_reservation_agent_id_idx
  on agentdb.token_reservation (agent_id, expires_at) where settled_at is null;
create index token_reservation_run_id_idx on agentdb.token_reservation (run_id);

create table agentdb.roll_up_state (
  only_row boolean not null default true,
  horizon xid8 not null,
  rolled_at timestamptz not null,
  constraint roll_up_state_pkey primary key (only_row),
  constraint roll_up_state_only_row_check check (only_row)
);

insert into agentdb.roll_up_state (horizon, rolled_at)
values (pg_snapshot_xmin(pg_current_snapshot()), '-infinity');

create table agentdb.alert_rule (
  rule_name text not null,
  description text not null,
  view_name text not null,
  evidence_query text,
  severity text not null default 'warning',
  action text not null default 'notify',
  enabled boolean not null default true,
  evaluate_every interval not null default '15 seconds',
  fire_after interval not null default '0',
  keep_firing interval not null default '0',
  max_alerts integer not null default 1000,
  timeout interval not null default '2 seconds',
  evaluation bigint not null default 0,
  next_evaluation_at timestamptz not null default clock_timestamp(),
  evaluated_at timestamptz,
  evaluation_ms double precision,
  alerts integer,
  truncated boolean not null default false,
  failures integer not null default 0,
  failed_at timestamptz,
  error text,
  constraint alert_rule_pkey primary key (rule_name),
  constraint alert_rule_rule_name_check
    check (rule_name ~ '^[a-z0-9][a-z0-9_]{0,62}$'),
  constraint alert_rule_view_name_check check (cardinality(parse_ident(view_name)) = 2),
  constraint alert_rule_severity_check
    check (severity in ('info', 'warning', 'critical')),
  constraint alert_rule_action_check check (action in ('notify', 'block', 'kill')),
  constraint alert_rule_times_check check (
    evaluate_every between '100 milliseconds' and '1 day'
    and fire_after between '0' and '7 days'
    and keep_firing between '0' and '7 days'
    and timeout between '10 milliseconds' and '5 minutes'
  ),
  constraint alert_rule_max_alerts_check check (max_alerts between 1 and 100000)
) with (fillfactor = 50);

create table agentdb.alert (
  alert_id bigint generated always as identity,
  rule_name text not null,
  fingerprint text not null,
  labels jsonb not null,
  annotations jsonb not null,
  value double precision,
  severity text not null,
  state text not null,
  episode integer not null default 1,
  active_at timestamptz not null,
  firing_at timestamptz,
  seen_at timestamptz not null,
  resolved_at timestamptz,
  flush boolean not null default false,
  constraint alert_pkey primary key (alert_id),
  constraint alert_rule_name_fingerprint_key unique (rule_name, fingerprint),
  constraint alert_rule_name_fkey foreign key (rule_name)
    references agentdb.alert_rule on update cascade on delete cascade,
  constraint alert_severity_check check (severity in ('info', 'warning', 'critical')),
  constraint alert_state_check check (state in ('pending', 'firing', 'resolved'))
) with (fillfactor = 70);

create index alert_flush_idx on agentdb.alert (alert_id) where flush;

create table agentdb.alert_log (
  alert_log_id bigint generated always as identity,
  alert_id bigint not null,
  rule_name text not null,
  recorded_at timestamptz not null default clock_timestamp(),
  from_state text,
  to_state text not null,
  episode integer not null,
  value double precision,
  constraint alert_log_pkey primary key (alert_id, alert_log_id, recorded_at)
) partition by range (recorded_at);

create table agentdb.receiver (
  receiver_name text not null,
  channel text not null,
  target text,
  secret_ref text,
  min_severity text not null default 'info',
  send_resolved boolean not null default true,
  enabled boolean not null default true,
  constraint receiver_pkey primary key (receiver_name),
  constraint receiver_receiver_name_check
    check (receiver_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  constraint receiver_channel_check check (channel in (
    'alertmanager', 'apprise', 'email', 'exec', 'pagerduty', 'stdout', 'webhook'
  )),
  constraint receiver_target_check check (
    -- No password in a URL: a secret is kept by reference only.
    case
      when channel in ('apprise', 'stdout') then target is null
      when channel = 'exec' then target is not null
        and target ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'
      when channel = 'pagerduty' and target is null then true
      when target ~ '^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$' then true
      when channel = 'email' then target is not null
        and target ~ '^smtps?://([^[:space:]/@:?#]+@)?[^[:space:]/@?#]+/?[?][^[:space:]]+$'
      else target is not null
        and target ~ '^https?://[^[:space:]/@?#]+([/?#][^[:space:]]*)?$'
    end
  ),
  constraint receiver_secret_check check (
    secret_ref is not null or channel not in ('apprise', 'pagerduty')
  ),
  constraint receiver_secret_ref_check
    check (secret_ref ~ '^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$'),
  constraint receiver_min_severity_check
    check (min_severity in ('info', 'warning', 'critical'))
);

insert into agentdb.receiver (receiver_name, channel) values ('stdout', 'stdout');

create table agentdb.notification (
  notification_id bigint generated always as identity,
  alert_id bigint not null,
  episode integer not null,
  kind text not null,
  receiver_name text not null,
  idempotency_key uuid not null default gen_random_uuid(),
  payload jsonb not null,
  state text not null default 'queued',
  attempt integer not null default 0,
  max_attempts integer not null default 12,
  visible_at timestamptz not null default clock_timestamp(),
  claimed_by text,
  created_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  status integer,
  error text,
  constraint notification_pkey primary key (notification_id),
  constraint notification_alert_id_episode_kind_receiver_name_key
    unique (alert_id, episode, kind, receiver_name),
  constraint notification_alert_id_fkey
    foreign key (alert_id) references agentdb.alert on delete cascade,
  constraint notification_receiver_name_fkey foreign key (receiver_name)
    references agentdb.receiver on update cascade on delete cascade,
  constraint notification_kind_check check (kind in ('firing', 'resolved')),
  constraint notification_state_check check (state in ('queued', 'sent', 'dead'))
) with (fillfactor = 70);

create index notification_visible_at_idx
  on agentdb.notification (visible_at) where state = 'queued';

create table agentdb.runner (
  runner_name text not null,
  host text not null,
  pid integer not null,
  version text not null,
  started_at timestamptz not null default clock_timestamp(),
  evaluated_at timestamptz,
  flushed_at timestamptz,
  sent_at timestamptz,
  listened_at timestamptz,
  constraint runner_pkey primary key (runner_name)
) with (fillfactor = 50);
"""

COMMENTS = """
comment on table agentdb.policy is
  'Named thresholds; each agent has one, and every number a rule compares with is a '
  'column here.';
comment on column agentdb.policy.max_open_runs is
  'How many runs an agent may have open at once; more are refused.';
comment on column agentdb.policy.abandon_after is
  'A run that logs nothing for this long is ended as abandoned.';
comment on column agentdb.policy.token_rate_per_hour is
  'Rule token_rate: tokens (input, cached input and output) an agent may use in an '
  'hour.';
comment on column agentdb.policy.token_rate_factor is
  'Rule token_rate: how many times its average window an agent may use in a window.';
comment on column agentdb.policy.token_rate_window is
  'Rule token_rate: the window that is compared with the average.';
comment on column agentdb.policy.token_rate_baseline is
  'Rule token_rate: how far back the average looks.';
comment on column agentdb.policy.token_rate_min_history is
  'Rule token_rate: how old an agent''s first tokens must be before it has an average.';
comment on column agentdb.policy.token_rate_floor is
  'Rule token_rate: windows below this many tokens are never an anomaly.';
comment on column agentdb.policy.no_progress_after is
  'Rule no_progress: how long an open run may reach no step.';
comment on column agentdb.policy.repeated_tool_call_count is
  'Rule repeated_tool_call: how many calls of one tool a run may make in the window.';
comment on column agentdb.policy.repeated_tool_call_window is
  'Rule repeated_tool_call: the window.';
comment on column agentdb.policy.tool_errors_count is
  'Rule tool_errors: from how many failed calls of a tool in the window on.';
comment on column agentdb.policy.tool_errors_share is
  'Rule tool_errors: from which share of failed calls on, 0 to 1.';
comment on column agentdb.policy.tool_errors_window is
  'Rule tool_errors: the window.';
comment on column agentdb.policy.conversation_budget_tokens is
  'Tokens a conversation may use over all its runs; reserve_tokens keeps to it.';
comment on column agentdb.policy.conversation_budget_cost is
  'What a conversation may cost; NULL is no limit.';
comment on column agentdb.policy.run_budget_tokens is
  'Tokens a run may use; NULL is no limit of its own.';
comment on column agentdb.policy.run_budget_cost is
  'What a run may cost; NULL is no limit.';
comment on column agentdb.policy.agent_day_budget_tokens is
  'Tokens an agent may use a UTC day, over all its runs; NULL is no limit.';
comment on column agentdb.policy.agent_day_budget_cost is
  'What an agent may cost a UTC day; NULL is no limit.';
comment on column agentdb.policy.budget_low_share is
  'Rule budget_low: from which share of a budget on a person is told, 0 to 1.';
comment on column agentdb.policy.reservation_ttl is
  'How long a reservation that is never settled is kept from others.';
comment on column agentdb.policy.context_jump_factor is
  'Rule context_jump: how many times the prompt before it a prompt may be.';
comment on column agentdb.policy.context_jump_floor is
  'Rule context_jump: prompts below this many tokens are never a jump.';
comment on column agentdb.policy.context_jump_window is
  'Rule context_jump: how long a jump is told.';
comment on column agentdb.policy.large_tool_result_size is
  'Rule large_tool_result: characters or bytes that one tool result may have.';
comment on column agentdb.policy.large_tool_result_window is
  'Rule large_tool_result: how long a large result is told.';
comment on column agentdb.policy.hung_tool_call_after is
  'Rule hung_tool_call: how long a tool call may be in flight.';
comment on column agentdb.policy.missed_tick_grace is
  'Rule missed_tick: how late a tick may begin.';
comment on column agentdb.policy.long_tick_after is
  'Rule long_tick: how long a run with a tick interval may take.';
comment on column agentdb.policy.unattributed_write_window is
  'Rule unattributed_write: how far back it looks.';
comment on column agentdb.policy.blast_radius_rows is
  'Rule blast_radius: how many audited rows one statement of an agent may change.';
comment on column agentdb.policy.blast_radius_window is
  'Rule blast_radius: how far back it looks.';
comment on column agentdb.policy.max_claims is
  'How many claims a run may make.';
comment on column agentdb.policy.verify_within is
  'Rule unverified_claim: how long a claim may wait; until then an unreachable target '
  'is tried again.';
comment on column agentdb.policy.claim_window is
  'Rules refuted_claim and unverified_claim: how long they tell of a claim.';
comment on column agentdb.policy.audit_retention is
  'How long audit_log is kept; the longest of all policies counts.';
comment on column agentdb.policy.lock_max_ttl is
  'The longest time for which a run may take or renew a lock.';
comment on column agentdb.policy.max_locks is
  'How many locks and slots an agent may hold at once.';
comment on column agentdb.policy.renew_needs_progress is
  'Whether a lock is renewed only after a step that is new in its run.';
comment on column agentdb.policy.lock_held_too_long_after is
  'Rule lock_held_too_long: how long a run may hold a lock, renewals included.';
comment on column agentdb.policy.lock_contention_count is
  'Rule lock_contention: from how many denied attempts at a lock in the window on.';
comment on column agentdb.policy.lock_contention_window is
  'Rule lock_contention: the window.';
comment on column agentdb.policy.schedule_blocked_count is
  'Rule schedule_blocked: from how many runs in a row on that were denied a lock.';
comment on column agentdb.policy.max_hold is
  'How long a run may say that it waits on purpose.';
comment on column agentdb.policy.max_transaction is
  'How old a transaction of an agent may become before its session is ended.';
comment on column agentdb.policy.log_retention is
  'How long log rows are kept; the longest of all policies counts.';

comment on table agentdb.agent is
  'Configured actors, each speaking through a login role.';
comment on column agentdb.agent.os_user is
  'The operating system user that it runs as, where an operator has said so.';
comment on table agentdb.agent_path is
  'Paths that agents need, for agentdb doctor to look at.';
comment on table agentdb.tool_diagnosis is
  'What was found when somebody looked into a failed tool call.';
comment on table agentdb.agent_secret is
  'SHA-256 of the secret of each agent behind a shared role.';
comment on table agentdb.run is
  'One tick or session of an agent; what it says of its outcome is a claim.';
comment on table agentdb.run_token is
  'SHA-256 of the token that binds a transaction to a run.';
comment on table agentdb.run_gate is
  'A row a run that its writers share and a stop waits for; never updated.';
comment on table agentdb.agent_gate is
  'A row an agent that it shares while it writes outside of any run; never updated.';
comment on table agentdb.run_stop is
  'Runs that were stopped: paused until resumed, or killed for good.';
comment on table agentdb.agent_stop is
  'Agents that may start nothing until somebody resumes them.';
comment on table agentdb.stop_log is
  'Who stopped, resumed or held what, and why; append-only, a partition a UTC day.';
comment on table agentdb.progress_log is
  'Steps that agents say they reached; append-only, a partition a UTC day.';
comment on table agentdb.tool_call is
  'Tool calls that have an id: in flight until ended_at, and counted once by the id.';
comment on table agentdb.tool_call_log is
  'Finished tool calls; append-only, a partition a UTC day.';
comment on table agentdb.token_log is
  'Tokens of each model call; append-only, a partition a UTC day.';
comment on table agentdb.claim is
  'What an agent says it has done, put so that somebody else can look.';
comment on table agentdb.verdict is
  'What was seen at each look at a claim.';
comment on table agentdb.message_channel is
  'Tables in which transports record what they sent, for claims of messages.';
comment on table agentdb.audit_target is
  'Each attachment of the audit to a table, from audited_at to unaudited_at.';
comment on column agentdb.audit_target.level is
  'Whether its triggers fire once a statement, which is faster, or once a row.';
comment on column agentdb.audit_target.redacted_places is
  'The same columns by number: a column that is renamed stays redacted.';
comment on column agentdb.audit_target.layout is
  'The columns and the key that its capture function was generated for.';
comment on table agentdb.audit_log is
  'Every audited row that changed, what it was and who changed it; append-only, a '
  'partition a UTC day.';
comment on column agentdb.audit_log.old_values is
  'Only the changed columns of an update; (old_values ->> column)::type gives back '
  'a value exactly.';
comment on table agentdb.seal is
  'Chained hashes of what became visible in audit_log from one seal to the next, a '
  'row a UTC day.';
comment on table agentdb.lock is
  'Locks and slots of semaphores, a row each: who holds it and until when.';
comment on column agentdb.lock.fence is
  'The number of the present or last tenure; it only grows.';
comment on column agentdb.lock.agent_id is
  'Who held it last.';
comment on column agentdb.lock.run_id is
  'The run that holds it; NULL when it is free or cooling.';
comment on column agentdb.lock.hold_until is
  'The end that no renewal goes beyond.';
comment on column agentdb.lock.depth is
  'How many releases it takes, one for each acquisition of the same run.';
comment on column agentdb.lock.outcome is
  'How the tenure began (acquired, taken_over) or ended.';
comment on table agentdb.lock_log is
  'Tenures of locks that have ended, and how; append-only, a partition a UTC day.';
comment on table agentdb.lock_denial is
  'Denied attempts at locks, counted once a second and run, a row a minute.';
comment on table agentdb.lock_waiter is
  'Runs that wait for a lock.';
comment on table agentdb.fenced_write is
  'Transactions that wrote a fenced table and have not committed yet.';
comment on table agentdb.run_activity is
  'What the logs of a run add up to below roll_up_state.horizon.';
comment on table agentdb.token_hour is
  'Tokens of each agent a UTC hour, the history that averages are made of.';
comment on table agentdb.budget_override is
  'Budgets of single agents, in place of their policy''s; NULL is no limit.';
comment on table agentdb.budget_gate is
  'A row an agent that its reservations pass one after another.';
comment on table agentdb.token_reservation is
  'Tokens set aside before a prompt: until settled, or until they expire.';
comment on table agentdb.roll_up_state is
  'The transaction below which run_activity and token_hour have counted everything.';
comment on table agentdb.alert_rule is
  'Rules: a view that has a row for each trouble, how often to ask it and how to '
  'alert.';
comment on column agentdb.alert_rule.view_name is
  'schema.view with columns labels jsonb, value double precision, annotations jsonb.';
comment on column agentdb.alert_rule.evidence_query is
  'Statement that shows the rows behind an alert; :labels and :at stand for its '
  'labels and moment.';
comment on column agentdb.alert_rule.action is
  'What happens when it fires besides telling people: notify (nothing), block (the '
  'agent is paused) or kill (the run, or the agent where no run is named).';
comment on column agentdb.alert_rule.fire_after is
  'How long a row must stay before its alert fires.';
comment on column agentdb.alert_rule.keep_firing is
  'How long an alert fires on after its row is gone.';
comment on column agentdb.alert_rule.max_alerts is
  'How many rows are looked at; past that nothing is resolved.';
comment on column agentdb.alert_rule.evaluation is
  'Counts evaluations; an answer to an older one is dropped.';
comment on table agentdb.alert is
  'One labelled instance of a rule and its life: pending, firing, resolved.';
comment on column agentdb.alert.episode is
  'Counts how often the alert has come back.';
comment on column agentdb.alert.flush is
  'Whether a change has still to be turned into notifications.';
comment on table agentdb.alert_log is
  'Every change of an alert''s state; append-only, a partition a UTC day.';
comment on table agentdb.receiver is
  'Who is told, and through which channel.';
comment on column agentdb.receiver.target is
  'A URL, or env:NAME or file:/path of the runner where it holds a secret; for exec '
  'the name of a program in the runner''s configuration.';
comment on column agentdb.receiver.secret_ref is
  'Where the runner finds the key, password, routing key or URL that is secret: '
  'env:NAME or file:/path.';
comment on table agentdb.notification is
  'The outbox: one message an alert''s change and receiver, until sent or given up.';
comment on column agentdb.notification.visible_at is
  'When it may be claimed: a lease that runs out, or the end of a back-off.';
comment on table agentdb.runner is
  'Runners that have reported, and when each of their loops last succeeded.';
"""

LOGS = (
    "progress_log",
    "tool_call_log",
    "token_log",
    "alert_log",
    "audit_log",
    "lock_log",
    "stop_log",
)

# A row whose day has no partition yet lands in the default one; maintain() moves it.
PARTITIONS = """
create table agentdb.{log}_default partition of agentdb.{log} default;

create index {log}_recorded_at_idx on agentdb.{log}
  using brin (recorded_at) with (pages_per_range = 32, autosummarize = on);
"""

# The part of a log that no roll-up has counted yet is found by transaction.
TAILS = """
create index progress_log_xid_idx on agentdb.progress_log (xid);
create index tool_call_log_xid_idx on agentdb.tool_call_log (xid);
create index token_log_xid_idx on agentdb.token_log (xid);
create index audit_log_xid_idx on agentdb.audit_log (xid);
"""

DROP_PARTITIONS = """
do $$
declare
  v_partition text;
begin
  for v_partition in
    select p.partition_name from agentdb.log_partition as p where not p.is_default
  loop
    execute format('drop table agentdb.%I', v_partition);
  end loop;
end;
$$;
"""

# Only the owner of a table can take our triggers and rights off it: the role that
# uninstalls, not ours.
RELEASE_TABLES = """
reset role;

do $$
declare
  v_trigger record;
  v_grant record;
begin
  for v_trigger in
    select t.tgname, t.tgrelid::regclass as table_name
    from pg_trigger as t
    join pg_proc as p on p.oid = t.tgfoid
    join pg_class as c on c.oid = t.tgrelid
    where p.pronamespace = 'agentdb'::regnamespace
      and c.relnamespace <> 'agentdb'::regnamespace
      and t.tgparentid = 0
  loop
    execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.table_name);
  end loop;
  for v_grant in
    select 'table' as kind, c.oid::regclass::text as name
    from pg_class as c cross join aclexplode(c.relacl) as a
    where a.grantee = 'agentdb_capture'::regrole
      and c.relnamespace <> 'agentdb'::regnamespace
    union
    select 'schema', n.oid::regnamespace::text
    from pg_namespace as n cross join aclexplode(n.nspacl) as a
    where a.grantee = 'agentdb_capture'::regrole and n.nspname <> 'agentdb'
  loop
    execute format(
      'revoke all on %s %s from agentdb_capture', v_grant.kind, v_grant.name);
  end loop;
end;
$$;

set local role agentdb_owner;

do $$
declare
  v_function regprocedure;
begin
  for v_function in
    select p.oid from agentdb.audit_target as t
    join pg_proc as p on p.proname = '_capture_' || t.audit_target_id
    where p.pronamespace = 'agentdb'::regnamespace
  loop
    execute format('drop function %s', v_function);
  end loop;
end;
$$;
"""

DROP_TABLES = """
drop table agentdb.runner;
drop table agentdb.notification;
drop table agentdb.receiver;
drop table agentdb.alert_log;
drop table agentdb.alert;
drop table agentdb.alert_rule;
drop table agentdb.roll_up_state;
drop table agentdb.token_reservation;
drop table agentdb.budget_gate;
drop table agentdb.budget_override;
drop table agentdb.token_hour;
drop table agentdb.run_activity;
drop table agentdb.fenced_write;
drop table agentdb.lock_waiter;
drop table agentdb.lock_denial;
drop table agentdb.lock_log;
drop table agentdb.lock;
drop table agentdb.seal;
drop table agentdb.audit_log;
drop sequence agentdb.audit_statement_seq;
drop table agentdb.audit_target;
drop table agentdb.message_channel;
drop table agentdb.verdict;
drop table agentdb.claim;
drop table agentdb.token_log;
drop table agentdb.tool_diagnosis;
drop table agentdb.tool_call_log;
drop table agentdb.tool_call;
drop table agentdb.progress_log;
drop table agentdb.stop_log;
drop sequence agentdb.stop_former_seq;
drop sequence agentdb.stop_last_seq;
drop table agentdb.agent_stop;
drop table agentdb.run_stop;
drop table agentdb.agent_gate;
drop table agentdb.run_gate;
drop table agentdb.run_token;
drop table agentdb.run;
drop table agentdb.agent_secret;
drop table agentdb.agent_path;
drop table agentdb.agent;
drop table agentdb.policy;
"""


def upgrade() -> None:
    context = op.get_context()
    schema.emit(context, TABLES)
    schema.emit(context, COMMENTS)
    for log in LOGS:
        schema.emit(context, PARTITIONS.format(log=log))
    schema.emit(context, TAILS)


def downgrade() -> None:
    context = op.get_context()
    schema.emit(context, RELEASE_TABLES)
    schema.emit(context, DROP_PARTITIONS)
    schema.emit(context, schema.drop_code(revision))
    schema.emit(context, DROP_TABLES)
