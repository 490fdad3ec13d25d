-- The rules that come with the pack.  What a DBA sets (enabled, severity, times) stays at
-- the DBA's values when the pack is installed again.

insert into agentdb.alert_rule as r (
  rule_name, severity, fire_after, view_name, description, evidence_query
)
values
  (
    'broken_rule', 'critical', '0', 'agentdb.broken_rule',
    'A rule that cannot be evaluated watches nothing.',
    'select rule_name, failures, failed_at, error from agentdb.alert_rule
     where rule_name = :labels ->> ''rule'''
  ),
  (
    'conversation_budget', 'critical', '0', 'agentdb.conversation_budget',
    'Context that only grows is paid again with every call.',
    'select t.recorded_at, t.run_id, t.model, t.input_tokens, t.cached_input_tokens, t.output_tokens
     from agentdb.token_log as t
     join agentdb.run as r on r.run_id = t.run_id
     join agentdb.agent as a on a.agent_id = r.agent_id
     where a.agent_name = :labels ->> ''agent''
       and r.conversation = :labels ->> ''conversation''
       and t.recorded_at <= :at
     order by t.input_tokens desc
     limit 10'
  ),
  (
    'hung_tool_call', 'warning', '0', 'agentdb.hung_tool_call',
    'A call that never returns stops the run without an error.',
    'select c.began_at, c.tool, c.call_id, c.args, c.ended_at
     from agentdb.tool_call as c
     where c.run_id = (:labels ->> ''run'')::bigint
       and c.call_id = :labels ->> ''call'''
  ),
  (
    'long_tick', 'warning', '0', 'agentdb.long_tick',
    'A tick that does not end delays or overlaps the next.',
    'select at, kind, what, ok, tokens from agentdb.timeline((:labels ->> ''run'')::bigint)
     order by at desc limit 10'
  ),
  (
    'missed_tick', 'critical', '0', 'agentdb.missed_tick',
    'A scheduled agent that does not start says nothing at all.',
    'select s.run_id, s.started_at, s.ended_at, s.state, s.last_step
     from agentdb.run_summary as s
     where s.agent_name = :labels ->> ''agent''
     order by s.started_at desc
     limit 5'
  ),
  (
    'no_progress', 'warning', '0', 'agentdb.no_progress',
    'An agent can be online, burn tokens and reach nothing.',
    'select at, kind, what, ok, tokens from agentdb.timeline((:labels ->> ''run'')::bigint)
     order by at desc limit 10'
  ),
  (
    'repeated_tool_call', 'warning', '0', 'agentdb.repeated_tool_call',
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
    'token_rate', 'critical', '0', 'agentdb.token_rate',
    'Tokens per hour are the first thing that a runaway changes.',
    'select t.run_id, date_bin(''5 minutes'', t.recorded_at, ''epoch'') as since, count(*) as calls,
       sum(t.input_tokens) as input, sum(t.cached_input_tokens) as cached, sum(t.output_tokens) as output
     from agentdb.token_log as t
     join agentdb.agent as a on a.agent_id = t.agent_id
     where a.agent_name = :labels ->> ''agent''
       and t.recorded_at > :at - interval ''1 hour''
       and t.recorded_at <= :at
     group by 1, 2
     order by 2 desc
     limit 12'
  ),
  (
    'tool_errors', 'warning', '0', 'agentdb.tool_errors',
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
    description = excluded.description,
    evidence_query = excluded.evidence_query;

-- All rules have the same three columns.
do $$
declare
  v_view text;
begin
  for v_view in select r.view_name from agentdb.alert_rule as r where r.view_name ~ '^agentdb[.]'
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
