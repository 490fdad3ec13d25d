


SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;


CREATE SCHEMA agentdb;



CREATE FUNCTION agentdb._abandon_runs(agent bigint) RETURNS TABLE(run_id bigint)
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  update agentdb.run as r
  set ended_at = clock_timestamp(),
      outcome = 'abandoned'
  from agentdb.agent as a, agentdb.policy as p
  where r.ended_at is null
    and (_abandon_runs.agent is null or r.agent_id = _abandon_runs.agent)
    and a.agent_id = r.agent_id
    and p.policy_name = a.policy_name
    and r.started_at < clock_timestamp() - p.abandon_after
    and agentdb._last_event_at(r.run_id, r.started_at)
      < clock_timestamp() - p.abandon_after
  returning r.run_id;
$$;



COMMENT ON FUNCTION agentdb._abandon_runs(agent bigint) IS 'Ends the open runs, of one agent or of all, that logged nothing for policy.abandon_after.';



CREATE FUNCTION agentdb._add_partition(log_name text, day date) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
declare
  v_name text := format('%s_p%s', log_name, to_char(day, 'YYYYMMDD'));
  v_default text := log_name || '_default';
begin
  execute format(
    'create table agentdb.%I (like agentdb.%I including all excluding identity)',
    v_name, log_name
  );
  execute format(
    'alter table agentdb.%I disable trigger agentdb_append_only', v_default
  );
  execute format(
    'with moved as (
       delete from agentdb.%I as d
       where d.recorded_at >= %L and d.recorded_at < %L
       returning d.*
     )
     insert into agentdb.%I overriding system value select * from moved',
    v_default, day::timestamptz, (day + 1)::timestamptz, v_name
  );
  execute format(
    'alter table agentdb.%I enable trigger agentdb_append_only', v_default
  );
  execute format(
    'alter table agentdb.%I attach partition agentdb.%I for values from (%L) to (%L)',
    log_name, v_name, day::timestamptz, (day + 1)::timestamptz
  );
  execute format(
    'create trigger agentdb_no_truncate before truncate on agentdb.%I
       for each statement execute function agentdb._refuse_rewrite()',
    v_name
  );
  return v_name;
end;
$$;



COMMENT ON FUNCTION agentdb._add_partition(log_name text, day date) IS 'Adds the partition of one UTC day to a log and moves into it what the default partition held.';



