"""The tables of the first release, in the order of the concepts."""

from alembic import op

from agentdb.schema import code as schema

revision = "0001"
down_revision = None

TABLES = """
create table agentdb.policy (
  policy_name text not null,
  description text not null,
  max_open_runs integer not null default 20,
  abandon_after interval not null default '1 day',
  run_silence interval not null default '10 minutes',
  kill_forbids_restart boolean not null default false,
  unbound_writes text not null default 'refuse',
  cached_input_weight double precision not null default 0.1,
  output_weight double precision not null default 4,
  token_rate_margin double precision not null default 1.3,
  token_rate_per_hour bigint default 4000000,
  token_rate_quantile double precision default 0.99,
  token_rate_margin_few double precision not null default 2,
  token_rate_floor bigint not null default 150000,
  token_rate_warm_up_days integer not null default 5,
  token_rate_warm_up_cap bigint not null default 3000000,
  token_rate_unusual_hour bigint default 100000,
  token_rate_regular_hours integer not null default 12,
  token_rate_clear double precision not null default 0.8,
  token_rate_factor double precision,
  token_rate_window interval not null default '30 minutes',
  token_rate_baseline interval not null default '14 days',
  token_rate_min_history interval not null default '1 day',
  no_progress_after interval not null default '15 minutes',
  max_long_call interval not null default '4 hours',
  max_rate_limited interval not null default '1 hour',
  silent_loop_same integer not null default 5,
  silent_loop_same_critical integer not null default 8,
  silent_loop_window interval default '2 hours',
  silent_loop_calls integer not null default 200,
  silent_loop_poll integer not null default 15,
  silent_loop_poll_critical integer not null default 30,
  silent_loop_failures integer not null default 5,
  silent_loop_failures_critical integer not null default 8,
  silent_loop_results integer not null default 6,
  silent_loop_result_size integer not null default 200,
  silent_loop_cosmetic integer not null default 30,
  silent_loop_laps integer not null default 3,
  silent_loop_diversity_calls integer not null default 10,
  silent_loop_diversity double precision not null default 0.34,
  silent_loop_model_calls integer not null default 20,
  repeated_tool_call_count integer,
  repeated_tool_call_window interval not null default '10 minutes',
  call_flood_count integer default 2000,
  call_flood_window interval not null default '10 minutes',
  tool_errors_count integer not null default 5,
  tool_errors_share double precision not null default 0.5,
  tool_errors_sigma double precision default 3,
  tool_errors_window interval not null default '10 minutes',
  tool_errors_baseline interval not null default '14 days',
  tool_outage_agents integer default 3,
  conversation_budget_tokens bigint not null default 500000,
  conversation_budget_cost double precision,
  run_budget_tokens bigint,
  run_budget_cost double precision,
  tree_budget_tokens bigint,
  tree_budget_cost double precision,
  agent_day_budget_tokens bigint default 100000000,
  agent_day_budget_cost double precision,
  budget_notice_share double precision default 0.5,
  budget_low_share double precision not null default 0.8,
  budget_nearly_spent_share double precision not null default 0.95,
  spawn_storm_runs integer default 15,
  spawn_storm_window interval not null default '10 minutes',
  reservation_ttl interval not null default '10 minutes',
  context_jump_factor double precision not null default 3,
  context_jump_tokens bigint default 6000,
  context_jump_growth double precision not null default 1.25,
  context_jump_floor bigint not null default 20000,
  context_jump_window interval not null default '10 minutes',
  large_tool_result_size bigint not null default 100000,
  large_tool_result_window interval not null default '10 minutes',
  hung_tool_call_after interval not null default '5 minutes',
  missed_tick_grace interval not null default '1 minute',
  long_tick_after interval not null default '15 minutes',
  long_tick_spreads double precision default 6,
  slow_drift_share double precision default 0.05,
  crashed_run_window interval not null default '15 minutes',
  max_hold interval not null default '4 hours',
  max_questions integer not null default 5,
  max_questions_day integer not null default 50,
  unanswered_question_after interval not null default '30 minutes',
  max_question_wait interval not null default '4 hours',
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
  wide_run_rows integer default 10000,
  blast_radius_window_rows integer default 100000,
  refusal_window interval not null default '10 minutes',
  refused_write_count integer not null default 5,
  lock_taken_over_window interval not null default '1 hour',
  access_denied_count integer not null default 2,
  access_denied_window interval not null default '15 minutes',
  budget_refused_window interval not null default '15 minutes',
  destructive_calls_count integer default 20,
  destructive_calls_factor double precision not null default 3,
  destructive_calls_window interval not null default '1 hour',
  max_pending_changes integer not null default 100,
  max_change_rows integer not null default 10000,
  change_binding text not null default 'strict',
  change_waiting_after interval not null default '1 hour',
  change_expiring_before interval not null default '2 hours',
  change_conflict_window interval not null default '1 day',
  tool_diff_window interval not null default '10 minutes',
  unknown_tool_critical integer not null default 3,
  unknown_tool_window interval not null default '1 hour',
  max_claims integer not null default 1000,
  verify_within interval not null default '10 minutes',
  claim_window interval not null default '1 hour',
  intake_silence interval not null default '1 hour',
  expects_hooks boolean,
  unhooked_after interval not null default '10 minutes',
  unproven_activity_count integer default 100,
  unproven_activity_window interval not null default '1 hour',
  denied_tools text[] not null default '{}',
  deny_unknown_tools boolean not null default false,
  max_events_per_day bigint default 200000,
  max_event_bytes_per_day bigint default 1073741824,
  events_wait_for_disk boolean not null default true,
  log_retention interval not null default '30 days',
  audit_retention interval not null default '90 days',
  constraint policy_pkey primary key (policy_name),
  constraint policy_policy_name_check
    check (policy_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  constraint policy_counts_check check (
    max_open_runs >= 1 and max_open_runs <= 10000
    and token_rate_per_hour > 0
    and token_rate_floor >= 0
    and token_rate_warm_up_days between 0 and 31
    and token_rate_warm_up_cap > 0
    and token_rate_unusual_hour > 0
    and token_rate_regular_hours between 0 and 24
    and repeated_tool_call_count > 0
    and call_flood_count > 0
    and tool_errors_count > 0
    and tool_outage_agents > 1
    and conversation_budget_tokens > 0
    and max_locks between 1 and 10000
    and max_questions between 0 and 1000
    and max_questions_day between 0 and 10000
    and lock_contention_count > 0
    and schedule_blocked_count > 0
    and max_events_per_day > 0
    and max_event_bytes_per_day > 0
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
    and tree_budget_tokens > 0
    and tree_budget_cost > 0
    and tree_budget_cost <= 1000000000
    and budget_notice_share between 0.01 and 1
    and budget_low_share between 0.01 and 1
    and budget_nearly_spent_share between 0.01 and 1
    and spawn_storm_runs > 0
    and spawn_storm_window between '1 second' and '1 day'
    and reservation_ttl between '10 seconds' and '1 day'
    and context_jump_factor > 1
    and context_jump_factor < 'infinity'
    and context_jump_tokens > 0
    and context_jump_growth > 1
    and context_jump_growth < 'infinity'
    and context_jump_floor >= 0
    and context_jump_window between '1 second' and '1 day'
    and large_tool_result_size > 0
    and large_tool_result_window between '1 second' and '1 day'
  ),
  constraint policy_ratios_check check (
    token_rate_factor > 1
    and token_rate_factor < 'infinity'
    and tool_errors_share between 0 and 1
    and tool_errors_sigma between 0 and 100
    and cached_input_weight between 0 and 1000
    and output_weight between 0 and 1000
    and token_rate_quantile between 0.5 and 1
    and token_rate_margin between 1 and 1000
    and token_rate_margin_few between 1 and 1000
    and token_rate_clear between 0.1 and 1
    and long_tick_spreads between 1 and 1000
    and slow_drift_share between 0.01 and 1
    and silent_loop_diversity between 0 and 1
  ),
  -- The history is kept in half hours: only windows of that length compare with it.
  constraint policy_token_rate_quantile_check check (
    token_rate_quantile is null or token_rate_window = '30 minutes'
  ),
  constraint policy_silent_loop_check check (
    silent_loop_window >= '1 minute' and silent_loop_window <= '1 day'
    and silent_loop_calls between 20 and 10000
    and silent_loop_same between 2 and silent_loop_same_critical
    and silent_loop_poll between 2 and silent_loop_poll_critical
    and silent_loop_failures between 2 and silent_loop_failures_critical
    and silent_loop_results > 1
    and silent_loop_result_size > 0
    and silent_loop_cosmetic > 1
    and silent_loop_laps between 2 and 20
    and silent_loop_diversity_calls > 1
    and silent_loop_model_calls > 1
  ),
  constraint policy_windows_check check (
    token_rate_window >= '1 minute' and token_rate_window <= '1 day'
    and token_rate_baseline between '1 day' and '31 days'
    and tool_errors_baseline between '1 day' and '31 days'
    and repeated_tool_call_window between '1 second' and '1 day'
    and call_flood_window between '1 second' and '1 day'
    and tool_errors_window between '1 second' and '1 day'
    and lock_contention_window between '1 minute' and '1 day'
  ),
  -- A moment minus ten thousand years is none, and would break the rule for everybody.
  constraint policy_delays_check check (
    abandon_after >= '1 minute' and abandon_after <= '100 years'
    and run_silence between '1 second' and '1 day'
    and token_rate_min_history between '0' and '100 years'
    and no_progress_after > '0'
    and no_progress_after <= '100 years'
    and max_long_call between '0' and '100 years'
    and max_rate_limited between '0' and '7 days'
    and hung_tool_call_after > '0'
    and hung_tool_call_after <= '100 years'
    and missed_tick_grace between '0' and '100 years'
    and long_tick_after > '0'
    and long_tick_after <= '100 years'
    and crashed_run_window between '1 second' and '1 day'
    and max_hold between '1 minute' and '30 days'
    and unanswered_question_after between '1 minute' and '30 days'
    and max_question_wait between '0' and '30 days'
    and max_transaction between '1 second' and '30 days'
    and lock_max_ttl between '1 second' and '7 days'
    and lock_held_too_long_after > '0'
    and lock_held_too_long_after <= '100 years'
    and log_retention between '2 days' and '100 years'
    and audit_retention between '2 days' and '100 years'
  ),
  constraint policy_unbound_writes_check
    check (unbound_writes in ('refuse', 'record')),
  constraint policy_change_binding_check
    check (change_binding in ('strict', 'columns')),
  constraint policy_change_check check (
    max_pending_changes >= 1 and max_pending_changes <= 10000
    and max_change_rows between 1 and 1000000
    and change_waiting_after > '0'
    and change_waiting_after <= '100 years'
    and change_expiring_before between '0' and '100 years'
    and change_conflict_window between '1 second' and '31 days'
  ),
  constraint policy_audit_check check (
    blast_radius_rows > 0
    and blast_radius_window between '1 second' and '1 day'
    and wide_run_rows > 0
    and blast_radius_window_rows > 0
    and blast_radius_window_rows >= wide_run_rows
    and unattributed_write_window between '1 second' and '1 day'
  ),
  constraint policy_signs_check check (
    refusal_window >= '1 minute' and refusal_window <= '1 day'
    and refused_write_count > 0
    and lock_taken_over_window between '1 minute' and '1 day'
    and access_denied_count > 0
    and access_denied_window between '1 minute' and '1 day'
    and budget_refused_window between '1 minute' and '1 day'
    and destructive_calls_count > 0
    and destructive_calls_factor >= 1
    and destructive_calls_factor < 'infinity'
    and destructive_calls_window between '1 minute' and '1 day'
  ),
  constraint policy_claims_check check (
    max_claims >= 1 and max_claims <= 100000
    and verify_within between '1 second' and '1 day'
    and claim_window between '1 second' and '7 days'
    and tool_diff_window between '10 seconds' and '1 day'
    and unknown_tool_critical > 0
    and unknown_tool_window between '1 second' and '7 days'
  ),
  constraint policy_intake_check check (
    intake_silence >= '1 minute'
    and intake_silence <= '30 days'
    and unhooked_after between '1 second' and '1 day'
    and unproven_activity_count > 0
    and unproven_activity_window between '1 minute' and '1 day'
    and cardinality(denied_tools) <= 1000
    and array_position(denied_tools, null) is null
  )
);

insert into agentdb.policy (policy_name, description)
values ('default', 'Thresholds measured on recorded and simulated agents.');

insert into agentdb.policy (
  policy_name, description, cached_input_weight, output_weight, token_rate_per_hour,
  token_rate_quantile, token_rate_floor, token_rate_unusual_hour, token_rate_factor,
  token_rate_baseline, silent_loop_window, repeated_tool_call_count,
  tool_errors_count, tool_errors_sigma, context_jump_tokens
)
values (
  'playbook', 'The thresholds of the playbook, taken literally: they page more.',
  1, 1, null, null, 10000, null, 3, '7 days', null, 5, 3, null, null
);

create table agentdb.agent (
  agent_id bigint generated always as identity,
  agent_name text not null,
  role_name name not null,
  pooled boolean not null,
  policy_name text not null,
  os_user text,
  imported boolean not null default false,
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
  on_behalf_of text,
  tick_interval interval,
  tick_max interval,
  started_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  outcome text,
  summary text,
  end_reason text,
  released jsonb,
  held_until_at timestamptz,
  hold_reason text,
  instance text,
  parent_run_id bigint,
  root_run_id bigint,
  token_hash bytea,
  pid integer,
  alone boolean not null default false,
  opened_by text,
  stop_seen bigint,
  label text not null,
  lock_max_ttl interval not null,
  renew_needs_progress boolean not null,
  advice text,
  unstored_until timestamptz,
  constraint run_pkey primary key (run_id),
  constraint run_agent_id_fkey foreign key (agent_id) references agentdb.agent,
  constraint run_outcome_check check (outcome in ('succeeded', 'failed', 'cancelled',
    'abandoned', 'crashed', 'replaced', 'killed')),
  constraint run_ended_at_check check ((ended_at is null) = (outcome is null)),
  constraint run_tick_interval_check check (tick_interval > '0'),
  constraint run_parent_run_id_fkey
    foreign key (parent_run_id) references agentdb.run on delete set null
);

create table agentdb.schedule (
  agent_id bigint not null,
  cron text,
  time_zone text not null default 'UTC',
  tick_interval interval,
  grace interval,
  no_progress_after interval,
  due_at timestamptz,
  met_at timestamptz,
  error text,
  constraint schedule_pkey primary key (agent_id),
  constraint schedule_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade,
  constraint schedule_cron_check check (
    cron ~ '^[-0-9A-Za-z*/,#? ]{1,200}$'
    and (cron is null or tick_interval is null)
  ),
  constraint schedule_time_zone_check check (time_zone ~ '^[A-Za-z0-9_+/-]{1,64}$'),
  constraint schedule_times_check check (
    tick_interval > '0'
    and tick_interval <= '100 years'
    and grace between '0' and '100 years'
    and no_progress_after > '0'
    and no_progress_after <= '100 years'
  )
);

create index run_role_name_idx
  on agentdb.run (role_name, pooled, run_id) where ended_at is null;
create index run_newest_idx on agentdb.run (role_name, run_id) where not pooled;
create unique index run_instance_key
  on agentdb.run (agent_id, instance) where ended_at is null;
create index run_parent_run_id_idx
  on agentdb.run (parent_run_id) where parent_run_id is not null;
create index run_root_run_id_idx
  on agentdb.run (root_run_id) where root_run_id is not null;
create index run_agent_id_idx on agentdb.run (agent_id, started_at desc);
create index run_conversation_idx on agentdb.run (agent_id, conversation);
create index run_ended_at_idx on agentdb.run (ended_at);
create index run_agent_id_own_idx
  on agentdb.run (agent_id, started_at desc) where opened_by is null;
create index run_agent_id_told_idx
  on agentdb.run (agent_id, started_at desc)
  where opened_by is not null and parent_run_id is null;
create index run_opened_by_idx
  on agentdb.run (agent_id) where ended_at is null and opened_by is not null;
create index run_crashed_idx on agentdb.run (ended_at) where outcome = 'crashed';

create table agentdb.run_token (
  token_hash bytea not null,
  run_id bigint not null,
  constraint run_token_pkey primary key (token_hash),
  constraint run_token_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade
);

create index run_token_run_id_idx on agentdb.run_token (run_id);

create table agentdb.run_session (
  run_id bigint not null,
  pid integer not null,
  backend_started_at timestamptz not null,
  server_started_at timestamptz not null,
  how text not null,
  joined_at timestamptz not null default clock_timestamp(),
  constraint run_session_pkey
    primary key (run_id, pid, backend_started_at, server_started_at),
  constraint run_session_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade,
  constraint run_session_how_check check (how in ('started', 'bound'))
);

create index run_session_pid_idx on agentdb.run_session (pid);

create table agentdb.spawn_token (
  token_hash bytea not null,
  run_id bigint not null,
  drawn_at timestamptz not null default clock_timestamp(),
  used_at timestamptz,
  constraint spawn_token_pkey primary key (token_hash),
  constraint spawn_token_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade
);

create index spawn_token_run_id_idx
  on agentdb.spawn_token (run_id) where used_at is null;

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
  role_name name,
  tree boolean not null default false,
  stopped_at timestamptz not null default clock_timestamp(),
  stopped_by text not null default session_user,
  drained_at timestamptz,
  constraint run_stop_pkey primary key (run_id),
  constraint run_stop_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade,
  constraint run_stop_kind_check check (kind in ('paused', 'killed'))
);

create index run_stop_drained_at_idx
  on agentdb.run_stop (run_id) where kind = 'killed' and drained_at is null;

create index run_stop_role_name_idx
  on agentdb.run_stop (role_name, stopped_at) where kind = 'killed';

create table agentdb.agent_stop (
  agent_id bigint not null,
  kind text not null,
  reason text not null,
  stopped_at timestamptz not null default clock_timestamp(),
  stopped_by text not null default session_user,
  constraint agent_stop_pkey primary key (agent_id),
  constraint agent_stop_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade,
  constraint agent_stop_kind_check check (kind in ('paused', 'killed'))
);

create sequence agentdb.stop_last_seq minvalue 0 start 0;
create sequence agentdb.stop_former_seq minvalue 0 start 0;
create sequence agentdb.stop_number_seq;

create table agentdb.stop_log (
  stop_log_id bigint generated always as identity,
  recorded_at timestamptz not null default clock_timestamp(),
  agent_id bigint,
  run_id bigint,
  action text not null,
  reason text not null,
  stopped_by text not null default session_user,
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
  recorded_by text,
  happened_at timestamptz,
  constraint progress_log_pkey primary key (run_id, progress_log_id, recorded_at)
) partition by range (recorded_at);

create table agentdb.tool (
  tool_name text not null,
  effect boolean not null default false,
  poll boolean not null default false,
  longest interval,
  destructive boolean,
  server text,
  input_schema jsonb,
  writes jsonb,
  registered_at timestamptz not null default clock_timestamp(),
  constraint tool_pkey primary key (tool_name),
  constraint tool_longest_check check (longest > '0' and longest <= '100 years'),
  constraint tool_writes_check check (jsonb_typeof(writes) = 'array')
);

create table agentdb.tool_alias (
  alias text not null,
  tool_name text not null,
  renamed_at timestamptz not null default clock_timestamp(),
  constraint tool_alias_pkey primary key (alias),
  constraint tool_alias_tool_name_fkey foreign key (tool_name)
    references agentdb.tool on update cascade on delete cascade
);

create table agentdb.agent_tool (
  agent_id bigint not null,
  tool_name text not null,
  constraint agent_tool_pkey primary key (agent_id, tool_name),
  constraint agent_tool_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade,
  constraint agent_tool_tool_name_fkey foreign key (tool_name)
    references agentdb.tool on update cascade on delete cascade
);

create table agentdb.tool_call (
  run_id bigint not null,
  call_id text not null,
  agent_id bigint not null,
  tool text not null,
  args jsonb,
  began_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  run_outcome text,
  tool_call_log_id bigint,
  ok boolean,
  known jsonb,
  expected interval,
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
  call_signature bigint,
  shape_signature bigint,
  result_signature bigint,
  recorded_by text,
  happened_at timestamptz,
  constraint tool_call_log_pkey primary key (run_id, tool_call_log_id, recorded_at),
  constraint tool_call_log_result_size_check check (result_size >= 0)
) partition by range (recorded_at);

create table agentdb.tool_fault (
  run_id bigint not null,
  tool_call_log_id bigint not null,
  fault text not null,
  detail text,
  found_at timestamptz not null default clock_timestamp(),
  constraint tool_fault_pkey primary key (run_id, tool_call_log_id, fault),
  constraint tool_fault_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade,
  constraint tool_fault_fault_check
    check (fault in ('unknown', 'invalid_args', 'failed'))
);

create index tool_fault_found_at_idx on agentdb.tool_fault (found_at);

create table agentdb.tool_check_state (
  only_row boolean not null default true,
  checked pg_snapshot not null,
  seen pg_snapshot,
  last_xid xid8,
  last_call bigint,
  constraint tool_check_state_pkey primary key (only_row),
  constraint tool_check_state_only_row_check check (only_row)
);

insert into agentdb.tool_check_state (checked) values (pg_current_snapshot());

create table agentdb.tool_diagnosis (
  run_id bigint not null,
  tool_call_log_id bigint not null,
  diagnosis jsonb not null,
  found_at timestamptz not null default clock_timestamp(),
  constraint tool_diagnosis_pkey primary key (run_id, tool_call_log_id),
  constraint tool_diagnosis_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade
);

create index tool_diagnosis_tool_call_log_id_idx
  on agentdb.tool_diagnosis (tool_call_log_id);

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
  cost numeric(20, 9),
  model text,
  input_cost numeric(20, 9),
  cached_input_cost numeric(20, 9),
  output_cost numeric(20, 9),
  priced_by text,
  recorded_by text,
  happened_at timestamptz,
  untold text[],
  constraint token_log_pkey primary key (run_id, token_log_id, recorded_at),
  -- PostgreSQL reads it anew at each insert: what log_tokens() checks is not repeated.
  constraint token_log_amounts_check check (
    least(input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, cost) >= 0
  )
) partition by range (recorded_at);

create table agentdb.event_key (
  agent_id bigint not null,
  key bytea not null,
  recorded_at timestamptz not null default clock_timestamp(),
  constraint event_key_pkey primary key (agent_id, key)
);

create index event_key_recorded_at_idx on agentdb.event_key
  using brin (recorded_at) with (pages_per_range = 32, autosummarize = on);

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
create index claim_agent_id_idx on agentdb.claim (agent_id, claimed_at);
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
  guard jsonb,
  audited_at timestamptz not null default clock_timestamp(),
  audited_by name not null default session_user,
  unaudited_at timestamptz,
  attached_name text,
  lost boolean not null default false,
  in_place jsonb,
  in_place_at timestamptz,
  constraint audit_target_pkey primary key (audit_target_id),
  constraint audit_target_level_check check (level in ('statement', 'row'))
);

create unique index audit_target_table_oid_key
  on agentdb.audit_target (table_oid) where unaudited_at is null;

create table agentdb.audit_layout (
  audit_layout_id bigint generated always as identity,
  audit_target_id integer not null,
  shape jsonb not null,
  first_at timestamptz not null,
  last_at timestamptz not null default clock_timestamp(),
  constraint audit_layout_pkey primary key (audit_layout_id),
  constraint audit_layout_audit_target_id_fkey
    foreign key (audit_target_id) references agentdb.audit_target
);

create index audit_layout_audit_target_id_idx
  on agentdb.audit_layout (audit_target_id);

create table agentdb.record_fault (
  record_fault_id bigint generated always as identity,
  audit_target_id integer not null,
  fault text not null,
  began_at timestamptz not null,
  noticed_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  constraint record_fault_pkey primary key (record_fault_id),
  constraint record_fault_audit_target_id_fkey
    foreign key (audit_target_id) references agentdb.audit_target
);

create unique index record_fault_audit_target_id_key
  on agentdb.record_fault (audit_target_id) where ended_at is null;

create table agentdb.epoch (
  epoch_id integer generated always as identity,
  system_identifier text not null,
  schema_oid oid not null,
  first_audit_log_id bigint not null,
  began_at timestamptz not null default clock_timestamp(),
  constraint epoch_pkey primary key (epoch_id)
);

create table agentdb.moment (
  moment_id bigint generated always as identity,
  epoch_id integer not null,
  snapshot pg_snapshot not null,
  began_at timestamptz not null default statement_timestamp(),
  taken_at timestamptz not null default clock_timestamp(),
  last_audit_log_id bigint,
  mark text,
  marked_by name,
  constraint moment_pkey primary key (moment_id),
  constraint moment_mark_key unique (mark),
  constraint moment_epoch_id_fkey foreign key (epoch_id) references agentdb.epoch,
  constraint moment_marked_by_check check ((mark is null) = (marked_by is null))
);

create index moment_taken_at_idx on agentdb.moment (taken_at);

create sequence agentdb.audit_statement_seq;

-- No CHECK: PostgreSQL reads it anew for each statement that is recorded.
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
  change_id bigint,
  application_name text,
  client_addr inet,
  salt uuid default gen_random_uuid(),
  constraint audit_log_pkey primary key (audit_log_id, recorded_at)
) partition by range (recorded_at);

create index audit_log_row_key_idx
  on agentdb.audit_log (audit_target_id, jsonb_hash_extended(row_key, 0));
create index audit_log_run_id_idx
  on agentdb.audit_log (run_id) where run_id is not null;
create index audit_log_change_id_idx
  on agentdb.audit_log (change_id) where change_id is not null;

create table agentdb.seal (
  seal_id bigint not null,
  day date not null,
  epoch_id integer not null,
  snapshot pg_snapshot not null,
  rows bigint not null,
  digest bytea not null,
  root bytea not null,
  sealed_at timestamptz not null default clock_timestamp(),
  constraint seal_pkey primary key (seal_id, day),
  constraint seal_epoch_id_fkey foreign key (epoch_id) references agentdb.epoch
);

create table agentdb.removed_day (
  day date not null,
  removed_at timestamptz not null default clock_timestamp(),
  retention interval not null,
  constraint removed_day_pkey primary key (day),
  -- policy.audit_retention is never less.
  constraint removed_day_removed_at_check
    check ((removed_at at time zone 'UTC')::date > day + 2)
);

create table agentdb.erasure (
  erasure_id bigint generated always as identity,
  erased_at timestamptz not null default clock_timestamp(),
  erased_by name not null default session_user,
  reason text not null,
  audit_target_id integer not null,
  pseudonym text not null,
  log_rows bigint not null,
  first_at timestamptz,
  last_at timestamptz,
  inserted boolean,
  removed boolean,
  epoch_id integer not null,
  snapshot pg_snapshot not null,
  places jsonb not null,
  constraint erasure_pkey primary key (erasure_id),
  constraint erasure_pseudonym_key unique (pseudonym),
  constraint erasure_audit_target_id_fkey
    foreign key (audit_target_id) references agentdb.audit_target,
  constraint erasure_epoch_id_fkey foreign key (epoch_id) references agentdb.epoch
);

create table agentdb.erased_leaf (
  audit_log_id bigint not null,
  recorded_at timestamptz not null,
  erasure_id bigint not null,
  leaf bytea not null,
  constraint erased_leaf_pkey primary key (audit_log_id, recorded_at),
  constraint erased_leaf_erasure_id_fkey
    foreign key (erasure_id) references agentdb.erasure
);

create index erased_leaf_erasure_id_idx on agentdb.erased_leaf (erasure_id);

create unlogged table agentdb.erasure_pass (
  xid xid8 not null default pg_current_xact_id(),
  subject jsonb not null,
  constraint erasure_pass_pkey primary key (xid)
);

create table agentdb.guarded_table (
  table_oid oid not null,
  table_name text not null,
  audit_target_id integer not null,
  view_name text not null,
  columns text[],
  context text[] not null,
  approvals integer not null,
  expires interval not null,
  apply text not null,
  validators text[] not null,
  everybody boolean not null,
  auto_approve jsonb,
  reads jsonb,
  layout text not null default '',
  guarded_at timestamptz not null default clock_timestamp(),
  guarded_by name not null default session_user,
  constraint guarded_table_pkey primary key (table_oid),
  constraint guarded_table_audit_target_id_key unique (audit_target_id),
  constraint guarded_table_view_name_key unique (view_name),
  constraint guarded_table_audit_target_id_fkey
    foreign key (audit_target_id) references agentdb.audit_target,
  constraint guarded_table_approvals_check check (approvals between 1 and 10),
  constraint guarded_table_expires_check
    check (expires between '1 second' and '90 days'),
  constraint guarded_table_apply_check check (apply in ('approval', 'runner', 'hand'))
);

create table agentdb.fence_target (
  table_oid oid not null,
  table_name text not null,
  lock_name text not null,
  fenced_at timestamptz not null default clock_timestamp(),
  fenced_by name not null default session_user,
  constraint fence_target_pkey primary key (table_oid)
);

create sequence agentdb.suspension_seq minvalue 0 start 0;

create table agentdb.suspension (
  suspension_id bigint generated always as identity,
  what text not null,
  table_oid oid not null,
  table_name text not null,
  audit_target_id integer,
  lock_name text,
  reason text not null,
  suspended_by name not null default session_user,
  since_at timestamptz not null,
  began_at timestamptz not null,
  began_snapshot pg_snapshot not null default pg_current_snapshot(),
  ends_at timestamptz not null,
  ended_at timestamptz,
  ended_by name,
  end_reason text,
  settle_xid xid8,
  recorded_again_at timestamptz,
  constraint suspension_pkey primary key (suspension_id),
  constraint suspension_what_check check (what in ('audit', 'guard', 'fence')),
  constraint suspension_ends_at_check
    check (ends_at > began_at and ends_at <= began_at + interval '24 hours')
);

create unique index suspension_table_oid_key
  on agentdb.suspension (what, table_oid) where ended_at is null;

create table agentdb.change (
  change_id bigint generated always as identity,
  kind text not null,
  state text not null default 'open',
  automatic boolean not null,
  agent_id bigint,
  run_id bigint,
  proposed_by name not null default session_user,
  reason text not null,
  undoes jsonb,
  xid xid8 not null default pg_current_xact_id(),
  max_rows integer,
  strict boolean not null default true,
  with_rights boolean not null default false,
  row_count integer,
  effects jsonb,
  builds_on bigint[] not null default '{}',
  approvals integer,
  apply text,
  digest text,
  opened_at timestamptz not null default clock_timestamp(),
  submitted_at timestamptz,
  expires_at timestamptz not null,
  closed_at timestamptz,
  applied_by text,
  applied_xid xid8,
  problem jsonb,
  rebased jsonb,
  constraint change_pkey primary key (change_id),
  constraint change_kind_check check (kind in ('stage', 'undo')),
  constraint change_state_check check (state in ('open', 'pending', 'approved',
    'applied', 'rejected', 'withdrawn', 'expired', 'conflict'))
) with (fillfactor = 70);

create index change_proposed_by_idx on agentdb.change (proposed_by, state)
  where state in ('open', 'pending', 'approved');
create index change_expires_at_idx on agentdb.change (expires_at)
  where state in ('open', 'pending', 'approved');
create index change_run_id_idx on agentdb.change (run_id) where run_id is not null;
create index change_closed_at_idx on agentdb.change (closed_at)
  where closed_at is not null;
create index change_conflict_idx on agentdb.change (closed_at)
  where state = 'conflict';

create table agentdb.change_table (
  change_id bigint not null,
  audit_target_id integer not null,
  table_oid oid not null,
  table_name text not null,
  layout text not null,
  columns jsonb not null,
  policies text not null,
  change_fact_id bigint,
  constraint change_table_pkey primary key (change_id, audit_target_id)
);

create table agentdb.change_row (
  change_id bigint not null,
  place integer not null,
  audit_target_id integer not null,
  operation text not null,
  row_key jsonb not null,
  new_values jsonb,
  expected jsonb,
  builds_on bigint,
  net_operation text,
  net_values jsonb,
  seen jsonb,
  after jsonb,
  staged_at timestamptz[] not null default array[clock_timestamp()],
  crossed_by bigint,
  statement bigint,
  shown_key jsonb,
  base_key jsonb,
  constraint change_row_pkey primary key (change_id, place),
  constraint change_row_operation_check
    check (operation in ('insert', 'update', 'delete', 'check'))
);

-- One number: a plan made while the table was empty finds a row by nothing else.
create index change_row_row_key_idx on agentdb.change_row
  (jsonb_hash_extended(coalesce(shown_key, row_key), change_id));
create index change_row_base_key_idx on agentdb.change_row
  (jsonb_hash_extended(coalesce(base_key, row_key), change_id))
  where shown_key is not null or base_key is not null;

create table agentdb.change_read (
  change_id bigint not null,
  place integer not null,
  audit_target_id integer not null,
  row_key jsonb not null,
  seen jsonb,
  constraint change_read_pkey primary key (change_id, place)
);

create index change_read_row_key_idx on agentdb.change_read
  (change_id, audit_target_id, jsonb_hash_extended(row_key, 0));

create table agentdb.change_decision (
  change_id bigint not null,
  reviewer name not null default session_user,
  by_way_of text,
  agent_id bigint,
  run_id bigint,
  decision text not null,
  digest text not null,
  comment text,
  decided_at timestamptz not null default clock_timestamp(),
  constraint change_decision_pkey primary key (change_id, reviewer),
  constraint change_decision_decision_check check (decision in ('approve', 'reject'))
);

create table agentdb.change_pass (
  xid xid8 not null default pg_current_xact_id(),
  change_id bigint not null,
  opens_guard boolean not null default true,
  trial boolean not null default false,
  basis bigint[] not null default '{}',
  constraint change_pass_pkey primary key (xid)
);

create sequence agentdb.change_fact_seq;

-- No key but a number: who keeps the same as another waits for nobody.
create table agentdb.change_fact (
  change_fact_id bigint not null,
  audit_target_id integer not null,
  fingerprint text not null,
  made_at timestamptz not null,
  relations oid[] not null,
  types oid[] not null,
  functions oid[],
  schemas oid[] not null,
  collations oid[] not null,
  roles oid[] not null,
  special boolean not null,
  table_oid oid not null,
  table_name text not null,
  layout text not null,
  columns jsonb not null,
  policies text not null,
  hostile text,
  keyed boolean not null,
  ruled boolean not null,
  triggered boolean not null,
  deferring boolean not null,
  path text[] not null,
  written oid[],
  names text[],
  reached oid[] not null,
  others oid[] not null,
  deep text,
  constraint change_fact_pkey primary key (change_fact_id)
);

create index change_fact_audit_target_id_idx on agentdb.change_fact
  (audit_target_id, change_fact_id);

create table agentdb.change_statement (
  change_statement_id bigint generated always as identity,
  change_fact_id bigint not null,
  form text not null,
  statement text not null,
  parts integer not null,
  function_name name,
  constraint change_statement_pkey primary key (change_statement_id),
  constraint change_statement_change_fact_id_fkey
    foreign key (change_fact_id) references agentdb.change_fact on delete cascade
);

create index change_statement_form_idx on agentdb.change_statement
  (change_fact_id, hashtextextended(form, 0));

create type agentdb.change_manner as (
  statement text,
  parts integer,
  row_count bigint,
  search_path text,
  constraints text,
  ruled boolean,
  compared boolean,
  written oid[],
  names text[],
  closed boolean
);

-- What seldom changes comes first: the log of the server leaves it out of an update.
create table agentdb.lock (
  lock_name text not null,
  slot integer not null default 0,
  release_on_disconnect boolean not null default false,
  role_name name,
  stop_seen bigint,
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
  former_agent_id bigint,
  constraint lock_pkey primary key (lock_name, slot)
) with (
  fillfactor = 50,
  autovacuum_vacuum_scale_factor = 0,
  autovacuum_vacuum_threshold = 2000,
  autovacuum_vacuum_cost_delay = 0
);

create index lock_agent_id_idx on agentdb.lock (agent_id);

-- What the calls return.  A named type costs PostgreSQL half of what a list of OUT
-- parameters does, which it puts together anew at each call.
create type agentdb.acquired_lock as (
  acquired boolean,
  fence bigint,
  expires_at timestamptz,
  ttl_ms bigint,
  holder text,
  outcome text
);

create type agentdb.renewed_lock as (
  renewed boolean,
  expires_at timestamptz,
  ttl_ms bigint,
  outcome text
);

create type agentdb.released_lock as (
  released boolean,
  outcome text,
  held_for interval,
  cooling_until timestamptz,
  waiting bigint
);

create sequence agentdb.lock_wait_seq;

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
  ended_by text not null,
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

create table agentdb.run_blast (
  run_id bigint not null,
  slice_at timestamptz not null,
  pid integer not null,
  changed bigint not null,
  statements bigint not null default 1,
  constraint run_blast_pkey primary key (run_id, slice_at, pid),
  constraint run_blast_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade
) with (fillfactor = 50);

create index run_blast_slice_at_idx on agentdb.run_blast using brin (slice_at);

-- Counters of what is refused are sequences that are made for each agent.
create sequence agentdb.refusal_seq;

create unlogged table agentdb.refusal_count (
  kind text not null,
  slot bigint not null,
  counted bigint not null,
  seen_at timestamptz not null default clock_timestamp(),
  constraint refusal_count_pkey primary key (kind, slot)
) with (fillfactor = 50);

insert into agentdb.refusal_count (kind, slot, counted) values ('all', 0, 0);

create table agentdb.refusal (
  refusal_id bigint generated always as identity,
  kind text not null,
  agent_id bigint,
  role_name name,
  refused bigint not null,
  others text,
  since_at timestamptz not null,
  seen_at timestamptz not null default clock_timestamp(),
  constraint refusal_pkey primary key (refusal_id),
  constraint refusal_kind_check
    check (kind in ('fence', 'approval', 'guard', 'blast', 'stop'))
);

create index refusal_seen_at_idx on agentdb.refusal (seen_at);

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
  evidence_at timestamptz,
  calls_since bigint not null default 0,
  model_calls_since bigint not null default 0,
  input_cost numeric not null default 0,
  cached_input_cost numeric not null default 0,
  output_cost numeric not null default 0,
  constraint run_activity_pkey primary key (run_id),
  constraint run_activity_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade
) with (fillfactor = 70);

create table agentdb.run_cost (
  run_id bigint not null,
  day_at timestamptz not null,
  model text not null,
  model_calls bigint not null,
  unpriced_calls bigint not null,
  input_tokens bigint not null,
  cached_input_tokens bigint not null,
  output_tokens bigint not null,
  cost numeric not null,
  input_cost numeric not null,
  cached_input_cost numeric not null,
  output_cost numeric not null,
  constraint run_cost_pkey primary key (run_id, day_at, model),
  constraint run_cost_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade
) with (fillfactor = 70);

create index run_cost_day_at_idx on agentdb.run_cost (day_at);

create table agentdb.run_step (
  run_id bigint not null,
  step_signature bigint not null,
  constraint run_step_pkey primary key (run_id, step_signature),
  constraint run_step_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade
);

create table agentdb.tool_day (
  agent_id bigint not null,
  tool text not null,
  day_at timestamptz not null,
  calls bigint not null,
  errors bigint not null,
  constraint tool_day_pkey primary key (agent_id, tool, day_at)
) with (fillfactor = 70);

create index tool_day_day_at_idx on agentdb.tool_day (day_at);

create table agentdb.call_hour (
  agent_id bigint not null,
  hour_at timestamptz not null,
  calls bigint not null,
  errors bigint not null,
  constraint call_hour_pkey primary key (agent_id, hour_at)
) with (fillfactor = 70);

create table agentdb.tool_minute (
  minute_at timestamptz not null,
  agent_id bigint not null,
  tool text not null,
  calls bigint not null,
  errors bigint not null,
  largest bigint,
  first_at timestamptz not null,
  last_at timestamptz not null,
  constraint tool_minute_pkey primary key (minute_at, agent_id, tool)
) with (fillfactor = 70);

create table agentdb.agent_minute (
  minute_at timestamptz not null,
  agent_id bigint not null,
  steps bigint not null default 0,
  input_tokens bigint not null default 0,
  cached_input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  constraint agent_minute_pkey primary key (minute_at, agent_id)
) with (fillfactor = 70);

create table agentdb.token_half_hour (
  agent_id bigint not null,
  half_hour_at timestamptz not null,
  input_tokens bigint not null,
  cached_input_tokens bigint not null,
  output_tokens bigint not null,
  cost numeric not null,
  input_cost numeric not null default 0,
  cached_input_cost numeric not null default 0,
  output_cost numeric not null default 0,
  constraint token_half_hour_pkey primary key (agent_id, half_hour_at)
) with (fillfactor = 70);

create table agentdb.event_day (
  agent_id bigint not null,
  day_at timestamptz not null,
  events bigint not null default 0,
  bytes bigint not null default 0,
  unstored bigint not null default 0,
  capped_by text,
  constraint event_day_pkey primary key (agent_id, day_at),
  constraint event_day_capped_by_check
    check (capped_by in ('max_events_per_day', 'max_event_bytes_per_day'))
) with (fillfactor = 70);

create index event_day_day_at_idx on agentdb.event_day (day_at);

create table agentdb.event_unstored (
  run_id bigint not null,
  half_hour_at timestamptz not null,
  model text not null,
  pid integer not null,
  agent_id bigint not null,
  tool_calls bigint not null default 0,
  tool_errors bigint not null default 0,
  steps bigint not null default 0,
  model_calls bigint not null default 0,
  unpriced_calls bigint not null default 0,
  input_tokens bigint not null default 0,
  cached_input_tokens bigint not null default 0,
  output_tokens bigint not null default 0,
  cost numeric not null default 0,
  input_cost numeric not null default 0,
  cached_input_cost numeric not null default 0,
  output_cost numeric not null default 0,
  last_tool_call_at timestamptz,
  last_tokens_at timestamptz,
  last_progress_at timestamptz,
  last_step text,
  evidence_at timestamptz,
  constraint event_unstored_pkey primary key (run_id, half_hour_at, model, pid),
  constraint event_unstored_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade
) with (fillfactor = 50);

create table agentdb.token_normal (
  agent_id bigint not null,
  refreshed_at timestamptz not null,
  active_days integer not null,
  bound double precision not null,
  hours bigint not null,
  days integer not null default 0,
  constraint token_normal_pkey primary key (agent_id),
  constraint token_normal_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade
);

create table agentdb.agent_day (
  agent_id bigint not null,
  day_at timestamptz not null,
  tokens double precision not null,
  calls double precision not null,
  errors double precision not null,
  tick double precision,
  constraint agent_day_pkey primary key (agent_id, day_at),
  constraint agent_day_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade
);

create index agent_day_day_at_idx on agentdb.agent_day (day_at);

create table agentdb.drift (
  day_at timestamptz not null,
  agent_id bigint not null,
  measure text not null,
  days integer not null,
  growth double precision not null,
  rising double precision not null,
  jump double precision not null,
  week_share double precision,
  levels double precision[] not null,
  constraint drift_pkey primary key (day_at, agent_id, measure, days),
  constraint drift_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade
);

create table agentdb.baseline (
  agent_id bigint not null,
  measure text not null,
  day_at timestamptz not null,
  days integer not null,
  samples bigint not null,
  usual double precision[] not null,
  spread double precision[] not null,
  constraint baseline_pkey primary key (agent_id, measure),
  constraint baseline_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade,
  constraint baseline_measure_check
    check (measure in ('tokens', 'calls', 'errors', 'tick'))
);

create table agentdb.budget_override (
  agent_id bigint not null,
  scope text not null,
  max_tokens bigint,
  max_cost double precision,
  constraint budget_override_pkey primary key (agent_id, scope),
  constraint budget_override_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade,
  constraint budget_override_scope_check
    check (scope in ('agent_day', 'conversation', 'run', 'tree')),
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

create table agentdb.tree_gate (
  run_id bigint not null,
  passed bigint not null default 0,
  constraint tree_gate_pkey primary key (run_id),
  constraint tree_gate_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade
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
create index token_reservation_reserved_at_idx
  on agentdb.token_reservation (reserved_at);

create table agentdb.budget_refusal (
  run_id bigint not null,
  scope text not null,
  minute_at timestamptz not null,
  agent_id bigint not null,
  conversation text not null,
  refusals bigint not null default 1,
  asked bigint,
  tokens_left bigint,
  spent boolean not null,
  first_at timestamptz not null,
  last_at timestamptz not null,
  constraint budget_refusal_pkey primary key (run_id, scope, minute_at),
  constraint budget_refusal_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade,
  constraint budget_refusal_scope_check
    check (scope in ('agent_day', 'conversation', 'run', 'tree'))
) with (fillfactor = 50);

create index budget_refusal_minute_at_idx on agentdb.budget_refusal (minute_at);

create table agentdb.roll_up_state (
  only_row boolean not null default true,
  counted pg_snapshot not null,
  from_at timestamptz not null default '-infinity',
  rolled_at timestamptz not null,
  minutes_begin_at timestamptz not null,
  stop_passed bigint not null default 0,
  constraint roll_up_state_pkey primary key (only_row),
  constraint roll_up_state_only_row_check check (only_row)
);

insert into agentdb.roll_up_state (counted, rolled_at, minutes_begin_at)
values (pg_current_snapshot(), '-infinity',
  date_bin('1 minute', clock_timestamp(), 'epoch'));

create table agentdb.intake_token (
  intake_token_id bigint generated always as identity,
  agent_id bigint not null,
  token_hash bytea not null,
  made_at timestamptz not null default clock_timestamp(),
  made_by name not null default session_user,
  used_on date,
  revoked_at timestamptz,
  revoked_by name,
  constraint intake_token_pkey primary key (intake_token_id),
  constraint intake_token_token_hash_key unique (token_hash),
  constraint intake_token_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade
);

create index intake_token_agent_id_idx on agentdb.intake_token (agent_id);

create table agentdb.web_person (
  subject text not null,
  role_name name not null,
  role_oid oid not null,
  made_by name not null default session_user,
  made_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz,
  constraint web_person_pkey primary key (subject)
);

create table agentdb.web_link (
  token_hash bytea not null,
  role_name name not null,
  made_by name not null default session_user,
  made_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null,
  used_at timestamptz,
  constraint web_link_pkey primary key (token_hash)
);

create index web_link_role_name_idx on agentdb.web_link (role_name);

create table agentdb.web_action (
  web_action_id bigint generated always as identity,
  acted_at timestamptz not null default clock_timestamp(),
  subject text not null,
  role_name name,
  action text not null,
  arguments jsonb not null,
  sqlstate text,
  acted_by name not null default session_user,
  constraint web_action_pkey primary key (web_action_id)
);

create index web_action_acted_at_idx on agentdb.web_action (acted_at);

create table agentdb.intake_session (
  agent_id bigint not null,
  conversation text not null,
  thread text not null,
  parent_thread text,
  run_id bigint,
  first_at timestamptz not null default clock_timestamp(),
  last_at timestamptz not null default clock_timestamp(),
  hooked boolean not null default false,
  hook_at timestamptz,
  emitter text,
  recorded_by text not null,
  constraint intake_session_pkey primary key (agent_id, conversation, thread),
  constraint intake_session_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade,
  constraint intake_session_run_id_fkey
    foreign key (run_id) references agentdb.run on delete set null
) with (fillfactor = 80);

create index intake_session_run_id_idx on agentdb.intake_session (run_id);
create index intake_session_hooked_idx
  on agentdb.intake_session (agent_id) where hooked;

create table agentdb.unproven_log (
  unproven_log_id bigint generated always as identity,
  recorded_at timestamptz not null default clock_timestamp(),
  agent_id bigint not null,
  conversation text,
  thread text,
  kind text not null,
  what text,
  event jsonb not null,
  emitter text,
  happened_at timestamptz,
  recorded_by text not null,
  constraint unproven_log_pkey primary key (unproven_log_id, recorded_at)
) partition by range (recorded_at);

create index unproven_log_conversation_idx
  on agentdb.unproven_log (agent_id, conversation);

create table agentdb.unproven_hour (
  agent_id bigint not null,
  hour_at timestamptz not null,
  events bigint not null,
  last_at timestamptz not null default clock_timestamp(),
  constraint unproven_hour_pkey primary key (agent_id, hour_at),
  constraint unproven_hour_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade
);

create table agentdb.intake_problem (
  intake_problem_id bigint generated always as identity,
  agent_name text not null,
  path text not null,
  emitter text not null,
  reason text not null,
  sample text,
  count bigint not null default 1,
  first_at timestamptz not null default clock_timestamp(),
  last_at timestamptz not null default clock_timestamp(),
  constraint intake_problem_pkey primary key (intake_problem_id),
  constraint intake_problem_reason_key unique (reason, emitter, path)
);

create type agentdb.intake_call as (
  place integer,
  fate text,
  run_id bigint,
  agent_id bigint,
  call_id text,
  tool text,
  args jsonb,
  ok boolean,
  error text,
  result text,
  result_size bigint,
  duration interval,
  violation text,
  unknown boolean,
  recorded_at timestamptz,
  happened_at timestamptz,
  tool_call_log_id bigint
);

create type agentdb.intake_event as (
  place integer,
  kind text,
  agent_id bigint,
  proven boolean,
  conversation text,
  thread text,
  parent_thread text,
  happened_at timestamptz,
  emitter text,
  keys bytea[],
  call_id text,
  tool text,
  event jsonb,
  status text,
  problem text,
  run_id bigint
);

create table agentdb.installation (
  installation_id uuid not null default gen_random_uuid(),
  only_one boolean not null default true,
  site text,
  address text,
  seen_at timestamptz,
  adopted_at timestamptz,
  adopted_by text,
  refused_address text,
  refused_at timestamptz,
  constraint installation_pkey primary key (installation_id),
  constraint installation_only_one_key unique (only_one),
  constraint installation_only_one_check check (only_one),
  constraint installation_site_check check (site ~ '^[a-z0-9][a-z0-9_.-]{0,62}$')
) with (fillfactor = 50);

insert into agentdb.installation default values;

create table agentdb.alert_rule (
  rule_name text not null,
  description text not null,
  view_name text not null,
  evidence_query text,
  remedy text,
  ends_when text,
  ends_with_run boolean not null default false,
  group_by text[] not null default '{alert}',
  severity text not null default 'warning',
  health text not null default 'alerting',
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
  constraint alert_rule_health_check check (health ~ '^[a-z]{1,20}$'),
  constraint alert_rule_action_check check (action in ('notify', 'block', 'kill')),
  constraint alert_rule_times_check check (
    evaluate_every >= '100 milliseconds' and evaluate_every <= '1 day'
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
  end_reason text,
  dismissed_severity text,
  flush boolean not null default false,
  acknowledged_at timestamptz,
  acknowledged_until timestamptz,
  acknowledged_by text,
  acknowledge_comment text,
  acknowledged_severity text,
  incident_id bigint,
  constraint alert_pkey primary key (alert_id),
  constraint alert_rule_name_fingerprint_key unique (rule_name, fingerprint),
  constraint alert_rule_name_fkey foreign key (rule_name)
    references agentdb.alert_rule on update cascade on delete cascade,
  constraint alert_severity_check check (severity in ('info', 'warning', 'critical')),
  constraint alert_state_check check (state in ('pending', 'firing', 'resolved')),
  constraint alert_dismissed_severity_check check (
    dismissed_severity is null
    or state = 'resolved' and dismissed_severity in ('info', 'warning', 'critical')
  ),
  constraint alert_acknowledged_at_check check (
    (acknowledged_at is null) = (acknowledged_by is null)
    and (acknowledged_at is null) = (acknowledged_until is null)
    and (acknowledged_at is null) = (acknowledged_severity is null)
  )
) with (fillfactor = 70);

create index alert_flush_idx on agentdb.alert (alert_id) where flush;
create index alert_agent_idx on agentdb.alert ((labels ->> 'agent'))
  where state = 'firing';
create index alert_active_idx on agentdb.alert (rule_name) where state <> 'resolved';
create index alert_dismissed_idx
  on agentdb.alert (rule_name) where dismissed_severity is not null;
create index alert_resolved_at_idx
  on agentdb.alert (resolved_at) where resolved_at is not null;

create table agentdb.alert_log (
  alert_log_id bigint generated always as identity,
  alert_id bigint not null,
  rule_name text not null,
  recorded_at timestamptz not null default clock_timestamp(),
  from_state text,
  to_state text not null,
  episode integer not null,
  value double precision,
  recorded_by text not null default session_user,
  comment text,
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
  escalate_after interval,
  escalate_to text,
  group_wait interval not null default '45 seconds',
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
    check (min_severity in ('info', 'warning', 'critical')),
  constraint receiver_escalate_to_fkey foreign key (escalate_to)
    references agentdb.receiver on update cascade,
  constraint receiver_escalate_to_check check (escalate_to <> receiver_name),
  constraint receiver_escalate_after_check check (
    (escalate_after is null) = (escalate_to is null)
    and escalate_after between '10 seconds' and '7 days'
  ),
  constraint receiver_group_wait_check
    check (group_wait >= '0' and group_wait <= '1 day')
);

insert into agentdb.receiver (receiver_name, channel) values ('stdout', 'stdout');

create table agentdb.route (
  route_name text not null,
  receiver_name text not null,
  matchers jsonb not null,
  group_by text[] not null,
  group_wait interval not null,
  group_interval interval not null,
  repeat_interval interval,
  constraint route_pkey primary key (route_name),
  constraint route_route_name_check
    check (route_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  constraint route_receiver_name_fkey foreign key (receiver_name)
    references agentdb.receiver on update cascade on delete cascade,
  constraint route_times_check check (
    group_wait >= '0' and group_wait <= '1 day'
    and group_interval between '0' and '1 day'
    and repeat_interval between '1 minute' and '30 days'
  )
);

create table agentdb.inhibition (
  inhibition_name text not null,
  source jsonb not null,
  target jsonb not null,
  equal_labels text[] not null,
  linger interval not null default '0',
  constraint inhibition_pkey primary key (inhibition_name),
  constraint inhibition_inhibition_name_check
    check (inhibition_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
  constraint inhibition_linger_check check (linger between '0' and '1 day')
);

create table agentdb.alert_kin (
  alert_id bigint not null,
  kin text not null,
  cause boolean,
  inhibition_name text,
  constraint alert_kin_pkey primary key (alert_id, kin),
  constraint alert_kin_alert_id_fkey
    foreign key (alert_id) references agentdb.alert on delete cascade,
  constraint alert_kin_inhibition_name_fkey foreign key (inhibition_name)
    references agentdb.inhibition on update cascade on delete cascade,
  constraint alert_kin_cause_check
    check ((cause is null) = (inhibition_name is null))
);

create index alert_kin_kin_idx on agentdb.alert_kin (kin);

create table agentdb.silence (
  silence_id bigint generated always as identity,
  matchers jsonb not null,
  comment text not null,
  created_by text not null default session_user,
  created_at timestamptz not null default clock_timestamp(),
  ends_at timestamptz not null,
  ended_by text,
  only_rule text,
  only_agent text,
  constraint silence_pkey primary key (silence_id)
);

create index silence_ends_at_idx on agentdb.silence (ends_at);

create table agentdb.silenced_alert (
  alert_id bigint not null,
  silence_id bigint not null,
  constraint silenced_alert_pkey primary key (alert_id, silence_id),
  constraint silenced_alert_alert_id_fkey
    foreign key (alert_id) references agentdb.alert on delete cascade,
  constraint silenced_alert_silence_id_fkey
    foreign key (silence_id) references agentdb.silence on delete cascade
);

create index silenced_alert_silence_id_idx on agentdb.silenced_alert (silence_id);

create table agentdb.quiet_hours (
  receiver_name text not null,
  begins time not null,
  ends time not null,
  time_zone text not null,
  max_severity text not null default 'warning',
  constraint quiet_hours_pkey primary key (receiver_name),
  constraint quiet_hours_receiver_name_fkey foreign key (receiver_name)
    references agentdb.receiver on update cascade on delete cascade,
  constraint quiet_hours_begins_check check (begins <> ends),
  constraint quiet_hours_max_severity_check
    check (max_severity in ('info', 'warning', 'critical'))
);

create table agentdb.digest (
  receiver_name text not null,
  told_at time not null,
  time_zone text not null,
  next_at timestamptz not null,
  constraint digest_pkey primary key (receiver_name),
  constraint digest_receiver_name_fkey foreign key (receiver_name)
    references agentdb.receiver on update cascade on delete cascade
);

create table agentdb.alert_group (
  alert_group_id bigint generated always as identity,
  receiver_name text not null,
  route_name text,
  group_key text not null,
  labels jsonb not null,
  alert_id bigint,
  told text,
  told_at timestamptz,
  generation integer not null default 0,
  open_at timestamptz not null,
  look_at timestamptz not null,
  constraint alert_group_pkey primary key (alert_group_id),
  constraint alert_group_receiver_name_group_key_key unique (receiver_name, group_key),
  constraint alert_group_receiver_name_fkey foreign key (receiver_name)
    references agentdb.receiver on update cascade on delete cascade,
  constraint alert_group_route_name_fkey foreign key (route_name)
    references agentdb.route on update cascade on delete set null,
  constraint alert_group_alert_id_fkey
    foreign key (alert_id) references agentdb.alert on delete cascade,
  constraint alert_group_told_check
    check (told in ('firing', 'acknowledged', 'silenced', 'resolved'))
) with (fillfactor = 50);

create index alert_group_look_at_idx on agentdb.alert_group (look_at);
create index alert_group_alert_id_idx on agentdb.alert_group (alert_id);

create table agentdb.group_alert (
  alert_group_id bigint not null,
  alert_id bigint not null,
  state text not null default 'firing',
  episode integer not null default 1,
  until_at timestamptz,
  told text,
  told_episode integer,
  told_severity text,
  told_stage integer,
  escalate_at timestamptz,
  escalated boolean not null default false,
  reason text,
  constraint group_alert_pkey primary key (alert_group_id, alert_id),
  constraint group_alert_alert_group_id_fkey
    foreign key (alert_group_id) references agentdb.alert_group on delete cascade,
  constraint group_alert_alert_id_fkey
    foreign key (alert_id) references agentdb.alert on delete cascade,
  constraint group_alert_state_check check (state in (
    'firing', 'acknowledged', 'silenced', 'inhibited', 'gone', 'resolved'
  )),
  constraint group_alert_told_check
    check (told in ('firing', 'acknowledged', 'silenced'))
) with (fillfactor = 50);

create index group_alert_alert_id_idx on agentdb.group_alert (alert_id);
create index group_alert_escalate_at_idx
  on agentdb.group_alert (escalate_at) where escalate_at is not null;

create table agentdb.notification (
  notification_id bigint generated always as identity,
  alert_group_id bigint,
  alert_id bigint,
  generation integer,
  kind text not null,
  former text,
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
  constraint notification_alert_group_id_generation_key
    unique (alert_group_id, generation),
  constraint notification_alert_group_id_fkey
    foreign key (alert_group_id) references agentdb.alert_group on delete cascade,
  constraint notification_alert_id_fkey
    foreign key (alert_id) references agentdb.alert on delete cascade,
  constraint notification_receiver_name_fkey foreign key (receiver_name)
    references agentdb.receiver on update cascade on delete cascade,
  constraint notification_kind_check check (kind in (
    'firing', 'acknowledged', 'silenced', 'resolved', 'test', 'digest'
  )),
  constraint notification_alert_group_id_check
    check ((alert_group_id is null) = (kind in ('test', 'digest'))),
  constraint notification_state_check
    check (state in ('queued', 'sent', 'dead', 'cancelled'))
) with (fillfactor = 70);

create index notification_visible_at_idx
  on agentdb.notification (visible_at) where state = 'queued';
create index notification_queued_idx
  on agentdb.notification (alert_group_id) where state = 'queued';
create index notification_dead_idx
  on agentdb.notification (receiver_name, finished_at) where state = 'dead';
create index notification_alert_id_idx on agentdb.notification (alert_id);

create table agentdb.question (
  question_id bigint generated always as identity,
  run_id bigint not null,
  agent_id bigint not null,
  question text not null,
  options text[],
  urgency text not null,
  asked_at timestamptz not null default clock_timestamp(),
  answer text,
  comment text,
  answered_by text,
  answered_at timestamptz,
  constraint question_pkey primary key (question_id),
  constraint question_run_id_fkey
    foreign key (run_id) references agentdb.run on delete cascade,
  constraint question_agent_id_fkey
    foreign key (agent_id) references agentdb.agent on delete cascade,
  constraint question_urgency_check check (urgency in ('low', 'normal', 'high')),
  constraint question_answer_check check (
    (answer is null) = (answered_at is null)
    and (answer is null) = (answered_by is null)
  )
);

create index question_run_id_idx on agentdb.question (run_id);
create index question_agent_id_idx on agentdb.question (agent_id, asked_at);
create index question_open_idx on agentdb.question (asked_at) where answer is null;
create index question_answered_at_idx
  on agentdb.question (answered_at) where answered_at is not null;

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
  verified_at timestamptz,
  revision text,
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
comment on column agentdb.policy.run_silence is
  'A run behind a shared role counts as gone after this long without a word; a run of '
  'a role of its own is known by its sessions, but for this long after the server has '
  'started.  For as long after a kill, or after two runs of a role were open at once, '
  'a session that has started or bound none is refused.';
comment on column agentdb.policy.kill_forbids_restart is
  'Whether a session whose run was killed may start no other.';
comment on column agentdb.policy.unbound_writes is
  'What becomes of a write to an audited table by a session of a shared role that has '
  'bound no token: refuse, or record it as nobody''s.';
comment on column agentdb.policy.cached_input_weight is
  'What a cached input token counts against an uncached one: providers'' price lists '
  'take a tenth.';
comment on column agentdb.policy.output_weight is
  'What an output token counts against an input token: price lists take 4 to 5 times.';
comment on column agentdb.policy.token_rate_per_hour is
  'Rule token_rate: the ceiling, in weighted tokens an hour; NULL is none; above the '
  'busiest hour of the simulated agents.';
comment on column agentdb.policy.token_rate_quantile is
  'Rule token_rate: which of its own active half hours an agent is compared with; '
  'NULL is no anomaly; the highest where it has fewer than 200, of which no quantile '
  'can be told.';
comment on column agentdb.policy.token_rate_margin is
  'Rule token_rate: how many times that half hour is an anomaly; the bench has less '
  'than one false page in 10 agent-weeks.';
comment on column agentdb.policy.token_rate_margin_few is
  'Rule token_rate: the same where an agent has fewer than 200 active half hours: the '
  'highest of few is chance, and 1.5 times it comes by itself.';
comment on column agentdb.policy.token_rate_floor is
  'Rule token_rate: half hours below this many weighted tokens are never an anomaly: '
  'they cost less than the page.';
comment on column agentdb.policy.token_rate_warm_up_days is
  'Rule token_rate: on how many days an agent must have been active before it has a '
  'normal: a working week.';
comment on column agentdb.policy.token_rate_warm_up_cap is
  'Rule token_rate: weighted tokens in half an hour that an agent without a normal may '
  'use.';
comment on column agentdb.policy.token_rate_unusual_hour is
  'Rule token_rate: weighted tokens in half an hour that are an anomaly at an hour of '
  'the week never active before; NULL is none; below what an overnight runaway takes.';
comment on column agentdb.policy.token_rate_regular_hours is
  'Rule token_rate: an agent active at more hours of the day than this keeps no hours, '
  'and none is unusual; batches that come when they come pass 20 within a week.';
comment on column agentdb.policy.token_rate_clear is
  'Rule token_rate: a firing alert ends only below this share of its threshold, '
  'against flapping.';
comment on column agentdb.policy.token_rate_factor is
  'Rules token_rate, input_spike: the playbook''s 3 times the average window; NULL is '
  'off, since idle hours make any average wrong.';
comment on column agentdb.policy.token_rate_window is
  'Rules token_rate, input_spike: the window that is compared.';
comment on column agentdb.policy.token_rate_baseline is
  'Rules token_rate, input_spike: how far back normal looks: two weeks hold two of '
  'each weekday.';
comment on column agentdb.policy.token_rate_min_history is
  'Rules token_rate, input_spike: how old an agent''s first tokens must be before it '
  'has an average.';
comment on column agentdb.policy.no_progress_after is
  'Rule no_progress: how long an open run may show no evidence of progress (the '
  'playbook''s 15 minutes); schedule.no_progress_after is an agent''s own.';
comment on column agentdb.policy.max_rate_limited is
  'Rules no_progress, long_tick: for how long a service may ask an agent to come back '
  'later before that is standing still.';
comment on column agentdb.policy.max_long_call is
  'Rule no_progress: the longest that a call in flight of a tool with tool.longest '
  'keeps it quiet.';
comment on column agentdb.policy.silent_loop_window is
  'Rule silent_loop: how far back it looks at most: a call every 4 minutes is a loop '
  'too; NULL switches the rule off.';
comment on column agentdb.policy.silent_loop_calls is
  'Rule silent_loop: at how many of the latest calls of a run it looks at most.';
comment on column agentdb.policy.silent_loop_same is
  'Rule silent_loop: how many times the same call with the same result is a warning; '
  'agents in the field stop at 3 to 5, and three retries are normal.';
comment on column agentdb.policy.silent_loop_same_critical is
  'Rule silent_loop: how many times that is critical.';
comment on column agentdb.policy.silent_loop_poll is
  'Rule silent_loop: the same as silent_loop_same for tools registered as polling.';
comment on column agentdb.policy.silent_loop_poll_critical is
  'Rule silent_loop: how many times that is critical.';
comment on column agentdb.policy.silent_loop_failures is
  'Rule silent_loop: how many failures in a row of one call, or of one tool, are a '
  'warning; none of the recorded runs that reached their goal has so many.';
comment on column agentdb.policy.silent_loop_failures_critical is
  'Rule silent_loop: how many are critical.';
comment on column agentdb.policy.silent_loop_results is
  'Rule silent_loop: for how many different arguments one and the same long result is '
  'a warning, such as a page that says you are a robot.';
comment on column agentdb.policy.silent_loop_result_size is
  'Rule silent_loop: from how many characters on an equal result is no coincidence; '
  'every insert may well say ok.';
comment on column agentdb.policy.silent_loop_cosmetic is
  'Rule silent_loop: how many calls whose arguments differ in numbers and ids only, '
  'with one result, are a warning; many, for a batch by number looks the same: '
  'tool.effect says that it is none.';
comment on column agentdb.policy.silent_loop_laps is
  'Rule silent_loop: how many laps of a cycle of 2 to 6 calls with the same results '
  'are a warning.';
comment on column agentdb.policy.silent_loop_diversity_calls is
  'Rule silent_loop: from how many calls on little diversity is critical.';
comment on column agentdb.policy.silent_loop_diversity is
  'Rule silent_loop: which share of different calls and results is little.';
comment on column agentdb.policy.silent_loop_model_calls is
  'Rule silent_loop: how many model calls without a tool call or evidence are a '
  'warning; the longest recorded stretch of a good run has fewer.';
comment on column agentdb.policy.repeated_tool_call_count is
  'Rule repeated_tool_call: how many calls of one tool a run may make in the window '
  '(the playbook''s 5); NULL is off, since 8 % of good runs make more.';
comment on column agentdb.policy.repeated_tool_call_window is
  'Rule repeated_tool_call: the window.';
comment on column agentdb.policy.call_flood_count is
  'Rule call_flood: how many tool calls and steps an agent may log in the window; NULL '
  'for any number.';
comment on column agentdb.policy.call_flood_window is
  'Rule call_flood: the window.';
comment on column agentdb.policy.tool_errors_count is
  'Rule tool_errors: from how many failed calls of a tool in the window on; fewer say '
  'nothing about a rate.';
comment on column agentdb.policy.tool_errors_share is
  'Rule tool_errors: from which share of failed calls on, 0 to 1.';
comment on column agentdb.policy.tool_errors_sigma is
  'Rule tool_errors: how many standard deviations above the tool''s own normal; NULL '
  'does not compare; 3 is one false page in 700 windows.';
comment on column agentdb.policy.tool_errors_window is
  'Rule tool_errors: the window.';
comment on column agentdb.policy.tool_outage_agents is
  'Rule tool_outage: for how many agents a tool must fail at once to be what is '
  'broken; two may have made the same mistake.  NULL is off.';
comment on column agentdb.policy.tool_errors_baseline is
  'Rule tool_errors: how far back normal looks.';
comment on column agentdb.policy.conversation_budget_tokens is
  'Tokens a conversation may use over all its runs; reserve_tokens keeps to it.';
comment on column agentdb.policy.conversation_budget_cost is
  'What a conversation may cost; NULL is no limit.';
comment on column agentdb.policy.run_budget_tokens is
  'Tokens a run may use; NULL is no limit of its own.';
comment on column agentdb.policy.run_budget_cost is
  'What a run may cost; NULL is no limit.';
comment on column agentdb.policy.tree_budget_tokens is
  'Tokens a run and all that it, or they, started with a spawn token may use together, '
  'by the policy of the first; NULL is what a run may use, else four times what a '
  'conversation may.';
comment on column agentdb.policy.tree_budget_cost is
  'What they may cost together; NULL is what a run may cost, else four times what a '
  'conversation may, else no limit.';
comment on column agentdb.policy.agent_day_budget_tokens is
  'Tokens an agent may use a UTC day, over all its runs, cached ones too; the busiest '
  'day of 200 healthy simulated agents in four weeks had 45 million, and half of them '
  'had 5 million or less; NULL is no limit.';
comment on column agentdb.policy.agent_day_budget_cost is
  'What an agent may cost a UTC day; NULL is no limit.';
comment on column agentdb.policy.budget_notice_share is
  'Rule budget_low: from which share of a budget on it is a notice; NULL is off.';
comment on column agentdb.policy.budget_low_share is
  'Rule budget_low: from which share of a budget on it is a warning, and its agent is '
  'advised, 0 to 1.';
comment on column agentdb.policy.budget_nearly_spent_share is
  'Rule budget_low: from which share on the budget is nearly spent, in what people and '
  'the agent read.';
comment on column agentdb.policy.spawn_storm_runs is
  'Rule spawn_storm: how many runs one run and its descendants may start in the '
  'window; those that divide their work start 5 to 10.  NULL is off.';
comment on column agentdb.policy.spawn_storm_window is
  'Rule spawn_storm: how far back it looks.';
comment on column agentdb.policy.reservation_ttl is
  'How long a reservation that is never settled is kept from others.';
comment on column agentdb.policy.context_jump_factor is
  'Rule context_jump: how many times the prompt before it a prompt may be.';
comment on column agentdb.policy.context_jump_tokens is
  'Rule context_jump: by how many tokens a prompt may exceed the one before it; NULL '
  'is any number; in the recorded runs a large file read whole adds 7,000, all else '
  'less than 4,000.';
comment on column agentdb.policy.context_jump_growth is
  'Rule context_jump: how many times the prompt before it such a prompt must be, since '
  'long contexts grow in large steps.';
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
  'Rules missed_tick and overdue_hold: how late a tick may begin, or a run go on after '
  'its hold.';
comment on column agentdb.policy.long_tick_after is
  'Rule long_tick: how long a run with a tick interval may take.';
comment on column agentdb.policy.long_tick_spreads is
  'Rule long_tick: how many spreads over its usual duration a tick is a notice before '
  'long_tick_after; NULL is none; 6 of them, as durations have long tails.';
comment on column agentdb.policy.slow_drift_share is
  'Rule slow_drift: by what share a measure must grow from day to day, over a week of '
  'active days; NULL is off; half of the tenth that must be found within a week.';
comment on column agentdb.policy.unattributed_write_window is
  'Rule unattributed_write: how far back it looks.';
comment on column agentdb.policy.blast_radius_rows is
  'Rule blast_radius: how many audited rows one statement of an agent may change.';
comment on column agentdb.policy.blast_radius_window is
  'Rules blast_radius and wide_run: how far back they look.';
comment on column agentdb.policy.wide_run_rows is
  'Rule wide_run: how many audited rows a run may update, delete or truncate in '
  'blast_radius_window; NULL for any number.';
comment on column agentdb.policy.blast_radius_window_rows is
  'Rule blast_radius: how many audited rows a run may update, delete or truncate in '
  'blast_radius_window, in however many statements; tables that refuse a blast refuse '
  'more; above wide_run_rows, which warns; NULL for any number.';
comment on column agentdb.policy.refusal_window is
  'Rules stale_write, self_approval and refused_write: how far back they look.';
comment on column agentdb.policy.refused_write_count is
  'Rule refused_write: from how many refusals of a kind in refusal_window on; one or '
  'two are how an agent learns what it may not do.';
comment on column agentdb.policy.lock_taken_over_window is
  'Rule lock_taken_over: how long after a takeover it is reported.';
comment on column agentdb.policy.access_denied_count is
  'Rule access_denied: how many failures for a table or file that is missing or '
  'forbidden, or an address that refuses, are no slip; a missing grant, or row '
  'security, is told after one where the run gets nothing done in the next minute.';
comment on column agentdb.policy.access_denied_window is
  'Rule access_denied: how far back it looks.';
comment on column agentdb.policy.budget_refused_window is
  'Rule budget_refused: how far back it looks.';
comment on column agentdb.policy.destructive_calls_count is
  'Rule destructive_calls: up to how many calls of a tool that destroys are never too '
  'many in the window; NULL is off.';
comment on column agentdb.policy.destructive_calls_factor is
  'Rule destructive_calls: how many times a usual day of the agent (nine of ten of the '
  'last four weeks had no more) are too many.';
comment on column agentdb.policy.destructive_calls_window is
  'Rule destructive_calls: the window.';
comment on column agentdb.policy.tool_diff_window is
  'Rules unbacked_tool_call and unannounced_write: how far back they look.';
comment on column agentdb.policy.unknown_tool_critical is
  'Rule unknown_tool: from how many made up calls on it is critical; one is a slip.';
comment on column agentdb.policy.unknown_tool_window is
  'Rule unknown_tool: how far back it looks.';
comment on column agentdb.policy.max_claims is
  'How many claims a run may make.';
comment on column agentdb.policy.verify_within is
  'Rule unverified_claim: how long a claim may wait; until then an unreachable target '
  'is tried again.';
comment on column agentdb.policy.claim_window is
  'Rules refuted_claim and unverified_claim: how long they tell of a claim.';
comment on column agentdb.policy.intake_silence is
  'How long a run that an emitter opened may stay silent before it is over.';
comment on column agentdb.policy.expects_hooks is
  'Rule unhooked_session: whether the sessions of its agents have hooks; NULL is found '
  'out from those they had.';
comment on column agentdb.policy.unhooked_after is
  'Rule unhooked_session: how long a session may go on before its first hook.';
comment on column agentdb.policy.unproven_activity_count is
  'Rule unproven_activity: from how many events without proof in the window on; NULL '
  'is off.';
comment on column agentdb.policy.unproven_activity_window is
  'Rule unproven_activity: the window, counted in whole hours.';
comment on column agentdb.policy.denied_tools is
  'Tools that judge_call() denies.';
comment on column agentdb.policy.deny_unknown_tools is
  'Whether judge_call() denies a tool that is not among those registered for its '
  'agent, where any are.';
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
comment on column agentdb.policy.max_pending_changes is
  'How many changes an agent may have open, pending or approved at once.';
comment on column agentdb.policy.change_binding is
  'What of a staged row must be as its proposer saw it when the change is applied: '
  'strict for all of it, columns for those that the change names.';
comment on column agentdb.policy.max_change_rows is
  'How many rows a change of an agent may have.';
comment on column agentdb.policy.change_waiting_after is
  'Rule change_waiting: how long a change may wait for its decision.';
comment on column agentdb.policy.change_expiring_before is
  'Rule change_expiring: how long before a change expires a person is told.';
comment on column agentdb.policy.change_conflict_window is
  'Rule change_conflict: how long a change that could not be applied is told.';
comment on column agentdb.policy.crashed_run_window is
  'Rule crashed_run: how long a crash is reported at least, so that people see one '
  'that its supervisor has seen to within seconds.';
comment on column agentdb.policy.max_hold is
  'How long a run may say that it waits on purpose.';
comment on column agentdb.policy.max_questions is
  'How many questions of an agent may be open at once.';
comment on column agentdb.policy.max_questions_day is
  'How many questions an agent may ask in a day.';
comment on column agentdb.policy.unanswered_question_after is
  'Rule unanswered_question: how long a question may wait; a quarter of it when '
  'urgent.';
comment on column agentdb.policy.max_question_wait is
  'Rule no_progress: how long a run that waits for an answer is not taken for stuck.';
comment on column agentdb.policy.max_transaction is
  'How old a transaction of an agent may become before its session is ended.';
comment on column agentdb.policy.max_events_per_day is
  'Rule event_cap: how many events (tool calls, steps, model calls) an agent may store '
  'a UTC day; what comes after is counted and not stored; NULL for any number.';
comment on column agentdb.policy.max_event_bytes_per_day is
  'Rule event_cap: how many bytes its events may take a UTC day; NULL for any number.';
comment on column agentdb.policy.events_wait_for_disk is
  'Whether a batch of events (log_events, record_events) commits when it is on disk; '
  'if not, a crash of the server may lose the transactions of the last moment that '
  'began with one.';
comment on column agentdb.policy.log_retention is
  'How long log rows are kept; the longest of all policies counts.';

comment on table agentdb.agent is
  'Configured actors, each speaking through a login role.';
comment on column agentdb.agent.imported is
  'Whether it is known from files of the past alone: nobody is it, or is alerted to '
  'it.';
comment on column agentdb.agent.os_user is
  'The operating system user that it runs as, where an operator has said so.';
comment on table agentdb.agent_path is
  'Paths that agents need, for agentdb doctor to look at.';
comment on column agentdb.tool.server is
  'Where it runs, such as the name of an MCP server.';
comment on column agentdb.tool.input_schema is
  'JSON Schema of its arguments; calls that break it are faulty.';
comment on column agentdb.tool.writes is
  'What it does to tables: [{"table": …, "operation": …}]; without operation any.';
comment on table agentdb.tool_alias is
  'Former names of tools, still known.';
comment on table agentdb.agent_tool is
  'The tools that an agent has; an agent without any is not judged by it.';
comment on table agentdb.tool_fault is
  'What is wrong with single calls: made up, or with arguments that break the schema.';
comment on table agentdb.tool_check_state is
  'The snapshot up to which arguments were compared with schemas, and the call up to '
  'which they were in the next.';
comment on table agentdb.tool_diagnosis is
  'What was found when somebody looked into a failed tool call.';
comment on table agentdb.agent_secret is
  'SHA-256 of the secret of each agent behind a shared role.';
comment on table agentdb.run is
  'One tick or session of an agent; what it says of its outcome is a claim.';
comment on column agentdb.run.tick_max is
  'How long the tick may take, as its agent said; NULL is policy.long_tick_after.';
comment on column agentdb.run.end_reason is
  'Why a run ended that did not end itself: what was seen, and by whom.';
comment on column agentdb.run.released is
  'What its end released: count and up to 20 names of locks, slots, calls, changes, '
  'questions and waits, reservations with their tokens; kept_locks stay until they '
  'expire.';
comment on column agentdb.run.label is
  'What people are told of it where it holds a lock.';
comment on column agentdb.run.lock_max_ttl is
  'As in the policy of its agent, see run_limit.sql.';
comment on column agentdb.run.renew_needs_progress is
  'As in the policy of its agent, see run_limit.sql.';
comment on column agentdb.run.root_run_id is
  'The first of the tree that it belongs to; NULL where nobody started it.';
comment on column agentdb.run.advice is
  'What the last evaluation has to say to the agent, read by the calls of the run.';
comment on column agentdb.run.unstored_until is
  'Until when what it logs is counted and not stored, see unstored.sql; NULL where it '
  'never was so.';
comment on column agentdb.run.opened_by is
  'What opened it on behalf of its agent, such as otlp; NULL for a session of the '
  'agent''s own.';
comment on column agentdb.run.stop_seen is
  'The number of the last stop, which was not this run''s; NULL where that is not '
  'known.';
comment on column agentdb.run.alone is
  'Whether no other run of the role was alive when it began: a session that started '
  'none can only be this run''s.';
comment on column agentdb.run.pid is
  'The process of the server that started it; NULL behind a shared role.';
comment on column agentdb.run.instance is
  'Which process of the agent it is; an instance has one open run.';
comment on column agentdb.run.parent_run_id is
  'The run that started it, proven by a spawn token.';
comment on table agentdb.schedule is
  'When an agent is expected to start, by cron or by interval, and how patient to be; '
  'the runner keeps due_at.';
comment on column agentdb.schedule.cron is
  'Five fields, read in time_zone.';
comment on column agentdb.schedule.grace is
  'How late a tick may be; NULL is policy.missed_tick_grace.';
comment on column agentdb.schedule.no_progress_after is
  'How long its runs may show no evidence of progress; NULL is the policy''s.';
comment on column agentdb.schedule.due_at is
  'The start that is waited for; it moves on when a run has met it.';
comment on column agentdb.schedule.met_at is
  'The start that met the one before.';
comment on column agentdb.schedule.error is
  'Why the runner cannot read cron or time_zone.';
comment on table agentdb.run_token is
  'SHA-256 of the token that binds a transaction to a run.';
comment on table agentdb.run_session is
  'Sessions that started a run or bound its token, as the server knows them; '
  '-infinity stands for a start that it hides.';
comment on table agentdb.spawn_token is
  'SHA-256 of the tokens with which a run proves that it started another.';
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
comment on table agentdb.tool is
  'What is known of tools by name, so that rules judge their calls rightly.';
comment on column agentdb.tool.effect is
  'Whether each call with other arguments does something else, such as sending a mail.';
comment on column agentdb.tool.poll is
  'Whether asking again and again is its job.';
comment on column agentdb.tool.destructive is
  'Whether it destroys what it is used on; NULL goes by its name: delete, drop, '
  'truncate, remove, purge, destroy, wipe, erase.';
comment on column agentdb.tool.longest is
  'How long a call may take: until then a run that waits for it is not stuck.';
comment on table agentdb.tool_call is
  'Tool calls that have an id: in flight until ended_at, and counted once by the id.';
comment on column agentdb.tool_call.run_outcome is
  'How the run ended while the call was in flight; NULL for a call that ended itself.';
comment on table agentdb.tool_call_log is
  'Finished tool calls; append-only, a partition a UTC day.';
comment on column agentdb.progress_log.recorded_by is
  'Who recorded it, such as otlp or hook; NULL for the agent''s own session.';
comment on column agentdb.progress_log.happened_at is
  'The emitter''s clock.';
comment on column agentdb.tool_call.tool_call_log_id is
  'Its row in the log, where an emitter told of it.';
comment on column agentdb.tool_call.expected is
  'How long the agent said when it began that the call may take.';
comment on column agentdb.tool_call.ok is
  'Whether an emitter said that it succeeded.';
comment on column agentdb.tool_call.known is
  'What an emitter told of its end before it told what was called.';
comment on column agentdb.tool_call_log.recorded_by is
  'Who recorded it, such as otlp or hook; NULL for the agent''s own session.';
comment on column agentdb.tool_call_log.happened_at is
  'The emitter''s clock.';
comment on column agentdb.token_log.recorded_by is
  'Who recorded it, such as otlp or hook; NULL for the agent''s own session.';
comment on column agentdb.token_log.happened_at is
  'The emitter''s clock.';
comment on column agentdb.token_log.untold is
  'Which counts the emitter did not tell; they are 0 here, which nobody said.';
comment on column agentdb.tool_call_log.call_signature is
  'Hash of tool and arguments without request ids and counters.';
comment on column agentdb.tool_call_log.shape_signature is
  'Hash of tool and arguments without anything volatile and without numbers.';
comment on column agentdb.tool_call_log.result_signature is
  'Hash of what the call returned without what is volatile; NULL where nobody told.';
comment on table agentdb.token_log is
  'Tokens of each model call; append-only, a partition a UTC day.';
comment on column agentdb.token_log.cost is
  'What it cost, in the currency of the callers; NULL where nobody knows.';
comment on column agentdb.token_log.input_cost is
  'Of it the input that came from no cache; NULL where only the total is known.';
comment on column agentdb.token_log.cached_input_cost is
  'Of it the input from the provider''s cache.';
comment on column agentdb.token_log.output_cost is
  'Of it the output.';
comment on column agentdb.token_log.priced_by is
  'Whose price it is, with version and date; NULL where the caller said the cost.';
comment on table agentdb.claim is
  'What an agent says it has done, put so that somebody else can look.';
comment on table agentdb.verdict is
  'What was seen at each look at a claim.';
comment on table agentdb.message_channel is
  'Tables in which transports record what they sent, for claims of messages.';
comment on column agentdb.audit_target.attached_name is
  'The name of the table when its audit was attached.';
comment on column agentdb.audit_target.lost is
  'Whether the attachment ended because the table was dropped.';
comment on column agentdb.audit_target.in_place is
  'What records the table, as it was when it was last seen: numbers and versions of '
  'its triggers.';
comment on column agentdb.audit_target.in_place_at is
  'When that was.';
comment on table agentdb.record_fault is
  'When something other than a suspension kept a table from being recorded.';
comment on column agentdb.record_fault.began_at is
  'When all was last seen well before.';
comment on column agentdb.record_fault.ended_at is
  'Since when all is well again; NULL while it is not.';
comment on table agentdb.fence_target is
  'The tables that were fenced and not unfenced since, whatever became of their '
  'triggers.';
comment on table agentdb.audit_layout is
  'The shapes that an audited table had: columns, key, types, partitions.';
comment on column agentdb.audit_layout.first_at is
  'Since when the shape is known to have held.';
comment on column agentdb.audit_layout.last_at is
  'When it was last seen to hold.';
comment on table agentdb.epoch is
  'Since when which server numbers the transactions: a new epoch begins where a dump '
  'is restored.';
comment on column agentdb.epoch.system_identifier is
  'The server, see pg_control_system().';
comment on column agentdb.epoch.schema_oid is
  'The schema agentdb, another one where it was restored within the same database.';
comment on column agentdb.epoch.first_audit_log_id is
  'The first number that a row of audit_log can have which is of this epoch.';
comment on table agentdb.moment is
  'Snapshots by which the past is read: the runner''s, a second apart while anything '
  'is written, and marks.';
comment on column agentdb.moment.epoch_id is
  'The epoch whose transactions the snapshot names.';
comment on column agentdb.moment.snapshot is
  'What was committed at that time.';
comment on column agentdb.moment.began_at is
  'A time before the snapshot was taken.';
comment on column agentdb.moment.taken_at is
  'A time right after it was.';
comment on column agentdb.moment.last_audit_log_id is
  'The last number that a row of audit_log had drawn.';
comment on column agentdb.moment.mark is
  'The name that somebody gave it.';
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
comment on column agentdb.audit_log.operation is
  'insert, update, delete or truncate of a row; erase is the record of an erasure.';
comment on column agentdb.audit_log.salt is
  'What keeps the values from being guessed by their hash; NULL once they are erased.';
comment on table agentdb.removed_day is
  'The UTC days of audit_log that retention has removed; append-only.';
comment on column agentdb.removed_day.retention is
  'The policy.audit_retention that removed it.';
comment on table agentdb.erasure is
  'Who had what is recorded of a row erased, when and why; append-only.';
comment on column agentdb.erasure.audit_target_id is
  'The audit of the table whose row it was.';
comment on column agentdb.erasure.pseudonym is
  'What stands for the key of the row in all copies.';
comment on column agentdb.erasure.log_rows is
  'How many rows of audit_log were erased.';
comment on column agentdb.erasure.first_at is
  'When the first of them was recorded.';
comment on column agentdb.erasure.last_at is
  'When the last of them was.';
comment on column agentdb.erasure.inserted is
  'Whether the first of them was an insert: there was no row before.';
comment on column agentdb.erasure.removed is
  'Whether the last of them removed the row: there was none when it was erased.';
comment on column agentdb.erasure.snapshot is
  'What had been committed when the rows were looked for: what came later is not '
  'erased.';
comment on column agentdb.erasure.places is
  'How many rows of each table were changed.';
comment on table agentdb.erased_leaf is
  'The part of the hash of each erased row of audit_log that its values and its salt '
  'made, without which no seal since could be compared; append-only.';
comment on table agentdb.erasure_pass is
  'The transaction that is erasing, and what: logs let it blank that, and no more.';
comment on column agentdb.erasure_pass.subject is
  'As in _erase_text(); gone with the end of the erasure.';
comment on table agentdb.guarded_table is
  'Tables that agents write only through approved changes, and how these are decided.';
comment on column agentdb.guarded_table.view_name is
  'The view in agentdb_stage that takes ordinary SQL.';
comment on column agentdb.guarded_table.columns is
  'The only columns that a change may set; NULL allows all, and inserts and deletes.';
comment on column agentdb.guarded_table.context is
  'Columns that reviewers see beside the key of a changed row.';
comment on column agentdb.guarded_table.apply is
  'When an approved change is applied: on the last approval, by the runner or by '
  'hand.';
comment on column agentdb.guarded_table.validators is
  'Agents whose approval counts like a person''s.';
comment on column agentdb.guarded_table.everybody is
  'Whether the guard refuses direct writes of all sessions, not only of agents.';
comment on column agentdb.guarded_table.auto_approve is
  'Which changes need nobody: operations, columns, rows, and a condition, a function '
  'of the DBA.';
comment on column agentdb.guarded_table.layout is
  'The columns and the key that its staging view was generated for.';
comment on table agentdb.suspension is
  'Who suspended the audit, guard or fence of a table, why and until when; an '
  'extension is a row of its own; nobody changes or removes what is written.';
comment on column agentdb.suspension.lock_name is
  'The lock of a suspended fence.';
comment on column agentdb.suspension.since_at is
  'Since when it has been suspended without a break.';
comment on column agentdb.suspension.began_snapshot is
  'Which transactions had ended before it began.';
comment on column agentdb.suspension.ended_at is
  'When somebody ended it, or it was seen that its time was over.';
comment on column agentdb.suspension.ended_by is
  'Who ended it; NULL where its time was over.';
comment on column agentdb.suspension.settle_xid is
  'A transaction that began after a suspended audit had ended: where all before it '
  'are over, nothing that was not recorded can still be committed.';
comment on column agentdb.suspension.recorded_again_at is
  'When that was so: the end of the gap in the record of the table.';
comment on table agentdb.change is
  'Changes that agents propose: staged, tried, decided by others, applied or not.';
comment on column agentdb.change.automatic is
  'Whether it is submitted when its transaction commits.';
comment on column agentdb.change.undoes is
  'What it takes back: {"run": …}, {"xid": …}, {"audit": …} or {"change": …}.';
comment on column agentdb.change.xid is
  'The transaction that staged its last row.';
comment on column agentdb.change.effects is
  'How many rows of each table it changed when it was tried, side effects included.';
comment on column agentdb.change.builds_on is
  'Changes that must have been applied before.';
comment on column agentdb.change.approvals is
  'How many approvals it needs.';
comment on column agentdb.change.digest is
  'SHA-256 of its content, which an approval repeats.';
comment on column agentdb.change.problem is
  'Why it could not be applied.';
comment on column agentdb.change.rebased is
  'Which change it stages anew ("from"), who did so and how, or as which it was.';
comment on table agentdb.change_table is
  'The tables of each submitted change, as they were when it was tried.';
comment on table agentdb.change_row is
  'The rows of changes: what becomes of each, and what it is expected to be before.';
comment on column agentdb.change_row.builds_on is
  'The change of the same proposer, not yet applied, that this row continues.';
comment on column agentdb.change_row.net_operation is
  'What its proposer sees, where that is more than this change alone.';
comment on column agentdb.change_row.shown_key is
  'The key that an update gives the row, under which its proposer sees it from then '
  'on; NULL where it keeps its key.';
comment on column agentdb.change_row.base_key is
  'The key that the row still has in the table, where earlier changes give it the one '
  'that this change finds it by.';
comment on table agentdb.change_read is
  'The rows that a change rests on and does not write.';
comment on column agentdb.change_read.seen is
  'The row as it was read; NULL where there was none.';
comment on table agentdb.change_decision is
  'Who approved or rejected which content of a change.';
comment on table agentdb.change_pass is
  'Transactions that are applying a change: the guard lets them write.';
comment on column agentdb.change_pass.trial is
  'Whether it is rolled back for certain: the audit leaves no record of it.';
comment on column agentdb.change_pass.basis is
  'The changes that are applied before it in the same trial.';
comment on table agentdb.change_fact is
  'Facts of the catalogue about guarded and undone tables, which hold as long as their '
  'fingerprint is the same.';
comment on column agentdb.change_fact.relations is
  'The rows of the catalogue that it was made from, by their numbers.';
comment on column agentdb.change_fact.hostile is
  'What an agent controls of the table.';
comment on column agentdb.change_fact.path is
  'The schemas that its triggers find when a change is applied.';
comment on column agentdb.change_fact.written is
  'The tables that a write of it can write; NULL where that is not known.';
comment on column agentdb.change_fact.names is
  'What they are called, a partition as its root.';
comment on column agentdb.change_fact.reached is
  'The tables that a write of it writes where no trigger does more.';
comment on column agentdb.change_fact.others is
  'Extensions, operators and the like that it is made of.';
comment on column agentdb.change_fact.deep is
  'A trigger of these that asks for pg_trigger_depth().';
comment on table agentdb.change_statement is
  'Statements that apply changes, for each form that their rows can have.';
comment on column agentdb.change_statement.form is
  'Which columns the rows of a change name, and what else its statement depends on.';
comment on column agentdb.change_statement.function_name is
  'The function that has it planned once a session, for changes of few rows.';
comment on type agentdb.change_manner is
  'How a change is performed.';
comment on sequence agentdb.change_fact_seq is
  'Numbers of facts.';
comment on column agentdb.change_table.change_fact_id is
  'The facts of the table that it was tried or is applied with.';
comment on table agentdb.seal is
  'Chained hashes of what became visible in audit_log from one seal to the next, a '
  'row a UTC day.';
comment on table agentdb.lock is
  'Locks and slots of semaphores, a row each: who holds it and until when.';
comment on column agentdb.lock.former_agent_id is
  'The agent that had the row before the present or last holder.';
comment on column agentdb.lock.release_on_disconnect is
  'Whether others may take it as soon as its holder''s sessions are gone.';
comment on column agentdb.lock.role_name is
  'The login role of the holder, if its run was known to be the only one of it.';
comment on column agentdb.lock.stop_seen is
  'The stop_seen of that run when it took the lock.';
comment on type agentdb.acquired_lock is
  'What acquire_lock returns.';
comment on column agentdb.acquired_lock.acquired is
  'Whether the run has the lock now.';
comment on column agentdb.acquired_lock.fence is
  'The number of this tenure, which everything else takes.';
comment on column agentdb.acquired_lock.expires_at is
  'When it ends, the run''s own or the one in the way.';
comment on column agentdb.acquired_lock.ttl_ms is
  'How many milliseconds are left until then.';
comment on column agentdb.acquired_lock.holder is
  'Who has it.';
comment on column agentdb.acquired_lock.outcome is
  'acquired, taken_over or reentered; held, cooling or busy where it was not acquired.';
comment on type agentdb.renewed_lock is
  'What renew_lock returns.';
comment on column agentdb.renewed_lock.renewed is
  'Whether the run has the lock for longer now.';
comment on column agentdb.renewed_lock.expires_at is
  'When it ends; NULL where it is lost.';
comment on column agentdb.renewed_lock.ttl_ms is
  'How many milliseconds are left until then.';
comment on column agentdb.renewed_lock.outcome is
  'renewed; lost, max_hold or no_progress where it was not.';
comment on type agentdb.released_lock is
  'What release_lock returns.';
comment on column agentdb.released_lock.released is
  'Whether the run has given the lock back.';
comment on column agentdb.released_lock.outcome is
  'released; still_held after one of several entries; lost where it is another''s.';
comment on column agentdb.released_lock.held_for is
  'How long ago it was acquired.';
comment on column agentdb.released_lock.cooling_until is
  'Until when nobody can take it.';
comment on column agentdb.released_lock.waiting is
  'How many runs wait for it: wake_waiters tells them.';
comment on sequence agentdb.stop_number_seq is
  'How many stops there have been, for run.stop_seen.';
comment on sequence agentdb.lock_wait_seq is
  'Until when a run can wait that last began to wait for any lock, as a fence.';
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
comment on table agentdb.budget_refusal is
  'What budgets refused, a row for a run, a scope and a minute.';
comment on column agentdb.budget_refusal.asked is
  'How many tokens it asked for the last time; NULL for a call.';
comment on column agentdb.budget_refusal.tokens_left is
  'How many were left the last time.';
comment on column agentdb.budget_refusal.spent is
  'Whether they are spent; else they were only set aside by prompts not settled yet.';
comment on table agentdb.run_blast is
  'How many rows a run has changed or removed in tables that refuse a blast, a row for '
  'each of its sessions and a twelfth of policy.blast_radius_window.';
comment on column agentdb.run_blast.pid is
  'The process of the server that wrote: no session waits for another.';
comment on table agentdb.refusal_count is
  'How far the runner has counted what was refused by errors; unlogged, for a crash '
  'makes sequences jump.';
comment on column agentdb.refusal_count.kind is
  'fence, approval, guard, blast or stop; all, of slot 0, is the sum.';
comment on column agentdb.refusal_count.slot is
  'Which sequence refused_<kind>_<slot>: that of one agent, or of a few.';
comment on table agentdb.refusal is
  'Who was refused by an error how often between two looks of the runner.';
comment on column agentdb.refusal.kind is
  'fence (a write without the lock), approval (of one''s own change), guard, blast or '
  'stop (after a kill).';
comment on column agentdb.refusal.others is
  'Agents that share the counter: some of it may be theirs.';
comment on column agentdb.refusal.since_at is
  'The look before.';
comment on table agentdb.run_activity is
  'What the logs of a run add up to, as far as roll_up_state.counted saw them.';
comment on column agentdb.run_activity.evidence_at is
  'The last step that was new in the run, or audited write.';
comment on column agentdb.run_activity.calls_since is
  'Tool calls since then.';
comment on column agentdb.run_activity.model_calls_since is
  'Model calls since then and since the last tool call.';
comment on table agentdb.run_cost is
  'What each model cost a run a UTC day, as far as roll_up_state.counted saw it.';
comment on column agentdb.run_cost.model is
  'The model; empty where nobody said.';
comment on column agentdb.run_cost.unpriced_calls is
  'Calls whose cost nobody knows: it is not in the sums.';
comment on table agentdb.run_step is
  'Which steps a run has logged, so that a label repeated is no progress.';
comment on table agentdb.tool_day is
  'Calls and failures of each agent''s tools a UTC day: what is normal for them.';
comment on table agentdb.call_hour is
  'Tool calls and failures of each agent in an hour, the history of its baselines.';
comment on table agentdb.event_day is
  'How many events of each agent were stored a UTC day, and how many were not.';
comment on column agentdb.event_day.bytes is
  'What they take on disk, about: large columns as they are stored, and a constant a '
  'row.';
comment on column agentdb.event_day.unstored is
  'How many were only counted.';
comment on column agentdb.event_day.capped_by is
  'Which setting of its policy the agent has reached; NULL while it has not.';
comment on table agentdb.event_unstored is
  'What was counted and not stored, until the next roll-up takes it.';
comment on column agentdb.event_unstored.model is
  'The model; empty where nobody said, and for what is no model call.';
comment on column agentdb.event_unstored.pid is
  'The process of the server that counts: no session waits for another.';
comment on column agentdb.event_unstored.evidence_at is
  'When it logged a step last that it had not logged while its steps were stored.';
comment on table agentdb.tool_minute is
  'What each agent''s tools did in a minute, as far as roll_up_state.counted saw it.';
comment on column agentdb.tool_minute.largest is
  'The size of the largest result.';
comment on table agentdb.agent_minute is
  'Steps and tokens of each agent in a minute, as far as roll_up_state.counted saw '
  'them.';
comment on table agentdb.token_half_hour is
  'Tokens of each agent in half an hour, the history that normal is made of.';
comment on table agentdb.token_normal is
  'What is normal for each agent, refreshed every hour by a runner.';
comment on column agentdb.token_normal.bound is
  'Weighted tokens in half an hour beyond which its own busy half hours never came.';
comment on column agentdb.token_normal.hours is
  'A bit for each hour at which it was active: 0 to 23 on weekdays, 24 to 47 at '
  'weekends, UTC.';
comment on column agentdb.token_normal.days is
  'Whole days since the first that is known of it.';
comment on table agentdb.agent_day is
  'What each agent did on a UTC day that is over: written once, then left as it is.';
comment on column agentdb.agent_day.tokens is
  'Weighted as its policy weighed them then.';
comment on column agentdb.agent_day.tick is
  'The median seconds of its ticks that succeeded; NULL where none did.';
comment on table agentdb.drift is
  'Measures of agents that rose over their last 7 or 14 active days, for slow_drift.';
comment on column agentdb.drift.day_at is
  'The last of the days.';
comment on column agentdb.drift.days is
  'How many active days.';
comment on column agentdb.drift.growth is
  'Times so much from one active day to the next: the median of all pairs.';
comment on column agentdb.drift.rising is
  'Of all pairs of days, those that rise less those that fall, as a share of all.';
comment on column agentdb.drift.jump is
  'What part of the whole growth came from one day to the next.';
comment on column agentdb.drift.week_share is
  'These days against as many before them; NULL where these are not known.';
comment on column agentdb.drift.levels is
  'The amounts of the days, the first one first.';
comment on table agentdb.baseline is
  'What is usual for each agent at each hour of a day, by the 28 days before it.';
comment on column agentdb.baseline.day_at is
  'The UTC day that it is for.';
comment on column agentdb.baseline.days is
  'Whole days since the first that is known of the agent.';
comment on column agentdb.baseline.samples is
  'Active hours, or ticks, of the 28 days.';
comment on column agentdb.baseline.usual is
  'Medians: of all samples, then of those of each hour, NULL where these are too few.';
comment on column agentdb.baseline.spread is
  'Median absolute deviations, with their floor, in the same order.';
comment on table agentdb.budget_override is
  'Budgets of single agents, in place of their policy''s; NULL is no limit.';
comment on table agentdb.budget_gate is
  'A row an agent that its reservations pass one after another.';
comment on table agentdb.tree_gate is
  'A row a tree of runs, by its first, that its reservations pass one after another.';
comment on table agentdb.token_reservation is
  'Tokens set aside before a prompt: until settled, or until they expire.';
comment on table agentdb.roll_up_state is
  'The snapshot whose events the roll-ups have counted; nothing else is in them.';
comment on column agentdb.roll_up_state.minutes_begin_at is
  'From when on minutes are kept.';
comment on table agentdb.intake_token is
  'Secrets with which an emitter proves for whom it speaks; only hashes are kept.';
comment on column agentdb.intake_token.used_on is
  'The last day on which it proved an agent.';
comment on table agentdb.web_person is
  'Whom the page knows, and the database role that decides what each of them may do.';
comment on column agentdb.web_person.subject is
  'As the page knows a person: an address, an issuer and its subject, role NAME, or '
  'user NAME.';
comment on column agentdb.web_person.role_oid is
  'Which role of that name: another that gets the name later is not meant.';
comment on column agentdb.web_person.expires_at is
  'When it ends by itself: of a one-time link with its session; NULL is never.';
comment on table agentdb.web_link is
  'One-time links to the page; only hashes of their tokens are kept.';
comment on column agentdb.web_link.role_name is
  'Who made it, and so whom it lets in.';
comment on column agentdb.web_link.used_at is
  'When it was used, and became worthless.';
comment on table agentdb.web_action is
  'What people did by way of agentdb serve, and what was refused to them; append-only.';
comment on column agentdb.web_action.subject is
  'As the page knows them.';
comment on column agentdb.web_action.role_name is
  'The role that decided; NULL for who is mapped to none.';
comment on column agentdb.web_action.sqlstate is
  'Why it was refused; NULL for what was done.';
comment on column agentdb.web_action.acted_by is
  'The role that agentdb serve had logged in as.';
comment on column agentdb.change_decision.by_way_of is
  'What acted for the reviewer: agentdb serve; NULL in a session of its own.';
comment on table agentdb.intake_session is
  'What emitters call one conversation, or one thread of it, and the run it is kept '
  'in.';
comment on column agentdb.intake_session.thread is
  'A subagent''s own id; empty for the conversation itself.';
comment on column agentdb.intake_session.hooked is
  'Whether a hook ever told of it.';
comment on column agentdb.intake_session.hook_at is
  'When a hook told of it last.';
comment on table agentdb.unproven_log is
  'What somebody said in the name of an agent without proof: shown, and else nothing; '
  'append-only, a partition a UTC day.';
comment on column agentdb.unproven_log.happened_at is
  'The emitter''s clock.';
comment on table agentdb.unproven_hour is
  'How many events an hour named an agent without proof, those not kept included.';
comment on table agentdb.intake_problem is
  'What could not be understood, by kind: the first sample and how often.';
comment on column agentdb.intake_problem.count is
  'How often it came.';
comment on type agentdb.intake_call is
  'A finished call on its way through record_events(): new, half of one, or late.';
comment on type agentdb.intake_event is
  'An event on its way through record_events().';
comment on table agentdb.event_key is
  'What has been recorded already, by a hash of the emitter''s own id, so that each '
  'event counts once.';
comment on table agentdb.installation is
  'Which installation this is, one row: a copy of a database has the same identifier, '
  'and must not speak for it.';
comment on column agentdb.installation.site is
  'Where it is at home, as its runners'' configuration or agentdb adopt said.';
comment on column agentdb.installation.address is
  'Under which address its runners reached it last; NULL until the first does.';
comment on column agentdb.installation.refused_address is
  'Under which other address a runner came last that may send nothing.';
comment on table agentdb.alert_rule is
  'Rules: a view that has a row for each trouble, how often to ask it and how to '
  'alert.';
comment on column agentdb.alert_rule.view_name is
  'schema.view with columns labels jsonb, value double precision, annotations jsonb.';
comment on column agentdb.alert_rule.evidence_query is
  'Statement that shows the rows behind an alert; :labels, :at and :calls stand for '
  'its labels, moment and the tool calls that it names.';
comment on column agentdb.alert_rule.remedy is
  'What to do about an alert, a line a step: a command, a statement that ends in a '
  'semicolon, or a sentence; {run} stands for the label run.  NULL is general advice.';
comment on column agentdb.alert_rule.ends_when is
  'What ends an alert, in words; {run} stands for the label run.';
comment on column agentdb.alert_rule.ends_with_run is
  'Whether an alert is over as soon as the run that it names ends or is stopped or, '
  'where it names none, its agent is stopped.';
comment on column agentdb.alert_rule.group_by is
  'Which labels make one incident of several alerts of the rule; {alert} is none.';
comment on column agentdb.alert_rule.health is
  'The word agent_health has for an agent with such an alert.';
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
comment on column agentdb.alert.end_reason is
  'What ended the last episode.';
comment on column agentdb.alert.dismissed_severity is
  'How severe it was when a person ended it: what is no worse does not fire again '
  'until it has been gone.';
comment on column agentdb.alert.flush is
  'Whether a change has still to be turned into notifications.';
comment on column agentdb.alert.acknowledged_until is
  'Until when nobody is told again; infinity is until it is resolved.';
comment on column agentdb.alert.acknowledged_severity is
  'How severe it was then: what has got worse since is told all the same.';
comment on column agentdb.alert.incident_id is
  'The alert that opened the incident which this one is part of, itself where it did; '
  'NULL before it fires.';
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
comment on column agentdb.receiver.escalate_after is
  'Who does not acknowledge an alert for so long has escalate_to told of it.';
comment on column agentdb.receiver.group_wait is
  'How long the cause of what is not critical is waited for before it is told, and how '
  'long changes are collected, where no route says otherwise.';
comment on table agentdb.route is
  'Which alerts a receiver hears of and which of them come as one message; a receiver '
  'without a route hears of each incident.';
comment on column agentdb.route.group_by is
  'Labels, rule or severity: alerts that have them equal are one message; {alert} is '
  'each by itself, {} all together.';
comment on column agentdb.route.group_wait is
  'How long a new group waits for more alerts before it is told.';
comment on column agentdb.route.group_interval is
  'How long at least lies between two messages about changes of a group.';
comment on column agentdb.route.repeat_interval is
  'How often a group is told again that nobody acknowledges; NULL is never.';
comment on table agentdb.inhibition is
  'While an alert that matches source fires, nobody is notified of those that match '
  'target, are no more severe and have the same equal_labels.';
comment on column agentdb.inhibition.linger is
  'How much longer it holds once the source has ended.';
comment on table agentdb.alert_kin is
  'What alerts that fire may have in common: who has the same is one incident, and '
  'a cause explains its consequences.';
comment on column agentdb.alert_kin.cause is
  'Whether it is the cause, or a consequence; NULL where that is no question.';
comment on table agentdb.silence is
  'What nobody is told of for a time: by whom, why and until when.';
comment on column agentdb.silence.only_rule is
  'The one rule that it is about, where it names one: what is about others needs no '
  'closer look.';
comment on column agentdb.silence.only_agent is
  'The one agent, likewise.';
comment on table agentdb.silenced_alert is
  'Which silences match which alerts, found out when either is new or changes.';
comment on table agentdb.quiet_hours is
  'When a receiver is not told of what is no more severe than max_severity: it waits '
  'until they end.';
comment on table agentdb.digest is
  'Receivers that hear of notices once a day, with what changed since the day before.';
comment on column agentdb.digest.next_at is
  'When the next is due.';
comment on table agentdb.alert_group is
  'What one receiver was told as one incident, and when there is more to say.';
comment on column agentdb.alert_group.alert_id is
  'The alert that opened the incident, where an incident or alert is a group.';
comment on column agentdb.alert_group.told is
  'What the receiver was told last.';
comment on column agentdb.alert_group.open_at is
  'Before this no change is told, by group_wait and group_interval.';
comment on column agentdb.alert_group.look_at is
  'When flush() looks at the group next.';
comment on table agentdb.group_alert is
  'The alerts of a group that fire or whose end has still to be told.';
comment on column agentdb.group_alert.told_severity is
  'How severe it was when it was told last.';
comment on column agentdb.group_alert.told_stage is
  'How far it had come then, where its rule counts stages.';
comment on column agentdb.group_alert.until_at is
  'Until when it is acknowledged or silenced.';
comment on column agentdb.group_alert.reason is
  'Why it is told again, or to this receiver.';
comment on table agentdb.notification is
  'The outbox: one message a change of a group, until sent, given up or cancelled.';
comment on column agentdb.notification.former is
  'What the receiver had been told before, in case it is cancelled.';
comment on table agentdb.question is
  'What agents asked people, and what these answered.';
comment on column agentdb.notification.visible_at is
  'When it may be claimed: a lease that runs out, or the end of a back-off.';
comment on table agentdb.runner is
  'Runners that have reported, and when each of their loops last succeeded.';
"""

