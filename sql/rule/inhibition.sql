-- The inhibitions of the pack: one message for one incident.  What a cause brings with
-- it lasts longer than the cause, as windows are still full of it.  One that a DBA has
-- changed stays as it is; to be without one, give it a target that matches nothing.

select agentdb.set_inhibition(i.name, i.source, i.target, i.equal_labels, case
  -- A start ends both: a tick that is missed after it is another incident.
  when i.name = 'crash-and-missed-tick' then interval '1 minute'
  -- A conversation that is spent is told of for an hour after its last run.
  when i.target like '%budget%' then interval '1 hour'
  else '20 minutes'
end)
from (
  values
    ('outage-and-its-errors', 'rule=tool_outage',
      'rule~^(tool_errors|silent_loop|hung_tool_call)$', '{tool}'::text[]),
    ('loop-in-a-tree', 'rule=silent_loop', 'rule~^(no_progress|long_tick)$', '{tree}'),
    ('crash-in-a-tree', 'rule=crashed_run',
      'rule~^(no_progress|long_tick|hung_tool_call)$', '{tree}'),
    ('loop-of-its-agent', 'rule=silent_loop',
      'rule~^(token_rate|missed_tick|call_flood|conversation_budget|budget_low)$',
      '{agent}'),
    ('stuck-and-missed-tick', 'rule~^(no_progress|long_tick|hung_tool_call)$',
      'rule=missed_tick', '{agent}'),
    ('stuck-and-its-locks', 'rule~^(silent_loop|no_progress|hung_tool_call)$',
      'rule~^(lock_held_too_long|overdue_hold)$', '{agent,run}'),
    ('held-and-blocked', 'rule=lock_held_too_long', 'rule=schedule_blocked', '{lock}'),
    ('tokens-and-their-budgets', 'rule=token_rate',
      'rule~^(conversation_budget|budget_low)$', '{agent}'),
    ('drift-and-its-tokens', 'rule=token_rate', 'rule=slow_drift', '{agent}'),
    ('context-and-its-tokens', 'rule=context_jump',
      'rule~^(token_rate|input_spike|conversation_budget)$', '{agent}'),
    ('question-and-its-run', 'rule=unanswered_question',
      'rule~^(no_progress|long_tick)$', '{agent,run}'),
    ('waiting-and-expiring', 'rule=change_waiting', 'rule=change_expiring', '{change}'),
    ('asked-and-unanswered', 'rule=unanswered_question', 'rule=question_asked',
      '{question}'),
    ('loop-and-its-errors', 'rule=silent_loop',
      'rule~^(tool_errors|repeated_tool_call|unknown_tool)$', '{agent,run}'),
    ('hanging-call-and-no-progress', 'rule=hung_tool_call',
      'rule~^(no_progress|long_tick)$', '{agent,run}'),
    ('no-progress-and-long-tick', 'rule=no_progress', 'rule=long_tick', '{agent,run}'),
    ('conversation-and-its-budget', 'rule=conversation_budget', 'rule=budget_low',
      '{agent,conversation}'),
    ('tokens-and-their-input', 'rule=token_rate', 'rule=input_spike', '{agent}'),
    ('large-result-and-its-prompt', 'rule=context_jump', 'rule=large_tool_result',
      '{agent,run}'),
    ('blocked-and-contended', 'rule=schedule_blocked', 'rule=lock_contention',
      '{lock}'),
    ('held-and-contended', 'rule=lock_held_too_long', 'rule=lock_contention',
      '{lock}'),
    ('claim-and-its-call', 'rule=refuted_claim', 'rule=unbacked_tool_call',
      '{agent,run}'),
    ('blast-and-its-rows', 'rule=blast_radius', 'rule=unannounced_write',
      '{agent,run}'),
    ('blast-and-its-width', 'rule=blast_radius', 'rule=wide_run', '{agent,run}'),
    ('denied-and-its-run', 'rule=access_denied',
      'rule~^(silent_loop|no_progress|long_tick)$', '{agent,run}'),
    ('denied-and-its-errors', 'rule=access_denied', 'rule=tool_errors',
      '{agent,tool}'),
    ('refused-and-tried-again', 'rule~^(refused_write|stale_write)$',
      'rule~^(silent_loop|tool_errors)$', '{agent,tool}'),
    ('refused-and-its-budget', 'rule=budget_refused',
      'rule~^(budget_low|conversation_budget)$', '{agent}'),
    ('storm-and-its-spending', 'rule=spawn_storm',
      'rule~^(token_rate|budget_low|budget_refused|call_flood)$', '{agent}'),
    ('refused-and-its-run', 'rule=budget_refused', 'rule~^(no_progress|long_tick)$',
      '{agent,run}'),
    ('stale-and-taken-over', 'rule=stale_lock', 'rule=lock_taken_over',
      '{lock,agent,run}'),
    ('gap-and-its-conflicts', 'rule=audit_gap', 'rule=change_conflict', '{table}'),
    ('crash-and-its-run', 'rule=crashed_run',
      'rule~^(stale_lock|lock_taken_over|lock_held_too_long|hung_tool_call|no_progress'
        '|long_tick|overdue_hold)$', '{agent,run}'),
    ('crash-and-missed-tick', 'rule=crashed_run', 'rule=missed_tick', '{agent}'),
    ('crash-and-contended', 'rule=crashed_run', 'rule=lock_contention', '{lock}')
) as i (name, source, target, equal_labels)
where not exists (
  select from agentdb.inhibition as n where n.inhibition_name = i.name);
