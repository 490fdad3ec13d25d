-- The rules of the pack about people, delivery and alerting itself: questions,
-- silences, suspended protections, dead letters, broken rules; and about crashes.  They
-- are cheap, and what they report waits for a person: they are evaluated often.

insert into agentdb.alert_rule as r (
  rule_name, severity, health, evaluate_every, view_name, description, evidence_query
)
values
  (
    'question_asked', 'warning', 'waiting', '2 seconds', 'agentdb.question_asked',
    'An agent that asks is better than one that guesses, if somebody answers.',
    'select q.question_id, q.asked_at, q.urgency, q.question, q.options
     from agentdb.question as q
     where ''Q-'' || q.question_id = :labels ->> ''question'''
  ),
  (
    'unanswered_question', 'critical', 'waiting', '15 seconds',
    'agentdb.unanswered_question',
    'A run that waits for people who do not answer does nothing at all.',
    'select q.question_id, q.asked_at, q.urgency, q.question, q.options
     from agentdb.question as q
     where ''Q-'' || q.question_id = :labels ->> ''question'''
  ),
  (
    'crashed_run', 'critical', 'crashed', '5 seconds', 'agentdb.crashed_run',
    'A process that dies says nothing, and leaves its work half done.',
    'select s.run_id, s.instance, s.state, s.started_at, s.ended_at, s.end_reason,
       s.released
     from agentdb.run_summary as s
     where s.agent_name = :labels ->> ''agent''
       and s.run_id >= (:labels ->> ''run'')::bigint
     order by s.run_id
     limit 5'
  ),
  (
    'suspended_protection', 'warning', 'unprotected', '15 seconds',
    'agentdb.suspended_protection',
    'Who broke the glass at night may forget it in the morning.',
    'select s.what, s.since_at, s.began_at, s.ends_at, s.suspended_by, s.reason
     from agentdb.suspension as s
     where s.what = :labels ->> ''protection''
       and agentdb._table_name(s.table_oid) = :labels ->> ''table''
     order by s.suspension_id desc
     limit 10'
  ),
  (
    'silence_ending', 'info', 'alerting', '15 seconds', 'agentdb.silence_ending',
    'What was silenced and still fires will be reported again.',
    'select s.silence_id, s.matchers, s.created_by, s.ends_at, s.alerts, s.comment
     from agentdb.active_silence as s
     where ''S-'' || s.silence_id = :labels ->> ''silence'''
  ),
  (
    'dead_letter', 'critical', 'alerting', '5 seconds', 'agentdb.dead_letter',
    'Who is not reached is not told: the others are.',
    'select n.notification_id, n.kind, n.attempt, n.finished_at, n.status, n.error
     from agentdb.notification as n
     where n.receiver_name = :labels ->> ''receiver'' and n.state = ''dead''
     order by n.finished_at desc
     limit 10'
  ),
  (
    'broken_rule', 'critical', 'alerting', '15 seconds', 'agentdb.broken_rule',
    'A rule that cannot be evaluated watches nothing.',
    'select rule_name, failures, failed_at, error from agentdb.alert_rule
     where rule_name = :labels ->> ''rule'''
  )
on conflict on constraint alert_rule_pkey do update
set view_name = excluded.view_name,
    health = excluded.health,
    description = excluded.description,
    evidence_query = excluded.evidence_query;