CREATE FUNCTION agentdb._add_partitions(log_name text, days_ahead integer) RETURNS TABLE(action text, object text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_day date;
begin
  for v_day in select d.* from agentdb._missing_day(log_name, days_ahead) as d order by d
  loop
    begin
      object := agentdb._add_partition(log_name, v_day);
      action := 'added';
    exception when lock_not_available then
      object := format('%s of %s', log_name, v_day);
      action := 'postponed';
    end;
    return next;
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb._add_partitions(log_name text, days_ahead integer) IS 'Adds the partitions that a log lacks, as far as their locks can be had now.';



CREATE FUNCTION agentdb._advance_alerts(rule_name text, at timestamp with time zone, truncated boolean) RETURNS TABLE(to_state text)
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with fired as (
    update agentdb.alert as a
    set state = 'firing',
        firing_at = _advance_alerts.at,
        flush = true
    from agentdb.alert_rule as r
    where r.rule_name = _advance_alerts.rule_name
      and a.rule_name = r.rule_name
      and a.state = 'pending'
      and a.seen_at = _advance_alerts.at
      and a.active_at + r.fire_after <= _advance_alerts.at
    returning a.alert_id, 'pending' as from_state, 'firing' as to_state, a.episode, a.value
  ),
  -- A truncated answer proves nothing about the alerts it does not name.
  gone as (
    update agentdb.alert as a
    set state = 'resolved',
        resolved_at = _advance_alerts.at,
        flush = a.state = 'firing'
    from agentdb.alert_rule as r, agentdb.alert as former
    where not _advance_alerts.truncated
      and r.rule_name = _advance_alerts.rule_name
      and a.rule_name = r.rule_name
      and former.alert_id = a.alert_id
      and a.seen_at < _advance_alerts.at
      and (a.state = 'pending'
        or (a.state = 'firing' and a.seen_at + r.keep_firing < _advance_alerts.at))
    returning a.alert_id, former.state as from_state, 'resolved' as to_state, a.episode, a.value
  ),
  waiting as (
    select a.alert_id, null as from_state, 'pending' as to_state, a.episode, a.value
    from agentdb.alert as a
    join agentdb.alert_rule as r on r.rule_name = a.rule_name
    where a.rule_name = _advance_alerts.rule_name
      and a.state = 'pending'
      and a.active_at = _advance_alerts.at
      and r.fire_after > '0'
  )
  insert into agentdb.alert_log as l (
    alert_id, rule_name, from_state, to_state, episode, value
  )
  select c.alert_id, _advance_alerts.rule_name, c.from_state, c.to_state, c.episode, c.value
  from (
    select * from fired union all select * from gone union all select * from waiting
  ) as c
  returning l.to_state;
$$;



COMMENT ON FUNCTION agentdb._advance_alerts(rule_name text, at timestamp with time zone, truncated boolean) IS 'Fires what has been pending for fire_after, resolves what is gone for keep_firing, and logs both.';



CREATE FUNCTION agentdb._hash_secret(secret text) RETURNS bytea
    LANGUAGE sql IMMUTABLE
    RETURN sha256(convert_to(secret, 'UTF8'::name));



COMMENT ON FUNCTION agentdb._hash_secret(secret text) IS 'SHA-256 of a secret; enough for one with 244 random bits, which nobody can guess.';


SET default_tablespace = '';

SET default_table_access_method = heap;


CREATE TABLE agentdb.run_token (
    token_hash bytea NOT NULL,
    run_id bigint NOT NULL
);



COMMENT ON TABLE agentdb.run_token IS 'SHA-256 of the token that binds a transaction to a run.';



CREATE FUNCTION agentdb._bound_run() RETURNS bigint
    LANGUAGE sql STABLE
    RETURN (SELECT t.run_id FROM agentdb.run_token t WHERE (t.token_hash = agentdb._hash_secret(NULLIF(current_setting('agentdb.run_token'::text, true), ''::text))));



COMMENT ON FUNCTION agentdb._bound_run() IS 'The run whose token bind_run() put into this transaction, else NULL.';



CREATE FUNCTION agentdb._clean_text(value text, max_length integer) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN "left"(regexp_replace((value COLLATE "C"), '[-
--­؜᠎​-‏
-‮⁠-⁯﻿￹-￻]'::text, '�'::text, 'g'::text), max_length);



COMMENT ON FUNCTION agentdb._clean_text(value text, max_length integer) IS 'Replaces what could deceive a reader by U+FFFD and cuts the text to a length in characters.';



CREATE FUNCTION agentdb._bounded_json(value jsonb, max_bytes integer) RETURNS jsonb
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (value IS NULL) THEN NULL::jsonb WHEN ((octet_length((value)::text) <= max_bytes) AND (NOT jsonb_path_exists(value, 'strict $.**{33}'::jsonpath))) THEN value ELSE jsonb_build_object('truncated', true, 'bytes', octet_length((value)::text), 'md5', md5((value)::text), 'head', agentdb._clean_text((value)::text, 1000)) END;



COMMENT ON FUNCTION agentdb._bounded_json(value jsonb, max_bytes integer) IS 'Returns a JSON value, or a stand-in with its size, hash and head where it is too large or deep.';



CREATE FUNCTION agentdb._bury_notifications() RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  update agentdb.notification as n
  set state = 'dead',
      finished_at = clock_timestamp(),
      error = coalesce(n.error, 'every attempt ended without an answer')
  where n.state = 'queued'
    and n.visible_at <= clock_timestamp()
    and n.attempt >= n.max_attempts;
$$;



COMMENT ON FUNCTION agentdb._bury_notifications() IS 'Gives up notifications whose last attempt was never marked.';



CREATE FUNCTION agentdb._check_agent_role(role_name name) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_fault text := agentdb._role_fault(role_name);
begin
  if v_fault is null then
    raise exception 'there is no role %', role_name
      using errcode = 'ZA006',
            hint = format('create role %I login in role agentdb_agent;', role_name);
  elsif v_fault <> '' then
    raise exception 'role % cannot be an agent''s: %', role_name, v_fault
      using errcode = 'ZA009',
            hint = format('Use a role of its own: create role %I login in role '
              'agentdb_agent;', role_name || '_agent');
  elsif not pg_has_role(role_name, 'agentdb_agent', 'MEMBER') then
    raise exception 'role % is not a member of agentdb_agent', role_name
      using errcode = 'ZA009',
            hint = format('grant agentdb_agent to %I;', role_name);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_agent_role(role_name name) IS 'Raises ZA006 or ZA009 where a role does not exist or must not be an agent''s.';



CREATE FUNCTION agentdb._check_instances(instances jsonb) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if jsonb_typeof(instances) is distinct from 'array' then
    perform agentdb._refuse('instances must be a JSON array', 'Send what the rule''s query returned.');
  elsif exists (
    select from jsonb_array_elements(instances) as i (item)
    where jsonb_typeof(i.item -> 'labels') is distinct from 'object'
      or coalesce(jsonb_typeof(i.item -> 'annotations'), 'null') not in ('object', 'null')
      or coalesce(jsonb_typeof(i.item -> 'value'), 'null') not in ('number', 'string', 'null')
  ) then
    perform agentdb._refuse(
      'a row of the rule has no labels object, or annotations that are no object',
      'A rule''s view has columns labels jsonb, value double precision, annotations jsonb.'
    );
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_instances(instances jsonb) IS 'Raises ZA004 unless every instance has labels, and annotations that are an object or absent.';



CREATE FUNCTION agentdb._check_open_calls(run bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if (
    select count(*) from agentdb.tool_call as c
    where c.run_id = run and c.ended_at is null
  ) >= 1000 then
    raise exception 'run % has 1000 tool calls in flight', run
      using errcode = 'ZA005',
            hint = 'End those that are over: select * from agentdb.end_tool_call(call_id => …);';
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_open_calls(run bigint) IS 'Raises ZA005 where a run has 1000 tool calls in flight: more are a leak, not work.';



CREATE FUNCTION agentdb._check_open_runs(agent_id bigint, policy_name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_max integer;
  v_open bigint[];
begin
  select p.max_open_runs into v_max
  from agentdb.policy as p where p.policy_name = _check_open_runs.policy_name;
  perform from agentdb.agent as a
  where a.agent_id = _check_open_runs.agent_id
  for no key update;
  perform agentdb._abandon_runs(_check_open_runs.agent_id);
  select array_agg(r.run_id order by r.run_id) into v_open
  from agentdb.run as r
  where r.agent_id = _check_open_runs.agent_id and r.ended_at is null;
  if cardinality(v_open) >= v_max then
    raise exception 'the agent has % open runs already', cardinality(v_open)
      using errcode = 'ZA005',
            detail = format('policy.max_open_runs is %s; open: %s', v_max,
              array_to_string(v_open[1:20], ', ')),
            hint = format('End what is finished: select * from agentdb.end_run('
              'outcome => ''cancelled'', run => %s);', v_open[1]);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_open_runs(agent_id bigint, policy_name text) IS 'Raises ZA005 where an agent has as many open runs as its policy allows.';



CREATE FUNCTION agentdb._check_rows(items jsonb, required_key text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_place bigint;
begin
  if jsonb_typeof(items) is distinct from 'array' then
    perform agentdb._refuse(
      format('expected a JSON array, got %s', coalesce(jsonb_typeof(items), 'NULL')),
      format('Send [{"%s": …}, …].', required_key)
    );
  elsif jsonb_array_length(items) > 10000 then
    perform agentdb._refuse(
      format('%s rows are too many for one call', jsonb_array_length(items)),
      'Send at most 10000 at a time.'
    );
  end if;
  select i.place into v_place
  from jsonb_array_elements(items) with ordinality as i (item, place)
  where agentdb._json_text(i.item, required_key) is null
    or agentdb._json_text(i.item, required_key) !~ '[^[:space:]]'
  order by i.place
  limit 1;
  if v_place is not null then
    perform agentdb._refuse(
      format('row %s of %s has no %s', v_place, jsonb_array_length(items), required_key),
      format('Every row is an object with a non-empty "%s"; nothing of this call was '
        'recorded.', required_key)
    );
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_rows(items jsonb, required_key text) IS 'Raises ZA004 unless a value is an array of at most 10000 objects that all have a key.';



CREATE FUNCTION agentdb._check_tokens(input bigint, output bigint, cached_input bigint, reasoning bigint, cost double precision) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if input is null or output is null or cached_input is null or reasoning is null
    or least(input, output, cached_input, reasoning) < 0
    or greatest(input, output, cached_input, reasoning) > 1000000000
    or reasoning > output then
    perform agentdb._refuse(
      format('input %s, output %s, cached_input %s, reasoning %s are no token counts',
        coalesce(input::text, 'NULL'), coalesce(output::text, 'NULL'),
        coalesce(cached_input::text, 'NULL'), coalesce(reasoning::text, 'NULL')),
      'Each lies between 0 and 1000000000; input leaves out what came from the cache; '
        'reasoning is a part of output.'
    );
  -- NaN is greater than every number to PostgreSQL.
  elsif cost is null or cost < 0 or cost > 1000000000 then
    perform agentdb._refuse(
      format('cost %s is no amount', coalesce(cost::text, 'NULL')),
      'Give what the call cost in your currency, between 0 and 1000000000.'
    );
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_tokens(input bigint, output bigint, cached_input bigint, reasoning bigint, cost double precision) IS 'Raises ZA004 for token counts or a cost that cannot be.';



CREATE FUNCTION agentdb._check_tool(tool text, call_id text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if tool is null or tool !~ '[^[:space:]]' then
    perform agentdb._refuse('tool must not be empty', 'Give the tool''s name, as the model wrote it.');
  elsif call_id is not null and not agentdb._is_clean_name(call_id, 200) then
    perform agentdb._refuse(
      format('%L is no call_id', agentdb._clean_text(call_id, 100)),
      'Use the model''s tool call id: 1 to 200 visible characters on one line.'
    );
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_tool(tool text, call_id text) IS 'Raises ZA004 for an empty tool or an ill-formed call_id.';



CREATE TABLE agentdb.roll_up_state (
    only_row boolean DEFAULT true NOT NULL,
    horizon xid8 NOT NULL,
    rolled_at timestamp with time zone NOT NULL,
    CONSTRAINT roll_up_state_only_row_check CHECK (only_row)
);



COMMENT ON TABLE agentdb.roll_up_state IS 'The transaction below which run_activity and token_hour have counted everything.';



CREATE FUNCTION agentdb._horizon() RETURNS xid8
    LANGUAGE sql STABLE
    RETURN (SELECT s.horizon FROM agentdb.roll_up_state s);



COMMENT ON FUNCTION agentdb._horizon() IS 'The transaction below which every event is counted in run_activity and token_hour.';



CREATE TABLE agentdb.run (
    run_id bigint NOT NULL,
    agent_id bigint NOT NULL,
    role_name name NOT NULL,
    conversation text NOT NULL,
    purpose text,
    tick_interval interval,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ended_at timestamp with time zone,
    outcome text,
    summary text,
    CONSTRAINT run_ended_at_check CHECK (((ended_at IS NULL) = (outcome IS NULL))),
    CONSTRAINT run_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text, 'abandoned'::text]))),
    CONSTRAINT run_tick_interval_check CHECK ((tick_interval > '00:00:00'::interval))
);



COMMENT ON TABLE agentdb.run IS 'One tick or session of an agent; what it says of its outcome is a claim.';



CREATE FUNCTION agentdb._recent_run(as_of timestamp with time zone) RETURNS TABLE(run_id bigint, agent_id bigint, conversation text)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT r.run_id,
     r.agent_id,
     r.conversation
    FROM agentdb.run r
   WHERE ((r.started_at <= _recent_run.as_of) AND (r.ended_at IS NULL))
 UNION ALL
  SELECT r.run_id,
     r.agent_id,
     r.conversation
    FROM agentdb.run r
   WHERE ((r.started_at <= _recent_run.as_of) AND (r.ended_at > (_recent_run.as_of - '01:00:00'::interval)));
END;



COMMENT ON FUNCTION agentdb._recent_run(as_of timestamp with time zone) IS 'The runs that were open at a moment or ended within the hour before it.';



CREATE TABLE agentdb.run_activity (
    run_id bigint NOT NULL,
    last_progress_at timestamp with time zone,
    last_step text,
    last_tool_call_at timestamp with time zone,
    last_tokens_at timestamp with time zone,
    steps bigint DEFAULT 0 NOT NULL,
    tool_calls bigint DEFAULT 0 NOT NULL,
    tool_errors bigint DEFAULT 0 NOT NULL,
    model_calls bigint DEFAULT 0 NOT NULL,
    input_tokens bigint DEFAULT 0 NOT NULL,
    cached_input_tokens bigint DEFAULT 0 NOT NULL,
    output_tokens bigint DEFAULT 0 NOT NULL,
    cost numeric DEFAULT 0 NOT NULL
)
WITH (fillfactor='70');



COMMENT ON TABLE agentdb.run_activity IS 'What the logs of a run add up to below roll_up_state.horizon.';



CREATE TABLE agentdb.token_log (
    token_log_id bigint NOT NULL,
    run_id bigint NOT NULL,
    agent_id bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    cost numeric(20,9) NOT NULL,
    model text,
    CONSTRAINT token_log_amounts_check CHECK ((((input_tokens >= 0) AND (input_tokens <= 1000000000)) AND ((cached_input_tokens >= 0) AND (cached_input_tokens <= 1000000000)) AND ((output_tokens >= 0) AND (output_tokens <= 1000000000)) AND ((reasoning_tokens >= 0) AND (reasoning_tokens <= output_tokens)) AND ((cost >= (0)::numeric) AND (cost <= (1000000000)::numeric))))
)
PARTITION BY RANGE (recorded_at);



COMMENT ON TABLE agentdb.token_log IS 'Tokens of each model call; append-only, a partition a UTC day.';



CREATE FUNCTION agentdb._tokens_of_run(as_of timestamp with time zone) RETURNS TABLE(run_id bigint, input_tokens bigint, cached_input_tokens bigint, output_tokens bigint)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT a.run_id,
     a.input_tokens,
     a.cached_input_tokens,
     a.output_tokens
    FROM agentdb.run_activity a
   WHERE (a.last_tokens_at <= _tokens_of_run.as_of)
 UNION ALL
  SELECT t.run_id,
     t.input_tokens,
     t.cached_input_tokens,
     t.output_tokens
    FROM agentdb.token_log t
   WHERE ((t.xid >= agentdb._horizon()) AND (t.recorded_at <= _tokens_of_run.as_of))
 UNION ALL
  SELECT t.run_id,
     t.input_tokens,
     t.cached_input_tokens,
     t.output_tokens
    FROM (agentdb.run_activity a
      JOIN agentdb.token_log t ON ((t.run_id = a.run_id)))
   WHERE ((a.last_tokens_at > _tokens_of_run.as_of) AND (t.xid < agentdb._horizon()) AND (t.recorded_at <= _tokens_of_run.as_of));
END;



COMMENT ON FUNCTION agentdb._tokens_of_run(as_of timestamp with time zone) IS 'Partial sums of tokens a run up to a moment, to be added up by the caller.';



CREATE FUNCTION agentdb._conversation_use(as_of timestamp with time zone) RETURNS TABLE(agent_id bigint, conversation text, last_run_id bigint, input_tokens bigint, cached_input_tokens bigint, output_tokens bigint)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 WITH recent AS (
          SELECT DISTINCT r.agent_id,
             r.conversation
            FROM agentdb._recent_run(_conversation_use.as_of) r(run_id, agent_id, conversation)
         ), member AS (
          SELECT r.run_id,
             r.agent_id,
             r.conversation
            FROM (recent c
              JOIN agentdb.run r ON (((r.agent_id = c.agent_id) AND (r.conversation = c.conversation))))
           WHERE (r.started_at <= _conversation_use.as_of)
         )
  SELECT m.agent_id,
     m.conversation,
     max(m.run_id) AS max,
     (sum(u.input_tokens))::bigint AS sum,
     (sum(u.cached_input_tokens))::bigint AS sum,
     (sum(u.output_tokens))::bigint AS sum
    FROM (member m
      JOIN agentdb._tokens_of_run(_conversation_use.as_of) u(run_id, input_tokens, cached_input_tokens, output_tokens) ON ((u.run_id = m.run_id)))
   GROUP BY m.agent_id, m.conversation;
END;



COMMENT ON FUNCTION agentdb._conversation_use(as_of timestamp with time zone) IS 'The tokens of each conversation that was alive at a moment.';



CREATE FUNCTION agentdb._current_run(run bigint, OUT run_id bigint, OUT agent_id bigint) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_ended_at timestamptz;
  v_bound bigint := agentdb._bound_run();
begin
  select r.run_id, r.agent_id, r.ended_at
    into _current_run.run_id, _current_run.agent_id, v_ended_at
  from agentdb.run as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  where r.run_id = coalesce(_current_run.run, v_bound)
    and r.role_name = session_user
    -- Behind a shared role a number proves nothing: only the token does.
    and (not a.pooled or r.run_id = v_bound);
  if found then
    if v_ended_at is not null then
      perform agentdb._refuse_closed_run(_current_run.run_id);
    end if;
  elsif coalesce(_current_run.run, v_bound) is not null then
    perform agentdb._refuse_foreign_run(coalesce(_current_run.run, v_bound));
  else
    select o.run_id, o.agent_id into _current_run.run_id, _current_run.agent_id
    from agentdb._only_open_run() as o;
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._current_run(run bigint, OUT run_id bigint, OUT agent_id bigint) IS 'Resolves the run of a call: the argument, the bound token, else the role''s only open run; raises ZA001 or ZA003.';



CREATE FUNCTION agentdb._drop_partition(partition_name text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  execute format('drop table agentdb.%I', partition_name);
  return 'dropped';
exception when lock_not_available then
  return 'postponed';
end;
$$;



COMMENT ON FUNCTION agentdb._drop_partition(partition_name text) IS 'Drops an old partition of a log, unless its lock cannot be had now.';



CREATE FUNCTION agentdb._insert_tool_call(run_id bigint, agent_id bigint, tool text, args jsonb, ok boolean, error text, result_size bigint, duration interval, call_id text) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_recorded_at timestamptz;
begin
  insert into agentdb.tool_call_log as l (
    run_id, agent_id, tool, args, ok, error, result_size, duration, call_id
  )
  values (
    _insert_tool_call.run_id, _insert_tool_call.agent_id,
    agentdb._clean_text(_insert_tool_call.tool, 200),
    agentdb._bounded_json(_insert_tool_call.args, 65536), _insert_tool_call.ok,
    agentdb._clean_text(_insert_tool_call.error, 4000), _insert_tool_call.result_size,
    _insert_tool_call.duration, _insert_tool_call.call_id
  )
  returning l.recorded_at into v_recorded_at;
  return v_recorded_at;
end;
$$;



COMMENT ON FUNCTION agentdb._insert_tool_call(run_id bigint, agent_id bigint, tool text, args jsonb, ok boolean, error text, result_size bigint, duration interval, call_id text) IS 'Appends one row to tool_call_log, made harmless and cut to size.';



CREATE FUNCTION agentdb._is_clean_name(value text, max_length integer) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE((((length(value) >= 1) AND (length(value) <= max_length)) AND (value = agentdb._clean_text(value, max_length)) AND (value !~ '[[:space:]]{2}|^[[:space:]]|[[:space:]]$|[\t\n]'::text)), false);



COMMENT ON FUNCTION agentdb._is_clean_name(value text, max_length integer) IS 'Tells whether a text may serve as a name: one line, no hidden characters, not empty.';



CREATE FUNCTION agentdb._json_text(object jsonb, key text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (jsonb_typeof((object -> key)) = ANY (ARRAY['string'::text, 'number'::text, 'boolean'::text])) THEN (object ->> key) ELSE NULL::text END;



COMMENT ON FUNCTION agentdb._json_text(object jsonb, key text) IS 'Returns a scalar member of a JSON object as text, else NULL.';



CREATE TABLE agentdb.progress_log (
    progress_log_id bigint NOT NULL,
    run_id bigint NOT NULL,
    agent_id bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    step text NOT NULL,
    details jsonb
)
PARTITION BY RANGE (recorded_at);



COMMENT ON TABLE agentdb.progress_log IS 'Steps that agents say they reached; append-only, a partition a UTC day.';



CREATE TABLE agentdb.tool_call (
    run_id bigint NOT NULL,
    call_id text NOT NULL,
    agent_id bigint NOT NULL,
    tool text NOT NULL,
    args jsonb,
    began_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ended_at timestamp with time zone
);



COMMENT ON TABLE agentdb.tool_call IS 'Tool calls that have an id: in flight until ended_at, and counted once by the id.';



CREATE TABLE agentdb.tool_call_log (
    tool_call_log_id bigint NOT NULL,
    run_id bigint NOT NULL,
    agent_id bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    tool text NOT NULL,
    args jsonb,
    ok boolean NOT NULL,
    error text,
    result_size bigint,
    duration interval,
    call_id text,
    CONSTRAINT tool_call_log_result_size_check CHECK ((result_size >= 0))
)
PARTITION BY RANGE (recorded_at);



COMMENT ON TABLE agentdb.tool_call_log IS 'Finished tool calls; append-only, a partition a UTC day.';



CREATE FUNCTION agentdb._last_event_at(run bigint, since timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    RETURN GREATEST(since, (SELECT max(l.recorded_at) AS max FROM agentdb.progress_log l WHERE ((l.run_id = _last_event_at.run) AND (l.recorded_at >= _last_event_at.since))), (SELECT max(l.recorded_at) AS max FROM agentdb.tool_call_log l WHERE ((l.run_id = _last_event_at.run) AND (l.recorded_at >= _last_event_at.since))), (SELECT max(l.recorded_at) AS max FROM agentdb.token_log l WHERE ((l.run_id = _last_event_at.run) AND (l.recorded_at >= _last_event_at.since))), (SELECT max(c.began_at) AS max FROM agentdb.tool_call c WHERE (c.run_id = _last_event_at.run)));



COMMENT ON FUNCTION agentdb._last_event_at(run bigint, since timestamp with time zone) IS 'When a run logged anything last, from the logs themselves.';



CREATE FUNCTION agentdb._last_progress(run bigint, since timestamp with time zone, as_of timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    RETURN COALESCE((SELECT max(p.recorded_at) AS max FROM agentdb.progress_log p WHERE ((p.run_id = _last_progress.run) AND ((p.recorded_at >= _last_progress.since) AND (p.recorded_at <= _last_progress.as_of)))), since);



COMMENT ON FUNCTION agentdb._last_progress(run bigint, since timestamp with time zone, as_of timestamp with time zone) IS 'When a run logged progress last before a moment, else when it began.';



CREATE FUNCTION agentdb._missing_day(log_name text, days_ahead integer) RETURNS SETOF date
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $_$
begin
  return query execute format(
    'select d.day::date
     from generate_series(current_date, current_date + $1, ''1 day'') as d (day)
     union
     select distinct d.recorded_at::date from agentdb.%I as d
     except
     select p.day from agentdb.log_partition as p where p.log_name = $2',
    log_name || '_default'
  ) using days_ahead, log_name;
end;
$_$;



COMMENT ON FUNCTION agentdb._missing_day(log_name text, days_ahead integer) IS 'The UTC days that a log should have a partition for and has not.';



CREATE FUNCTION agentdb._new_secret() RETURNS text
    LANGUAGE sql
    RETURN replace(((gen_random_uuid())::text || (gen_random_uuid())::text), '-'::text, ''::text);



COMMENT ON FUNCTION agentdb._new_secret() IS 'Returns 64 hexadecimal digits with 244 random bits.';



CREATE FUNCTION agentdb._only_open_run(OUT run_id bigint, OUT agent_id bigint) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_runs bigint[];
  v_agents bigint[];
begin
  select array_agg(r.run_id order by r.run_id), array_agg(r.agent_id order by r.run_id)
    into v_runs, v_agents
  from agentdb.run as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  where r.role_name = session_user and r.ended_at is null and not a.pooled;
  if cardinality(v_runs) = 1 then
    run_id := v_runs[1];
    agent_id := v_agents[1];
  elsif v_runs is null then
    raise exception 'role % has no open run', session_user
      using errcode = 'ZA001',
            hint = 'Open one first: select * from agentdb.start_run(); behind a shared '
              'role then bind its token in every transaction: '
              'select agentdb.bind_run(token);';
  else
    raise exception 'role % has % open runs: %', session_user, cardinality(v_runs),
        array_to_string(v_runs, ', ')
      using errcode = 'ZA001',
            hint = format('Say which: add run => %s to the call, or end the others: '
              'select * from agentdb.end_run(outcome => ''cancelled'', run => %s);',
              v_runs[cardinality(v_runs)], v_runs[1]);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._only_open_run(OUT run_id bigint, OUT agent_id bigint) IS 'The one open run of the login role; raises ZA001 where there is none or several.';



CREATE TABLE agentdb.alert (
    alert_id bigint NOT NULL,
    rule_name text NOT NULL,
    fingerprint text NOT NULL,
    labels jsonb NOT NULL,
    annotations jsonb NOT NULL,
    value double precision,
    severity text NOT NULL,
    state text NOT NULL,
    episode integer DEFAULT 1 NOT NULL,
    active_at timestamp with time zone NOT NULL,
    firing_at timestamp with time zone,
    seen_at timestamp with time zone NOT NULL,
    resolved_at timestamp with time zone,
    flush boolean DEFAULT false NOT NULL,
    CONSTRAINT alert_severity_check CHECK ((severity = ANY (ARRAY['info'::text, 'warning'::text, 'critical'::text]))),
    CONSTRAINT alert_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'firing'::text, 'resolved'::text])))
)
WITH (fillfactor='70');



COMMENT ON TABLE agentdb.alert IS 'One labelled instance of a rule and its life: pending, firing, resolved.';



COMMENT ON COLUMN agentdb.alert.episode IS 'Counts how often the alert has come back.';



COMMENT ON COLUMN agentdb.alert.flush IS 'Whether a change has still to be turned into notifications.';



CREATE FUNCTION agentdb._payload(alert agentdb.alert, kind text) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
  select jsonb_build_object(
    'version', 1,
    'kind', kind,
    'alert', alert.alert_id,
    'episode', alert.episode,
    'rule', alert.rule_name,
    'severity', alert.severity,
    'labels', alert.labels,
    'summary', coalesce(alert.annotations ->> 'summary', alert.rule_name),
    'value', case when alert.value < 'infinity' and alert.value > '-infinity' then alert.value end,
    'since', to_char(coalesce(alert.firing_at, alert.active_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'annotations', alert.annotations - 'summary',
    'next', to_jsonb(array_remove(array[
      format('agentdb why A-%s', alert.alert_id),
      'agentdb timeline ' || (alert.labels ->> 'run')
    ], null))
  );
$$;



COMMENT ON FUNCTION agentdb._payload(alert agentdb.alert, kind text) IS 'The JSON that a receiver gets for an alert, described in docs/on-call.md.';



CREATE FUNCTION agentdb._refuse(problem text, hint text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception using errcode = 'ZA004', message = problem, hint = hint;
end;
$$;



COMMENT ON FUNCTION agentdb._refuse(problem text, hint text) IS 'Raises ZA004 (invalid argument) with a message and what to do instead.';



CREATE FUNCTION agentdb._refuse_closed_run(run bigint) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_outcome text;
  v_ended_at timestamptz;
begin
  select r.outcome, r.ended_at into v_outcome, v_ended_at
  from agentdb.run as r where r.run_id = _refuse_closed_run.run;
  raise exception 'run % has ended', run
    using errcode = 'ZA003',
          detail = format('It %s at %s.', v_outcome, v_ended_at),
          hint = 'Stop working for this run.  If there is more to do, open another: '
            'select * from agentdb.start_run();';
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_closed_run(run bigint) IS 'Raises ZA003 for a run that has ended.';



CREATE FUNCTION agentdb._refuse_foreign_run(run bigint) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception 'run % is not open to role %', run, session_user
    using errcode = 'ZA001',
          hint = 'Use the run_id that agentdb.start_run() returned to you; behind a '
            'shared role bind its token first: select agentdb.bind_run(token);';
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_foreign_run(run bigint) IS 'Raises ZA001 for a run that the session may not speak for, whether or not it exists.';



CREATE FUNCTION agentdb._refuse_rewrite() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception '% of agentdb.% refused: logs are append-only', tg_op, tg_table_name
    using errcode = 'ZA008',
          hint = 'Old rows leave with their partition; see policy.log_retention.';
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_rewrite() IS 'Trigger function: refuses to change or remove rows of a log, also for its owner.';



CREATE FUNCTION agentdb._role_fault(role_name name) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT concat_ws(', '::text, CASE WHEN r.rolsuper THEN 'it is a superuser'::text ELSE NULL::text END, CASE WHEN r.rolbypassrls THEN 'it bypasses row security'::text ELSE NULL::text END, CASE WHEN r.rolcreaterole THEN 'it may create roles'::text ELSE NULL::text END, CASE WHEN r.rolreplication THEN 'it may replicate'::text ELSE NULL::text END, CASE WHEN (NOT r.rolcanlogin) THEN 'it cannot log in'::text ELSE NULL::text END, (SELECT ('it is a member of '::text || string_agg((g.rolname)::text, ', '::text ORDER BY ((g.rolname)::text))) FROM pg_roles g WHERE ((g.rolname = ANY (ARRAY['agentdb_owner'::name, 'agentdb_capture'::name, 'agentdb_applier'::name, 'agentdb_operator'::name, 'agentdb_reviewer'::name])) AND pg_has_role(r.oid, g.oid, 'MEMBER'::text)))) AS concat_ws FROM pg_roles r WHERE (r.rolname = _role_fault.role_name));



COMMENT ON FUNCTION agentdb._role_fault(role_name name) IS 'Says why a role must not be an agent''s; empty where nothing speaks against it, NULL where there is no such role.';



CREATE FUNCTION agentdb._roll_up_progress(low xid8, high xid8) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into agentdb.run_activity as a (run_id, last_progress_at, last_step, steps)
  select
    l.run_id, max(l.recorded_at),
    (array_agg(l.step order by l.recorded_at desc))[1], count(*)
  from agentdb.progress_log as l
  where l.xid >= low and l.xid < high
  group by l.run_id
  on conflict (run_id) do update
  set last_progress_at = greatest(a.last_progress_at, excluded.last_progress_at),
      last_step = case
        when excluded.last_progress_at < a.last_progress_at then a.last_step
        else excluded.last_step
      end,
      steps = a.steps + excluded.steps;
$$;



COMMENT ON FUNCTION agentdb._roll_up_progress(low xid8, high xid8) IS 'Adds the progress of a range of transactions to run_activity.';



CREATE FUNCTION agentdb._roll_up_tokens(low xid8, high xid8) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into agentdb.run_activity as a (
    run_id, last_tokens_at, model_calls, input_tokens, cached_input_tokens,
    output_tokens, cost
  )
  select
    l.run_id, max(l.recorded_at), count(*), sum(l.input_tokens),
    sum(l.cached_input_tokens), sum(l.output_tokens), sum(l.cost)
  from agentdb.token_log as l
  where l.xid >= low and l.xid < high
  group by l.run_id
  on conflict (run_id) do update
  set last_tokens_at = greatest(a.last_tokens_at, excluded.last_tokens_at),
      model_calls = a.model_calls + excluded.model_calls,
      input_tokens = a.input_tokens + excluded.input_tokens,
      cached_input_tokens = a.cached_input_tokens + excluded.cached_input_tokens,
      output_tokens = a.output_tokens + excluded.output_tokens,
      cost = a.cost + excluded.cost;

  insert into agentdb.token_hour as h (agent_id, hour_at, tokens)
  select
    l.agent_id, date_bin('1 hour', l.recorded_at, 'epoch'),
    sum(l.input_tokens + l.cached_input_tokens + l.output_tokens)
  from agentdb.token_log as l
  where l.xid >= low and l.xid < high
  group by 1, 2
  on conflict (agent_id, hour_at) do update
  set tokens = h.tokens + excluded.tokens;
$$;



COMMENT ON FUNCTION agentdb._roll_up_tokens(low xid8, high xid8) IS 'Adds the tokens of a range of transactions to run_activity and token_hour.';



CREATE FUNCTION agentdb._roll_up_tool_calls(low xid8, high xid8) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into agentdb.run_activity as a (
    run_id, last_tool_call_at, tool_calls, tool_errors
  )
  select
    l.run_id, max(l.recorded_at), count(*), count(*) filter (where not l.ok)
  from agentdb.tool_call_log as l
  where l.xid >= low and l.xid < high
  group by l.run_id
  on conflict (run_id) do update
  set last_tool_call_at = greatest(a.last_tool_call_at, excluded.last_tool_call_at),
      tool_calls = a.tool_calls + excluded.tool_calls,
      tool_errors = a.tool_errors + excluded.tool_errors;
$$;



COMMENT ON FUNCTION agentdb._roll_up_tool_calls(low xid8, high xid8) IS 'Adds the tool calls of a range of transactions to run_activity.';



CREATE FUNCTION agentdb._rule_query(view_name text, max_alerts integer) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN format('select coalesce(jsonb_agg(r), ''[]'') from (select v.labels, v.value, v.annotations from %I.%I as v limit %s) as r'::text, (parse_ident(view_name))[1], (parse_ident(view_name))[2], (max_alerts + 1));



COMMENT ON FUNCTION agentdb._rule_query(view_name text, max_alerts integer) IS 'The statement that yields a rule''s rows as one JSON array, one row more than allowed.';



CREATE FUNCTION agentdb._session_agent(agent text, secret text, OUT agent_id bigint, OUT policy_name text) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  select a.agent_id, a.policy_name
    into _session_agent.agent_id, _session_agent.policy_name
  from agentdb.agent as a
  left join agentdb.agent_secret as s on s.agent_id = a.agent_id
  where a.role_name = session_user
    and (a.agent_name = agent or (agent is null and not a.pooled))
    and (not a.pooled or s.secret_hash = agentdb._hash_secret(secret));
  if not found then
    raise exception 'role % may not run agent %', session_user, coalesce(agent, '(its own)')
      using errcode = 'ZA002',
            hint = 'An operator registers agents: select * from agentdb.register_agent('
              'name => ''…'', role_name => ''' || session_user || '''); an agent behind '
              'a shared role also gives agent => and secret =>.';
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._session_agent(agent text, secret text, OUT agent_id bigint, OUT policy_name text) IS 'Resolves the agent of a session by its login role, or by name and secret behind a shared role; raises ZA002.';



CREATE FUNCTION agentdb._severity_rank(severity text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN array_position(ARRAY['info'::text, 'warning'::text, 'critical'::text], severity);



COMMENT ON FUNCTION agentdb._severity_rank(severity text) IS 'Orders severities: info 1, warning 2, critical 3.';



CREATE TABLE agentdb.agent (
    agent_id bigint NOT NULL,
    agent_name text NOT NULL,
    role_name name NOT NULL,
    pooled boolean NOT NULL,
    policy_name text NOT NULL,
    registered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    registered_by name DEFAULT SESSION_USER NOT NULL,
    CONSTRAINT agent_agent_name_check CHECK ((agent_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'::text))
);



COMMENT ON TABLE agentdb.agent IS 'Configured actors, each speaking through a login role.';



CREATE TABLE agentdb.policy (
    policy_name text NOT NULL,
    description text NOT NULL,
    max_open_runs integer DEFAULT 20 NOT NULL,
    abandon_after interval DEFAULT '1 day'::interval NOT NULL,
    token_rate_per_hour bigint DEFAULT 1000000 NOT NULL,
    token_rate_factor double precision DEFAULT 3 NOT NULL,
    token_rate_window interval DEFAULT '00:30:00'::interval NOT NULL,
    token_rate_baseline interval DEFAULT '7 days'::interval NOT NULL,
    token_rate_min_history interval DEFAULT '1 day'::interval NOT NULL,
    token_rate_floor bigint DEFAULT 10000 NOT NULL,
    no_progress_after interval DEFAULT '00:15:00'::interval NOT NULL,
    repeated_tool_call_count integer DEFAULT 5 NOT NULL,
    repeated_tool_call_window interval DEFAULT '00:10:00'::interval NOT NULL,
    tool_errors_count integer DEFAULT 3 NOT NULL,
    tool_errors_share double precision DEFAULT 0.5 NOT NULL,
    tool_errors_window interval DEFAULT '00:10:00'::interval NOT NULL,
    conversation_budget_tokens bigint DEFAULT 500000 NOT NULL,
    hung_tool_call_after interval DEFAULT '00:05:00'::interval NOT NULL,
    missed_tick_grace interval DEFAULT '00:01:00'::interval NOT NULL,
    long_tick_after interval DEFAULT '00:15:00'::interval NOT NULL,
    log_retention interval DEFAULT '30 days'::interval NOT NULL,
    CONSTRAINT policy_counts_check CHECK ((((max_open_runs >= 1) AND (max_open_runs <= 10000)) AND (token_rate_per_hour > 0) AND (token_rate_floor >= 0) AND (repeated_tool_call_count > 0) AND (tool_errors_count > 0) AND (conversation_budget_tokens > 0))),
    CONSTRAINT policy_delays_check CHECK (((abandon_after >= '00:01:00'::interval) AND (token_rate_min_history >= '00:00:00'::interval) AND (no_progress_after > '00:00:00'::interval) AND (hung_tool_call_after > '00:00:00'::interval) AND (missed_tick_grace >= '00:00:00'::interval) AND (long_tick_after > '00:00:00'::interval) AND (log_retention >= '2 days'::interval))),
    CONSTRAINT policy_policy_name_check CHECK ((policy_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'::text)),
    CONSTRAINT policy_ratios_check CHECK (((token_rate_factor > (1)::double precision) AND (token_rate_factor < 'Infinity'::double precision) AND ((tool_errors_share >= (0)::double precision) AND (tool_errors_share <= (1)::double precision)))),
    CONSTRAINT policy_windows_check CHECK ((((token_rate_window >= '00:01:00'::interval) AND (token_rate_window <= '1 day'::interval)) AND ((token_rate_baseline >= '1 day'::interval) AND (token_rate_baseline <= '31 days'::interval)) AND ((repeated_tool_call_window >= '00:00:01'::interval) AND (repeated_tool_call_window <= '1 day'::interval)) AND ((tool_errors_window >= '00:00:01'::interval) AND (tool_errors_window <= '1 day'::interval))))
);



COMMENT ON TABLE agentdb.policy IS 'Named thresholds; each agent has one, and every number a rule compares with is a column here.';



COMMENT ON COLUMN agentdb.policy.max_open_runs IS 'How many runs an agent may have open at once; more are refused.';



COMMENT ON COLUMN agentdb.policy.abandon_after IS 'A run that logs nothing for this long is ended as abandoned.';



COMMENT ON COLUMN agentdb.policy.token_rate_per_hour IS 'Rule token_rate: tokens (input, cached input and output) an agent may use in an hour.';



COMMENT ON COLUMN agentdb.policy.token_rate_factor IS 'Rule token_rate: how many times its average window an agent may use in a window.';



COMMENT ON COLUMN agentdb.policy.token_rate_window IS 'Rule token_rate: the window that is compared with the average.';



COMMENT ON COLUMN agentdb.policy.token_rate_baseline IS 'Rule token_rate: how far back the average looks.';



COMMENT ON COLUMN agentdb.policy.token_rate_min_history IS 'Rule token_rate: how old an agent''s first tokens must be before it has an average.';



COMMENT ON COLUMN agentdb.policy.token_rate_floor IS 'Rule token_rate: windows below this many tokens are never an anomaly.';



COMMENT ON COLUMN agentdb.policy.no_progress_after IS 'Rule no_progress: how long an open run may reach no step.';



COMMENT ON COLUMN agentdb.policy.repeated_tool_call_count IS 'Rule repeated_tool_call: how many calls of one tool a run may make in the window.';



COMMENT ON COLUMN agentdb.policy.repeated_tool_call_window IS 'Rule repeated_tool_call: the window.';



COMMENT ON COLUMN agentdb.policy.tool_errors_count IS 'Rule tool_errors: from how many failed calls of a tool in the window on.';



COMMENT ON COLUMN agentdb.policy.tool_errors_share IS 'Rule tool_errors: from which share of failed calls on, 0 to 1.';



COMMENT ON COLUMN agentdb.policy.tool_errors_window IS 'Rule tool_errors: the window.';



COMMENT ON COLUMN agentdb.policy.conversation_budget_tokens IS 'Rule conversation_budget: tokens a conversation may use over all its runs.';



COMMENT ON COLUMN agentdb.policy.hung_tool_call_after IS 'Rule hung_tool_call: how long a tool call may be in flight.';



COMMENT ON COLUMN agentdb.policy.missed_tick_grace IS 'Rule missed_tick: how late a tick may begin.';



COMMENT ON COLUMN agentdb.policy.long_tick_after IS 'Rule long_tick: how long a run with a tick interval may take.';



COMMENT ON COLUMN agentdb.policy.log_retention IS 'How long log rows are kept; the longest of all policies counts.';



CREATE FUNCTION agentdb._token_use(as_of timestamp with time zone) RETURNS TABLE(agent_id bigint, tokens_per_hour bigint, tokens_in_window bigint)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT t.agent_id,
     (COALESCE(sum(((t.input_tokens + t.cached_input_tokens) + t.output_tokens)) FILTER (WHERE (t.recorded_at > (_token_use.as_of - '01:00:00'::interval))), (0)::numeric))::bigint AS "coalesce",
     (COALESCE(sum(((t.input_tokens + t.cached_input_tokens) + t.output_tokens)) FILTER (WHERE (t.recorded_at > (_token_use.as_of - p.token_rate_window))), (0)::numeric))::bigint AS "coalesce"
    FROM ((agentdb.token_log t
      JOIN agentdb.agent a ON ((a.agent_id = t.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((t.recorded_at <= _token_use.as_of) AND (t.recorded_at > (_token_use.as_of - ( SELECT GREATEST(max(w.token_rate_window), '01:00:00'::interval) AS "greatest"
            FROM agentdb.policy w))))
   GROUP BY t.agent_id;
END;



COMMENT ON FUNCTION agentdb._token_use(as_of timestamp with time zone) IS 'The tokens of each agent in the hour and in the policy window before a moment.';



CREATE FUNCTION agentdb._touch_alerts(rule_name text, instances jsonb, at timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into agentdb.alert as a (
    rule_name, fingerprint, labels, annotations, value, severity, state, active_at, seen_at
  )
  select distinct on (md5((i.item -> 'labels')::text))
    r.rule_name, md5((i.item -> 'labels')::text),
    agentdb._bounded_json(i.item -> 'labels', 8192),
    agentdb._bounded_json(coalesce(nullif(i.item -> 'annotations', 'null'), '{}'), 65536),
    (i.item ->> 'value')::double precision,
    case
      when i.item #>> '{annotations,severity}' in ('info', 'warning', 'critical')
        then i.item #>> '{annotations,severity}'
      else r.severity
    end,
    'pending', _touch_alerts.at, _touch_alerts.at
  from agentdb.alert_rule as r
  cross join jsonb_array_elements(_touch_alerts.instances) as i (item)
  where r.rule_name = _touch_alerts.rule_name
  on conflict on constraint alert_rule_name_fingerprint_key do update
  set annotations = excluded.annotations,
      value = excluded.value,
      severity = excluded.severity,
      seen_at = excluded.seen_at,
      state = case a.state when 'resolved' then 'pending' else a.state end,
      episode = a.episode + (a.state = 'resolved')::integer,
      active_at = case a.state when 'resolved' then excluded.active_at else a.active_at end,
      firing_at = case a.state when 'resolved' then null else a.firing_at end,
      resolved_at = null;
$$;



COMMENT ON FUNCTION agentdb._touch_alerts(rule_name text, instances jsonb, at timestamp with time zone) IS 'Marks the alerts of a rule as seen now; new ones and resolved ones begin an episode as pending.';



CREATE FUNCTION agentdb.beat(runner_name text, loop text, host text, pid integer, version text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
  insert into agentdb.runner as r (
    runner_name, host, pid, version, evaluated_at, flushed_at, sent_at, listened_at
  )
  values (
    beat.runner_name, beat.host, beat.pid, beat.version,
    case beat.loop when 'evaluate' then clock_timestamp() end,
    case beat.loop when 'flush' then clock_timestamp() end,
    case beat.loop when 'send' then clock_timestamp() end,
    case beat.loop when 'listen' then clock_timestamp() end
  )
  on conflict on constraint runner_pkey do update
  set host = excluded.host,
      pid = excluded.pid,
      version = excluded.version,
      started_at = case when r.pid = excluded.pid and r.host = excluded.host
        then r.started_at else excluded.started_at end,
      evaluated_at = coalesce(excluded.evaluated_at, r.evaluated_at),
      flushed_at = coalesce(excluded.flushed_at, r.flushed_at),
      sent_at = coalesce(excluded.sent_at, r.sent_at),
      listened_at = coalesce(excluded.listened_at, r.listened_at);
$$;



COMMENT ON FUNCTION agentdb.beat(runner_name text, loop text, host text, pid integer, version text) IS 'Records a successful lap of a runner''s loop: evaluate, flush, send or listen.';



CREATE FUNCTION agentdb.begin_tool_call(tool text, args jsonb DEFAULT NULL::jsonb, call_id text DEFAULT NULL::text, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, call text, repeated boolean, began_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint;
begin
  perform agentdb._check_tool(tool, call_id);
  select c.run_id, c.agent_id into begin_tool_call.run_id, v_agent_id
  from agentdb._current_run(begin_tool_call.run) as c;
  perform agentdb._check_open_calls(begin_tool_call.run_id);
  call := coalesce(call_id, gen_random_uuid()::text);
  insert into agentdb.tool_call as c (run_id, call_id, agent_id, tool, args)
  values (
    begin_tool_call.run_id, call, v_agent_id, agentdb._clean_text(tool, 200),
    agentdb._bounded_json(args, 65536)
  )
  on conflict on constraint tool_call_pkey do nothing
  returning c.began_at into begin_tool_call.began_at;
  repeated := not found;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.begin_tool_call(tool text, args jsonb, call_id text, run bigint) IS 'Records that a tool call begins and returns the id to end it with; until then it is in flight; raises ZA001, ZA003, ZA004 or ZA005.';



CREATE FUNCTION agentdb.bind_run(token text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_run_id bigint;
begin
  select t.run_id into v_run_id
  from agentdb.run_token as t
  join agentdb.run as r on r.run_id = t.run_id
  where t.token_hash = agentdb._hash_secret(bind_run.token)
    and r.role_name = session_user;
  if v_run_id is null then
    raise exception 'this token opens no run of role %', session_user
      using errcode = 'ZA001',
            hint = 'Bind the token that agentdb.start_run() returned, within the same '
              'transaction as the calls that follow.';
  end if;
  perform set_config('agentdb.run_token', bind_run.token, true);
  return v_run_id;
end;
$$;



COMMENT ON FUNCTION agentdb.bind_run(token text) IS 'Binds a run''s token to the current transaction and returns the run; raises ZA001.';



CREATE FUNCTION agentdb.claim_notification(runner_name text, max_notifications integer DEFAULT 1, lease interval DEFAULT '00:00:30'::interval, skip text[] DEFAULT '{}'::text[]) RETURNS TABLE(notification_id bigint, attempt integer, receiver_name text, channel text, target text, secret_ref text, idempotency_key uuid, kind text, dedup_key text, payload jsonb)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
  with claimed as (
    update agentdb.notification as n
    set attempt = n.attempt + 1,
        claimed_by = claim_notification.runner_name,
        visible_at = clock_timestamp() + claim_notification.lease
    where n.notification_id in (
      select c.notification_id
      from agentdb.notification as c
      where c.state = 'queued'
        and c.visible_at <= clock_timestamp()
        and c.attempt < c.max_attempts
        and c.receiver_name <> all (claim_notification.skip)
        -- A late "firing" after "resolved" would open the incident again.
        and not exists (
          select from agentdb.notification as e
          where e.alert_id = c.alert_id
            and e.receiver_name = c.receiver_name
            and e.state = 'queued'
            and e.notification_id < c.notification_id
        )
      order by c.visible_at, c.notification_id
      limit claim_notification.max_notifications
      for update skip locked
    )
    returning n.*
  )
  select
    c.notification_id, c.attempt, c.receiver_name, r.channel, r.target, r.secret_ref,
    c.idempotency_key, c.kind, format('agentdb/%s/A-%s', current_database(), c.alert_id),
    c.payload
  from claimed as c
  join agentdb.receiver as r on r.receiver_name = c.receiver_name
  order by c.notification_id;
$$;



COMMENT ON FUNCTION agentdb.claim_notification(runner_name text, max_notifications integer, lease interval, skip text[]) IS 'Leases queued notifications to a runner, none of the receivers named in skip; an unmarked one is free again after the lease.';



CREATE FUNCTION agentdb.claim_rule() RETURNS TABLE(rule_name text, query text, evaluation bigint, timeout_ms integer, max_alerts integer)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
  update agentdb.alert_rule as r
  set next_evaluation_at = case
        when r.next_evaluation_at + r.evaluate_every > clock_timestamp()
          then r.next_evaluation_at + r.evaluate_every
        else clock_timestamp() + r.evaluate_every
      end,
      evaluation = r.evaluation + 1
  where r.rule_name = (
    select c.rule_name
    from agentdb.alert_rule as c
    where c.enabled
      and c.next_evaluation_at <= clock_timestamp()
    order by c.next_evaluation_at
    limit 1
    for update skip locked
  )
  returning
    r.rule_name, agentdb._rule_query(r.view_name, r.max_alerts), r.evaluation,
    (extract(epoch from r.timeout) * 1000)::integer, r.max_alerts;
$$;



COMMENT ON FUNCTION agentdb.claim_rule() IS 'Takes the rule that is due longest and returns the query to run for it; no row when none is due.';



CREATE FUNCTION agentdb.end_run(outcome text DEFAULT 'succeeded'::text, summary text DEFAULT NULL::text, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, ended_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  if outcome is null or outcome not in ('succeeded', 'failed', 'cancelled') then
    perform agentdb._refuse(
      format('%L is no outcome of a run', agentdb._clean_text(outcome, 50)),
      'Say succeeded, failed or cancelled.'
    );
  end if;
  select c.run_id into end_run.run_id from agentdb._current_run(end_run.run) as c;
  update agentdb.run as r
  set ended_at = clock_timestamp(),
      outcome = end_run.outcome,
      summary = agentdb._clean_text(end_run.summary, 4000)
  where r.run_id = end_run.run_id and r.ended_at is null
  returning r.ended_at into end_run.ended_at;
  if not found then
    perform agentdb._refuse_closed_run(end_run.run_id);
  end if;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.end_run(outcome text, summary text, run bigint) IS 'Ends the run with an outcome: succeeded, failed or cancelled; what it says is a claim; raises ZA001, ZA003 or ZA004.';



CREATE FUNCTION agentdb.end_tool_call(call_id text, ok boolean DEFAULT true, error text DEFAULT NULL::text, result_size bigint DEFAULT NULL::bigint, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, repeated boolean, duration interval)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint;
  v_tool text;
  v_args jsonb;
begin
  if ok is null or result_size < 0 then
    perform agentdb._refuse('ok must not be NULL and result_size not negative',
      'Say true or false, and the size of the result.');
  end if;
  select c.run_id, c.agent_id into end_tool_call.run_id, v_agent_id
  from agentdb._current_run(end_tool_call.run) as c;
  update agentdb.tool_call as c
  set ended_at = clock_timestamp(),
      args = null
  from agentdb.tool_call as former
  where c.run_id = end_tool_call.run_id
    and c.call_id = end_tool_call.call_id
    and c.ended_at is null
    and former.run_id = c.run_id
    and former.call_id = c.call_id
  returning former.tool, former.args, c.ended_at - c.began_at
    into v_tool, v_args, end_tool_call.duration;
  repeated := not found;
  if not repeated then
    perform agentdb._insert_tool_call(
      end_tool_call.run_id, v_agent_id, v_tool, v_args, ok, error, result_size,
      end_tool_call.duration, end_tool_call.call_id
    );
  elsif not exists (
    select from agentdb.tool_call as c
    where c.run_id = end_tool_call.run_id and c.call_id = end_tool_call.call_id
  ) then
    raise exception 'run % began no tool call %', end_tool_call.run_id,
        agentdb._clean_text(call_id, 100)
      using errcode = 'ZA006',
            hint = 'Use the id that begin_tool_call() returned, or record the whole call '
              'at once with log_tool_call().';
  end if;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.end_tool_call(call_id text, ok boolean, error text, result_size bigint, run bigint) IS 'Records how a begun tool call ended, timed by the database; a second end changes nothing; raises ZA001, ZA003, ZA004 or ZA006.';



CREATE FUNCTION agentdb.evidence_query(alert bigint) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
  select replace(
    replace(
      coalesce(r.evidence_query, format('select * from %s', r.view_name)),
      ':at', quote_literal(a.seen_at) || '::timestamptz'
    ),
    ':labels', quote_literal(a.labels) || '::jsonb'
  )
  from agentdb.alert as a
  join agentdb.alert_rule as r on r.rule_name = a.rule_name
  where a.alert_id = evidence_query.alert;
$$;



COMMENT ON FUNCTION agentdb.evidence_query(alert bigint) IS 'The statement that shows the rows which tripped an alert''s rule, as they were when it was last seen.';



CREATE FUNCTION agentdb.fail_rule(rule_name text, evaluation bigint, error text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  -- Its alerts keep their state: not knowing is neither trouble nor its end.
  update agentdb.alert_rule as r
  set failures = r.failures + 1,
      failed_at = clock_timestamp(),
      error = agentdb._clean_text(fail_rule.error, 2000),
      next_evaluation_at = clock_timestamp()
        + least(r.evaluate_every * power(2, least(r.failures, 10)), interval '5 minutes')
  where r.rule_name = fail_rule.rule_name
    and r.evaluation = fail_rule.evaluation;
  return found;
end;
$$;



COMMENT ON FUNCTION agentdb.fail_rule(rule_name text, evaluation bigint, error text) IS 'Records that an evaluation failed and puts the next one off, doubling up to 5 minutes; false when another came between.';



CREATE FUNCTION agentdb.flush(max_alerts integer DEFAULT 500) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_flushed integer;
  v_made integer;
begin
  perform agentdb._bury_notifications();
  with due as (
    select a.alert_id
    from agentdb.alert as a
    where a.flush and a.state <> 'pending'
    order by a.alert_id
    limit max_alerts
    for update skip locked
  ),
  flushed as (
    update agentdb.alert as a set flush = false
    from due as d where d.alert_id = a.alert_id
    returning a.*
  ),
  made as (
    insert into agentdb.notification (alert_id, episode, kind, receiver_name, payload)
    select f.alert_id, f.episode, k.kind, r.receiver_name,
      agentdb._payload((select a from agentdb.alert as a where a.alert_id = f.alert_id), k.kind)
    from flushed as f
    -- What fired and went away between two flushes is still told, once.
    cross join lateral unnest(case f.state
      when 'firing' then array['firing'] else array['firing', 'resolved'] end) as k (kind)
    join agentdb.receiver as r
      on r.enabled
      and agentdb._severity_rank(f.severity) >= agentdb._severity_rank(r.min_severity)
      and (k.kind = 'firing' or r.send_resolved)
    order by f.alert_id, k.kind
    on conflict on constraint notification_alert_id_episode_kind_receiver_name_key
      do nothing
    returning 1
  )
  select (select count(*) from flushed), (select count(*) from made) into v_flushed, v_made;
  -- Only runners listen, and only this function, which no agent can call, notifies.
  if v_made > 0 then
    perform pg_notify('agentdb_notification', '');
  end if;
  return v_flushed;
end;
$$;



COMMENT ON FUNCTION agentdb.flush(max_alerts integer) IS 'Writes the notifications of alerts that began to fire or were resolved and wakes the runners; returns the number of alerts.';



CREATE FUNCTION agentdb.ingest(rule_name text, evaluation bigint, instances jsonb, truncated boolean DEFAULT false, duration_ms double precision DEFAULT NULL::double precision) RETURNS TABLE(pending integer, firing integer, resolved integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_now timestamptz := clock_timestamp();
begin
  update agentdb.alert_rule as r
  set evaluated_at = v_now,
      evaluation_ms = duration_ms,
      alerts = jsonb_array_length(instances),
      truncated = ingest.truncated,
      failures = 0,
      error = null
  where r.rule_name = ingest.rule_name
    and r.evaluation = ingest.evaluation;
  -- Somebody newer has evaluated the rule: this answer is out of date.
  if not found then
    return;
  end if;
  perform agentdb._check_instances(instances);
  perform agentdb._touch_alerts(ingest.rule_name, instances, v_now);
  return query
    select
      count(*) filter (where a.to_state = 'pending')::integer,
      count(*) filter (where a.to_state = 'firing')::integer,
      count(*) filter (where a.to_state = 'resolved')::integer
    from agentdb._advance_alerts(ingest.rule_name, v_now, ingest.truncated) as a;
end;
$$;



COMMENT ON FUNCTION agentdb.ingest(rule_name text, evaluation bigint, instances jsonb, truncated boolean, duration_ms double precision) IS 'Turns the rows of one evaluation into alerts and says how many changed; no row when the evaluation is out of date; raises ZA004.';



CREATE FUNCTION agentdb.log_progress(step text, details jsonb DEFAULT NULL::jsonb, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, recorded_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint;
begin
  if step is null or step !~ '[^[:space:]]' then
    perform agentdb._refuse(
      'step must not be empty',
      'Name what was reached, for example: select * from agentdb.log_progress(''fetched page 3'');'
    );
  end if;
  select c.run_id, c.agent_id into log_progress.run_id, v_agent_id
  from agentdb._current_run(log_progress.run) as c;
  insert into agentdb.progress_log as p (run_id, agent_id, step, details)
  values (
    log_progress.run_id, v_agent_id, agentdb._clean_text(step, 500),
    agentdb._bounded_json(log_progress.details, 65536)
  )
  returning p.recorded_at into log_progress.recorded_at;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.log_progress(step text, details jsonb, run bigint) IS 'Records that the run reached a step; a step is evidence only while it is new; raises ZA001, ZA003 or ZA004.';



CREATE FUNCTION agentdb.log_progress_many(steps jsonb, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, recorded integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint;
begin
  perform agentdb._check_rows(steps, 'step');
  select c.run_id, c.agent_id into log_progress_many.run_id, v_agent_id
  from agentdb._current_run(log_progress_many.run) as c;
  insert into agentdb.progress_log (run_id, agent_id, step, details)
  select
    log_progress_many.run_id, v_agent_id,
    agentdb._clean_text(agentdb._json_text(s.item, 'step'), 500),
    agentdb._bounded_json(nullif(s.item -> 'details', 'null'), 65536)
  from jsonb_array_elements(steps) with ordinality as s (item, place)
  order by s.place;
  get diagnostics recorded = row_count;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.log_progress_many(steps jsonb, run bigint) IS 'Records a JSON array of {step, details} in one call, all or none; raises ZA001, ZA003 or ZA004.';



CREATE FUNCTION agentdb.log_tokens(input bigint, output bigint, cached_input bigint DEFAULT 0, reasoning bigint DEFAULT 0, model text DEFAULT NULL::text, cost double precision DEFAULT 0, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, recorded_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint;
begin
  perform agentdb._check_tokens(input, output, cached_input, reasoning, cost);
  select c.run_id, c.agent_id into log_tokens.run_id, v_agent_id
  from agentdb._current_run(log_tokens.run) as c;
  insert into agentdb.token_log as t (
    run_id, agent_id, input_tokens, cached_input_tokens, output_tokens,
    reasoning_tokens, cost, model
  )
  values (
    log_tokens.run_id, v_agent_id, input, cached_input, output, reasoning, cost,
    agentdb._clean_text(model, 200)
  )
  returning t.recorded_at into log_tokens.recorded_at;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.log_tokens(input bigint, output bigint, cached_input bigint, reasoning bigint, model text, cost double precision, run bigint) IS 'Records the tokens of one model call: input without the cached part, output with its reasoning part; raises ZA001, ZA003 or ZA004.';



CREATE FUNCTION agentdb.log_tokens_many(usages jsonb, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, recorded integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_usage jsonb;
begin
  perform agentdb._check_rows(usages, 'input');
  select c.run_id into log_tokens_many.run_id
  from agentdb._current_run(log_tokens_many.run) as c;
  recorded := 0;
  for v_usage in select e.item from jsonb_array_elements(usages) as e (item)
  loop
    perform agentdb.log_tokens(
      input => agentdb._json_text(v_usage, 'input')::bigint,
      output => coalesce(agentdb._json_text(v_usage, 'output')::bigint, 0),
      cached_input => coalesce(agentdb._json_text(v_usage, 'cached_input')::bigint, 0),
      reasoning => coalesce(agentdb._json_text(v_usage, 'reasoning')::bigint, 0),
      model => agentdb._json_text(v_usage, 'model'),
      cost => coalesce(agentdb._json_text(v_usage, 'cost')::double precision, 0),
      run => log_tokens_many.run_id
    );
    recorded := recorded + 1;
  end loop;
  return next;
exception when invalid_text_representation or numeric_value_out_of_range then
  perform agentdb._refuse(
    format('a row of the array is ill-formed: %s', sqlerrm),
    'Token counts are whole numbers and cost is a number; nothing of this call was recorded.'
  );
end;
$$;



COMMENT ON FUNCTION agentdb.log_tokens_many(usages jsonb, run bigint) IS 'Records a JSON array of {input, output, cached_input, reasoning, model, cost}, all or none; raises ZA001, ZA003 or ZA004.';



CREATE FUNCTION agentdb.log_tool_call(tool text, args jsonb DEFAULT NULL::jsonb, ok boolean DEFAULT true, error text DEFAULT NULL::text, result_size bigint DEFAULT NULL::bigint, duration interval DEFAULT NULL::interval, call_id text DEFAULT NULL::text, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, repeated boolean, recorded_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint;
begin
  perform agentdb._check_tool(tool, call_id);
  if ok is null then
    perform agentdb._refuse('ok must not be NULL', 'Say true or false: did the call do what it should?');
  elsif result_size < 0 or duration < '0' then
    perform agentdb._refuse('result_size and duration must not be negative',
      'Give characters or bytes of the result, and the time it took.');
  end if;
  select c.run_id, c.agent_id into log_tool_call.run_id, v_agent_id
  from agentdb._current_run(log_tool_call.run) as c;
  repeated := false;
  if call_id is not null then
    insert into agentdb.tool_call (run_id, call_id, agent_id, tool, ended_at)
    values (
      log_tool_call.run_id, call_id, v_agent_id, agentdb._clean_text(tool, 200),
      clock_timestamp()
    )
    on conflict on constraint tool_call_pkey do nothing;
    repeated := not found;
  end if;
  if not repeated then
    recorded_at := agentdb._insert_tool_call(
      log_tool_call.run_id, v_agent_id, tool, args, ok, error, result_size, duration,
      call_id
    );
  end if;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.log_tool_call(tool text, args jsonb, ok boolean, error text, result_size bigint, duration interval, call_id text, run bigint) IS 'Records a finished tool call, once per call_id; result_size is in characters or bytes; raises ZA001, ZA003 or ZA004.';



CREATE FUNCTION agentdb.log_tool_call_many(calls jsonb, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, recorded integer, repeated integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_call jsonb;
  v_repeated boolean;
begin
  perform agentdb._check_rows(calls, 'tool');
  select c.run_id into log_tool_call_many.run_id
  from agentdb._current_run(log_tool_call_many.run) as c;
  recorded := 0;
  repeated := 0;
  for v_call in select e.item from jsonb_array_elements(calls) as e (item)
  loop
    select l.repeated into v_repeated
    from agentdb.log_tool_call(
      tool => agentdb._json_text(v_call, 'tool'),
      args => nullif(v_call -> 'args', 'null'),
      ok => coalesce(agentdb._json_text(v_call, 'ok')::boolean, true),
      error => agentdb._json_text(v_call, 'error'),
      result_size => agentdb._json_text(v_call, 'result_size')::bigint,
      duration => agentdb._json_text(v_call, 'duration')::interval,
      call_id => agentdb._json_text(v_call, 'call_id'),
      run => log_tool_call_many.run_id
    ) as l;
    recorded := recorded + (not v_repeated)::integer;
    repeated := repeated + v_repeated::integer;
  end loop;
  return next;
exception when invalid_text_representation or numeric_value_out_of_range
  or invalid_datetime_format or interval_field_overflow then
  perform agentdb._refuse(
    format('a call of the array is ill-formed: %s', sqlerrm),
    'ok is true or false, result_size a whole number, duration an interval such as '
      '"1.5 s"; nothing of this call was recorded.'
  );
end;
$$;



COMMENT ON FUNCTION agentdb.log_tool_call_many(calls jsonb, run bigint) IS 'Records a JSON array of {tool, args, ok, error, result_size, duration, call_id}, all or none; raises ZA001, ZA003 or ZA004.';



CREATE FUNCTION agentdb.maintain(days_ahead integer DEFAULT 3) RETURNS TABLE(action text, object text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    SET "TimeZone" TO 'UTC'
    AS $$
declare
  v_today date := (clock_timestamp() at time zone 'UTC')::date;
  v_keep interval := (select max(p.log_retention) from agentdb.policy as p);
  v_log text;
  v_object text;
begin
  if days_ahead is null or days_ahead not between 0 and 365 then
    perform agentdb._refuse(
      format('days_ahead must be between 0 and 365, got %s', days_ahead),
      'Leave it out for the usual 3 days.'
    );
  end if;
  for v_log in
    select c.relname from pg_class as c
    where c.relnamespace = 'agentdb'::regnamespace and c.relkind = 'p'
  loop
    return query select * from agentdb._add_partitions(v_log, days_ahead);
  end loop;
  for v_object in
    select p.partition_name from agentdb.log_partition as p where p.day < v_today - v_keep
  loop
    return query select agentdb._drop_partition(v_object), v_object;
  end loop;
  return query
    select 'abandoned', format('run %s', r.run_id) from agentdb._abandon_runs(null) as r;
end;
$$;



COMMENT ON FUNCTION agentdb.maintain(days_ahead integer) IS 'Adds log partitions ahead, drops those past policy.log_retention, ends abandoned runs; says what it did.';



CREATE FUNCTION agentdb.mark_failed(notification_id bigint, attempt integer, status integer DEFAULT NULL::integer, error text DEFAULT NULL::text, permanent boolean DEFAULT false, retry_after interval DEFAULT NULL::interval) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_state text;
  -- Exponential back-off with jitter, so that many failures do not return as one wave.
  v_delay interval := least(interval '10 minutes', interval '0.5 seconds' * power(2, least(attempt, 12)))
    * (0.5 + random() / 2);
begin
  update agentdb.notification as n
  set state = case when mark_failed.permanent or n.attempt >= n.max_attempts then 'dead' else 'queued' end,
      finished_at = case when mark_failed.permanent or n.attempt >= n.max_attempts then clock_timestamp() end,
      visible_at = clock_timestamp()
        + greatest(v_delay, least(coalesce(mark_failed.retry_after, '0'), interval '1 hour')),
      status = mark_failed.status,
      error = agentdb._clean_text(mark_failed.error, 1000)
  where n.notification_id = mark_failed.notification_id
    and n.attempt = mark_failed.attempt
    and n.state = 'queued'
  returning n.state into v_state;
  return v_state;
end;
$$;



COMMENT ON FUNCTION agentdb.mark_failed(notification_id bigint, attempt integer, status integer, error text, permanent boolean, retry_after interval) IS 'Records a failed attempt: queued again after a back-off, or dead when permanent or tried too often; NULL when fenced.';



CREATE FUNCTION agentdb.mark_sent(notification_id bigint, attempt integer, status integer DEFAULT NULL::integer) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  update agentdb.notification as n
  set state = 'sent',
      finished_at = clock_timestamp(),
      status = mark_sent.status,
      error = null
  where n.notification_id = mark_sent.notification_id
    and n.attempt = mark_sent.attempt
    and n.state = 'queued';
  return found;
end;
$$;



COMMENT ON FUNCTION agentdb.mark_sent(notification_id bigint, attempt integer, status integer) IS 'Records a delivery; false when the lease had run out and somebody else took over.';



CREATE FUNCTION agentdb.next_evaluation_ms() RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select least(60000, greatest(0, coalesce(ceil(
    extract(epoch from min(r.next_evaluation_at) - clock_timestamp()) * 1000
  ), 60000)))::integer
  from agentdb.alert_rule as r
  where r.enabled;
$$;



COMMENT ON FUNCTION agentdb.next_evaluation_ms() IS 'Milliseconds until a rule is due, at most 60000.';



CREATE FUNCTION agentdb.register_agent(name text, role_name text, policy text DEFAULT 'default'::text, pooled boolean DEFAULT false) RETURNS TABLE(agent_id bigint, secret text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $_$
begin
  if not agentdb._is_clean_name(name, 63) or name !~ '^[a-z0-9][a-z0-9_.-]*$' then
    perform agentdb._refuse(
      format('%L is no name for an agent', agentdb._clean_text(name, 100)),
      'Use 1 to 63 of a-z, 0-9, dot, dash and underscore, beginning with a letter or digit.'
    );
  elsif role_name is null or pooled is null or policy is null then
    perform agentdb._refuse(
      'role_name, policy and pooled must not be NULL',
      'select * from agentdb.register_agent(name => ''billing'', role_name => ''billing_agent'');'
    );
  elsif not exists (
    select from agentdb.policy as p where p.policy_name = register_agent.policy
  ) then
    raise exception 'there is no policy %', policy
      using errcode = 'ZA006', hint = 'select policy_name from agentdb.policy;';
  end if;
  perform agentdb._check_agent_role(register_agent.role_name::name);
  insert into agentdb.agent as a (agent_name, role_name, pooled, policy_name)
  values (register_agent.name, register_agent.role_name, pooled, policy)
  returning a.agent_id into register_agent.agent_id;
  if pooled then
    secret := agentdb._new_secret();
    insert into agentdb.agent_secret (agent_id, secret_hash)
    values (register_agent.agent_id, agentdb._hash_secret(secret));
  end if;
  return next;
exception when unique_violation then
  raise exception 'agent % or a registration of role % exists already',
      register_agent.name, register_agent.role_name
    using errcode = 'ZA007',
          hint = 'Several agents can share a role only when each is registered with '
            'pooled => true; otherwise give each a role of its own.';
end;
$_$;



COMMENT ON FUNCTION agentdb.register_agent(name text, role_name text, policy text, pooled boolean) IS 'Registers an agent under a login role; with pooled => true several agents share the role and each gets a secret, shown only once.';



CREATE FUNCTION agentdb.retire_runner(runner_name text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
  delete from agentdb.runner as r where r.runner_name = retire_runner.runner_name;
$$;



COMMENT ON FUNCTION agentdb.retire_runner(runner_name text) IS 'Removes a runner that ends on purpose; one that died stays visible.';



CREATE FUNCTION agentdb.roll_up() RETURNS interval
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_low xid8;
  v_high xid8;
begin
  select s.horizon into v_low from agentdb.roll_up_state as s for update skip locked;
  if found then
    v_high := pg_snapshot_xmin(pg_current_snapshot());
    if v_high > v_low then
      perform agentdb._roll_up_progress(v_low, v_high);
      perform agentdb._roll_up_tool_calls(v_low, v_high);
      perform agentdb._roll_up_tokens(v_low, v_high);
    end if;
    update agentdb.roll_up_state as s
    set horizon = v_high,
        rolled_at = clock_timestamp();
  end if;
  return (
    select clock_timestamp() - nullif(s.rolled_at, '-infinity')
    from agentdb.roll_up_state as s
  );
end;
$$;



COMMENT ON FUNCTION agentdb.roll_up() IS 'Advances run_activity and token_hour to the newest settled transaction and returns their age; a second caller leaves at once.';



CREATE FUNCTION agentdb.rule_conversation_budget(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'conversation', u.conversation, 'run', (u.last_run_id)::text) AS jsonb_build_object,
     (t.tokens)::double precision AS tokens,
     jsonb_build_object('summary', format('conversation %s of %s has used %s tokens; its budget is %s'::text, u.conversation, a.agent_name, t.tokens, p.conversation_budget_tokens), 'policy', p.policy_name, 'threshold', p.conversation_budget_tokens, 'input_tokens', u.input_tokens, 'cached_input_tokens', u.cached_input_tokens, 'output_tokens', u.output_tokens) AS jsonb_build_object
    FROM (((agentdb._conversation_use(rule_conversation_budget.as_of) u(agent_id, conversation, last_run_id, input_tokens, cached_input_tokens, output_tokens)
      CROSS JOIN LATERAL ( SELECT ((u.input_tokens + u.cached_input_tokens) + u.output_tokens) AS tokens) t)
      JOIN agentdb.agent a ON ((a.agent_id = u.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE (t.tokens > p.conversation_budget_tokens);
END;



COMMENT ON FUNCTION agentdb.rule_conversation_budget(as_of timestamp with time zone) IS 'Conversations alive at a moment that had used more than policy.conversation_budget_tokens.';



CREATE FUNCTION agentdb.rule_hung_tool_call(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'run', (c.run_id)::text, 'tool', c.tool, 'call', c.call_id) AS jsonb_build_object,
     (EXTRACT(epoch FROM (rule_hung_tool_call.as_of - c.began_at)))::double precision AS "extract",
     jsonb_build_object('summary', format('%s has waited for %s since %s; the limit is %s'::text, a.agent_name, c.tool, date_trunc('second'::text, c.began_at), p.hung_tool_call_after), 'policy', p.policy_name, 'threshold', EXTRACT(epoch FROM p.hung_tool_call_after)) AS jsonb_build_object
    FROM (((agentdb.tool_call c
      JOIN agentdb.run r ON ((r.run_id = c.run_id)))
      JOIN agentdb.agent a ON ((a.agent_id = c.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE (((c.ended_at IS NULL) OR (c.ended_at > rule_hung_tool_call.as_of)) AND (c.began_at < (rule_hung_tool_call.as_of - p.hung_tool_call_after)) AND ((r.ended_at IS NULL) OR (r.ended_at > rule_hung_tool_call.as_of)));
END;



COMMENT ON FUNCTION agentdb.rule_hung_tool_call(as_of timestamp with time zone) IS 'Tool calls of open runs in flight for longer than policy.hung_tool_call_after.';



CREATE FUNCTION agentdb.rule_long_tick(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'run', (r.run_id)::text) AS jsonb_build_object,
     (EXTRACT(epoch FROM (rule_long_tick.as_of - r.started_at)))::double precision AS "extract",
     jsonb_build_object('summary', format('tick %s of %s has run since %s; the limit is %s'::text, r.run_id, a.agent_name, date_trunc('second'::text, r.started_at), p.long_tick_after), 'policy', p.policy_name, 'threshold', EXTRACT(epoch FROM p.long_tick_after)) AS jsonb_build_object
    FROM ((agentdb.run r
      JOIN agentdb.agent a ON ((a.agent_id = r.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((r.tick_interval IS NOT NULL) AND (r.started_at < (rule_long_tick.as_of - p.long_tick_after)) AND ((r.ended_at IS NULL) OR (r.ended_at > rule_long_tick.as_of)));
END;



COMMENT ON FUNCTION agentdb.rule_long_tick(as_of timestamp with time zone) IS 'Runs with a tick interval that are open for longer than policy.long_tick_after.';



CREATE FUNCTION agentdb.rule_missed_tick(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name) AS jsonb_build_object,
     (EXTRACT(epoch FROM ((rule_missed_tick.as_of - r.started_at) - r.tick_interval)))::double precision AS "extract",
     jsonb_build_object('summary', format('%s should have begun a tick at %s, %s after its last'::text, a.agent_name, date_trunc('second'::text, (r.started_at + r.tick_interval)), r.tick_interval), 'policy', p.policy_name, 'threshold', EXTRACT(epoch FROM p.missed_tick_grace), 'run', r.run_id) AS jsonb_build_object
    FROM ((agentdb.agent a
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      CROSS JOIN LATERAL ( SELECT l.run_id,
             l.started_at,
             l.tick_interval
            FROM agentdb.run l
           WHERE ((l.agent_id = a.agent_id) AND (l.started_at <= rule_missed_tick.as_of))
           ORDER BY l.started_at DESC
          LIMIT 1) r)
   WHERE (((r.started_at + r.tick_interval) + p.missed_tick_grace) < rule_missed_tick.as_of);
END;



COMMENT ON FUNCTION agentdb.rule_missed_tick(as_of timestamp with time zone) IS 'Agents whose last run promised another after tick_interval, which did not begin within policy.missed_tick_grace.';



CREATE FUNCTION agentdb.rule_no_progress(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'run', (r.run_id)::text) AS jsonb_build_object,
     (EXTRACT(epoch FROM (rule_no_progress.as_of - s.since)))::double precision AS "extract",
     jsonb_build_object('summary', format('run %s of %s has made no progress since %s; the limit is %s'::text, r.run_id, a.agent_name, date_trunc('second'::text, s.since), p.no_progress_after), 'policy', p.policy_name, 'threshold', EXTRACT(epoch FROM p.no_progress_after)) AS jsonb_build_object
    FROM ((((agentdb.run r
      JOIN agentdb.agent a ON ((a.agent_id = r.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      LEFT JOIN agentdb.run_activity v ON (((v.run_id = r.run_id) AND (v.last_progress_at <= rule_no_progress.as_of))))
      CROSS JOIN LATERAL ( SELECT
                 CASE
                     WHEN (v.last_progress_at >= (rule_no_progress.as_of - p.no_progress_after)) THEN v.last_progress_at
                     ELSE agentdb._last_progress(r.run_id, COALESCE(v.last_progress_at, r.started_at), rule_no_progress.as_of)
                 END AS since) s)
   WHERE ((r.started_at < (rule_no_progress.as_of - p.no_progress_after)) AND ((r.ended_at IS NULL) OR (r.ended_at > rule_no_progress.as_of)) AND (s.since < (rule_no_progress.as_of - p.no_progress_after)));
END;



COMMENT ON FUNCTION agentdb.rule_no_progress(as_of timestamp with time zone) IS 'Open runs without a logged step for policy.no_progress_after.';



CREATE FUNCTION agentdb.start_run(agent text DEFAULT NULL::text, conversation text DEFAULT NULL::text, tick_interval interval DEFAULT NULL::interval, purpose text DEFAULT NULL::text, secret text DEFAULT NULL::text) RETURNS TABLE(run_id bigint, token text, conversation_name text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint;
  v_policy_name text;
begin
  if conversation is not null and not agentdb._is_clean_name(conversation, 200) then
    perform agentdb._refuse(
      format('%L is no name for a conversation', agentdb._clean_text(conversation, 100)),
      'Use 1 to 200 visible characters on one line, or leave it out.'
    );
  elsif tick_interval <= '0' or tick_interval > '1 year' then
    perform agentdb._refuse(
      format('tick_interval must be between 0 and 1 year, got %s', tick_interval),
      'Give the time from one start to the next, for example tick_interval => ''15 min''.'
    );
  end if;
  select s.agent_id, s.policy_name into v_agent_id, v_policy_name
  from agentdb._session_agent(start_run.agent, start_run.secret) as s;
  perform agentdb._check_open_runs(v_agent_id, v_policy_name);
  start_run.run_id := nextval('agentdb.run_run_id_seq');
  -- A run without a conversation is one of its own.
  conversation_name := coalesce(conversation, format('run-%s', start_run.run_id));
  insert into agentdb.run (
    run_id, agent_id, role_name, conversation, purpose, tick_interval
  )
  overriding system value
  values (
    start_run.run_id, v_agent_id, session_user, conversation_name,
    agentdb._clean_text(start_run.purpose, 500), start_run.tick_interval
  );
  token := agentdb._new_secret();
  insert into agentdb.run_token (token_hash, run_id)
  values (agentdb._hash_secret(start_run.token), start_run.run_id);
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.start_run(agent text, conversation text, tick_interval interval, purpose text, secret text) IS 'Opens a run for the session''s agent and returns its number and its token; raises ZA002, ZA004 or ZA005.';



CREATE FUNCTION agentdb.timeline(run bigint) RETURNS TABLE(at timestamp with time zone, kind text, what text, ok boolean, tokens bigint, details jsonb)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with span as (
    select r.run_id, r.agent_id, r.started_at, r.ended_at, r.outcome, r.summary, r.purpose
    from agentdb.run as r
    where r.run_id = timeline.run
  ),
  event (at, place, kind, what, ok, tokens, details) as (
    select s.started_at, 0::bigint, 'start', coalesce(s.purpose, 'run began'),
      null::boolean, null::bigint, null::jsonb
    from span as s
    union all
    select p.recorded_at, p.progress_log_id, 'progress', p.step, null, null, p.details
    from span as s
    join agentdb.progress_log as p
      on p.run_id = s.run_id and p.recorded_at >= s.started_at
    union all
    select c.recorded_at, c.tool_call_log_id, 'tool call',
      c.tool || coalesce(': ' || c.error, ''), c.ok, null, c.args
    from span as s
    join agentdb.tool_call_log as c
      on c.run_id = s.run_id and c.recorded_at >= s.started_at
    union all
    select c.began_at, 0, 'in flight', c.tool, null, null, c.args
    from span as s
    join agentdb.tool_call as c on c.run_id = s.run_id and c.ended_at is null
    union all
    select t.recorded_at, t.token_log_id, 'tokens', coalesce(t.model, 'model call'), null,
      t.input_tokens + t.cached_input_tokens + t.output_tokens,
      jsonb_build_object('input', t.input_tokens, 'cached_input', t.cached_input_tokens,
        'output', t.output_tokens)
    from span as s
    join agentdb.token_log as t
      on t.run_id = s.run_id and t.recorded_at >= s.started_at
    union all
    select l.recorded_at, l.alert_log_id, 'alert',
      format('A-%s %s %s', a.alert_id, a.rule_name, l.to_state), null, null, a.labels
    from span as s
    join agentdb.alert as a on a.labels ->> 'run' = s.run_id::text
    join agentdb.alert_log as l
      on l.alert_id = a.alert_id and l.recorded_at >= s.started_at
    union all
    select s.ended_at, 9223372036854775807, 'end',
      concat_ws(': ', s.outcome, s.summary), s.outcome = 'succeeded', null, null
    from span as s
    where s.ended_at is not null
  )
  select e.at, e.kind, e.what, e.ok, e.tokens, e.details
  from event as e
  order by e.at, e.place;
$$;



COMMENT ON FUNCTION agentdb.timeline(run bigint) IS 'Everything a run did, in order: steps, tool calls, calls in flight, tokens, alerts, its end.';



CREATE VIEW agentdb.active_alert AS
 SELECT alert_id,
    rule_name,
    severity,
    state,
    labels,
    value,
    COALESCE((annotations ->> 'summary'::text), rule_name) AS summary,
    COALESCE(firing_at, active_at) AS since,
    (clock_timestamp() - COALESCE(firing_at, active_at)) AS age,
    annotations
   FROM agentdb.alert a
  WHERE (state = ANY (ARRAY['pending'::text, 'firing'::text]));



COMMENT ON VIEW agentdb.active_alert IS 'Alerts that are pending or firing now.';



COMMENT ON COLUMN agentdb.active_alert.alert_id IS 'The number, shown as A-41.';



COMMENT ON COLUMN agentdb.active_alert.rule_name IS 'The rule that has the row.';



COMMENT ON COLUMN agentdb.active_alert.severity IS 'info, warning or critical.';



COMMENT ON COLUMN agentdb.active_alert.state IS 'pending or firing.';



COMMENT ON COLUMN agentdb.active_alert.labels IS 'What tells the alert from others of its rule.';



COMMENT ON COLUMN agentdb.active_alert.value IS 'How bad it is, in the rule''s unit.';



COMMENT ON COLUMN agentdb.active_alert.summary IS 'The alert in a sentence.';



COMMENT ON COLUMN agentdb.active_alert.since IS 'When it began to fire, or to be pending.';



COMMENT ON COLUMN agentdb.active_alert.age IS 'How long ago that was.';



COMMENT ON COLUMN agentdb.active_alert.annotations IS 'More about it, such as policy and threshold.';



ALTER TABLE agentdb.agent ALTER COLUMN agent_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.agent_agent_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE TABLE agentdb.agent_secret (
    agent_id bigint NOT NULL,
    secret_hash bytea NOT NULL
);



COMMENT ON TABLE agentdb.agent_secret IS 'SHA-256 of the secret of each agent behind a shared role.';



CREATE TABLE agentdb.alembic_version (
    version_num character varying(32) NOT NULL
);



ALTER TABLE agentdb.alert ALTER COLUMN alert_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.alert_alert_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE TABLE agentdb.alert_log (
    alert_log_id bigint NOT NULL,
    alert_id bigint NOT NULL,
    rule_name text NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    from_state text,
    to_state text NOT NULL,
    episode integer NOT NULL,
    value double precision
)
PARTITION BY RANGE (recorded_at);



COMMENT ON TABLE agentdb.alert_log IS 'Every change of an alert''s state; append-only, a partition a UTC day.';



ALTER TABLE agentdb.alert_log ALTER COLUMN alert_log_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.alert_log_alert_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE TABLE agentdb.alert_log_default (
    alert_log_id bigint CONSTRAINT alert_log_alert_log_id_not_null NOT NULL,
    alert_id bigint CONSTRAINT alert_log_alert_id_not_null NOT NULL,
    rule_name text CONSTRAINT alert_log_rule_name_not_null NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() CONSTRAINT alert_log_recorded_at_not_null NOT NULL,
    from_state text,
    to_state text CONSTRAINT alert_log_to_state_not_null NOT NULL,
    episode integer CONSTRAINT alert_log_episode_not_null NOT NULL,
    value double precision
);



CREATE TABLE agentdb.alert_rule (
    rule_name text NOT NULL,
    description text NOT NULL,
    view_name text NOT NULL,
    evidence_query text,
    severity text DEFAULT 'warning'::text NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    evaluate_every interval DEFAULT '00:00:15'::interval NOT NULL,
    fire_after interval DEFAULT '00:00:00'::interval NOT NULL,
    keep_firing interval DEFAULT '00:00:00'::interval NOT NULL,
    max_alerts integer DEFAULT 1000 NOT NULL,
    timeout interval DEFAULT '00:00:02'::interval NOT NULL,
    evaluation bigint DEFAULT 0 NOT NULL,
    next_evaluation_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    evaluated_at timestamp with time zone,
    evaluation_ms double precision,
    alerts integer,
    truncated boolean DEFAULT false NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    failed_at timestamp with time zone,
    error text,
    CONSTRAINT alert_rule_max_alerts_check CHECK (((max_alerts >= 1) AND (max_alerts <= 100000))),
    CONSTRAINT alert_rule_rule_name_check CHECK ((rule_name ~ '^[a-z0-9][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT alert_rule_severity_check CHECK ((severity = ANY (ARRAY['info'::text, 'warning'::text, 'critical'::text]))),
    CONSTRAINT alert_rule_times_check CHECK ((((evaluate_every >= '00:00:00.1'::interval) AND (evaluate_every <= '1 day'::interval)) AND ((fire_after >= '00:00:00'::interval) AND (fire_after <= '7 days'::interval)) AND ((keep_firing >= '00:00:00'::interval) AND (keep_firing <= '7 days'::interval)) AND ((timeout >= '00:00:00.01'::interval) AND (timeout <= '00:05:00'::interval)))),
    CONSTRAINT alert_rule_view_name_check CHECK ((cardinality(parse_ident(view_name)) = 2))
)
WITH (fillfactor='50');



COMMENT ON TABLE agentdb.alert_rule IS 'Rules: a view that has a row for each trouble, how often to ask it and how to alert.';



COMMENT ON COLUMN agentdb.alert_rule.view_name IS 'schema.view with columns labels jsonb, value double precision, annotations jsonb.';



COMMENT ON COLUMN agentdb.alert_rule.evidence_query IS 'Statement that shows the rows behind an alert; :labels and :at stand for its labels and moment.';



COMMENT ON COLUMN agentdb.alert_rule.fire_after IS 'How long a row must stay before its alert fires.';



COMMENT ON COLUMN agentdb.alert_rule.keep_firing IS 'How long an alert fires on after its row is gone.';



COMMENT ON COLUMN agentdb.alert_rule.max_alerts IS 'How many rows are looked at; past that nothing is resolved.';



COMMENT ON COLUMN agentdb.alert_rule.evaluation IS 'Counts evaluations; an answer to an older one is dropped.';



CREATE VIEW agentdb.broken_rule AS
 SELECT jsonb_build_object('rule', rule_name) AS labels,
    (failures)::double precision AS value,
    jsonb_build_object('summary', format('rule %s has failed %s times in a row: %s'::text, rule_name, failures, "left"(error, 200)), 'threshold', 3) AS annotations
   FROM agentdb.alert_rule r
  WHERE (enabled AND (failures >= 3));



COMMENT ON VIEW agentdb.broken_rule IS 'Rule: rules that cannot be evaluated; while one is broken it watches nothing.';



COMMENT ON COLUMN agentdb.broken_rule.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.broken_rule.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.broken_rule.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.conversation_budget AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_conversation_budget(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.conversation_budget IS 'Rule: conversations that have used more tokens than their budget.';



COMMENT ON COLUMN agentdb.conversation_budget.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.conversation_budget.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.conversation_budget.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.log_partition AS
 SELECT p.relname AS log_name,
    c.relname AS partition_name,
    (c.relname = ((p.relname)::text || '_default'::text)) AS is_default,
    to_date("substring"((c.relname)::text, '_p([0-9]{8})$'::text), 'YYYYMMDD'::text) AS day,
    pg_total_relation_size((c.oid)::regclass) AS bytes
   FROM ((pg_inherits i
     JOIN pg_class c ON ((c.oid = i.inhrelid)))
     JOIN pg_class p ON ((p.oid = i.inhparent)))
  WHERE ((p.relnamespace = ('agentdb'::regnamespace)::oid) AND (p.relkind = 'p'::"char"));



COMMENT ON VIEW agentdb.log_partition IS 'The partitions of the logs, each with the UTC day it holds and its size.';



COMMENT ON COLUMN agentdb.log_partition.log_name IS 'The log.';



COMMENT ON COLUMN agentdb.log_partition.partition_name IS 'The partition.';



COMMENT ON COLUMN agentdb.log_partition.is_default IS 'Whether it takes rows that have no partition.';



COMMENT ON COLUMN agentdb.log_partition.day IS 'The UTC day whose rows it holds; NULL for the default partition.';



COMMENT ON COLUMN agentdb.log_partition.bytes IS 'Its size with indexes.';



CREATE TABLE agentdb.notification (
    notification_id bigint NOT NULL,
    alert_id bigint NOT NULL,
    episode integer NOT NULL,
    kind text NOT NULL,
    receiver_name text NOT NULL,
    idempotency_key uuid DEFAULT gen_random_uuid() NOT NULL,
    payload jsonb NOT NULL,
    state text DEFAULT 'queued'::text NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    max_attempts integer DEFAULT 12 NOT NULL,
    visible_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    claimed_by text,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp with time zone,
    status integer,
    error text,
    CONSTRAINT notification_kind_check CHECK ((kind = ANY (ARRAY['firing'::text, 'resolved'::text]))),
    CONSTRAINT notification_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'sent'::text, 'dead'::text])))
)
WITH (fillfactor='70');



COMMENT ON TABLE agentdb.notification IS 'The outbox: one message an alert''s change and receiver, until sent or given up.';



COMMENT ON COLUMN agentdb.notification.visible_at IS 'When it may be claimed: a lease that runs out, or the end of a back-off.';



CREATE TABLE agentdb.runner (
    runner_name text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    evaluated_at timestamp with time zone,
    flushed_at timestamp with time zone,
    sent_at timestamp with time zone,
    listened_at timestamp with time zone
)
WITH (fillfactor='50');



COMMENT ON TABLE agentdb.runner IS 'Runners that have reported, and when each of their loops last succeeded.';



CREATE VIEW agentdb.runner_health AS
 SELECT runner_name,
    host,
    pid,
    version,
    started_at,
    (clock_timestamp() - LEAST(evaluated_at, flushed_at, sent_at)) AS silent_for,
    ((evaluated_at IS NOT NULL) AND (flushed_at IS NOT NULL) AND (sent_at IS NOT NULL) AND ((clock_timestamp() - LEAST(evaluated_at, flushed_at, sent_at)) < '00:00:30'::interval)) AS healthy
   FROM agentdb.runner r;



COMMENT ON VIEW agentdb.runner_health IS 'Each runner and how long ago the slowest of its loops last succeeded.';



COMMENT ON COLUMN agentdb.runner_health.runner_name IS 'The runner.';



COMMENT ON COLUMN agentdb.runner_health.host IS 'The machine it says it runs on.';



COMMENT ON COLUMN agentdb.runner_health.pid IS 'Its process there.';



COMMENT ON COLUMN agentdb.runner_health.version IS 'Its version of agentdb.';



COMMENT ON COLUMN agentdb.runner_health.started_at IS 'When it first reported.';



COMMENT ON COLUMN agentdb.runner_health.silent_for IS 'Age of the last success of its slowest loop.';



COMMENT ON COLUMN agentdb.runner_health.healthy IS 'Whether all its loops succeeded within 30 seconds.';



CREATE VIEW agentdb.health_check AS
 SELECT 'runner'::text AS check_name,
        CASE
            WHEN (count(*) FILTER (WHERE h.healthy) > 0) THEN 'ok'::text
            ELSE 'critical'::text
        END AS state,
        CASE
            WHEN (count(*) = 0) THEN 'no runner has ever reported: nobody is alerted; start agentdb run'::text
            WHEN (count(*) FILTER (WHERE h.healthy) = 0) THEN format('no runner works: the last was heard %s ago; start agentdb run'::text, date_trunc('second'::text, min(h.silent_for)))
            ELSE format('%s of %s runners work'::text, count(*) FILTER (WHERE h.healthy), count(*))
        END AS detail
   FROM agentdb.runner_health h
UNION ALL
 SELECT 'rules'::text AS check_name,
        CASE
            WHEN (count(*) FILTER (WHERE (r.failures > 0)) > 0) THEN 'critical'::text
            WHEN COALESCE(bool_or((COALESCE(r.evaluated_at, r.next_evaluation_at) < ((clock_timestamp() - ((3)::double precision * r.evaluate_every)) - '00:00:30'::interval))), true) THEN 'critical'::text
            ELSE 'ok'::text
        END AS state,
    COALESCE(('failing: '::text || string_agg(r.rule_name, ', '::text ORDER BY r.rule_name) FILTER (WHERE (r.failures > 0))), format('%s rules; the oldest answer is %s old'::text, count(*), COALESCE((date_trunc('second'::text, (clock_timestamp() - min(r.evaluated_at))))::text, 'unknown'::text))) AS detail
   FROM agentdb.alert_rule r
  WHERE r.enabled
UNION ALL
 SELECT 'alerts'::text AS check_name,
        CASE
            WHEN (count(*) FILTER (WHERE ((a.state = 'firing'::text) AND (a.severity = 'critical'::text))) > 0) THEN 'critical'::text
            WHEN (count(*) FILTER (WHERE ((a.state = 'firing'::text) AND (a.severity = 'warning'::text))) > 0) THEN 'warning'::text
            ELSE 'ok'::text
        END AS state,
    format('%s firing (%s critical), %s pending'::text, count(*) FILTER (WHERE (a.state = 'firing'::text)), count(*) FILTER (WHERE ((a.state = 'firing'::text) AND (a.severity = 'critical'::text))), count(*) FILTER (WHERE (a.state = 'pending'::text))) AS detail
   FROM agentdb.active_alert a
UNION ALL
 SELECT 'delivery'::text AS check_name,
        CASE
            WHEN ((count(*) FILTER (WHERE (n.state = 'dead'::text)) > 0) OR (min(n.created_at) FILTER (WHERE (n.state = 'queued'::text)) < (clock_timestamp() - '00:05:00'::interval))) THEN 'critical'::text
            WHEN (count(*) FILTER (WHERE ((n.state = 'queued'::text) AND (n.attempt > 1))) > 0) THEN 'warning'::text
            ELSE 'ok'::text
        END AS state,
    format('%s waiting, %s given up in a day'::text, count(*) FILTER (WHERE (n.state = 'queued'::text)), count(*) FILTER (WHERE (n.state = 'dead'::text))) AS detail
   FROM agentdb.notification n
  WHERE ((n.state = 'queued'::text) OR ((n.state = 'dead'::text) AND (n.finished_at > (clock_timestamp() - '1 day'::interval))))
UNION ALL
 SELECT 'runs'::text AS check_name,
    'ok'::text AS state,
    format('%s open'::text, count(*)) AS detail
   FROM agentdb.run r
  WHERE (r.ended_at IS NULL)
UNION ALL
 SELECT 'roll-up'::text AS check_name,
        CASE
            WHEN (s.rolled_at > (clock_timestamp() - '00:01:00'::interval)) THEN 'ok'::text
            ELSE 'warning'::text
        END AS state,
    COALESCE((('the totals of runs are '::text || (date_trunc('second'::text, (clock_timestamp() - NULLIF(s.rolled_at, '-infinity'::timestamp with time zone))))::text) || ' old'::text), 'the totals of runs were never made'::text) AS detail
   FROM agentdb.roll_up_state s
UNION ALL
 SELECT 'partitions'::text AS check_name,
        CASE
            WHEN (min(p.ahead) >= 1) THEN 'ok'::text
            ELSE 'warning'::text
        END AS state,
    format('prepared for the next %s days'::text, GREATEST(min(p.ahead), 0)) AS detail
   FROM ( SELECT COALESCE((max(l.day) - ((clock_timestamp() AT TIME ZONE 'UTC'::text))::date), 0) AS ahead
           FROM agentdb.log_partition l
          GROUP BY l.log_name) p;



COMMENT ON VIEW agentdb.health_check IS 'One row a question: does alerting work, what fires, is delivery healthy; states ok, warning, critical.';



COMMENT ON COLUMN agentdb.health_check.check_name IS 'What was asked.';



COMMENT ON COLUMN agentdb.health_check.state IS 'ok, warning or critical.';



COMMENT ON COLUMN agentdb.health_check.detail IS 'The answer in words.';



CREATE VIEW agentdb.hung_tool_call AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_hung_tool_call(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.hung_tool_call IS 'Rule: tool calls that began and have not ended in time.';



COMMENT ON COLUMN agentdb.hung_tool_call.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.hung_tool_call.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.hung_tool_call.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.long_tick AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_long_tick(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.long_tick IS 'Rule: ticks that take too long and block or overlap the next.';



COMMENT ON COLUMN agentdb.long_tick.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.long_tick.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.long_tick.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.missed_tick AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_missed_tick(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.missed_tick IS 'Rule: agents whose next tick is overdue.';



COMMENT ON COLUMN agentdb.missed_tick.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.missed_tick.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.missed_tick.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.no_progress AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_no_progress(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.no_progress IS 'Rule: open runs that have reached no step for too long.';



COMMENT ON COLUMN agentdb.no_progress.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.no_progress.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.no_progress.annotations IS 'What a person reads: summary, policy, threshold.';



ALTER TABLE agentdb.notification ALTER COLUMN notification_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.notification_notification_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE TABLE agentdb.progress_log_default (
    progress_log_id bigint CONSTRAINT progress_log_progress_log_id_not_null NOT NULL,
    run_id bigint CONSTRAINT progress_log_run_id_not_null NOT NULL,
    agent_id bigint CONSTRAINT progress_log_agent_id_not_null NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() CONSTRAINT progress_log_recorded_at_not_null NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() CONSTRAINT progress_log_xid_not_null NOT NULL,
    step text CONSTRAINT progress_log_step_not_null NOT NULL,
    details jsonb
);



ALTER TABLE agentdb.progress_log ALTER COLUMN progress_log_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.progress_log_progress_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE TABLE agentdb.receiver (
    receiver_name text NOT NULL,
    channel text NOT NULL,
    target text,
    secret_ref text,
    min_severity text DEFAULT 'info'::text NOT NULL,
    send_resolved boolean DEFAULT true NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    CONSTRAINT receiver_channel_check CHECK ((channel = ANY (ARRAY['stdout'::text, 'webhook'::text]))),
    CONSTRAINT receiver_min_severity_check CHECK ((min_severity = ANY (ARRAY['info'::text, 'warning'::text, 'critical'::text]))),
    CONSTRAINT receiver_receiver_name_check CHECK ((receiver_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'::text)),
    CONSTRAINT receiver_secret_ref_check CHECK ((secret_ref ~ '^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$'::text)),
    CONSTRAINT receiver_target_check CHECK (
CASE channel
    WHEN 'webhook'::text THEN ((target IS NOT NULL) AND (target ~ '^(https?://[^[:space:]/@?#]+([/?#][^[:space:]]*)?|env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$'::text))
    ELSE (target IS NULL)
END)
);



COMMENT ON TABLE agentdb.receiver IS 'Who is told: standard output of the runner, or a webhook.';



COMMENT ON COLUMN agentdb.receiver.target IS 'The URL of a webhook, or env:NAME or file:/path of the runner where it holds a secret.';



COMMENT ON COLUMN agentdb.receiver.secret_ref IS 'Where the runner finds the key that signs messages: env:NAME or file:/path.';



CREATE VIEW agentdb.repeated_tool_call AS
SELECT
    NULL::jsonb AS labels,
    NULL::double precision AS value,
    NULL::jsonb AS annotations;



COMMENT ON VIEW agentdb.repeated_tool_call IS 'Rule: runs that call the same tool over and over, the sign of a silent loop.';



COMMENT ON COLUMN agentdb.repeated_tool_call.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.repeated_tool_call.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.repeated_tool_call.annotations IS 'What a person reads: summary, policy, threshold.';



ALTER TABLE agentdb.run ALTER COLUMN run_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.run_run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE VIEW agentdb.run_summary AS
 SELECT r.run_id,
    a.agent_name,
    r.role_name,
    r.conversation,
    r.purpose,
    COALESCE(r.outcome, 'running'::text) AS state,
    r.started_at,
    r.ended_at,
    (COALESCE(r.ended_at, clock_timestamp()) - r.started_at) AS took,
    v.last_progress_at,
    v.last_step,
    COALESCE(v.steps, (0)::bigint) AS steps,
    COALESCE(v.tool_calls, (0)::bigint) AS tool_calls,
    COALESCE(v.tool_errors, (0)::bigint) AS tool_errors,
    COALESCE(v.input_tokens, (0)::bigint) AS input_tokens,
    COALESCE(v.cached_input_tokens, (0)::bigint) AS cached_input_tokens,
    COALESCE(v.output_tokens, (0)::bigint) AS output_tokens,
    COALESCE(v.cost, (0)::numeric) AS cost,
    r.summary
   FROM ((agentdb.run r
     JOIN agentdb.agent a ON ((a.agent_id = r.agent_id)))
     LEFT JOIN agentdb.run_activity v ON ((v.run_id = r.run_id)));



COMMENT ON VIEW agentdb.run_summary IS 'Each run with its agent, state and what it has used, as of the last roll-up (seconds ago while a runner is alive).';



COMMENT ON COLUMN agentdb.run_summary.run_id IS 'The run''s number.';



COMMENT ON COLUMN agentdb.run_summary.agent_name IS 'Whose run it is.';



COMMENT ON COLUMN agentdb.run_summary.role_name IS 'The login role that opened it.';



COMMENT ON COLUMN agentdb.run_summary.conversation IS 'The scope of the token budget.';



COMMENT ON COLUMN agentdb.run_summary.purpose IS 'What the agent said the run is for.';



COMMENT ON COLUMN agentdb.run_summary.state IS 'running, or the outcome: succeeded, failed, cancelled, abandoned.';



COMMENT ON COLUMN agentdb.run_summary.started_at IS 'When it began.';



COMMENT ON COLUMN agentdb.run_summary.ended_at IS 'When it ended.';



COMMENT ON COLUMN agentdb.run_summary.took IS 'How long it took, or has taken so far.';



COMMENT ON COLUMN agentdb.run_summary.last_progress_at IS 'When it last reached a step.';



COMMENT ON COLUMN agentdb.run_summary.last_step IS 'The step.';



COMMENT ON COLUMN agentdb.run_summary.steps IS 'How many steps it logged.';



COMMENT ON COLUMN agentdb.run_summary.tool_calls IS 'How many tool calls it finished.';



COMMENT ON COLUMN agentdb.run_summary.tool_errors IS 'How many of them failed.';



COMMENT ON COLUMN agentdb.run_summary.input_tokens IS 'Input tokens that did not come from a cache.';



COMMENT ON COLUMN agentdb.run_summary.cached_input_tokens IS 'Input tokens from the provider''s cache.';



COMMENT ON COLUMN agentdb.run_summary.output_tokens IS 'Output tokens, reasoning included.';



COMMENT ON COLUMN agentdb.run_summary.cost IS 'What its model calls cost, in the currency of the caller.';



COMMENT ON COLUMN agentdb.run_summary.summary IS 'What the agent said at its end.';



CREATE TABLE agentdb.token_hour (
    agent_id bigint NOT NULL,
    hour_at timestamp with time zone NOT NULL,
    tokens bigint NOT NULL
)
WITH (fillfactor='70');



COMMENT ON TABLE agentdb.token_hour IS 'Tokens of each agent a UTC hour, the history that averages are made of.';



CREATE TABLE agentdb.token_log_default (
    token_log_id bigint CONSTRAINT token_log_token_log_id_not_null NOT NULL,
    run_id bigint CONSTRAINT token_log_run_id_not_null NOT NULL,
    agent_id bigint CONSTRAINT token_log_agent_id_not_null NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() CONSTRAINT token_log_recorded_at_not_null NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() CONSTRAINT token_log_xid_not_null NOT NULL,
    input_tokens bigint CONSTRAINT token_log_input_tokens_not_null NOT NULL,
    cached_input_tokens bigint CONSTRAINT token_log_cached_input_tokens_not_null NOT NULL,
    output_tokens bigint CONSTRAINT token_log_output_tokens_not_null NOT NULL,
    reasoning_tokens bigint CONSTRAINT token_log_reasoning_tokens_not_null NOT NULL,
    cost numeric(20,9) CONSTRAINT token_log_cost_not_null NOT NULL,
    model text,
    CONSTRAINT token_log_amounts_check CHECK ((((input_tokens >= 0) AND (input_tokens <= 1000000000)) AND ((cached_input_tokens >= 0) AND (cached_input_tokens <= 1000000000)) AND ((output_tokens >= 0) AND (output_tokens <= 1000000000)) AND ((reasoning_tokens >= 0) AND (reasoning_tokens <= output_tokens)) AND ((cost >= (0)::numeric) AND (cost <= (1000000000)::numeric))))
);



ALTER TABLE agentdb.token_log ALTER COLUMN token_log_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.token_log_token_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE VIEW agentdb.token_rate AS
SELECT
    NULL::jsonb AS labels,
    NULL::double precision AS value,
    NULL::jsonb AS annotations;



COMMENT ON VIEW agentdb.token_rate IS 'Rule: agents that burn tokens faster than their ceiling or than three times their average.';



COMMENT ON COLUMN agentdb.token_rate.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.token_rate.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.token_rate.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE TABLE agentdb.tool_call_log_default (
    tool_call_log_id bigint CONSTRAINT tool_call_log_tool_call_log_id_not_null NOT NULL,
    run_id bigint CONSTRAINT tool_call_log_run_id_not_null NOT NULL,
    agent_id bigint CONSTRAINT tool_call_log_agent_id_not_null NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() CONSTRAINT tool_call_log_recorded_at_not_null NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() CONSTRAINT tool_call_log_xid_not_null NOT NULL,
    tool text CONSTRAINT tool_call_log_tool_not_null NOT NULL,
    args jsonb,
    ok boolean CONSTRAINT tool_call_log_ok_not_null NOT NULL,
    error text,
    result_size bigint,
    duration interval,
    call_id text,
    CONSTRAINT tool_call_log_result_size_check CHECK ((result_size >= 0))
);



ALTER TABLE agentdb.tool_call_log ALTER COLUMN tool_call_log_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.tool_call_log_tool_call_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE VIEW agentdb.tool_errors AS
SELECT
    NULL::jsonb AS labels,
    NULL::double precision AS value,
    NULL::jsonb AS annotations;



COMMENT ON VIEW agentdb.tool_errors IS 'Rule: tools that mostly fail for an agent.';



COMMENT ON COLUMN agentdb.tool_errors.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.tool_errors.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.tool_errors.annotations IS 'What a person reads: summary, policy, threshold.';



ALTER TABLE ONLY agentdb.alert_log ATTACH PARTITION agentdb.alert_log_default DEFAULT;



ALTER TABLE ONLY agentdb.progress_log ATTACH PARTITION agentdb.progress_log_default DEFAULT;



ALTER TABLE ONLY agentdb.token_log ATTACH PARTITION agentdb.token_log_default DEFAULT;



ALTER TABLE ONLY agentdb.tool_call_log ATTACH PARTITION agentdb.tool_call_log_default DEFAULT;



ALTER TABLE ONLY agentdb.policy
    ADD CONSTRAINT policy_pkey PRIMARY KEY (policy_name);



CREATE FUNCTION agentdb._token_baseline(as_of timestamp with time zone) RETURNS TABLE(agent_id bigint, tokens_per_window double precision)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT h.agent_id,
     (((sum(h.tokens))::double precision * (EXTRACT(epoch FROM p.token_rate_window))::double precision) / (EXTRACT(epoch FROM ((_token_baseline.as_of - p.token_rate_window) - min(h.hour_at))))::double precision)
    FROM ((agentdb.token_hour h
      JOIN agentdb.agent a ON ((a.agent_id = h.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((h.hour_at >= (_token_baseline.as_of - p.token_rate_baseline)) AND ((h.hour_at + '01:00:00'::interval) <= (_token_baseline.as_of - p.token_rate_window)))
   GROUP BY h.agent_id, p.policy_name
  HAVING ((_token_baseline.as_of - min(h.hour_at)) >= p.token_rate_min_history);
END;



COMMENT ON FUNCTION agentdb._token_baseline(as_of timestamp with time zone) IS 'The average tokens of a policy window per agent over the baseline, for agents with enough history.';



CREATE FUNCTION agentdb.rule_repeated_tool_call(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'run', (l.run_id)::text, 'tool', l.tool) AS jsonb_build_object,
     (count(*))::double precision AS count,
     jsonb_build_object('summary', format('%s called %s %s times in %s with %s different arguments; %s calls failed'::text, a.agent_name, l.tool, count(*), p.repeated_tool_call_window, count(DISTINCT l.args), count(*) FILTER (WHERE (NOT l.ok))), 'policy', p.policy_name, 'threshold', p.repeated_tool_call_count) AS jsonb_build_object
    FROM ((agentdb.tool_call_log l
      JOIN agentdb.agent a ON ((a.agent_id = l.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((l.recorded_at <= rule_repeated_tool_call.as_of) AND (l.recorded_at > (rule_repeated_tool_call.as_of - p.repeated_tool_call_window)) AND (l.recorded_at > (rule_repeated_tool_call.as_of - ( SELECT max(w.repeated_tool_call_window) AS max
            FROM agentdb.policy w))))
   GROUP BY a.agent_name, l.run_id, l.tool, p.policy_name
  HAVING (count(*) > p.repeated_tool_call_count);
END;



COMMENT ON FUNCTION agentdb.rule_repeated_tool_call(as_of timestamp with time zone) IS 'Runs that called one tool more than policy.repeated_tool_call_count times in the window.';



CREATE FUNCTION agentdb.rule_token_rate(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name) AS jsonb_build_object,
     (u.tokens_per_hour)::double precision AS tokens_per_hour,
     jsonb_build_object('summary',
         CASE
             WHEN (u.tokens_per_hour > p.token_rate_per_hour) THEN format('%s used %s tokens in an hour; the ceiling is %s'::text, a.agent_name, u.tokens_per_hour, p.token_rate_per_hour)
             ELSE format('%s used %s tokens in %s, %s times its average of %s'::text, a.agent_name, u.tokens_in_window, p.token_rate_window, round((((u.tokens_in_window)::double precision / b.tokens_per_window))::numeric, 1), round(b.tokens_per_window))
         END, 'policy', p.policy_name, 'threshold', p.token_rate_per_hour, 'tokens_in_window', u.tokens_in_window, 'baseline', round(b.tokens_per_window)) AS jsonb_build_object
    FROM (((agentdb._token_use(rule_token_rate.as_of) u(agent_id, tokens_per_hour, tokens_in_window)
      JOIN agentdb.agent a ON ((a.agent_id = u.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      LEFT JOIN agentdb._token_baseline(rule_token_rate.as_of) b(agent_id, tokens_per_window) ON ((b.agent_id = u.agent_id)))
   WHERE ((u.tokens_per_hour > p.token_rate_per_hour) OR ((u.tokens_in_window > p.token_rate_floor) AND ((u.tokens_in_window)::double precision > (p.token_rate_factor * b.tokens_per_window))));
END;



COMMENT ON FUNCTION agentdb.rule_token_rate(as_of timestamp with time zone) IS 'Agents over policy.token_rate_per_hour, or over token_rate_factor times their own average window.';



CREATE FUNCTION agentdb.rule_tool_errors(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'tool', l.tool) AS jsonb_build_object,
     (count(*) FILTER (WHERE (NOT l.ok)))::double precision AS count,
     jsonb_build_object('summary', format('%s of %s calls of %s by %s failed in %s; last: %s'::text, count(*) FILTER (WHERE (NOT l.ok)), count(*), l.tool, a.agent_name, p.tool_errors_window, "left"((array_agg(l.error ORDER BY l.recorded_at DESC) FILTER (WHERE (NOT l.ok)))[1], 200)), 'policy', p.policy_name, 'threshold', p.tool_errors_count) AS jsonb_build_object
    FROM ((agentdb.tool_call_log l
      JOIN agentdb.agent a ON ((a.agent_id = l.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((l.recorded_at <= rule_tool_errors.as_of) AND (l.recorded_at > (rule_tool_errors.as_of - p.tool_errors_window)) AND (l.recorded_at > (rule_tool_errors.as_of - ( SELECT max(w.tool_errors_window) AS max
            FROM agentdb.policy w))))
   GROUP BY a.agent_name, l.tool, p.policy_name
  HAVING ((count(*) FILTER (WHERE (NOT l.ok)) >= p.tool_errors_count) AND ((count(*) FILTER (WHERE (NOT l.ok)))::double precision >= (p.tool_errors_share * (count(*))::double precision)));
END;



COMMENT ON FUNCTION agentdb.rule_tool_errors(as_of timestamp with time zone) IS 'Tools of which an agent''s calls failed at least policy.tool_errors_count times and tool_errors_share of the time.';



ALTER TABLE ONLY agentdb.agent
    ADD CONSTRAINT agent_agent_name_key UNIQUE (agent_name);



ALTER TABLE ONLY agentdb.agent
    ADD CONSTRAINT agent_pkey PRIMARY KEY (agent_id);



ALTER TABLE ONLY agentdb.agent_secret
    ADD CONSTRAINT agent_secret_pkey PRIMARY KEY (agent_id);



ALTER TABLE ONLY agentdb.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);



ALTER TABLE ONLY agentdb.alert_log
    ADD CONSTRAINT alert_log_pkey PRIMARY KEY (alert_id, alert_log_id, recorded_at);



ALTER TABLE ONLY agentdb.alert_log_default
    ADD CONSTRAINT alert_log_default_pkey PRIMARY KEY (alert_id, alert_log_id, recorded_at);



ALTER TABLE ONLY agentdb.alert
    ADD CONSTRAINT alert_pkey PRIMARY KEY (alert_id);



ALTER TABLE ONLY agentdb.alert
    ADD CONSTRAINT alert_rule_name_fingerprint_key UNIQUE (rule_name, fingerprint);



ALTER TABLE ONLY agentdb.alert_rule
    ADD CONSTRAINT alert_rule_pkey PRIMARY KEY (rule_name);



ALTER TABLE ONLY agentdb.notification
    ADD CONSTRAINT notification_alert_id_episode_kind_receiver_name_key UNIQUE (alert_id, episode, kind, receiver_name);



ALTER TABLE ONLY agentdb.notification
    ADD CONSTRAINT notification_pkey PRIMARY KEY (notification_id);



ALTER TABLE ONLY agentdb.progress_log
    ADD CONSTRAINT progress_log_pkey PRIMARY KEY (run_id, progress_log_id, recorded_at);



ALTER TABLE ONLY agentdb.progress_log_default
    ADD CONSTRAINT progress_log_default_pkey PRIMARY KEY (run_id, progress_log_id, recorded_at);



ALTER TABLE ONLY agentdb.receiver
    ADD CONSTRAINT receiver_pkey PRIMARY KEY (receiver_name);



ALTER TABLE ONLY agentdb.roll_up_state
    ADD CONSTRAINT roll_up_state_pkey PRIMARY KEY (only_row);



ALTER TABLE ONLY agentdb.run_activity
    ADD CONSTRAINT run_activity_pkey PRIMARY KEY (run_id);



ALTER TABLE ONLY agentdb.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (run_id);



ALTER TABLE ONLY agentdb.run_token
    ADD CONSTRAINT run_token_pkey PRIMARY KEY (token_hash);



ALTER TABLE ONLY agentdb.runner
    ADD CONSTRAINT runner_pkey PRIMARY KEY (runner_name);



ALTER TABLE ONLY agentdb.token_hour
    ADD CONSTRAINT token_hour_pkey PRIMARY KEY (agent_id, hour_at);



ALTER TABLE ONLY agentdb.token_log
    ADD CONSTRAINT token_log_pkey PRIMARY KEY (run_id, token_log_id, recorded_at);



ALTER TABLE ONLY agentdb.token_log_default
    ADD CONSTRAINT token_log_default_pkey PRIMARY KEY (run_id, token_log_id, recorded_at);



ALTER TABLE ONLY agentdb.tool_call_log
    ADD CONSTRAINT tool_call_log_pkey PRIMARY KEY (run_id, tool_call_log_id, recorded_at);



ALTER TABLE ONLY agentdb.tool_call_log_default
    ADD CONSTRAINT tool_call_log_default_pkey PRIMARY KEY (run_id, tool_call_log_id, recorded_at);



ALTER TABLE ONLY agentdb.tool_call
    ADD CONSTRAINT tool_call_pkey PRIMARY KEY (run_id, call_id);



CREATE INDEX agent_role_name_idx ON agentdb.agent USING btree (role_name);



CREATE UNIQUE INDEX agent_role_name_key ON agentdb.agent USING btree (role_name) WHERE (NOT pooled);



CREATE INDEX alert_flush_idx ON agentdb.alert USING btree (alert_id) WHERE flush;



CREATE INDEX alert_log_recorded_at_idx ON ONLY agentdb.alert_log USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX alert_log_default_recorded_at_idx ON agentdb.alert_log_default USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX notification_visible_at_idx ON agentdb.notification USING btree (visible_at) WHERE (state = 'queued'::text);



CREATE INDEX progress_log_recorded_at_idx ON ONLY agentdb.progress_log USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX progress_log_default_recorded_at_idx ON agentdb.progress_log_default USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX progress_log_xid_idx ON ONLY agentdb.progress_log USING btree (xid);



CREATE INDEX progress_log_default_xid_idx ON agentdb.progress_log_default USING btree (xid);



CREATE INDEX run_agent_id_idx ON agentdb.run USING btree (agent_id, started_at DESC);



CREATE INDEX run_conversation_idx ON agentdb.run USING btree (agent_id, conversation);



CREATE INDEX run_ended_at_idx ON agentdb.run USING btree (ended_at);



CREATE INDEX run_role_name_idx ON agentdb.run USING btree (role_name) WHERE (ended_at IS NULL);



CREATE INDEX run_token_run_id_idx ON agentdb.run_token USING btree (run_id);



CREATE INDEX token_log_recorded_at_idx ON ONLY agentdb.token_log USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX token_log_default_recorded_at_idx ON agentdb.token_log_default USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX token_log_xid_idx ON ONLY agentdb.token_log USING btree (xid);



CREATE INDEX token_log_default_xid_idx ON agentdb.token_log_default USING btree (xid);



CREATE INDEX tool_call_log_recorded_at_idx ON ONLY agentdb.tool_call_log USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX tool_call_log_default_recorded_at_idx ON agentdb.tool_call_log_default USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX tool_call_log_xid_idx ON ONLY agentdb.tool_call_log USING btree (xid);



CREATE INDEX tool_call_log_default_xid_idx ON agentdb.tool_call_log_default USING btree (xid);



CREATE INDEX tool_call_run_id_began_at_idx ON agentdb.tool_call USING btree (run_id, began_at) WHERE (ended_at IS NULL);



ALTER INDEX agentdb.alert_log_pkey ATTACH PARTITION agentdb.alert_log_default_pkey;



ALTER INDEX agentdb.alert_log_recorded_at_idx ATTACH PARTITION agentdb.alert_log_default_recorded_at_idx;



ALTER INDEX agentdb.progress_log_pkey ATTACH PARTITION agentdb.progress_log_default_pkey;



ALTER INDEX agentdb.progress_log_recorded_at_idx ATTACH PARTITION agentdb.progress_log_default_recorded_at_idx;



ALTER INDEX agentdb.progress_log_xid_idx ATTACH PARTITION agentdb.progress_log_default_xid_idx;



ALTER INDEX agentdb.token_log_pkey ATTACH PARTITION agentdb.token_log_default_pkey;



ALTER INDEX agentdb.token_log_recorded_at_idx ATTACH PARTITION agentdb.token_log_default_recorded_at_idx;



ALTER INDEX agentdb.token_log_xid_idx ATTACH PARTITION agentdb.token_log_default_xid_idx;



ALTER INDEX agentdb.tool_call_log_pkey ATTACH PARTITION agentdb.tool_call_log_default_pkey;



ALTER INDEX agentdb.tool_call_log_recorded_at_idx ATTACH PARTITION agentdb.tool_call_log_default_recorded_at_idx;



ALTER INDEX agentdb.tool_call_log_xid_idx ATTACH PARTITION agentdb.tool_call_log_default_xid_idx;



CREATE OR REPLACE VIEW agentdb.repeated_tool_call AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_repeated_tool_call(statement_timestamp()) r(labels, value, annotations);



CREATE OR REPLACE VIEW agentdb.token_rate AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_token_rate(statement_timestamp()) r(labels, value, annotations);



CREATE OR REPLACE VIEW agentdb.tool_errors AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_tool_errors(statement_timestamp()) r(labels, value, annotations);



CREATE TRIGGER agentdb_append_only BEFORE DELETE OR UPDATE ON agentdb.alert_log FOR EACH ROW EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_append_only BEFORE DELETE OR UPDATE ON agentdb.progress_log FOR EACH ROW EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_append_only BEFORE DELETE OR UPDATE ON agentdb.token_log FOR EACH ROW EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_append_only BEFORE DELETE OR UPDATE ON agentdb.tool_call_log FOR EACH ROW EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.alert_log FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.alert_log_default FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.progress_log FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.progress_log_default FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.token_log FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.token_log_default FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.tool_call_log FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.tool_call_log_default FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



ALTER TABLE ONLY agentdb.agent
    ADD CONSTRAINT agent_policy_name_fkey FOREIGN KEY (policy_name) REFERENCES agentdb.policy(policy_name) ON UPDATE CASCADE;



ALTER TABLE ONLY agentdb.agent_secret
    ADD CONSTRAINT agent_secret_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agentdb.agent(agent_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.alert
    ADD CONSTRAINT alert_rule_name_fkey FOREIGN KEY (rule_name) REFERENCES agentdb.alert_rule(rule_name) ON UPDATE CASCADE ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.notification
    ADD CONSTRAINT notification_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES agentdb.alert(alert_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.notification
    ADD CONSTRAINT notification_receiver_name_fkey FOREIGN KEY (receiver_name) REFERENCES agentdb.receiver(receiver_name) ON UPDATE CASCADE ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.run_activity
    ADD CONSTRAINT run_activity_run_id_fkey FOREIGN KEY (run_id) REFERENCES agentdb.run(run_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.run
    ADD CONSTRAINT run_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agentdb.agent(agent_id);



ALTER TABLE ONLY agentdb.run_token
    ADD CONSTRAINT run_token_run_id_fkey FOREIGN KEY (run_id) REFERENCES agentdb.run(run_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.tool_call
    ADD CONSTRAINT tool_call_run_id_fkey FOREIGN KEY (run_id) REFERENCES agentdb.run(run_id) ON DELETE CASCADE;



GRANT USAGE ON SCHEMA agentdb TO agentdb_agent;
GRANT USAGE ON SCHEMA agentdb TO agentdb_reviewer;
GRANT USAGE ON SCHEMA agentdb TO agentdb_auditor;
GRANT USAGE ON SCHEMA agentdb TO agentdb_operator;
GRANT USAGE ON SCHEMA agentdb TO agentdb_capture;
GRANT USAGE ON SCHEMA agentdb TO agentdb_applier;



REVOKE ALL ON FUNCTION agentdb._abandon_runs(agent bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._add_partition(log_name text, day date) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._add_partitions(log_name text, days_ahead integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._advance_alerts(rule_name text, at timestamp with time zone, truncated boolean) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._hash_secret(secret text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._bound_run() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._clean_text(value text, max_length integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._bounded_json(value jsonb, max_bytes integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._bury_notifications() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_agent_role(role_name name) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_instances(instances jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_open_calls(run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_open_runs(agent_id bigint, policy_name text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_rows(items jsonb, required_key text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_tokens(input bigint, output bigint, cached_input bigint, reasoning bigint, cost double precision) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_tool(tool text, call_id text) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.roll_up_state TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.roll_up_state TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._horizon() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._horizon() TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._horizon() TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.run TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.run TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._recent_run(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._recent_run(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._recent_run(as_of timestamp with time zone) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.run_activity TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.run_activity TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.token_log TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.token_log TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._tokens_of_run(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._tokens_of_run(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._tokens_of_run(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._conversation_use(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._conversation_use(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._conversation_use(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._current_run(run bigint, OUT run_id bigint, OUT agent_id bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._drop_partition(partition_name text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._insert_tool_call(run_id bigint, agent_id bigint, tool text, args jsonb, ok boolean, error text, result_size bigint, duration interval, call_id text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._is_clean_name(value text, max_length integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._json_text(object jsonb, key text) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.progress_log TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.progress_log TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.tool_call TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.tool_call TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.tool_call_log TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.tool_call_log TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._last_event_at(run bigint, since timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._last_progress(run bigint, since timestamp with time zone, as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._last_progress(run bigint, since timestamp with time zone, as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._last_progress(run bigint, since timestamp with time zone, as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._missing_day(log_name text, days_ahead integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._new_secret() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._only_open_run(OUT run_id bigint, OUT agent_id bigint) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.alert TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.alert TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._payload(alert agentdb.alert, kind text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse(problem text, hint text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_closed_run(run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_foreign_run(run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_rewrite() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._role_fault(role_name name) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._roll_up_progress(low xid8, high xid8) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._roll_up_tokens(low xid8, high xid8) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._roll_up_tool_calls(low xid8, high xid8) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._rule_query(view_name text, max_alerts integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._session_agent(agent text, secret text, OUT agent_id bigint, OUT policy_name text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._severity_rank(severity text) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.agent TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.agent TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.policy TO agentdb_auditor;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agentdb.policy TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._token_use(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._token_use(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._token_use(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._touch_alerts(rule_name text, instances jsonb, at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb.beat(runner_name text, loop text, host text, pid integer, version text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.beat(runner_name text, loop text, host text, pid integer, version text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.begin_tool_call(tool text, args jsonb, call_id text, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.begin_tool_call(tool text, args jsonb, call_id text, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.bind_run(token text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.bind_run(token text) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.claim_notification(runner_name text, max_notifications integer, lease interval, skip text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.claim_notification(runner_name text, max_notifications integer, lease interval, skip text[]) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.claim_rule() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.claim_rule() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.end_run(outcome text, summary text, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.end_run(outcome text, summary text, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.end_tool_call(call_id text, ok boolean, error text, result_size bigint, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.end_tool_call(call_id text, ok boolean, error text, result_size bigint, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.evidence_query(alert bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.evidence_query(alert bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.evidence_query(alert bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.fail_rule(rule_name text, evaluation bigint, error text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.fail_rule(rule_name text, evaluation bigint, error text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.flush(max_alerts integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.flush(max_alerts integer) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.ingest(rule_name text, evaluation bigint, instances jsonb, truncated boolean, duration_ms double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.ingest(rule_name text, evaluation bigint, instances jsonb, truncated boolean, duration_ms double precision) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.log_progress(step text, details jsonb, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.log_progress(step text, details jsonb, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.log_progress_many(steps jsonb, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.log_progress_many(steps jsonb, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.log_tokens(input bigint, output bigint, cached_input bigint, reasoning bigint, model text, cost double precision, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.log_tokens(input bigint, output bigint, cached_input bigint, reasoning bigint, model text, cost double precision, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.log_tokens_many(usages jsonb, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.log_tokens_many(usages jsonb, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.log_tool_call(tool text, args jsonb, ok boolean, error text, result_size bigint, duration interval, call_id text, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.log_tool_call(tool text, args jsonb, ok boolean, error text, result_size bigint, duration interval, call_id text, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.log_tool_call_many(calls jsonb, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.log_tool_call_many(calls jsonb, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.maintain(days_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.maintain(days_ahead integer) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.mark_failed(notification_id bigint, attempt integer, status integer, error text, permanent boolean, retry_after interval) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.mark_failed(notification_id bigint, attempt integer, status integer, error text, permanent boolean, retry_after interval) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.mark_sent(notification_id bigint, attempt integer, status integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.mark_sent(notification_id bigint, attempt integer, status integer) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.next_evaluation_ms() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.next_evaluation_ms() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.register_agent(name text, role_name text, policy text, pooled boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.register_agent(name text, role_name text, policy text, pooled boolean) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.retire_runner(runner_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.retire_runner(runner_name text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.roll_up() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.roll_up() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_conversation_budget(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_conversation_budget(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_conversation_budget(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_hung_tool_call(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_hung_tool_call(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_hung_tool_call(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_long_tick(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_long_tick(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_long_tick(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_missed_tick(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_missed_tick(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_missed_tick(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_no_progress(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_no_progress(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_no_progress(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.start_run(agent text, conversation text, tick_interval interval, purpose text, secret text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.start_run(agent text, conversation text, tick_interval interval, purpose text, secret text) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.timeline(run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.timeline(run bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.timeline(run bigint) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.active_alert TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.active_alert TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.alembic_version TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.alembic_version TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.alert_log TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.alert_log TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.alert_log_default TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.alert_log_default TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.alert_rule TO agentdb_auditor;
GRANT SELECT,INSERT,DELETE ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(description) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(view_name) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(evidence_query) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(severity) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(enabled) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(evaluate_every) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(fire_after) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(keep_firing) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(max_alerts) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(timeout) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.broken_rule TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.broken_rule TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.conversation_budget TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.conversation_budget TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.log_partition TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.log_partition TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.notification TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.notification TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.runner TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.runner TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.runner_health TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.runner_health TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.health_check TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.health_check TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.hung_tool_call TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.hung_tool_call TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.long_tick TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.long_tick TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.missed_tick TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.missed_tick TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.no_progress TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.no_progress TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.progress_log_default TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.progress_log_default TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.receiver TO agentdb_auditor;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agentdb.receiver TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.repeated_tool_call TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.repeated_tool_call TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.run_summary TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.run_summary TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.token_hour TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.token_hour TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.token_log_default TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.token_log_default TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.token_rate TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.token_rate TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.tool_call_log_default TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.tool_call_log_default TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.tool_errors TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.tool_errors TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._token_baseline(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._token_baseline(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._token_baseline(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_repeated_tool_call(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_repeated_tool_call(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_repeated_tool_call(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_token_rate(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_token_rate(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_token_rate(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_tool_errors(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_tool_errors(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_tool_errors(as_of timestamp with time zone) TO agentdb_operator;




