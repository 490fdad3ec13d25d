-- The runbook: what to do about an alert of each rule of the pack, and what ends it.
-- A line is a command, a statement (it ends in a semicolon) or a sentence; {run} is the
-- label run.  Lines whose label is missing are left out.

update agentdb.alert_rule as r
set remedy = regexp_replace(
      regexp_replace(v.remedy, '\n +(?=agentdb |select |update )', chr(10), 'g'),
      '\n +', ' ', 'g'),
    ends_when = v.ends_when
from (
  values
    (
      'audit_gap', 'table {table} is recorded completely again',
      'Have the table captured as it is now (a missing trigger: audit_table again, with
       the same exclude and redact); what was written meanwhile is in no history.
       select * from agentdb.maintain();
       agentdb install --check'
    ),
    (
      'blast_radius', 'no such statement is left in policy.blast_radius_window',
      'Stop the run if it goes on, look at what it changed, and take it back.
       agentdb kill {run} --reason …
       agentdb audit {table} --by {run}
       agentdb undo {run} --dry-run'
    ),
    (
      'unattributed_write', 'no such row is left in policy.unattributed_write_window',
      'Have whoever writes as role {role} open a run first (start_run, bind_run), or
       give people and jobs a role of their own.
       agentdb audit {table}'
    ),
    (
      'refuted_claim', 'the verdict is older than policy.claim_window, or another look '
        'finds the claim true',
      'See what was found instead, take back what the run did wrong, and repeat it.
       agentdb claims {run}
       agentdb timeline {run}
       agentdb undo {run} --dry-run'
    ),
    (
      'unbacked_tool_call', 'no such call is left in policy.tool_diff_window',
      'The tool reported success and wrote nothing: fix {tool}, or register what it
       writes; do not trust what the run says it did.
       agentdb timeline {run}'
    ),
    (
      'unannounced_write', 'no such row is left in policy.tool_diff_window',
      'Find out what wrote the rows; take them back, or log the tool that wrote them.
       agentdb audit {table} --by {run}
       agentdb timeline {run}
       agentdb undo {run} --dry-run'
    ),
    (
      'unknown_tool', 'no such call is left in policy.unknown_tool_window',
      'Register the tool, or correct the list of tools in the prompt of {agent}.
       agentdb prompt {agent}
       agentdb timeline {run}'
    ),
    (
      'unverified_claim', 'the claims of {agent} are looked at',
      'Allow a runner to look at claims of kind {kind} ([verify] in its configuration),
       and check that it reaches their targets.
       agentdb claims
       agentdb doctor'
    ),
    (
      'broken_rule', 'rule {rule} can be evaluated again',
      'Correct the view of the rule, or switch the rule off until somebody can.
       agentdb rules lint {rule}
       update agentdb.alert_rule set enabled = false where rule_name = {rule};'
    ),
    (
      'budget_low', 'the budget is raised, or the day or conversation is over',
      'Let it run out, raise the budget, or stop the agent.
       agentdb why {agent}
       agentdb pause {agent} --reason …'
    ),
    (
      'change_conflict', 'policy.change_conflict_window is over',
      'The rows are not what was reviewed: stage it anew, or let the agent do so.
       agentdb change show {change}
       agentdb change rebase {change}'
    ),
    (
      'change_expired', 'policy.change_conflict_window is over',
      'If it is still wanted, stage it anew on its rows as they are now, and approve it.
       agentdb change show {change}
       agentdb change rebase {change}'
    ),
    (
      'change_expiring', 'change {change} is decided, or has expired',
      'Decide it; once it has expired it must be staged anew.
       agentdb change show {change}
       agentdb approve {change}
       agentdb reject {change} --reason …'
    ),
    (
      'change_waiting', 'change {change} is decided, or has expired',
      'Decide it, or ask somebody who may.
       agentdb change show {change}
       agentdb approve {change}
       agentdb reject {change} --reason …'
    ),
    (
      'context_jump', 'no such prompt is left in policy.context_jump_window',
      'See what filled the context; stop the run before every later call pays for it.
       agentdb timeline {run}
       agentdb kill {run} --reason …'
    ),
    (
      'conversation_budget', 'the conversation has been idle for an hour, or its '
        'budget is raised',
      'Have the agent begin a new conversation with a summary, or stop it.
       agentdb timeline {run}
       agentdb kill {run} --reason …'
    ),
    (
      'crashed_run', 'the agent is started again, the locks of run {run} are over, and '
        'policy.crashed_run_window has passed; at the latest a day after the crash',
      'Start {agent} again if nobody has.  A call that was begun may have done its work:
       look before it is repeated.  A lock that nobody may be at any more can be freed.
       agentdb timeline {run}
       agentdb runs --agent {agent}
       agentdb locks'
    ),
    (
      'hung_tool_call', 'the call ends, or run {run} does',
      'Look at what {tool} waits for; if nothing will come of it, stop the run.
       agentdb timeline {run}
       agentdb kill {run} --reason …'
    ),
    (
      'lock_contention', 'fewer attempts are denied in policy.lock_contention_window',
      'See who holds the lock and for how long; take it away if the holder is stuck.
       agentdb locks
       agentdb lock release {lock} --reason …'
    ),
    (
      'lock_held_too_long', 'run {run} gives the lock back or ends',
      'If the holder is stuck, take the lock away (its writes to fenced tables fail
       from then on) or stop the run.
       agentdb timeline {run}
       agentdb lock release {lock} --reason …
       agentdb kill {run} --reason …'
    ),
    (
      'input_spike', 'its input is below the threshold',
      'Find the run whose prompts have grown; stop it if that is no work of its own.
       agentdb runs --agent {agent}
       agentdb pause {agent} --reason …'
    ),
    (
      'large_tool_result', 'no such result is left in policy.large_tool_result_window',
      'Have {tool} return less: a page, a summary, or the place of a file.
       agentdb timeline {run}'
    ),
    (
      'long_tick', 'run {run} ends or is stopped',
      'See what the tick is at; stop it if the next one is more useful.
       agentdb timeline {run}
       agentdb kill {run} --reason …'
    ),
    (
      'missed_tick', 'agent {agent} starts a run',
      'Start the scheduler or process of {agent}; nothing in the database does that.
       agentdb runs --agent {agent}
       agentdb why {agent}'
    ),
    (
      'no_progress', 'run {run} shows a new step or an audited write, or ends',
      'See what it does instead; stop it if nothing will come of it.
       agentdb timeline {run}
       agentdb kill {run} --reason …'
    ),
    (
      'overdue_hold', 'run {run} goes on or ends',
      'The process of the run may be gone: start it again, or stop the run.
       agentdb timeline {run}
       agentdb kill {run} --reason …'
    ),
    (
      'repeated_tool_call', 'fewer such calls are left in '
        'policy.repeated_tool_call_window',
      'See whether the calls bring anything new; stop the run if they do not.
       agentdb timeline {run}
       agentdb kill {run} --reason …'
    ),
    (
      'schedule_blocked', 'agent {agent} gets lock {lock}',
      'See who holds the lock; take it away if the holder is stuck.
       agentdb locks
       agentdb lock release {lock} --reason …'
    ),
    (
      'silent_loop', 'run {run} logs a new step or makes an audited write, its '
        'failing call succeeds, or it ends',
      'See what it repeats; if nothing new will come of it, stop the run.
       agentdb timeline {run}
       agentdb kill {run} --reason …'
    ),
    (
      'stale_lock', 'the lock is renewed, released or taken by another run',
      'The holder has crashed or hangs.  Whoever wants the lock gets it; to free it now:
       agentdb lock release {lock} --reason …
       agentdb kill {run} --reason …'
    ),
    (
      'suspended_protection', 'somebody resumes it, or its time is over',
      'Fix what made it necessary, and put the {protection} of {table} back in force.
       agentdb unsuspend {protection} {table} --reason …'
    ),
    (
      'token_rate', 'its rate is well below the threshold',
      'Find the run that uses the tokens; stop it, or pause the agent.
       agentdb runs --agent {agent}
       agentdb pause {agent} --reason …'
    ),
    (
      'tool_errors', 'fewer calls of {tool} fail in policy.tool_errors_window',
      'Fix what the error and the diagnosis name; grant only what {agent} is meant to
       do.
       agentdb why {agent}
       agentdb doctor'
    ),
    (
      'question_asked', 'somebody answers {question}, or run {run} ends',
      'Answer it; the agent reads the answer and goes on.
       agentdb questions
       agentdb answer {question} …'
    ),
    (
      'unanswered_question', 'somebody answers {question}, or run {run} ends',
      'Answer it; the agent does nothing until then.
       agentdb questions
       agentdb answer {question} …'
    ),
    (
      'silence_ending', 'silence {silence} is over',
      'If what fires is still known, silence it again; otherwise do nothing.
       agentdb silences'
    ),
    (
      'dead_letter', 'a message reaches {receiver} again, or an hour has passed',
      'Correct the receiver, try it out, and send again what was given up.
       agentdb outbox --dead
       agentdb notify test {receiver}'
    )
) as v (rule_name, ends_when, remedy)
where r.rule_name = v.rule_name;

-- What is about a run, or an agent, that goes on is over with it.
update agentdb.alert_rule as r
set ends_with_run = true
where r.rule_name in (
  'silent_loop', 'no_progress', 'long_tick', 'hung_tool_call', 'overdue_hold',
  'stale_lock', 'lock_held_too_long', 'question_asked', 'unanswered_question',
  'token_rate', 'input_spike', 'missed_tick'
);

-- What one run, one decision or one migration brings about is one message.
update agentdb.alert_rule as r
set group_by = v.group_by
from (
  values
    ('audit_gap', '{rule}'::text[]),
    ('suspended_protection', '{rule,table}'),
    ('crashed_run', '{rule,agent}'),
    ('change_conflict', '{rule,agent,table}'),
    ('change_expired', '{rule,agent}'),
    ('refuted_claim', '{rule,agent,run}'),
    ('unbacked_tool_call', '{rule,agent,run}'),
    ('unannounced_write', '{rule,agent,run}'),
    ('blast_radius', '{rule,agent,run}')
) as v (rule_name, group_by)
where r.rule_name = v.rule_name
  and r.group_by = '{alert}';