DROP_COUNTERS = """
do $$
declare
  v_sequence regclass;
begin
  for v_sequence in
    select c.oid from pg_class as c
    where c.relnamespace = 'agentdb'::regnamespace
      and c.relkind = 'S'
      and c.relname ~ '^(refused|last)_[a-z]+_[0-9]+$'
  loop
    execute format('drop sequence %s', v_sequence);
  end loop;
end;
$$;
"""

LOGS = (
    "progress_log",
    "tool_call_log",
    "token_log",
    "alert_log",
    "audit_log",
    "lock_log",
    "stop_log",
    "unproven_log",
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

# Rules about failures read these alone.
FAILURES = """
create index tool_call_log_failed_idx on agentdb.tool_call_log (recorded_at)
  where not ok;
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
      and c.relnamespace not in (
        'agentdb'::regnamespace, 'agentdb_stage'::regnamespace)
      and t.tgparentid = 0
  loop
    execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.table_name);
  end loop;
  for v_grant in
    select 'table' as kind, c.oid::regclass::text as name, a.grantee::regrole as grantee
    from pg_class as c cross join aclexplode(c.relacl) as a
    where a.grantee in ('agentdb_capture'::regrole, 'agentdb_applier'::regrole,
        'agentdb_owner'::regrole)
      and c.relkind in ('r', 'p')
      and c.relnamespace not in (
        'agentdb'::regnamespace, 'agentdb_stage'::regnamespace)
    union
    select 'table', c.oid::regclass::text, a.grantee::regrole
    from pg_class as c
    join pg_attribute as k on k.attrelid = c.oid
    cross join aclexplode(k.attacl) as a
    where a.grantee = 'agentdb_owner'::regrole
      and c.relnamespace not in (
        'agentdb'::regnamespace, 'agentdb_stage'::regnamespace)
    union
    select 'sequence', c.oid::regclass::text, a.grantee::regrole
    from pg_class as c cross join aclexplode(c.relacl) as a
    where a.grantee in ('agentdb_applier'::regrole, 'agentdb_owner'::regrole)
      and c.relkind = 'S'
      and c.relnamespace not in (
        'agentdb'::regnamespace, 'agentdb_stage'::regnamespace)
    union
    select 'function', p.oid::regprocedure::text, a.grantee::regrole
    from pg_proc as p cross join aclexplode(p.proacl) as a
    where a.grantee = 'agentdb_owner'::regrole
      and p.pronamespace not in (
        'agentdb'::regnamespace, 'agentdb_stage'::regnamespace)
    union
    select 'schema', n.oid::regnamespace::text, a.grantee::regrole
    from pg_namespace as n cross join aclexplode(n.nspacl) as a
    where a.grantee in ('agentdb_capture'::regrole, 'agentdb_applier'::regrole,
        'agentdb_owner'::regrole)
      and n.nspname not in ('agentdb', 'agentdb_stage')
  loop
    execute format('revoke all on %s %s from %s',
      v_grant.kind, v_grant.name, v_grant.grantee);
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
  perform agentdb._drop_leaning();
  for v_function in
    select p.oid from pg_proc as p
    where p.pronamespace = 'agentdb'::regnamespace and p.proname ~ '^_propose_[0-9]+$'
  loop
    execute format('drop function %s', v_function);
  end loop;
end;
$$;
"""

DROP_TABLES = """
drop table agentdb.runner;
drop table agentdb.question;
drop table agentdb.notification;
drop table agentdb.group_alert;
drop table agentdb.alert_group;
drop table agentdb.alert_kin;
drop table agentdb.digest;
drop table agentdb.quiet_hours;
drop table agentdb.silenced_alert;
drop table agentdb.silence;
drop table agentdb.inhibition;
drop table agentdb.route;
drop table agentdb.receiver;
drop table agentdb.alert_log;
drop table agentdb.alert;
drop table agentdb.alert_rule;
drop table agentdb.installation;
drop type agentdb.intake_event;
drop type agentdb.intake_call;
drop table agentdb.intake_problem;
drop table agentdb.unproven_hour;
drop table agentdb.unproven_log;
drop table agentdb.intake_session;
drop table agentdb.web_action;
drop table agentdb.web_link;
drop table agentdb.web_person;
drop table agentdb.intake_token;
drop table agentdb.roll_up_state;
drop table agentdb.budget_refusal;
drop table agentdb.token_reservation;
drop table agentdb.tree_gate;
drop table agentdb.budget_gate;
drop table agentdb.budget_override;
drop table agentdb.baseline;
drop table agentdb.drift;
drop table agentdb.agent_day;
drop table agentdb.token_normal;
drop table agentdb.event_unstored;
drop table agentdb.event_day;
drop table agentdb.token_half_hour;
drop table agentdb.call_hour;
drop table agentdb.tool_day;
drop table agentdb.tool_minute;
drop table agentdb.agent_minute;
drop table agentdb.run_step;
drop table agentdb.run_cost;
drop table agentdb.run_activity;
drop table agentdb.refusal;
drop table agentdb.run_blast;
drop table agentdb.refusal_count;
drop sequence agentdb.refusal_seq;
drop table agentdb.fenced_write;
drop table agentdb.lock_waiter;
drop table agentdb.lock_denial;
drop table agentdb.lock_log;
drop sequence agentdb.lock_wait_seq;
drop type agentdb.released_lock;
drop type agentdb.renewed_lock;
drop type agentdb.acquired_lock;
drop table agentdb.lock;
drop type agentdb.change_manner;
drop table agentdb.change_statement;
drop table agentdb.change_fact;
drop sequence agentdb.change_fact_seq;
drop table agentdb.change_pass;
drop table agentdb.change_decision;
drop table agentdb.change_read;
drop table agentdb.change_row;
drop table agentdb.change_table;
drop table agentdb.change;
drop table agentdb.suspension;
drop sequence agentdb.suspension_seq;
drop table agentdb.guarded_table;
drop table agentdb.erasure_pass;
drop table agentdb.erased_leaf;
drop table agentdb.erasure;
drop table agentdb.removed_day;
drop table agentdb.seal;
drop table agentdb.audit_log;
drop sequence agentdb.audit_statement_seq;
drop table agentdb.moment;
drop table agentdb.epoch;
drop table agentdb.record_fault;
drop table agentdb.fence_target;
drop table agentdb.audit_layout;
drop table agentdb.audit_target;
drop table agentdb.message_channel;
drop table agentdb.verdict;
drop table agentdb.claim;
drop table agentdb.event_key;
drop table agentdb.token_log;
drop table agentdb.tool_diagnosis;
drop table agentdb.tool_check_state;
drop table agentdb.tool_fault;
drop table agentdb.tool_call_log;
drop table agentdb.tool_call;
drop table agentdb.agent_tool;
drop table agentdb.tool_alias;
drop table agentdb.tool;
drop table agentdb.progress_log;
drop table agentdb.stop_log;
drop sequence agentdb.stop_number_seq;
drop sequence agentdb.stop_former_seq;
drop sequence agentdb.stop_last_seq;
drop table agentdb.agent_stop;
drop table agentdb.run_stop;
drop table agentdb.agent_gate;
drop table agentdb.run_gate;
drop table agentdb.spawn_token;
drop table agentdb.run_session;
drop table agentdb.run_token;
drop table agentdb.schedule;
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
    schema.emit(context, FAILURES)


def downgrade() -> None:
    context = op.get_context()
    schema.emit(context, RELEASE_TABLES)
    schema.emit(context, DROP_PARTITIONS)
    schema.emit(context, schema.drop_code(revision))
    schema.emit(context, DROP_COUNTERS)
    schema.emit(context, DROP_TABLES)
