-- Ends: what ended an alert, in words.  A stop ends the alerts of its run at once.

create or replace function agentdb._labelled_run (labels jsonb)
  returns bigint
  language sql
  immutable
  return case when labels ->> 'run' ~ '^[0-9]{1,18}$'
    then (labels ->> 'run')::bigint end;

comment on function agentdb._labelled_run (jsonb) is
  'The run that labels name.';


create or replace function agentdb._for_whom (labels jsonb)
  returns text
  language sql
  stable
  return (
    select r.on_behalf_of from agentdb.run as r
    where r.run_id = agentdb._labelled_run(labels)
  );

comment on function agentdb._for_whom (jsonb) is
  'For whom the run that labels name works, as its agent said.';


-- The holder whom the alert names; a tenure has a fence of its own.
create or replace function agentdb._lock_end (alert agentdb.alert)
  returns text
  language sql
  stable
  return (
    select concat(
      format('lock %s of run %s: %s', h.lock_name, h.run_id, case h.outcome
        when 'forced' then 'taken away' else h.outcome end),
      ' by ' || h.ended_by, ': ' || h.reason)
    from agentdb.lock_log as h
    where h.lock_name = (alert).labels ->> 'lock'
      and h.fence = case when (alert).annotations ->> 'fence' ~ '^[0-9]{1,18}$'
        then ((alert).annotations ->> 'fence')::bigint end
    limit 1
  );

comment on function agentdb._lock_end (agentdb.alert) is
  'How the tenure of a lock that an alert is about came to its end.';


create or replace function agentdb._decision (labels jsonb)
  returns text
  language sql
  stable
  return coalesce(
    (
      select format('Q-%s was answered by %s', q.question_id, q.answered_by)
      from agentdb.question as q
      where q.answer is not null
        and q.question_id = case when labels ->> 'question' ~ '^Q-[0-9]{1,18}$'
          then substr(labels ->> 'question', 3)::bigint end
    ),
    (
      select format('change %s is %s', c.change_id, c.state)
      from agentdb.change as c
      where c.closed_at is not null
        and c.state <> 'conflict'
        and c.change_id = case when labels ->> 'change' ~ '^[0-9]{1,18}$'
          then (labels ->> 'change')::bigint end
    ),
    'silence ' || (labels ->> 'silence') || ' is over'
  );

comment on function agentdb._decision (jsonb) is
  'What people decided of the question, change or silence that an alert is about.';


create or replace function agentdb._next_start (alert agentdb.alert)
  returns text
  language sql
  stable
  return (
    select format('run %s of %s started', max(r.run_id), a.agent_name)
    from agentdb.agent as a
    join agentdb.run as r on r.agent_id = a.agent_id
    where a.agent_name = (alert).labels ->> 'agent'
      and case (alert).rule_name
        when 'missed_tick' then r.started_at >= (alert).active_at
        when 'crashed_run' then r.run_id > agentdb._labelled_run((alert).labels)
        else false end
    group by a.agent_name
  );

comment on function agentdb._next_start (agentdb.alert) is
  'The start that a late or crashed agent was waited for.';


create or replace function agentdb._end_reason (alert agentdb.alert)
  returns text
  language sql
  stable
  return left(coalesce(
    agentdb._lock_end(alert),
    agentdb._decision((alert).labels),
    (
      select agentdb._run_end(agentdb._labelled_run((alert).labels))
      from agentdb.alert_rule as r
      where r.rule_name = (alert).rule_name and r.ends_with_run
    ),
    agentdb._agent_end((alert).labels ->> 'agent', (alert).active_at),
    agentdb._next_start(alert),
    (
      select concat_ws(': ', 'rule ' || r.rule_name || ' does not report it any more',
        agentdb._fill(r.ends_when, agentdb._given(alert)))
      from agentdb.alert_rule as r
      where r.rule_name = (alert).rule_name
    )
  ), 500);

comment on function agentdb._end_reason (agentdb.alert) is
  'What ended an alert whose rule does not report it any more: as far as that can be '
  'known, else what its rule waits for.';


create or replace function agentdb._is_over (alert agentdb.alert)
  returns boolean
  language sql
  stable
  return exists (
    select from agentdb.alert_rule as r
    where r.rule_name = (alert).rule_name
      and r.ends_with_run
      and case
        when (alert).labels ? 'run'
          then agentdb._run_end(agentdb._labelled_run((alert).labels)) is not null
        else agentdb._agent_end(
          (alert).labels ->> 'agent', (alert).active_at) is not null
      end
  );

comment on function agentdb._is_over (agentdb.alert) is
  'Tells whether the run or agent that an alert is about has ended or was stopped.';
