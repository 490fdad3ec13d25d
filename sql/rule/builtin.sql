-- The rules that come with the pack.  What a DBA sets (enabled, severity, times) stays
-- at the DBA's values when the pack is installed again.  All fire at once, for their
-- thresholds have been waited for already, but tool_errors: a loop that explains them
-- is found by then.  Rates keep firing, for they come and go.

insert into agentdb.alert_rule as r (
  rule_name, severity, health, fire_after, keep_firing, view_name, description,
  evidence_query
)
values
  (
    'audit_gap', 'critical', 'unaudited', '0', '0', 'agentdb.audit_gap',
    'What is not recorded cannot be verified, explained or undone.',
    'select f.table_name, f.fault from agentdb.audit_fault as f
     where f.table_name = :labels ->> ''table'''
  ),
  (
    'blast_radius', 'critical', 'harmful', '0', '0', 'agentdb.blast_radius',
    'A forgotten WHERE changes every row at once.',
    'select l.xid, l.statement, l.operation, count(*) as rows, min(l.recorded_at) as at
     from agentdb.audit_log as l
     join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
     where t.table_name = :labels ->> ''table''
       and l.run_id is not distinct from (:labels ->> ''run'')::bigint
       and l.recorded_at > :at - interval ''1 day''
       and l.recorded_at <= :at
     group by 1, 2, 3
     order by 4 desc
     limit 10'
  ),
  (
    'unattributed_write', 'warning', 'alerting', '0', '0', 'agentdb.unattributed_write',
    'A write outside any run has nobody who answers for it.',
    'select l.recorded_at, l.operation, l.row_key, l.application_name, l.client_addr
     from agentdb.audit_log as l
     join agentdb.audit_target as t on t.audit_target_id = l.audit_target_id
     where t.table_name = :labels ->> ''table''
       and l.session_role = :labels ->> ''role''
       and l.run_id is null
       and l.recorded_at > :at - interval ''1 day''
       and l.recorded_at <= :at
     order by l.audit_log_id desc
     limit 10'
  ),
  (
    'refuted_claim', 'critical', 'unproven', '0', '0', 'agentdb.refuted_claim',
    'An agent that says it is done, and is not, hides its failure.',
    'select v.given_at, v.verdict, v.evidence, v.given_by
     from agentdb.verdict as v
     where v.claim_id = (:labels ->> ''claim'')::bigint
     order by v.verdict_id desc
     limit 10'
  ),
  (
    'unbacked_tool_call', 'critical', 'unproven', '0', '0',
    'agentdb.unbacked_tool_call',
    'A tool that says ok and changes nothing makes its agent believe what is not so.',
    'select d.recorded_at, d.finding, d.tool, d.tool_call_log_id
     from agentdb.tool_diff((:labels ->> ''run'')::bigint) as d
     where d.finding = ''nothing written'' and d.tool = :labels ->> ''tool''
     order by d.recorded_at desc
     limit 10'
  ),
  (
    'unannounced_write', 'warning', 'unproven', '0', '0', 'agentdb.unannounced_write',
    'A row that no call accounts for was written behind the back of whoever reads it.',
    'select d.recorded_at, d.finding, d.tool, d.table_name, d.operation, d.row_key
     from agentdb.tool_diff((:labels ->> ''run'')::bigint) as d
     where d.finding <> ''nothing written''
     order by d.recorded_at desc
     limit 10'
  ),
  (
    'unknown_tool', 'warning', 'lost', '0', '0', 'agentdb.unknown_tool',
    'An agent that makes tools up has lost touch with what it can do.',
    'select c.recorded_at, c.tool, c.detail, c.args
     from agentdb.faulty_call as c
     where c.run_id = (:labels ->> ''run'')::bigint and c.fault = ''unknown''
     order by c.recorded_at desc
     limit 10'
  ),
  (
    'unverified_claim', 'warning', 'unproven', '0', '0', 'agentdb.unverified_claim',
    'What nobody could look up is neither true nor false.',
    'select c.claim_id, c.run_id, c.target, c.state, c.attempts, c.evidence
     from agentdb.claim_status as c
     where c.agent_name = :labels ->> ''agent''
       and c.kind = :labels ->> ''kind''
       and c.state in (''pending'', ''unreachable'')
     order by c.claim_id
     limit 10'
  ),
  (
    'budget_low', 'warning', 'overspending', '0', '0', 'agentdb.budget_low',
    'A budget that runs low will refuse the agent soon.',
    'select b.scope, r.run_id, b.max_tokens, b.spent, b.reserved, b.tokens_left, b.cost
     from (
       select r.* from agentdb._recent_run(:at) as r
       join agentdb.agent as a on a.agent_id = r.agent_id
       where a.agent_name = :labels ->> ''agent''
         and r.conversation = coalesce(:labels ->> ''conversation'', r.conversation)
       order by r.run_id desc limit 10) as r
     cross join lateral agentdb._budget(r.run_id, r.agent_id, r.conversation) as b
     where b.scope = :labels ->> ''scope'''
  ),
  (
    'change_conflict', 'critical', 'alerting', '0', '0', 'agentdb.change_conflict',
    'What was approved was not done: the rows are not what was reviewed.',
    'select c.change_id, c.proposed_by, c.reason, c.closed_at, c.problem
     from agentdb.change as c where c.change_id = (:labels ->> ''change'')::bigint'
  ),
  (
    'change_expired', 'warning', 'alerting', '0', '0', 'agentdb.change_expired',
    'What was proposed is not done, and whoever proposed it may think that it is.',
    'select c.change_id, c.proposed_by, c.reason, c.submitted_at, c.closed_at
     from agentdb.change_summary as c
     where c.change_id = (:labels ->> ''change'')::bigint'
  ),
  (
    'change_expiring', 'warning', 'alerting', '0', '0', 'agentdb.change_expiring',
    'A change that nobody decides ends undone.',
    'select c.change_id, c.state, c.reason, c.tables, c.row_count, c.expires_at
     from agentdb.change_summary as c
     where c.change_id = (:labels ->> ''change'')::bigint'
  ),
  (
    'change_waiting', 'warning', 'alerting', '0', '0', 'agentdb.change_waiting',
    'An agent that waits for an approval does nothing else.',
    'select c.change_id, c.state, c.reason, c.tables, c.row_count, c.submitted_at
     from agentdb.change_summary as c
     where c.change_id = (:labels ->> ''change'')::bigint'
  ),
  (
    'context_jump', 'warning', 'burning', '0', '0', 'agentdb.context_jump',
    'One large file read whole, and every later call pays for it again.',
    'select t.recorded_at, t.model, t.input_tokens, t.cached_input_tokens,
       t.output_tokens
     from agentdb.token_log as t
     where t.run_id = (:labels ->> ''run'')::bigint
       and t.recorded_at <= :at
     order by t.recorded_at desc limit 10'
  ),
  (
    'conversation_budget', 'critical', 'overspending', '0', '0',
    'agentdb.conversation_budget',
    'Context that only grows is paid again with every call.',
    'select t.recorded_at, t.run_id, t.model, t.input_tokens, t.cached_input_tokens,
       t.output_tokens
     from agentdb.token_log as t
     join agentdb.run as r on r.run_id = t.run_id
     join agentdb.agent as a on a.agent_id = r.agent_id
     where a.agent_name = :labels ->> ''agent''
       and r.conversation = :labels ->> ''conversation''
       and t.recorded_at <= :at
     order by t.input_tokens desc limit 10'
  ),
  (
    'hung_tool_call', 'warning', 'stuck', '0', '0', 'agentdb.hung_tool_call',
    'A call that never returns stops the run without an error.',
    'select c.began_at, c.tool, c.call_id, c.args, c.ended_at
     from agentdb.tool_call as c
     where c.run_id = (:labels ->> ''run'')::bigint
       and c.call_id = :labels ->> ''call'''
  ),
  (
    'lock_contention', 'warning', 'blocked', '0', '0', 'agentdb.lock_contention',
    'A lock that many do not get is held too long or too coarse.',
    'select d.first_at, d.last_at, d.run_id, a.agent_name, d.denials
     from agentdb.lock_denial as d
     join agentdb.agent as a on a.agent_id = d.agent_id
     where d.lock_name = :labels ->> ''lock''
       and d.first_at <= :at
     order by d.first_at desc
     limit 10'
  ),
  (
    'lock_held_too_long', 'warning', 'blocking', '0', '0', 'agentdb.lock_held_too_long',
    'A holder that keeps renewing and never finishes keeps all others out.',
    'select h.lock_name, h.fence, h.agent_name, h.run_id, h.acquired_at, h.expires_at,
       h.renewals, h.ended_at, h.outcome
     from agentdb.lock_history as h
     where h.lock_name = :labels ->> ''lock''
     order by h.fence desc
     limit 10'
  ),
  (
    'input_spike', 'warning', 'burning', '0', '10 minutes', 'agentdb.input_spike',
    'Input is what a context bomb costs; output does not show it.',
    'select c.day, c.input_tokens, c.cached_input_tokens, c.output_tokens, c.cost
     from agentdb.cost_by_agent_day as c
     where c.agent_name = :labels ->> ''agent''
     order by c.day desc
     limit 8'
  ),
  (
    'large_tool_result', 'warning', 'burning', '0', '0', 'agentdb.large_tool_result',
    'What a tool returns is in the context from then on.',
    'select l.recorded_at, l.result_size, l.ok, l.args
     from agentdb.tool_call_log as l
     where l.run_id = (:labels ->> ''run'')::bigint
       and l.tool = :labels ->> ''tool''
       and l.recorded_at <= :at
     order by l.result_size desc nulls last
     limit 10'
  ),
  (
    'long_tick', 'warning', 'stuck', '0', '0', 'agentdb.long_tick',
    'A tick that does not end delays or overlaps the next.',
    'select at, kind, what, ok, tokens
     from agentdb.timeline((:labels ->> ''run'')::bigint)
     order by at desc limit 10'
  ),
  (
    'missed_tick', 'critical', 'late', '0', '0', 'agentdb.missed_tick',
    'A scheduled agent that does not start says nothing at all.',
    'select s.run_id, s.started_at, s.ended_at, s.state, s.last_step
     from agentdb.run_summary as s
     where s.agent_name = :labels ->> ''agent''
     order by s.started_at desc
     limit 5'
  ),
  (
    'no_progress', 'warning', 'stuck', '0', '0', 'agentdb.no_progress',
    'An agent can be online, burn tokens and reach nothing.',
    'select at, kind, what, ok, tokens
     from agentdb.timeline((:labels ->> ''run'')::bigint)
     order by at desc limit 10'
  ),
  (
    'overdue_hold', 'warning', 'stuck', '0', '0', 'agentdb.overdue_hold',
    'A run that said it would wait has not come back.',
    'select r.run_id, r.held_until_at, r.hold_reason, r.started_at
     from agentdb.run as r
     where r.run_id = (:labels ->> ''run'')::bigint'
  ),
  (
    'repeated_tool_call', 'warning', 'looping', '0', '0', 'agentdb.repeated_tool_call',
    'The same call again and again is the sign of a silent loop.',
    'select l.recorded_at, l.tool, l.ok, l.result_size, l.error, l.args
     from agentdb.tool_call_log as l
     where l.run_id = (:labels ->> ''run'')::bigint
       and l.tool = :labels ->> ''tool''
       and l.recorded_at <= :at
     order by l.recorded_at desc
     limit 10'
  ),
  (
    'schedule_blocked', 'critical', 'blocked', '0', '0', 'agentdb.schedule_blocked',
    'Ticks that do not get their lock end quietly, and nothing is ever done.',
    'select s.lock_name, s.slot, s.state, s.holder, s.held_for, s.time_left, s.renewals,
       s.waiting, s.denied_since
     from agentdb.lock_status as s
     where s.lock_name = :labels ->> ''lock'''
  ),
  (
    'silent_loop', 'warning', 'looping', '0', '2 minutes', 'agentdb.silent_loop',
    'The same again and again, and nothing comes of it: it ends when somebody ends it.',
    'select l.recorded_at, l.tool, l.ok, l.result_size, l.error, l.args
     from agentdb.tool_call_log as l
     where l.run_id = (:labels ->> ''run'')::bigint
       and l.tool_call_log_id = any (:calls)
     union all
     (select t.recorded_at, ''(model call)'', true, t.output_tokens, null, null
       from agentdb.token_log as t
       where t.run_id = (:labels ->> ''run'')::bigint and t.recorded_at <= :at
         and cardinality(:calls) = 0 order by 1 desc limit 10)
     order by 1 desc'
  ),
  (
    'stale_lock', 'warning', 'blocking', '0', '0', 'agentdb.stale_lock',
    'A lock that expired unreleased had a holder that crashed or hangs.',
    'select h.lock_name, h.fence, h.agent_name, h.run_id, h.acquired_at, h.expires_at,
       h.renewals, h.ended_at, h.outcome
     from agentdb.lock_history as h
     where h.lock_name = :labels ->> ''lock''
     order by h.fence desc
     limit 10'
  ),
  (
    'token_rate', 'critical', 'burning', '0', '10 minutes', 'agentdb.token_rate',
    'Tokens per hour are the first thing that a runaway changes.',
    'select t.run_id, date_bin(''5 minutes'', t.recorded_at, ''epoch'') as since,
       count(*) as calls, sum(t.input_tokens) as input,
       sum(t.cached_input_tokens) as cached, sum(t.output_tokens) as output
     from agentdb.token_log as t
     join agentdb.agent as a on a.agent_id = t.agent_id
     where a.agent_name = :labels ->> ''agent''
       and t.recorded_at > :at - interval ''1 hour''
       and t.recorded_at <= :at
     group by 1, 2
     order by 2 desc limit 12'
  ),
  (
    'tool_errors', 'warning', 'failing', '30 seconds', '5 minutes',
    'agentdb.tool_errors',
    'A tool that mostly fails is misused, forbidden or broken.',
    'select l.recorded_at, l.run_id, l.error, l.args
     from agentdb.tool_call_log as l
     join agentdb.agent as a on a.agent_id = l.agent_id
     where a.agent_name = :labels ->> ''agent''
       and l.tool = :labels ->> ''tool''
       and not l.ok
       and l.recorded_at > :at - interval ''1 day''
       and l.recorded_at <= :at
     order by l.recorded_at desc
     limit 10'
  )
on conflict on constraint alert_rule_pkey do update
set view_name = excluded.view_name,
    health = excluded.health,
    description = excluded.description,
    evidence_query = excluded.evidence_query;

-- All rules have the same three columns.
do $$
declare
  v_view text;
begin
  for v_view in
    select r.view_name from agentdb.alert_rule as r where r.view_name ~ '^agentdb[.]'
  loop
    execute format('comment on column %s.labels is %L', v_view,
      'What tells one alert of the rule from another.');
    execute format('comment on column %s.value is %L', v_view,
      'How bad it is: a count, or seconds.');
    execute format('comment on column %s.annotations is %L', v_view,
      'What a person reads: summary, policy, threshold.');
  end loop;
end;
$$;
