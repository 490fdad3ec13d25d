


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



CREATE SCHEMA agentdb_stage;



CREATE TYPE agentdb.acquired_lock AS (
	acquired boolean,
	fence bigint,
	expires_at timestamp with time zone,
	ttl_ms bigint,
	holder text,
	outcome text
);



COMMENT ON TYPE agentdb.acquired_lock IS 'What acquire_lock returns.';



COMMENT ON COLUMN agentdb.acquired_lock.acquired IS 'Whether the run has the lock now.';



COMMENT ON COLUMN agentdb.acquired_lock.fence IS 'The number of this tenure, which everything else takes.';



COMMENT ON COLUMN agentdb.acquired_lock.expires_at IS 'When it ends, the run''s own or the one in the way.';



COMMENT ON COLUMN agentdb.acquired_lock.ttl_ms IS 'How many milliseconds are left until then.';



COMMENT ON COLUMN agentdb.acquired_lock.holder IS 'Who has it.';



COMMENT ON COLUMN agentdb.acquired_lock.outcome IS 'acquired, taken_over or reentered; held, cooling or busy where it was not acquired.';



CREATE TYPE agentdb.released_lock AS (
	released boolean,
	outcome text,
	held_for interval,
	cooling_until timestamp with time zone,
	waiting bigint
);



COMMENT ON TYPE agentdb.released_lock IS 'What release_lock returns.';



COMMENT ON COLUMN agentdb.released_lock.released IS 'Whether the run has given the lock back.';



COMMENT ON COLUMN agentdb.released_lock.outcome IS 'released; still_held after one of several entries; lost where it is another''s.';



COMMENT ON COLUMN agentdb.released_lock.held_for IS 'How long ago it was acquired.';



COMMENT ON COLUMN agentdb.released_lock.cooling_until IS 'Until when nobody can take it.';



COMMENT ON COLUMN agentdb.released_lock.waiting IS 'How many runs wait for it: wake_waiters tells them.';



CREATE TYPE agentdb.renewed_lock AS (
	renewed boolean,
	expires_at timestamp with time zone,
	ttl_ms bigint,
	outcome text
);



COMMENT ON TYPE agentdb.renewed_lock IS 'What renew_lock returns.';



COMMENT ON COLUMN agentdb.renewed_lock.renewed IS 'Whether the run has the lock for longer now.';



COMMENT ON COLUMN agentdb.renewed_lock.expires_at IS 'When it ends; NULL where it is lost.';



COMMENT ON COLUMN agentdb.renewed_lock.ttl_ms IS 'How many milliseconds are left until then.';



COMMENT ON COLUMN agentdb.renewed_lock.outcome IS 'renewed; lost, max_hold or no_progress where it was not.';



CREATE FUNCTION agentdb._abandon_runs(agent bigint) RETURNS TABLE(run_id bigint)
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with ended as (
    update agentdb.run as r
    set ended_at = clock_timestamp(),
        outcome = 'abandoned'
    where r.run_id in (
      select o.run_id
      from agentdb.run as o
      join agentdb.agent as a on a.agent_id = o.agent_id
      join agentdb.policy as p on p.policy_name = a.policy_name
      where o.ended_at is null
        and (_abandon_runs.agent is null or o.agent_id = _abandon_runs.agent)
        and o.started_at < clock_timestamp() - p.abandon_after
        and greatest(o.held_until_at, agentdb._last_event_at(o.run_id, o.started_at))
          < clock_timestamp() - p.abandon_after
        -- Whoever is paused cannot log anything.
        and not agentdb._is_paused(o.run_id, clock_timestamp())
      -- An agent that holds its run in an open transaction keeps nobody else waiting.
      for no key update of o skip locked
    )
    returning r.run_id, agentdb._release_locks(r.run_id, r.agent_id, 'abandoned')
  )
  select e.run_id from ended as e;
$$;



COMMENT ON FUNCTION agentdb._abandon_runs(agent bigint) IS 'Ends the open runs, of one agent or of all, that logged nothing for policy.abandon_after.';



CREATE FUNCTION agentdb._access_faults(relation oid, privilege text, role_name name) RETURNS TABLE(verdict text, detail text, mend text)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT f.verdict,
     f.detail,
     f.mend
    FROM ((((pg_class c
      JOIN pg_namespace n ON ((n.oid = c.relnamespace)))
      JOIN pg_roles r ON ((r.rolname = _access_faults.role_name)))
      CROSS JOIN ( SELECT
                 CASE _access_faults.privilege
                     WHEN 'delete'::text THEN 'select'::text
                     ELSE _access_faults.privilege
                 END AS of_column) p)
      CROSS JOIN LATERAL ( VALUES ((NOT has_schema_privilege(r.oid, n.oid, 'usage'::text)),1,'no_schema_usage'::text,format('%s has no USAGE on schema %s'::text, r.rolname, n.nspname),format('grant usage on schema %I to %I;'::text, n.nspname, r.rolname)), (((NOT has_table_privilege(r.oid, c.oid, _access_faults.privilege)) AND ((_access_faults.privilege = 'delete'::text) OR (NOT has_any_column_privilege(r.oid, c.oid, p.of_column)))),2,'no_grant'::text,format('%s has no %s on %I.%I'::text, r.rolname, upper(_access_faults.privilege), n.nspname, c.relname),format('grant %s on %I.%I to %I;'::text, _access_faults.privilege, n.nspname, c.relname, r.rolname)), (((_access_faults.privilege <> 'delete'::text) AND (NOT has_table_privilege(r.oid, c.oid, _access_faults.privilege)) AND has_any_column_privilege(r.oid, c.oid, p.of_column)),2,'some_columns'::text,format('%s may %s only these columns of %I.%I: %s'::text, r.rolname, _access_faults.privilege, n.nspname, c.relname, ( SELECT string_agg(quote_ident((a.attname)::text), ', '::text ORDER BY a.attnum) AS string_agg
                    FROM pg_attribute a
                   WHERE ((a.attrelid = c.oid) AND (a.attnum > 0) AND (NOT a.attisdropped) AND has_column_privilege(r.oid, c.oid, a.attnum, p.of_column)))),format('grant %s on %I.%I to %I;'::text, _access_faults.privilege, n.nspname, c.relname, r.rolname)), ((c.relrowsecurity AND (NOT r.rolbypassrls) AND (NOT r.rolsuper) AND (c.relforcerowsecurity OR (NOT pg_has_role(r.oid, c.relowner, 'usage'::text)))),3,'row_security'::text,format('row security of %I.%I shows %s only rows of: %s'::text, n.nspname, c.relname, r.rolname, COALESCE(( SELECT string_agg(quote_ident((p_1.polname)::text), ', '::text ORDER BY p_1.polname) AS string_agg
                    FROM pg_policy p_1
                   WHERE ((p_1.polrelid = c.oid) AND ((p_1.polcmd = '*'::"char") OR ((p_1.polcmd)::text =
                         CASE _access_faults.privilege
                             WHEN 'select'::text THEN 'r'::text
                             WHEN 'insert'::text THEN 'a'::text
                             WHEN 'update'::text THEN 'w'::text
                             ELSE 'd'::text
                         END)) AND (EXISTS ( SELECT
                            FROM unnest(p_1.polroles) o(oid)
                           WHERE ((o.oid = (0)::oid) OR pg_has_role(r.oid, o.oid, 'usage'::text)))))), 'no policy, so none'::text)),format('create policy %I on %I.%I for %s to %I using (true);  -- or narrower'::text, ((r.rolname)::text || '_rows'::text), n.nspname, c.relname, _access_faults.privilege, r.rolname))) f(present, place, verdict, detail, mend))
   WHERE ((c.oid = _access_faults.relation) AND f.present)
   ORDER BY f.place;
END;



COMMENT ON FUNCTION agentdb._access_faults(relation oid, privilege text, role_name name) IS 'What keeps a role from using a relation, and the statements that mend it.';



CREATE FUNCTION agentdb._acknowledge(alerts bigint[], comment text, lasts interval) RETURNS bigint[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_alerts bigint[];
begin
  perform agentdb._check_comment(comment, 'a comment');
  if lasts is not null then
    perform agentdb._check_lasting(lasts, '30 days', 'an acknowledgement');
  end if;
  perform from agentdb.alert as a
  where a.alert_id = any (alerts) order by a.alert_id for no key update;
  with acknowledged as (
    update agentdb.alert as a
    set acknowledged_at = clock_timestamp(),
        acknowledged_by = session_user,
        acknowledged_until = coalesce(clock_timestamp() + lasts, 'infinity'),
        acknowledge_comment = comment
    where a.alert_id = any (alerts)
      and a.state = 'firing'
    returning a.*
  ),
  logged as (
    insert into agentdb.alert_log (
      alert_id, rule_name, from_state, to_state, episode, value, comment
    )
    select a.alert_id, a.rule_name, 'firing', 'acknowledged', a.episode, a.value,
      _acknowledge.comment
    from acknowledged as a
  )
  select coalesce(array_agg(a.alert_id), '{}') into v_alerts from acknowledged as a;
  perform agentdb._tell_groups(agentdb._wake_groups(v_alerts, clock_timestamp()));
  return v_alerts;
end;
$$;



COMMENT ON FUNCTION agentdb._acknowledge(alerts bigint[], comment text, lasts interval) IS 'Acknowledges those of the alerts that fire, and returns them; raises ZA004.';



CREATE FUNCTION agentdb._acquire(name text, first_slot integer, last_slot integer, ttl interval, max_hold interval, given bigint, run bigint, OUT acquired boolean, OUT fence bigint, OUT expires_at timestamp with time zone, OUT ttl_ms bigint, OUT holder text, OUT outcome text, OUT slot integer) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_caller record;
  v_taken record;
begin
  -- Assigned, not selected from: that saves a statement's worth of work for each call.
  v_caller := agentdb._lock_caller(_acquire.run);
  if agentdb._is_span(ttl, max_hold, v_caller.max_ttl) is not true then
    perform agentdb._refuse_span(ttl, v_caller.max_ttl, max_hold);
  end if;
  v_taken := agentdb._take_lock(name, first_slot, last_slot, v_caller.run_id,
    v_caller.agent_id, ttl, max_hold);
  if v_taken.fence is null then
    v_taken := agentdb._take_otherwise(name, first_slot, last_slot, given,
      v_caller.run_id, v_caller.agent_id, ttl, max_hold);
    holder := v_taken.holder;
  end if;
  fence := v_taken.fence;
  _acquire.expires_at := v_taken.expires_at;
  _acquire.slot := v_taken.slot;
  _acquire.outcome := v_taken.outcome;
  acquired := _acquire.fence is not null;
  if acquired then
    holder := v_caller.label;
  end if;
  ttl_ms := greatest(
    ceil(extract(epoch from _acquire.expires_at - clock_timestamp()) * 1000), 0);
end;
$$;



COMMENT ON FUNCTION agentdb._acquire(name text, first_slot integer, last_slot integer, ttl interval, max_hold interval, given bigint, run bigint, OUT acquired boolean, OUT fence bigint, OUT expires_at timestamp with time zone, OUT ttl_ms bigint, OUT holder text, OUT outcome text, OUT slot integer) IS 'Takes a lock, slot 0, or one of the slots of a semaphore for a run.';



CREATE FUNCTION agentdb._acquire_otherwise(name text, ttl interval, max_hold interval, given bigint, run bigint) RETURNS agentdb.acquired_lock
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_lock agentdb.acquired_lock;
begin
  select a.acquired, a.fence, a.expires_at, a.ttl_ms, a.holder, a.outcome into v_lock
  from agentdb._acquire(name, 0, 0, ttl, max_hold, given, run) as a;
  return v_lock;
end;
$$;



COMMENT ON FUNCTION agentdb._acquire_otherwise(name text, ttl interval, max_hold interval, given bigint, run bigint) IS 'Takes a lock, or re-enters it, or says what is in the way, for any caller.';



CREATE FUNCTION agentdb._act_on(rule_name text, fired_at timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_action text;
  v_agent text;
  v_run bigint;
  v_reason text;
begin
  for v_action, v_agent, v_run, v_reason in
    select r.action, a.labels ->> 'agent', n.run_id, format('A-%s %s: %s', a.alert_id,
      a.rule_name, coalesce(a.annotations ->> 'summary', ''))
    from agentdb.alert as a
    join agentdb.alert_rule as r on r.rule_name = a.rule_name
    left join agentdb.run as n
      on n.run_id = case
        when a.labels ->> 'run' ~ '^[0-9]{1,18}$' then (a.labels ->> 'run')::bigint
      end
      and n.ended_at is null
    where a.rule_name = _act_on.rule_name
      and a.state = 'firing'
      and a.firing_at = _act_on.fired_at
      and r.action <> 'notify'
      -- A run that has ended by itself, or an agent that is no more, needs no stopping.
      and (n.run_id is not null or not a.labels ? 'run')
      and exists (
        select from agentdb.agent as g where g.agent_name = a.labels ->> 'agent')
  loop
    if v_action = 'block' then
      perform agentdb.pause_agent(v_agent, v_reason);
    elsif v_run is not null then
      perform agentdb.kill_run(v_run, v_reason);
    else
      perform agentdb.kill_agent(v_agent, v_reason);
    end if;
  end loop;
end;
$_$;



COMMENT ON FUNCTION agentdb._act_on(rule_name text, fired_at timestamp with time zone) IS 'Pauses or kills what alerts of a rule that just fired name, where alert_rule.action says so.';



CREATE FUNCTION agentdb._add_change(agent bigint, run bigint, reason text, automatic boolean) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_change_id bigint;
  v_state text;
  v_max_pending integer;
  v_max_rows integer;
begin
  if agent is not null then
    select p.max_pending_changes, p.max_change_rows into v_max_pending, v_max_rows
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
    where a.agent_id = agent
    for no key update of a;
    if (
      select count(*) >= v_max_pending from agentdb.change as c
      where c.proposed_by = session_user
        and c.agent_id = agent
        and c.state in ('open', 'pending', 'approved')
    ) then
      raise exception 'the agent has % changes that are not decided yet', v_max_pending
        using errcode = 'ZA005',
              detail = format('policy.max_pending_changes is %s.', v_max_pending),
              hint = 'Wait for the reviewers, put many rows into one change '
                '(agentdb.open_change), or withdraw what is obsolete: '
                'select * from agentdb.withdraw_change(change => …);';
    end if;
  end if;
  insert into agentdb.change as c (
    kind, automatic, agent_id, run_id, reason, max_rows, expires_at
  )
  values (
    'stage', automatic, agent, run, agentdb._check_said(reason, 'reason'), v_max_rows,
    clock_timestamp() + interval '24 hours'
  )
  returning c.change_id into v_change_id;
  select c.state into v_state from agentdb.change as c where c.change_id = v_change_id;
  if v_state <> 'open' then
    perform agentdb._refuse(
      'constraints are immediate here, so a change would end at its first row',
      'set constraints all deferred; or stage in a transaction of its own.');
  end if;
  return v_change_id;
end;
$$;



COMMENT ON FUNCTION agentdb._add_change(agent bigint, run bigint, reason text, automatic boolean) IS 'Adds an open change; raises ZA004 or ZA005.';



CREATE FUNCTION agentdb._add_claim(kind text, target text, expectation jsonb, within_time interval, run bigint) RETURNS TABLE(claim_id bigint, state text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_run_id bigint;
  v_agent_id bigint;
begin
  if target is null or target !~ '[^[:space:]]' then
    perform agentdb._refuse(
      format('a claim of kind %s needs a target', kind),
      'Say what can be looked at: a path, a table, an address, a recipient.');
  elsif jsonb_typeof(expectation) is distinct from 'object' then
    perform agentdb._refuse(
      format('what is claimed of it must be a JSON object, got %s',
        coalesce(jsonb_typeof(expectation), 'NULL')),
      'Send {} where nothing is to be said, else an object of named values.');
  elsif octet_length(target) > 4096 or octet_length(expectation::text) > 65536
    or jsonb_path_exists(expectation, 'strict $.**{33}') then
    perform agentdb._refuse(
      'the claim is too large',
      'Claim less at a time: a target up to 4096 bytes, an expectation up to 64 kB '
        'and 32 levels.');
  elsif target <> agentdb._clean_text(target, 4096) then
    perform agentdb._refuse(
      format('%L has hidden characters', agentdb._clean_text(target, 200)),
      'Give a target that people can read; one that only looks like it is not meant.');
  elsif within_time < '0' or within_time > '1 day' then
    perform agentdb._refuse(
      format('within_time must be between 0 and 1 day, got %s', within_time),
      'Give the time that may pass until it shows, such as ''5 min''.');
  end if;
  select c.run_id, c.agent_id into v_run_id, v_agent_id
  from agentdb._current_run(_add_claim.run) as c;
  perform agentdb._check_claims(v_run_id, v_agent_id);
  return query
    insert into agentdb.claim as c (
      run_id, agent_id, kind, target, expectation, due_at
    )
    values (
      v_run_id, v_agent_id, kind, target, expectation,
      clock_timestamp() + coalesce(within_time, '0')
    )
    returning c.claim_id, c.state;
end;
$_$;



COMMENT ON FUNCTION agentdb._add_claim(kind text, target text, expectation jsonb, within_time interval, run bigint) IS 'Records a claim of the run that calls; raises ZA001, ZA003, ZA004 or ZA005.';



CREATE FUNCTION agentdb._add_fence(target regclass, root boolean, lock_name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_partitioned boolean := exists (
    select from pg_partition_tree(target) as p
  );
begin
  if root then
    execute format(
      'create trigger agentdb_fence before insert or update or delete %s on %s
         for each %s execute function agentdb._check_fence(%L)',
      case when not v_partitioned then 'or truncate' end, target,
      case when v_partitioned then 'row' else 'statement' end, lock_name
    );
  end if;
  if v_partitioned then
    execute format(
      'create trigger agentdb_fence_truncate before truncate on %s
         for each statement execute function agentdb._check_fence(%L)',
      target, lock_name
    );
    execute format(
      'alter table only %s enable always trigger agentdb_fence_truncate', target
    );
  end if;
  execute format('alter table only %s enable always trigger agentdb_fence', target);
end;
$$;



COMMENT ON FUNCTION agentdb._add_fence(target regclass, root boolean, lock_name text) IS 'Puts the triggers of a fence on a table or partition.';



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
  for v_day in
    select d.* from agentdb._missing_day(log_name, days_ahead) as d order by d
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



CREATE FUNCTION agentdb._add_undo_rows(change bigint, scope text, id text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into agentdb.change_row (
    change_id, place, audit_target_id, operation, row_key, new_values, expected
  )
  select change, row_number() over (order by e.place desc), e.target, e.operation,
    e.row_key,
    case e.operation
      when 'insert' then e.old_values - g.generated
      when 'update' then d.old_values
    end,
    case e.operation
      when 'delete' then e.new_values - g.generated
      when 'update' then d.new_values
    end
  from (
    select n.*,
      case
        when n.first_operation = 'insert' and n.last_operation in ('delete', 'truncate')
          then null
        when n.first_operation = 'insert' then 'delete'
        when n.last_operation in ('delete', 'truncate') then 'insert'
        else 'update'
      end as operation
    from agentdb._net_effect(scope, id) as n
    offset 0
  ) as e
  cross join lateral (
    select array(
      select c.column_name::text from agentdb.change_column as c
      where c.audit_target_id = e.target and c.generated) as generated,
    array(
      select c.column_name::text from agentdb.change_column as c
      where c.audit_target_id = e.target and c.hidden) as hidden
  ) as g
  left join lateral (
    select jsonb_object_agg(v.key, v.value) as old_values,
      jsonb_object_agg(v.key, e.new_values -> v.key) as new_values
    from jsonb_each(e.old_values) as v
    -- Of what is hidden it is known only that it changed.
    where (v.value is distinct from e.new_values -> v.key or v.key = any (g.hidden))
      and v.key <> all (g.generated)
  ) as d on e.operation = 'update'
  where e.operation is not null
    and (e.operation <> 'update' or d.old_values is not null);
$$;



COMMENT ON FUNCTION agentdb._add_undo_rows(change bigint, scope text, id text) IS 'Adds the rows that take a net effect back.';



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
    returning
      a.alert_id, 'pending' as from_state, 'firing' as to_state, a.episode, a.value,
      null as comment
  ),
  -- A truncated answer proves nothing about the alerts it does not name.
  gone as (
    update agentdb.alert as a
    set state = 'resolved',
        resolved_at = _advance_alerts.at,
        end_reason = agentdb._end_reason(former),
        -- The end of an episode before this one may still have to be told.
        flush = a.flush or a.state = 'firing',
        acknowledged_at = null,
        acknowledged_until = null,
        acknowledged_by = null,
        acknowledge_comment = null
    from agentdb.alert_rule as r, agentdb.alert as former
    where not _advance_alerts.truncated
      and r.rule_name = _advance_alerts.rule_name
      and a.rule_name = r.rule_name
      and former.alert_id = a.alert_id
      and a.seen_at < _advance_alerts.at
      and (a.state = 'pending'
        or (a.state = 'firing' and (a.seen_at + r.keep_firing < _advance_alerts.at
          or agentdb._is_over(former))))
    returning
      a.alert_id, former.state as from_state, 'resolved' as to_state, a.episode,
      a.value, a.end_reason as comment
  ),
  waiting as (
    select a.alert_id, null as from_state, 'pending' as to_state, a.episode, a.value,
      null as comment
    from agentdb.alert as a
    join agentdb.alert_rule as r on r.rule_name = a.rule_name
    where a.rule_name = _advance_alerts.rule_name
      and a.state = 'pending'
      and a.active_at = _advance_alerts.at
      and r.fire_after > '0'
  )
  insert into agentdb.alert_log as l (
    alert_id, rule_name, from_state, to_state, episode, value, comment
  )
  select
    c.alert_id, _advance_alerts.rule_name, c.from_state, c.to_state, c.episode,
    c.value, c.comment
  from (
    select * from fired union all select * from gone union all select * from waiting
  ) as c
  returning l.to_state;
$$;



COMMENT ON FUNCTION agentdb._advance_alerts(rule_name text, at timestamp with time zone, truncated boolean) IS 'Fires what has been pending for fire_after, resolves what is gone for keep_firing or whose run has ended, and logs both with what ended it.';


SET default_tablespace = '';

SET default_table_access_method = heap;


CREATE TABLE agentdb.agent (
    agent_id bigint NOT NULL,
    agent_name text NOT NULL,
    role_name name NOT NULL,
    pooled boolean NOT NULL,
    policy_name text NOT NULL,
    os_user text,
    registered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    registered_by name DEFAULT SESSION_USER NOT NULL,
    CONSTRAINT agent_agent_name_check CHECK ((agent_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'::text))
);



COMMENT ON TABLE agentdb.agent IS 'Configured actors, each speaking through a login role.';



COMMENT ON COLUMN agentdb.agent.os_user IS 'The operating system user that it runs as, where an operator has said so.';



CREATE TABLE agentdb.agent_stop (
    agent_id bigint NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    stopped_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    stopped_by name DEFAULT SESSION_USER NOT NULL,
    CONSTRAINT agent_stop_kind_check CHECK ((kind = ANY (ARRAY['paused'::text, 'killed'::text])))
);



COMMENT ON TABLE agentdb.agent_stop IS 'Agents that may start nothing until somebody resumes them.';



CREATE FUNCTION agentdb._agent_end(agent text, since timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT format('agent %s was %s by %s: %s'::text, a.agent_name, s.kind, s.stopped_by, s.reason) AS format FROM (agentdb.agent a JOIN agentdb.agent_stop s ON ((s.agent_id = a.agent_id))) WHERE ((a.agent_name = _agent_end.agent) AND (s.stopped_at >= _agent_end.since)));



COMMENT ON FUNCTION agentdb._agent_end(agent text, since timestamp with time zone) IS 'Who has stopped an agent since a moment.';



CREATE FUNCTION agentdb._agent_of(agent text) RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_agent_id bigint;
begin
  select a.agent_id into v_agent_id from agentdb.agent as a where a.agent_name = agent;
  if v_agent_id is null then
    raise exception 'there is no agent %',
        coalesce(agentdb._clean_text(agent, 100), 'NULL')
      using errcode = 'ZA006', hint = 'select agent_name from agentdb.agent;';
  end if;
  return v_agent_id;
end;
$$;



COMMENT ON FUNCTION agentdb._agent_of(agent text) IS 'The number of an agent, or ZA006.';



CREATE FUNCTION agentdb._agents_roles() RETURNS oid[]
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (
    with recursive acting (oid) as (
      select r.oid
      from pg_roles as r
      where pg_has_role(r.oid, 'agentdb_agent', 'USAGE') and not r.rolsuper
        or r.rolname in (select a.role_name from agentdb.agent as a)
      union
      select m.roleid
      from acting as g
      join pg_auth_members as m on m.member = g.oid
    )
    select coalesce(array_agg(r.oid), '{}')
    from pg_roles as r
    where r.oid in (select g.oid from acting as g)
      or exists (
        select from acting as g join pg_roles as s on s.oid = g.oid where s.rolsuper)
      or r.rolname = 'pg_database_owner' and exists (
        select from acting as g join pg_database as d on d.datdba = g.oid
        where d.datname = current_database())
  );
end;
$$;



COMMENT ON FUNCTION agentdb._agents_roles() IS 'The roles that an agent can act as.';



CREATE FUNCTION agentdb._alerting_silent_for() RETURNS interval
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_silent_for interval := (select min(h.silent_for) from agentdb.runner_health as h);
begin
  -- One that ended on purpose leaves no row, only what it evaluated.
  v_silent_for := coalesce(
    v_silent_for,
    clock_timestamp() - (select max(r.evaluated_at) from agentdb.alert_rule as r),
    clock_timestamp() - (select min(a.registered_at) from agentdb.agent as a)
  );
  return nullif(greatest(v_silent_for, '30 seconds'), '30 seconds');
end;
$$;



COMMENT ON FUNCTION agentdb._alerting_silent_for() IS 'For how long no runner has worked, NULL while one does.';



CREATE FUNCTION agentdb._all_guarded(change bigint) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select not exists (
    select from agentdb.change_row as r
    where r.change_id = change
      and not exists (
        select from agentdb.guarded_table as g
        where g.audit_target_id = r.audit_target_id)
  );
$$;



COMMENT ON FUNCTION agentdb._all_guarded(change bigint) IS 'Whether agentdb_applier may write all tables of a change.';



CREATE FUNCTION agentdb._applied_change(OUT agent_id bigint, OUT run_id bigint, OUT change_id bigint) RETURNS record
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select c.agent_id, c.run_id, c.change_id
  from agentdb.change_pass as p
  join agentdb.change as c on c.change_id = p.change_id
  where p.xid = pg_current_xact_id_if_assigned();
$$;



COMMENT ON FUNCTION agentdb._applied_change(OUT agent_id bigint, OUT run_id bigint, OUT change_id bigint) IS 'The change that the transaction is applying, with its agent and run.';



CREATE FUNCTION agentdb._apply(change bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_end record;
begin
  if not agentdb._begin_apply(change) then
    return;
  end if;
  select a.effects, a.problem into v_end
  from agentdb._attempt(change, '{}', true, true,
    (select c.effects from agentdb.change as c where c.change_id = change)) as a;
  if v_end.problem is not null then
    v_end.problem := v_end.problem
      || jsonb_build_object('conflicts', agentdb._conflicts(change, 20, true));
  end if;
  perform agentdb._end_apply(change, v_end.effects, v_end.problem);
end;
$$;



COMMENT ON FUNCTION agentdb._apply(change bigint) IS 'Applies an approved change on guarded tables as agentdb_applier.';



CREATE FUNCTION agentdb._apply_as_caller(change bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_end record;
begin
  if not agentdb._begin_apply(change) then
    return;
  end if;
  select a.effects, a.problem into v_end
  from agentdb._attempt(change, '{}', false, true,
    (select c.effects from agentdb.change as c where c.change_id = change)) as a;
  if v_end.problem is not null then
    v_end.problem := v_end.problem
      || jsonb_build_object('conflicts', agentdb._conflicts(change, 20, false));
  end if;
  perform agentdb._end_apply_as_caller(change, v_end.effects, v_end.problem);
end;
$$;



COMMENT ON FUNCTION agentdb._apply_as_caller(change bigint) IS 'Applies an undo with the rights of the caller, where tables are not guarded.';



CREATE FUNCTION agentdb._apply_path(change bigint) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select concat_ws(', ', 'pg_catalog',
    (
      select string_agg(quote_ident(n.nspname), ', ' order by n.nspname = 'public')
      from pg_namespace as n
      where (n.nspname = 'public' or n.oid in (
          select c.relnamespace
          from agentdb.change_table as t
          join pg_class as c on c.oid = t.table_oid
          where t.change_id = _apply_path.change))
        and not exists (
          select from agentdb.agent as a
          join pg_roles as r on r.rolname = a.role_name
          where has_schema_privilege(r.oid, n.oid, 'create'))
    ), 'pg_temp');
$$;



COMMENT ON FUNCTION agentdb._apply_path(change bigint) IS 'The search path under which a change is applied.';



CREATE FUNCTION agentdb._apply_silence(silence bigint, fresh boolean) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_alerts bigint[];
  v_groups bigint[];
begin
  select coalesce(array_agg(a.alert_id), '{}') into v_alerts
  from agentdb.alert as a
  join agentdb.silence as s on s.silence_id = silence
    and agentdb._matches(s.matchers,
      agentdb._matchable(a.alert_id, a.rule_name, a.severity, a.labels))
  where a.state = 'firing'
    and a.rule_name <> 'silence_ending';
  v_groups := agentdb._wake_groups(v_alerts, clock_timestamp());
  if fresh then
    perform agentdb._tell_groups(v_groups);
  end if;
  return cardinality(v_alerts);
end;
$$;



COMMENT ON FUNCTION agentdb._apply_silence(silence bigint, fresh boolean) IS 'Looks again at the groups that a silence is about; a new one takes back what has not been sent; returns how many alerts fire under it.';



CREATE TABLE agentdb.change_decision (
    change_id bigint NOT NULL,
    reviewer name DEFAULT SESSION_USER NOT NULL,
    agent_id bigint,
    run_id bigint,
    decision text NOT NULL,
    digest text NOT NULL,
    comment text,
    decided_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT change_decision_decision_check CHECK ((decision = ANY (ARRAY['approve'::text, 'reject'::text])))
);



COMMENT ON TABLE agentdb.change_decision IS 'Who approved or rejected which content of a change.';



CREATE FUNCTION agentdb._approved_by(change bigint) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT string_agg((d.reviewer)::text, ', '::text ORDER BY d.decided_at) AS string_agg FROM agentdb.change_decision d WHERE ((d.change_id = _approved_by.change) AND (d.decision = 'approve'::text)));



COMMENT ON FUNCTION agentdb._approved_by(change bigint) IS 'The login roles that approved a change; NULL where nobody had to.';



CREATE FUNCTION agentdb._attempt(change bigint, basis bigint[], as_applier boolean, keep boolean, allowed jsonb, OUT effects jsonb, OUT problem jsonb) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_former bigint;
  v_state text;
  v_message text;
  v_detail text;
  v_constraint text;
begin
  begin
    perform set_config('agentdb.applying', change::text, true);
    if as_applier then
      insert into agentdb.change_pass (change_id) values (change)
      on conflict on constraint change_pass_pkey do update
      set change_id = excluded.change_id, opens_guard = true;
      foreach v_former in array basis loop
        perform agentdb._check_tables(v_former);
        perform agentdb._perform_as_applier(v_former);
      end loop;
      effects := agentdb._perform_as_applier(change);
      delete from agentdb.change_pass as p where p.xid = pg_current_xact_id();
    else
      effects := agentdb._perform(change);
    end if;
    perform set_config('agentdb.applying', '', true);
    if keep and exists (
      select from jsonb_each_text(effects) as e
      where e.value::bigint > coalesce((allowed ->> e.key)::bigint, 0)
    ) then
      raise exception 'it would now write more than was reviewed: %', effects
        using errcode = 'ZA052';
    elsif not keep then
      raise exception using errcode = 'ZZ999', message = 'tried';
    end if;
  exception
    when sqlstate 'ZZ999' then
      null;
    -- A full disk, or a server that goes down, says nothing of the change.
    when lock_not_available or deadlock_detected or serialization_failure
      or insufficient_resources or operator_intervention or system_error
      or connection_exception or sqlstate 'ZA040' or sqlstate 'ZA041' then
      raise;
    when others or assert_failure then
      get stacked diagnostics
        v_state = returned_sqlstate,
        v_message = message_text,
        v_detail = pg_exception_detail,
        v_constraint = constraint_name;
      problem := jsonb_build_object('sqlstate', v_state, 'message', v_message,
        'detail', v_detail, 'constraint', v_constraint);
  end;
end;
$$;



COMMENT ON FUNCTION agentdb._attempt(change bigint, basis bigint[], as_applier boolean, keep boolean, allowed jsonb, OUT effects jsonb, OUT problem jsonb) IS 'Applies a change, after those it builds on, and keeps it or rolls back: what it wrote, or why it would fail.';



CREATE FUNCTION agentdb._audited_name(relation text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_names text[];
begin
  select array_agg(t.table_name order by t.table_name) into v_names
  from agentdb.audit_target as t
  where t.unaudited_at is null
    and relation in (t.table_name, split_part(t.table_name, '.', 2));
  if cardinality(v_names) = 1 then
    return v_names[1];
  elsif v_names is null then
    raise exception 'no audited table is called %',
        coalesce(agentdb._clean_text(relation, 200), 'NULL')
      using errcode = 'ZA006',
            detail = 'Audited are: ' || coalesce((
              select string_agg(t.table_name, ', ' order by t.table_name)
              from agentdb.audit_target as t where t.unaudited_at is null), 'none'),
            hint = 'Name one of these; a claim about any other could not be checked.';
  end if;
  raise exception '% is the name of % audited tables', relation, cardinality(v_names)
    using errcode = 'ZA004',
          hint = 'Name its schema too: ' || array_to_string(v_names, ' or ');
end;
$$;



COMMENT ON FUNCTION agentdb._audited_name(relation text) IS 'The full name of an audited table, whose schema may be left out; raises ZA004 or ZA006.';



CREATE TABLE agentdb.audit_target (
    audit_target_id integer NOT NULL,
    table_oid oid NOT NULL,
    table_name text NOT NULL,
    level text NOT NULL,
    excluded text[] DEFAULT '{}'::text[] NOT NULL,
    redacted text[] DEFAULT '{}'::text[] NOT NULL,
    excluded_places integer[] DEFAULT '{}'::integer[] NOT NULL,
    redacted_places integer[] DEFAULT '{}'::integer[] NOT NULL,
    refuse_blast boolean DEFAULT false NOT NULL,
    layout text NOT NULL,
    guard jsonb,
    audited_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    audited_by name DEFAULT SESSION_USER NOT NULL,
    unaudited_at timestamp with time zone,
    CONSTRAINT audit_target_level_check CHECK ((level = ANY (ARRAY['statement'::text, 'row'::text])))
);



COMMENT ON TABLE agentdb.audit_target IS 'Each attachment of the audit to a table, from audited_at to unaudited_at.';



COMMENT ON COLUMN agentdb.audit_target.level IS 'Whether its triggers fire once a statement, which is faster, or once a row.';



COMMENT ON COLUMN agentdb.audit_target.redacted_places IS 'The same columns by number: a column that is renamed stays redacted.';



COMMENT ON COLUMN agentdb.audit_target.layout IS 'The columns and the key that its capture function was generated for.';



CREATE TABLE agentdb.change (
    change_id bigint NOT NULL,
    kind text NOT NULL,
    state text DEFAULT 'open'::text NOT NULL,
    automatic boolean NOT NULL,
    agent_id bigint,
    run_id bigint,
    proposed_by name DEFAULT SESSION_USER NOT NULL,
    reason text NOT NULL,
    undoes jsonb,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    max_rows integer,
    row_count integer,
    effects jsonb,
    builds_on bigint[] DEFAULT '{}'::bigint[] NOT NULL,
    approvals integer,
    apply text,
    digest text,
    opened_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    submitted_at timestamp with time zone,
    expires_at timestamp with time zone NOT NULL,
    closed_at timestamp with time zone,
    applied_by name,
    applied_xid xid8,
    problem jsonb,
    CONSTRAINT change_kind_check CHECK ((kind = ANY (ARRAY['stage'::text, 'undo'::text]))),
    CONSTRAINT change_state_check CHECK ((state = ANY (ARRAY['open'::text, 'pending'::text, 'approved'::text, 'applied'::text, 'rejected'::text, 'withdrawn'::text, 'expired'::text, 'conflict'::text])))
)
WITH (fillfactor='70');



COMMENT ON TABLE agentdb.change IS 'Changes that agents propose: staged, tried, decided by others, applied or not.';



COMMENT ON COLUMN agentdb.change.automatic IS 'Whether it is submitted when its transaction commits.';



COMMENT ON COLUMN agentdb.change.undoes IS 'What it takes back: {"run": …}, {"xid": …}, {"audit": …} or {"change": …}.';



COMMENT ON COLUMN agentdb.change.xid IS 'The transaction that staged its last row.';



COMMENT ON COLUMN agentdb.change.effects IS 'How many rows of each table it changed when it was tried, side effects included.';



COMMENT ON COLUMN agentdb.change.builds_on IS 'Changes that must have been applied before.';



COMMENT ON COLUMN agentdb.change.approvals IS 'How many approvals it needs.';



COMMENT ON COLUMN agentdb.change.digest IS 'SHA-256 of its content, which an approval repeats.';



COMMENT ON COLUMN agentdb.change.problem IS 'Why it could not be applied.';



CREATE TABLE agentdb.change_row (
    change_id bigint NOT NULL,
    place integer NOT NULL,
    audit_target_id integer NOT NULL,
    operation text NOT NULL,
    row_key jsonb NOT NULL,
    new_values jsonb,
    expected jsonb,
    builds_on bigint,
    net_operation text,
    net_values jsonb,
    staged_at timestamp with time zone[] DEFAULT ARRAY[clock_timestamp()] NOT NULL,
    CONSTRAINT change_row_operation_check CHECK ((operation = ANY (ARRAY['insert'::text, 'update'::text, 'delete'::text])))
);



COMMENT ON TABLE agentdb.change_row IS 'The rows of changes: what becomes of each, and what it is expected to be before.';



COMMENT ON COLUMN agentdb.change_row.builds_on IS 'The change of the same proposer, not yet applied, that this row continues.';



COMMENT ON COLUMN agentdb.change_row.net_operation IS 'What its proposer sees, where that is more than this change alone.';



CREATE FUNCTION agentdb._awaits_decision(run bigint, relation text, claimed_at timestamp with time zone, as_of timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN (EXISTS (SELECT FROM agentdb.change c WHERE ((c.run_id = _awaits_decision.run) AND (c.kind = 'stage'::text) AND (c.opened_at <= LEAST(_awaits_decision.as_of, (_awaits_decision.claimed_at + '1 day'::interval))) AND ((c.state = ANY (ARRAY['open'::text, 'pending'::text, 'approved'::text])) OR (c.closed_at > _awaits_decision.as_of)) AND ((c.effects ?| ARRAY[(_awaits_decision.relation || ' inserted'::text), (_awaits_decision.relation || ' updated'::text), (_awaits_decision.relation || ' deleted'::text)]) OR (EXISTS (SELECT FROM (agentdb.change_row r JOIN agentdb.audit_target t ON ((t.audit_target_id = r.audit_target_id))) WHERE ((r.change_id = c.change_id) AND (t.table_name = _awaits_decision.relation))))))));



COMMENT ON FUNCTION agentdb._awaits_decision(run bigint, relation text, claimed_at timestamp with time zone, as_of timestamp with time zone) IS 'Whether a change to a table that a run opened until a day after a claim was not decided yet at a moment.';



CREATE FUNCTION agentdb._base_type(type oid) RETURNS oid
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 WITH RECURSIVE base(oid, next) AS (
          SELECT t.oid,
             t.typbasetype
            FROM pg_type t
           WHERE (t.oid = _base_type.type)
         UNION ALL
          SELECT t.oid,
             t.typbasetype
            FROM (base b_1
              JOIN pg_type t ON ((t.oid = b_1.next)))
         )
  SELECT b.oid
    FROM base b
   WHERE (b.next = (0)::oid);
END;



COMMENT ON FUNCTION agentdb._base_type(type oid) IS 'The type that a domain is made of, in the end; any other type itself.';



CREATE FUNCTION agentdb._basis(change bigint) RETURNS bigint[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with recursive basis (change_id) as (
    select r.builds_on
    from agentdb.change_row as r
    where r.change_id = _basis.change and r.builds_on is not null
    union
    select unnest(c.builds_on)
    from basis as b
    join agentdb.change as c on c.change_id = b.change_id
  )
  select coalesce(array_agg(b.change_id order by b.change_id), '{}')
  from basis as b
  join agentdb.change as c on c.change_id = b.change_id
  where c.state in ('pending', 'approved');
$$;



COMMENT ON FUNCTION agentdb._basis(change bigint) IS 'The undecided changes that a change builds on, the oldest first.';



CREATE FUNCTION agentdb._be_patient(patience interval) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if patience is null or patience not between '0' and '1 hour' then
    perform agentdb._refuse(
      format('patience must be between 0 and 1 hour, got %s', patience),
      'Leave it out to wait 10 seconds.'
    );
  end if;
  perform set_config('lock_timeout',
    greatest(1, (extract(epoch from patience) * 1000)::integer)::text, true);
end;
$$;



COMMENT ON FUNCTION agentdb._be_patient(patience interval) IS 'Sets for how long a lock is waited for; raises ZA004.';



CREATE FUNCTION agentdb._begin_apply(change bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_change agentdb.change;
  v_former text[];
  v_fault text;
begin
  select c.* into v_change
  from agentdb.change as c where c.change_id = change for no key update;
  if v_change.state is distinct from 'approved' then
    perform agentdb._refuse_state(change, v_change.state, 'approved');
  elsif v_change.run_id is not null then
    perform agentdb._check_write(v_change.run_id, null);
  end if;
  if v_change.expires_at <= clock_timestamp() then
    perform agentdb._close_change(change, 'expired');
    return false;
  elsif agentdb._change_digest(change) is distinct from v_change.digest then
    perform agentdb._refuse_altered(change);
  end if;
  select array_agg(distinct c.state) into v_former
  from agentdb.change as c
  where c.change_id = any (v_change.builds_on) and c.state <> 'applied';
  if v_former && '{open,pending,approved}' then
    return false;
  elsif v_former is not null then
    v_fault := format('it builds on change %s, which was not applied',
      array_to_string(v_change.builds_on, ', '));
  end if;
  v_fault := coalesce(v_fault, agentdb._change_fault(change));
  if v_fault is not null then
    perform agentdb._close_change(change, 'conflict',
      jsonb_build_object('sqlstate', 'ZA051', 'message', v_fault));
  elsif v_change.kind = 'undo' and not agentdb._all_guarded(change) then
    -- It is applied with the rights of the caller, and recorded as the undo.
    insert into agentdb.change_pass (change_id, opens_guard) values (change, false);
  end if;
  return v_fault is null;
end;
$$;



COMMENT ON FUNCTION agentdb._begin_apply(change bigint) IS 'Locks an approved change and looks whether it can be applied now; raises ZA040, ZA041, ZA053 or ZA054.';



CREATE FUNCTION agentdb._begin_decision(change bigint, decision text, digest text, comment text) RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_change agentdb.change;
  v_reviewer record;
begin
  select c.* into v_change
  from agentdb.change as c where c.change_id = change for no key update;
  if not found then
    perform agentdb._refuse_state(change, null, null);
  end if;
  select r.* into v_reviewer from agentdb._reviewer(change) as r;
  if v_change.state <> 'pending' then
    perform agentdb._refuse_state(change, v_change.state, 'pending');
  elsif v_change.expires_at <= clock_timestamp() then
    perform agentdb._close_change(change, 'expired');
    return false;
  elsif decision = 'approve' and (digest is distinct from v_change.digest
    or agentdb._change_digest(change) is distinct from v_change.digest) then
    perform agentdb._refuse_altered(change);
  end if;
  insert into agentdb.change_decision (
    change_id, agent_id, run_id, decision, digest, comment
  )
  values (
    change, v_reviewer.agent_id, v_reviewer.run_id, decision, v_change.digest,
    case when comment is not null then agentdb._check_said(comment, 'comment') end
  )
  -- Who has approved may still think better of it.
  on conflict on constraint change_decision_pkey do update
  set decision = excluded.decision,
      comment = excluded.comment,
      decided_at = excluded.decided_at
  where excluded.decision = 'reject';
  if not found then
    raise exception '% has approved change % already', session_user, change
      using errcode = 'ZA055', hint = 'Somebody else gives the next approval.';
  end if;
  return true;
end;
$$;



COMMENT ON FUNCTION agentdb._begin_decision(change bigint, decision text, digest text, comment text) IS 'Writes down a decision; raises ZA004, ZA006, ZA053, ZA054 or ZA055.';



CREATE FUNCTION agentdb._begin_sql(target integer, level text) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT format(CASE t.level WHEN 'row'::text THEN '
  v_same := agentdb._layout_now(%1$s) = %2$L;
  if tg_op <> ''INSERT'' then
    v_old := old;
  end if;
  if tg_op <> ''DELETE'' then
    v_new := new;
  end if;'::text ELSE '
  if tg_op = ''INSERT'' then
    select agentdb._layout(%1$s) = %2$L into capture.v_same from agentdb_new limit 1;
  elsif tg_op = ''DELETE'' then
    select agentdb._layout(%1$s) = %2$L into capture.v_same from agentdb_old limit 1;
  else
    -- One query finds the usual case: one row, and the table is as it was.
    select * into v_old
    from agentdb_old
    where agentdb._layout(%1$s) = %2$L
      and not exists (select from agentdb_old offset 1);
    if found then
      select * into v_new from agentdb_new;
      v_same := true;
    else
      v_many := true;
      select agentdb._layout(%1$s) = %2$L into capture.v_same from agentdb_new limit 1;
    end if;
  end if;
  if v_same is null then
    return null;
  end if;'::text END, t.table_oid, t.layout) AS format FROM agentdb.audit_target t WHERE (t.audit_target_id = _begin_sql.target));



COMMENT ON FUNCTION agentdb._begin_sql(target integer, level text) IS 'PL/pgSQL text: whether there is a row, and whether the table is as it was.';



CREATE FUNCTION agentdb._blast_sql(target integer, level text) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT CASE WHEN (t.refuse_blast AND (t.level = 'statement'::text)) THEN format('
  v_max_rows := agentdb._max_rows();
  if v_max_rows is not null then
    if tg_op = ''INSERT'' then
      perform from agentdb_new offset v_max_rows limit 1;
    else
      perform from agentdb_old offset v_max_rows limit 1;
    end if;
    if found then
      perform agentdb._refuse_blast(%L, v_max_rows);
    end if;
  end if;'::text, t.table_name) ELSE ''::text END AS "case" FROM agentdb.audit_target t WHERE (t.audit_target_id = _blast_sql.target));



COMMENT ON FUNCTION agentdb._blast_sql(target integer, level text) IS 'PL/pgSQL text: refuses an agent''s statement over its limit, where the table says so.';



CREATE FUNCTION agentdb._bound_run() RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  -- A pooler leaves the setting behind as an empty text.
  v_token text := nullif(current_setting('agentdb.run_token', true), '');
begin
  if v_token is null then
    return null;
  end if;
  return (
    select t.run_id
    from agentdb.run_token as t
    where t.token_hash = agentdb._hash_secret(v_token)
  );
end;
$$;



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



CREATE TABLE agentdb.policy (
    policy_name text NOT NULL,
    description text NOT NULL,
    max_open_runs integer DEFAULT 20 NOT NULL,
    abandon_after interval DEFAULT '1 day'::interval NOT NULL,
    cached_input_weight double precision DEFAULT 0.1 NOT NULL,
    output_weight double precision DEFAULT 4 NOT NULL,
    token_rate_margin double precision DEFAULT 1.3 NOT NULL,
    token_rate_per_hour bigint DEFAULT 4000000,
    token_rate_quantile double precision DEFAULT 0.99,
    token_rate_margin_few double precision DEFAULT 2 NOT NULL,
    token_rate_floor bigint DEFAULT 150000 NOT NULL,
    token_rate_warm_up_days integer DEFAULT 5 NOT NULL,
    token_rate_warm_up_cap bigint DEFAULT 3000000 NOT NULL,
    token_rate_unusual_hour bigint DEFAULT 100000,
    token_rate_regular_hours integer DEFAULT 12 NOT NULL,
    token_rate_clear double precision DEFAULT 0.8 NOT NULL,
    token_rate_factor double precision,
    token_rate_window interval DEFAULT '00:30:00'::interval NOT NULL,
    token_rate_baseline interval DEFAULT '14 days'::interval NOT NULL,
    token_rate_min_history interval DEFAULT '1 day'::interval NOT NULL,
    no_progress_after interval DEFAULT '00:15:00'::interval NOT NULL,
    max_long_call interval DEFAULT '04:00:00'::interval NOT NULL,
    silent_loop_same integer DEFAULT 5 NOT NULL,
    silent_loop_same_critical integer DEFAULT 8 NOT NULL,
    silent_loop_window interval DEFAULT '02:00:00'::interval,
    silent_loop_calls integer DEFAULT 200 NOT NULL,
    silent_loop_poll integer DEFAULT 15 NOT NULL,
    silent_loop_poll_critical integer DEFAULT 30 NOT NULL,
    silent_loop_failures integer DEFAULT 5 NOT NULL,
    silent_loop_failures_critical integer DEFAULT 8 NOT NULL,
    silent_loop_results integer DEFAULT 6 NOT NULL,
    silent_loop_result_size integer DEFAULT 200 NOT NULL,
    silent_loop_cosmetic integer DEFAULT 30 NOT NULL,
    silent_loop_laps integer DEFAULT 3 NOT NULL,
    silent_loop_diversity_calls integer DEFAULT 10 NOT NULL,
    silent_loop_diversity double precision DEFAULT 0.34 NOT NULL,
    silent_loop_model_calls integer DEFAULT 20 NOT NULL,
    repeated_tool_call_count integer,
    repeated_tool_call_window interval DEFAULT '00:10:00'::interval NOT NULL,
    tool_errors_count integer DEFAULT 5 NOT NULL,
    tool_errors_share double precision DEFAULT 0.5 NOT NULL,
    tool_errors_sigma double precision DEFAULT 3,
    tool_errors_window interval DEFAULT '00:10:00'::interval NOT NULL,
    tool_errors_baseline interval DEFAULT '14 days'::interval NOT NULL,
    conversation_budget_tokens bigint DEFAULT 500000 NOT NULL,
    conversation_budget_cost double precision,
    run_budget_tokens bigint,
    run_budget_cost double precision,
    agent_day_budget_tokens bigint,
    agent_day_budget_cost double precision,
    budget_low_share double precision DEFAULT 0.8 NOT NULL,
    reservation_ttl interval DEFAULT '00:10:00'::interval NOT NULL,
    context_jump_factor double precision DEFAULT 3 NOT NULL,
    context_jump_tokens bigint DEFAULT 6000,
    context_jump_growth double precision DEFAULT 1.25 NOT NULL,
    context_jump_floor bigint DEFAULT 20000 NOT NULL,
    context_jump_window interval DEFAULT '00:10:00'::interval NOT NULL,
    large_tool_result_size bigint DEFAULT 100000 NOT NULL,
    large_tool_result_window interval DEFAULT '00:10:00'::interval NOT NULL,
    hung_tool_call_after interval DEFAULT '00:05:00'::interval NOT NULL,
    missed_tick_grace interval DEFAULT '00:01:00'::interval NOT NULL,
    long_tick_after interval DEFAULT '00:15:00'::interval NOT NULL,
    max_hold interval DEFAULT '04:00:00'::interval NOT NULL,
    max_questions integer DEFAULT 5 NOT NULL,
    max_questions_day integer DEFAULT 50 NOT NULL,
    unanswered_question_after interval DEFAULT '00:30:00'::interval NOT NULL,
    max_question_wait interval DEFAULT '04:00:00'::interval NOT NULL,
    max_transaction interval DEFAULT '00:15:00'::interval NOT NULL,
    lock_max_ttl interval DEFAULT '01:00:00'::interval NOT NULL,
    max_locks integer DEFAULT 100 NOT NULL,
    renew_needs_progress boolean DEFAULT false NOT NULL,
    lock_held_too_long_after interval DEFAULT '01:00:00'::interval NOT NULL,
    lock_contention_count integer DEFAULT 10 NOT NULL,
    lock_contention_window interval DEFAULT '00:10:00'::interval NOT NULL,
    schedule_blocked_count integer DEFAULT 3 NOT NULL,
    unattributed_write_window interval DEFAULT '01:00:00'::interval NOT NULL,
    blast_radius_rows integer DEFAULT 1000 NOT NULL,
    blast_radius_window interval DEFAULT '01:00:00'::interval NOT NULL,
    max_pending_changes integer DEFAULT 100 NOT NULL,
    max_change_rows integer DEFAULT 10000 NOT NULL,
    change_waiting_after interval DEFAULT '01:00:00'::interval NOT NULL,
    change_expiring_before interval DEFAULT '02:00:00'::interval NOT NULL,
    change_conflict_window interval DEFAULT '1 day'::interval NOT NULL,
    tool_diff_window interval DEFAULT '00:10:00'::interval NOT NULL,
    unknown_tool_critical integer DEFAULT 3 NOT NULL,
    unknown_tool_window interval DEFAULT '01:00:00'::interval NOT NULL,
    max_claims integer DEFAULT 1000 NOT NULL,
    verify_within interval DEFAULT '00:10:00'::interval NOT NULL,
    claim_window interval DEFAULT '01:00:00'::interval NOT NULL,
    log_retention interval DEFAULT '30 days'::interval NOT NULL,
    audit_retention interval DEFAULT '90 days'::interval NOT NULL,
    CONSTRAINT policy_audit_check CHECK (((blast_radius_rows > 0) AND ((blast_radius_window >= '00:00:01'::interval) AND (blast_radius_window <= '1 day'::interval)) AND ((unattributed_write_window >= '00:00:01'::interval) AND (unattributed_write_window <= '1 day'::interval)))),
    CONSTRAINT policy_budgets_check CHECK (((run_budget_tokens > 0) AND (agent_day_budget_tokens > 0) AND (conversation_budget_cost > (0)::double precision) AND (conversation_budget_cost <= (1000000000)::double precision) AND (run_budget_cost > (0)::double precision) AND (run_budget_cost <= (1000000000)::double precision) AND (agent_day_budget_cost > (0)::double precision) AND (agent_day_budget_cost <= (1000000000)::double precision) AND ((budget_low_share >= (0.01)::double precision) AND (budget_low_share <= (1)::double precision)) AND ((reservation_ttl >= '00:00:10'::interval) AND (reservation_ttl <= '1 day'::interval)) AND (context_jump_factor > (1)::double precision) AND (context_jump_factor < 'Infinity'::double precision) AND (context_jump_tokens > 0) AND (context_jump_growth > (1)::double precision) AND (context_jump_growth < 'Infinity'::double precision) AND (context_jump_floor >= 0) AND ((context_jump_window >= '00:00:01'::interval) AND (context_jump_window <= '1 day'::interval)) AND (large_tool_result_size > 0) AND ((large_tool_result_window >= '00:00:01'::interval) AND (large_tool_result_window <= '1 day'::interval)))),
    CONSTRAINT policy_change_check CHECK ((((max_pending_changes >= 1) AND (max_pending_changes <= 10000)) AND ((max_change_rows >= 1) AND (max_change_rows <= 1000000)) AND (change_waiting_after > '00:00:00'::interval) AND (change_waiting_after <= '100 years'::interval) AND ((change_expiring_before >= '00:00:00'::interval) AND (change_expiring_before <= '100 years'::interval)) AND ((change_conflict_window >= '00:00:01'::interval) AND (change_conflict_window <= '31 days'::interval)))),
    CONSTRAINT policy_claims_check CHECK ((((max_claims >= 1) AND (max_claims <= 100000)) AND ((verify_within >= '00:00:01'::interval) AND (verify_within <= '1 day'::interval)) AND ((claim_window >= '00:00:01'::interval) AND (claim_window <= '7 days'::interval)) AND ((tool_diff_window >= '00:00:10'::interval) AND (tool_diff_window <= '1 day'::interval)) AND (unknown_tool_critical > 0) AND ((unknown_tool_window >= '00:00:01'::interval) AND (unknown_tool_window <= '7 days'::interval)))),
    CONSTRAINT policy_counts_check CHECK ((((max_open_runs >= 1) AND (max_open_runs <= 10000)) AND (token_rate_per_hour > 0) AND (token_rate_floor >= 0) AND ((token_rate_warm_up_days >= 0) AND (token_rate_warm_up_days <= 31)) AND (token_rate_warm_up_cap > 0) AND (token_rate_unusual_hour > 0) AND ((token_rate_regular_hours >= 0) AND (token_rate_regular_hours <= 24)) AND (repeated_tool_call_count > 0) AND (tool_errors_count > 0) AND (conversation_budget_tokens > 0) AND ((max_locks >= 1) AND (max_locks <= 10000)) AND ((max_questions >= 0) AND (max_questions <= 1000)) AND ((max_questions_day >= 0) AND (max_questions_day <= 10000)) AND (lock_contention_count > 0) AND (schedule_blocked_count > 0))),
    CONSTRAINT policy_delays_check CHECK ((((abandon_after >= '00:01:00'::interval) AND (abandon_after <= '100 years'::interval)) AND ((token_rate_min_history >= '00:00:00'::interval) AND (token_rate_min_history <= '100 years'::interval)) AND (no_progress_after > '00:00:00'::interval) AND (no_progress_after <= '100 years'::interval) AND ((max_long_call >= '00:00:00'::interval) AND (max_long_call <= '100 years'::interval)) AND (hung_tool_call_after > '00:00:00'::interval) AND (hung_tool_call_after <= '100 years'::interval) AND ((missed_tick_grace >= '00:00:00'::interval) AND (missed_tick_grace <= '100 years'::interval)) AND (long_tick_after > '00:00:00'::interval) AND (long_tick_after <= '100 years'::interval) AND ((max_hold >= '00:01:00'::interval) AND (max_hold <= '30 days'::interval)) AND ((unanswered_question_after >= '00:01:00'::interval) AND (unanswered_question_after <= '30 days'::interval)) AND ((max_question_wait >= '00:00:00'::interval) AND (max_question_wait <= '30 days'::interval)) AND ((max_transaction >= '00:00:01'::interval) AND (max_transaction <= '30 days'::interval)) AND ((lock_max_ttl >= '00:00:01'::interval) AND (lock_max_ttl <= '7 days'::interval)) AND (lock_held_too_long_after > '00:00:00'::interval) AND (lock_held_too_long_after <= '100 years'::interval) AND ((log_retention >= '2 days'::interval) AND (log_retention <= '100 years'::interval)) AND ((audit_retention >= '2 days'::interval) AND (audit_retention <= '100 years'::interval)))),
    CONSTRAINT policy_policy_name_check CHECK ((policy_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'::text)),
    CONSTRAINT policy_ratios_check CHECK (((token_rate_factor > (1)::double precision) AND (token_rate_factor < 'Infinity'::double precision) AND ((tool_errors_share >= (0)::double precision) AND (tool_errors_share <= (1)::double precision)) AND ((tool_errors_sigma >= (0)::double precision) AND (tool_errors_sigma <= (100)::double precision)) AND ((cached_input_weight >= (0)::double precision) AND (cached_input_weight <= (1000)::double precision)) AND ((output_weight >= (0)::double precision) AND (output_weight <= (1000)::double precision)) AND ((token_rate_quantile >= (0.5)::double precision) AND (token_rate_quantile <= (1)::double precision)) AND ((token_rate_margin >= (1)::double precision) AND (token_rate_margin <= (1000)::double precision)) AND ((token_rate_margin_few >= (1)::double precision) AND (token_rate_margin_few <= (1000)::double precision)) AND ((token_rate_clear >= (0.1)::double precision) AND (token_rate_clear <= (1)::double precision)) AND ((silent_loop_diversity >= (0)::double precision) AND (silent_loop_diversity <= (1)::double precision)))),
    CONSTRAINT policy_silent_loop_check CHECK ((((silent_loop_window >= '00:01:00'::interval) AND (silent_loop_window <= '1 day'::interval)) AND ((silent_loop_calls >= 20) AND (silent_loop_calls <= 10000)) AND ((silent_loop_same >= 2) AND (silent_loop_same <= silent_loop_same_critical)) AND ((silent_loop_poll >= 2) AND (silent_loop_poll <= silent_loop_poll_critical)) AND ((silent_loop_failures >= 2) AND (silent_loop_failures <= silent_loop_failures_critical)) AND (silent_loop_results > 1) AND (silent_loop_result_size > 0) AND (silent_loop_cosmetic > 1) AND ((silent_loop_laps >= 2) AND (silent_loop_laps <= 20)) AND (silent_loop_diversity_calls > 1) AND (silent_loop_model_calls > 1))),
    CONSTRAINT policy_token_rate_quantile_check CHECK (((token_rate_quantile IS NULL) OR (token_rate_window = '00:30:00'::interval))),
    CONSTRAINT policy_windows_check CHECK ((((token_rate_window >= '00:01:00'::interval) AND (token_rate_window <= '1 day'::interval)) AND ((token_rate_baseline >= '1 day'::interval) AND (token_rate_baseline <= '31 days'::interval)) AND ((tool_errors_baseline >= '1 day'::interval) AND (tool_errors_baseline <= '31 days'::interval)) AND ((repeated_tool_call_window >= '00:00:01'::interval) AND (repeated_tool_call_window <= '1 day'::interval)) AND ((tool_errors_window >= '00:00:01'::interval) AND (tool_errors_window <= '1 day'::interval)) AND ((lock_contention_window >= '00:01:00'::interval) AND (lock_contention_window <= '1 day'::interval))))
);



COMMENT ON TABLE agentdb.policy IS 'Named thresholds; each agent has one, and every number a rule compares with is a column here.';



COMMENT ON COLUMN agentdb.policy.max_open_runs IS 'How many runs an agent may have open at once; more are refused.';



COMMENT ON COLUMN agentdb.policy.abandon_after IS 'A run that logs nothing for this long is ended as abandoned.';



COMMENT ON COLUMN agentdb.policy.cached_input_weight IS 'What a cached input token counts against an uncached one: providers'' price lists take a tenth.';



COMMENT ON COLUMN agentdb.policy.output_weight IS 'What an output token counts against an input token: price lists take 4 to 5 times.';



COMMENT ON COLUMN agentdb.policy.token_rate_margin IS 'Rule token_rate: how many times that half hour is an anomaly; the bench has less than one false page in 10 agent-weeks.';



COMMENT ON COLUMN agentdb.policy.token_rate_per_hour IS 'Rule token_rate: the ceiling, in weighted tokens an hour; NULL is none; above the busiest hour of the simulated agents.';



COMMENT ON COLUMN agentdb.policy.token_rate_quantile IS 'Rule token_rate: which of its own active half hours an agent is compared with; NULL is no anomaly; the highest where it has fewer than 200, of which no quantile can be told.';



COMMENT ON COLUMN agentdb.policy.token_rate_margin_few IS 'Rule token_rate: the same where an agent has fewer than 200 active half hours: the highest of few is chance, and 1.5 times it comes by itself.';



COMMENT ON COLUMN agentdb.policy.token_rate_floor IS 'Rule token_rate: half hours below this many weighted tokens are never an anomaly: they cost less than the page.';



COMMENT ON COLUMN agentdb.policy.token_rate_warm_up_days IS 'Rule token_rate: on how many days an agent must have been active before it has a normal: a working week.';



COMMENT ON COLUMN agentdb.policy.token_rate_warm_up_cap IS 'Rule token_rate: weighted tokens in half an hour that an agent without a normal may use.';



COMMENT ON COLUMN agentdb.policy.token_rate_unusual_hour IS 'Rule token_rate: weighted tokens in half an hour that are an anomaly at an hour of the week never active before; NULL is none; below what an overnight runaway takes.';



COMMENT ON COLUMN agentdb.policy.token_rate_regular_hours IS 'Rule token_rate: an agent active at more hours of the day than this keeps no hours, and none is unusual; batches that come when they come pass 20 within a week.';



COMMENT ON COLUMN agentdb.policy.token_rate_clear IS 'Rule token_rate: a firing alert ends only below this share of its threshold, against flapping.';



COMMENT ON COLUMN agentdb.policy.token_rate_factor IS 'Rules token_rate, input_spike: the playbook''s 3 times the average window; NULL is off, since idle hours make any average wrong.';



COMMENT ON COLUMN agentdb.policy.token_rate_window IS 'Rules token_rate, input_spike: the window that is compared.';



COMMENT ON COLUMN agentdb.policy.token_rate_baseline IS 'Rules token_rate, input_spike: how far back normal looks: two weeks hold two of each weekday.';



COMMENT ON COLUMN agentdb.policy.token_rate_min_history IS 'Rules token_rate, input_spike: how old an agent''s first tokens must be before it has an average.';



COMMENT ON COLUMN agentdb.policy.no_progress_after IS 'Rule no_progress: how long an open run may show no evidence of progress (the playbook''s 15 minutes); schedule.no_progress_after is an agent''s own.';



COMMENT ON COLUMN agentdb.policy.max_long_call IS 'Rule no_progress: the longest that a call in flight of a tool with tool.longest keeps it quiet.';



COMMENT ON COLUMN agentdb.policy.silent_loop_same IS 'Rule silent_loop: how many times the same call with the same result is a warning; agents in the field stop at 3 to 5, and three retries are normal.';



COMMENT ON COLUMN agentdb.policy.silent_loop_same_critical IS 'Rule silent_loop: how many times that is critical.';



COMMENT ON COLUMN agentdb.policy.silent_loop_window IS 'Rule silent_loop: how far back it looks at most: a call every 4 minutes is a loop too; NULL switches the rule off.';



COMMENT ON COLUMN agentdb.policy.silent_loop_calls IS 'Rule silent_loop: at how many of the latest calls of a run it looks at most.';



COMMENT ON COLUMN agentdb.policy.silent_loop_poll IS 'Rule silent_loop: the same as silent_loop_same for tools registered as polling.';



COMMENT ON COLUMN agentdb.policy.silent_loop_poll_critical IS 'Rule silent_loop: how many times that is critical.';



COMMENT ON COLUMN agentdb.policy.silent_loop_failures IS 'Rule silent_loop: how many failures in a row of one call, or of one tool, are a warning; none of the recorded runs that reached their goal has so many.';



COMMENT ON COLUMN agentdb.policy.silent_loop_failures_critical IS 'Rule silent_loop: how many are critical.';



COMMENT ON COLUMN agentdb.policy.silent_loop_results IS 'Rule silent_loop: for how many different arguments one and the same long result is a warning, such as a page that says you are a robot.';



COMMENT ON COLUMN agentdb.policy.silent_loop_result_size IS 'Rule silent_loop: from how many characters on an equal result is no coincidence; every insert may well say ok.';



COMMENT ON COLUMN agentdb.policy.silent_loop_cosmetic IS 'Rule silent_loop: how many calls whose arguments differ in numbers and ids only, with one result, are a warning; many, for a batch by number looks the same: tool.effect says that it is none.';



COMMENT ON COLUMN agentdb.policy.silent_loop_laps IS 'Rule silent_loop: how many laps of a cycle of 2 to 6 calls with the same results are a warning.';



COMMENT ON COLUMN agentdb.policy.silent_loop_diversity_calls IS 'Rule silent_loop: from how many calls on little diversity is critical.';



COMMENT ON COLUMN agentdb.policy.silent_loop_diversity IS 'Rule silent_loop: which share of different calls and results is little.';



COMMENT ON COLUMN agentdb.policy.silent_loop_model_calls IS 'Rule silent_loop: how many model calls without a tool call or evidence are a warning; the longest recorded stretch of a good run has fewer.';



COMMENT ON COLUMN agentdb.policy.repeated_tool_call_count IS 'Rule repeated_tool_call: how many calls of one tool a run may make in the window (the playbook''s 5); NULL is off, since 8 % of good runs make more.';



COMMENT ON COLUMN agentdb.policy.repeated_tool_call_window IS 'Rule repeated_tool_call: the window.';



COMMENT ON COLUMN agentdb.policy.tool_errors_count IS 'Rule tool_errors: from how many failed calls of a tool in the window on; fewer say nothing about a rate.';



COMMENT ON COLUMN agentdb.policy.tool_errors_share IS 'Rule tool_errors: from which share of failed calls on, 0 to 1.';



COMMENT ON COLUMN agentdb.policy.tool_errors_sigma IS 'Rule tool_errors: how many standard deviations above the tool''s own normal; NULL does not compare; 3 is one false page in 700 windows.';



COMMENT ON COLUMN agentdb.policy.tool_errors_window IS 'Rule tool_errors: the window.';



COMMENT ON COLUMN agentdb.policy.tool_errors_baseline IS 'Rule tool_errors: how far back normal looks.';



COMMENT ON COLUMN agentdb.policy.conversation_budget_tokens IS 'Tokens a conversation may use over all its runs; reserve_tokens keeps to it.';



COMMENT ON COLUMN agentdb.policy.conversation_budget_cost IS 'What a conversation may cost; NULL is no limit.';



COMMENT ON COLUMN agentdb.policy.run_budget_tokens IS 'Tokens a run may use; NULL is no limit of its own.';



COMMENT ON COLUMN agentdb.policy.run_budget_cost IS 'What a run may cost; NULL is no limit.';



COMMENT ON COLUMN agentdb.policy.agent_day_budget_tokens IS 'Tokens an agent may use a UTC day, over all its runs; NULL is no limit.';



COMMENT ON COLUMN agentdb.policy.agent_day_budget_cost IS 'What an agent may cost a UTC day; NULL is no limit.';



COMMENT ON COLUMN agentdb.policy.budget_low_share IS 'Rule budget_low: from which share of a budget on a person is told, 0 to 1.';



COMMENT ON COLUMN agentdb.policy.reservation_ttl IS 'How long a reservation that is never settled is kept from others.';



COMMENT ON COLUMN agentdb.policy.context_jump_factor IS 'Rule context_jump: how many times the prompt before it a prompt may be.';



COMMENT ON COLUMN agentdb.policy.context_jump_tokens IS 'Rule context_jump: by how many tokens a prompt may exceed the one before it; NULL is any number; in the recorded runs a large file read whole adds 7,000, all else less than 4,000.';



COMMENT ON COLUMN agentdb.policy.context_jump_growth IS 'Rule context_jump: how many times the prompt before it such a prompt must be, since long contexts grow in large steps.';



COMMENT ON COLUMN agentdb.policy.context_jump_floor IS 'Rule context_jump: prompts below this many tokens are never a jump.';



COMMENT ON COLUMN agentdb.policy.context_jump_window IS 'Rule context_jump: how long a jump is told.';



COMMENT ON COLUMN agentdb.policy.large_tool_result_size IS 'Rule large_tool_result: characters or bytes that one tool result may have.';



COMMENT ON COLUMN agentdb.policy.large_tool_result_window IS 'Rule large_tool_result: how long a large result is told.';



COMMENT ON COLUMN agentdb.policy.hung_tool_call_after IS 'Rule hung_tool_call: how long a tool call may be in flight.';



COMMENT ON COLUMN agentdb.policy.missed_tick_grace IS 'Rules missed_tick and overdue_hold: how late a tick may begin, or a run go on after its hold.';



COMMENT ON COLUMN agentdb.policy.long_tick_after IS 'Rule long_tick: how long a run with a tick interval may take.';



COMMENT ON COLUMN agentdb.policy.max_hold IS 'How long a run may say that it waits on purpose.';



COMMENT ON COLUMN agentdb.policy.max_questions IS 'How many questions of an agent may be open at once.';



COMMENT ON COLUMN agentdb.policy.max_questions_day IS 'How many questions an agent may ask in a day.';



COMMENT ON COLUMN agentdb.policy.unanswered_question_after IS 'Rule unanswered_question: how long a question may wait; a quarter of it when urgent.';



COMMENT ON COLUMN agentdb.policy.max_question_wait IS 'Rule no_progress: how long a run that waits for an answer is not taken for stuck.';



COMMENT ON COLUMN agentdb.policy.max_transaction IS 'How old a transaction of an agent may become before its session is ended.';



COMMENT ON COLUMN agentdb.policy.lock_max_ttl IS 'The longest time for which a run may take or renew a lock.';



COMMENT ON COLUMN agentdb.policy.max_locks IS 'How many locks and slots an agent may hold at once.';



COMMENT ON COLUMN agentdb.policy.renew_needs_progress IS 'Whether a lock is renewed only after a step that is new in its run.';



COMMENT ON COLUMN agentdb.policy.lock_held_too_long_after IS 'Rule lock_held_too_long: how long a run may hold a lock, renewals included.';



COMMENT ON COLUMN agentdb.policy.lock_contention_count IS 'Rule lock_contention: from how many denied attempts at a lock in the window on.';



COMMENT ON COLUMN agentdb.policy.lock_contention_window IS 'Rule lock_contention: the window.';



COMMENT ON COLUMN agentdb.policy.schedule_blocked_count IS 'Rule schedule_blocked: from how many runs in a row on that were denied a lock.';



COMMENT ON COLUMN agentdb.policy.unattributed_write_window IS 'Rule unattributed_write: how far back it looks.';



COMMENT ON COLUMN agentdb.policy.blast_radius_rows IS 'Rule blast_radius: how many audited rows one statement of an agent may change.';



COMMENT ON COLUMN agentdb.policy.blast_radius_window IS 'Rule blast_radius: how far back it looks.';



COMMENT ON COLUMN agentdb.policy.max_pending_changes IS 'How many changes an agent may have open, pending or approved at once.';



COMMENT ON COLUMN agentdb.policy.max_change_rows IS 'How many rows a change of an agent may have.';



COMMENT ON COLUMN agentdb.policy.change_waiting_after IS 'Rule change_waiting: how long a change may wait for its decision.';



COMMENT ON COLUMN agentdb.policy.change_expiring_before IS 'Rule change_expiring: how long before a change expires a person is told.';



COMMENT ON COLUMN agentdb.policy.change_conflict_window IS 'Rule change_conflict: how long a change that could not be applied is told.';



COMMENT ON COLUMN agentdb.policy.tool_diff_window IS 'Rules unbacked_tool_call and unannounced_write: how far back they look.';



COMMENT ON COLUMN agentdb.policy.unknown_tool_critical IS 'Rule unknown_tool: from how many made up calls on it is critical; one is a slip.';



COMMENT ON COLUMN agentdb.policy.unknown_tool_window IS 'Rule unknown_tool: how far back it looks.';



COMMENT ON COLUMN agentdb.policy.max_claims IS 'How many claims a run may make.';



COMMENT ON COLUMN agentdb.policy.verify_within IS 'Rule unverified_claim: how long a claim may wait; until then an unreachable target is tried again.';



COMMENT ON COLUMN agentdb.policy.claim_window IS 'Rules refuted_claim and unverified_claim: how long they tell of a claim.';



COMMENT ON COLUMN agentdb.policy.log_retention IS 'How long log rows are kept; the longest of all policies counts.';



COMMENT ON COLUMN agentdb.policy.audit_retention IS 'How long audit_log is kept; the longest of all policies counts.';



CREATE FUNCTION agentdb._is_expired(day date) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN (day < (((clock_timestamp() AT TIME ZONE 'UTC'::text))::date - (SELECT max(p.audit_retention) AS max FROM agentdb.policy p)));



COMMENT ON FUNCTION agentdb._is_expired(day date) IS 'Whether the rows of a UTC day are past policy.audit_retention.';



CREATE FUNCTION agentdb._root(former bytea, day date, snapshot pg_snapshot, rows bigint, digest bytea) RETURNS bytea
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "DateStyle" TO 'ISO, YMD'
    AS $$
  select sha256(coalesce(former, '\x') || convert_to(
    concat_ws(' ', day, snapshot, rows), 'UTF8') || digest);
$$;



COMMENT ON FUNCTION agentdb._root(former bytea, day date, snapshot pg_snapshot, rows bigint, digest bytea) IS 'The root of a seal: the hash of the root before it and of what it seals.';



CREATE FUNCTION agentdb._sealed_rows(after pg_snapshot, upto pg_snapshot) RETURNS TABLE(day date, rows bigint, digest bytea)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET extra_float_digits TO '1'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'postgres'
    SET bytea_output TO 'hex'
    AS $$
  select l.recorded_at::date, count(*), sha256(string_agg(
    sha256(convert_to(row(
      l.audit_log_id, l.recorded_at, l.transaction_at, l.xid, l.statement,
      l.audit_target_id, l.operation, l.row_key, l.old_values, l.new_values,
      l.session_role, l.agent_id, l.run_id, l.change_id, l.application_name,
      l.client_addr
    )::text, 'UTF8')), '' order by l.audit_log_id))
  from agentdb.audit_log as l
  where l.xid >= coalesce(pg_snapshot_xmin(after), '0')
    and l.xid < pg_snapshot_xmax(upto)
    and pg_visible_in_snapshot(l.xid, upto)
    and not coalesce(pg_visible_in_snapshot(l.xid, after), false)
  group by l.recorded_at::date;
$$;



COMMENT ON FUNCTION agentdb._sealed_rows(after pg_snapshot, upto pg_snapshot) IS 'Hashes of what became visible in audit_log from one snapshot to another, a UTC day each.';



CREATE TABLE agentdb.seal (
    seal_id bigint NOT NULL,
    day date NOT NULL,
    snapshot pg_snapshot NOT NULL,
    rows bigint NOT NULL,
    digest bytea NOT NULL,
    root bytea NOT NULL,
    sealed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);



COMMENT ON TABLE agentdb.seal IS 'Chained hashes of what became visible in audit_log from one seal to the next, a row a UTC day.';



CREATE FUNCTION agentdb._broken_seal() RETURNS TABLE(seal_id bigint, day date, sealed_at timestamp with time zone, problem text)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 WITH batch AS (
          SELECT s.seal_id,
             (min((s.snapshot)::text))::pg_snapshot AS snapshot,
             min(s.sealed_at) AS sealed_at
            FROM agentdb.seal s
           GROUP BY s.seal_id
         ), span AS (
          SELECT b.seal_id,
             b.snapshot,
             b.sealed_at,
             lag(b.snapshot) OVER (ORDER BY b.seal_id) AS after,
             lag(b.seal_id) OVER (ORDER BY b.seal_id) AS former_id
            FROM batch b
         ), chain AS (
          SELECT s.seal_id,
             s.day,
             s.snapshot,
             s.rows,
             s.digest,
             s.root,
             s.sealed_at,
             lag(s.root) OVER (ORDER BY s.seal_id, s.day) AS former
            FROM agentdb.seal s
         ), found AS (
          SELECT p_1.seal_id,
             p_1.sealed_at AS batch_sealed_at,
             d.day,
             d.rows,
             d.digest
            FROM (span p_1
              CROSS JOIN LATERAL agentdb._sealed_rows(p_1.after, p_1.snapshot) d(day, rows, digest))
         )
  SELECT COALESCE(c.seal_id, f.seal_id) AS "coalesce",
     COALESCE(c.day, f.day) AS "coalesce",
     COALESCE(c.sealed_at, f.batch_sealed_at) AS "coalesce",
         CASE
             WHEN (c.seal_id IS NULL) THEN format('%s rows of the day were added'::text, f.rows)
             WHEN (f.seal_id IS NULL) THEN format('all %s rows are gone'::text, c.rows)
             WHEN (f.rows <> c.rows) THEN format('%s rows were sealed, %s are there'::text, c.rows, f.rows)
             WHEN (f.digest <> c.digest) THEN format('at least one of %s rows was changed'::text, c.rows)
             WHEN (p.former_id IS DISTINCT FROM NULLIF((c.seal_id - 1), 0)) THEN 'the seal before it is gone'::text
             ELSE 'the seal itself or one before it was changed'::text
         END AS "case"
    FROM ((chain c
      FULL JOIN found f ON (((f.seal_id = c.seal_id) AND (f.day = c.day))))
      LEFT JOIN span p ON ((p.seal_id = c.seal_id)))
   WHERE ((c.seal_id IS NULL) OR ((f.seal_id IS NULL) AND (NOT agentdb._is_expired(c.day))) OR ((f.rows <> c.rows) AND (NOT agentdb._is_expired(c.day))) OR ((f.digest <> c.digest) AND (NOT agentdb._is_expired(c.day))) OR (p.former_id IS DISTINCT FROM NULLIF((c.seal_id - 1), 0)) OR (c.root <> agentdb._root(c.former, c.day, c.snapshot, c.rows, c.digest)))
   ORDER BY COALESCE(c.seal_id, f.seal_id), COALESCE(c.day, f.day);
END;



COMMENT ON FUNCTION agentdb._broken_seal() IS 'Seals that their rows, or the chain, do not agree with, the first one first.';



CREATE TABLE agentdb.budget_override (
    agent_id bigint NOT NULL,
    scope text NOT NULL,
    max_tokens bigint,
    max_cost double precision,
    CONSTRAINT budget_override_max_cost_check CHECK (((max_cost >= (0)::double precision) AND (max_cost <= (1000000000)::double precision))),
    CONSTRAINT budget_override_max_tokens_check CHECK ((max_tokens >= 0)),
    CONSTRAINT budget_override_scope_check CHECK ((scope = ANY (ARRAY['agent_day'::text, 'conversation'::text, 'run'::text])))
);



COMMENT ON TABLE agentdb.budget_override IS 'Budgets of single agents, in place of their policy''s; NULL is no limit.';



CREATE FUNCTION agentdb._budget_limit(agent bigint) RETURNS TABLE(scope text, max_tokens bigint, max_cost double precision)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT l.scope,
         CASE
             WHEN (o.agent_id IS NULL) THEN l.max_tokens
             ELSE o.max_tokens
         END AS max_tokens,
         CASE
             WHEN (o.agent_id IS NULL) THEN l.max_cost
             ELSE o.max_cost
         END AS max_cost
    FROM (((agentdb.agent a
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      CROSS JOIN LATERAL ( VALUES ('agent_day'::text,p.agent_day_budget_tokens,p.agent_day_budget_cost), ('conversation'::text,p.conversation_budget_tokens,p.conversation_budget_cost), ('run'::text,p.run_budget_tokens,p.run_budget_cost)) l(scope, max_tokens, max_cost))
      LEFT JOIN agentdb.budget_override o ON (((o.agent_id = a.agent_id) AND (o.scope = l.scope))))
   WHERE (a.agent_id = _budget_limit.agent);
END;



COMMENT ON FUNCTION agentdb._budget_limit(agent bigint) IS 'The budgets of an agent: its own where budget_override has them, else its policy''s.';



CREATE TABLE agentdb.roll_up_state (
    only_row boolean DEFAULT true NOT NULL,
    horizon xid8 NOT NULL,
    rolled_at timestamp with time zone NOT NULL,
    stop_passed bigint DEFAULT 0 NOT NULL,
    CONSTRAINT roll_up_state_only_row_check CHECK (only_row)
);



COMMENT ON TABLE agentdb.roll_up_state IS 'The transaction below which the roll-ups have counted everything.';



CREATE FUNCTION agentdb._horizon() RETURNS xid8
    LANGUAGE sql STABLE
    RETURN (SELECT s.horizon FROM agentdb.roll_up_state s);



COMMENT ON FUNCTION agentdb._horizon() IS 'The transaction below which every event is counted in the roll-ups.';



CREATE TABLE agentdb.token_reservation (
    token_reservation_id bigint NOT NULL,
    run_id bigint NOT NULL,
    agent_id bigint NOT NULL,
    conversation text NOT NULL,
    tokens bigint NOT NULL,
    prompt_tokens bigint NOT NULL,
    reserved_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    settled_at timestamp with time zone,
    CONSTRAINT token_reservation_tokens_check CHECK (((tokens > 0) AND ((prompt_tokens >= 0) AND (prompt_tokens <= tokens))))
);



COMMENT ON TABLE agentdb.token_reservation IS 'Tokens set aside before a prompt: until settled, or until they expire.';



CREATE FUNCTION agentdb._reserved(run bigint, agent bigint, conversation text) RETURNS TABLE(scope text, tokens bigint)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT s.scope,
     (sum(v.tokens))::bigint AS sum
    FROM (agentdb.token_reservation v
      CROSS JOIN LATERAL ( VALUES ('agent_day'::text,true), ('conversation'::text,(v.conversation = _reserved.conversation)), ('run'::text,(v.run_id = _reserved.run))) s(scope, counts))
   WHERE ((v.agent_id = _reserved.agent) AND (v.settled_at IS NULL) AND (v.expires_at > clock_timestamp()) AND s.counts)
   GROUP BY s.scope;
END;



COMMENT ON FUNCTION agentdb._reserved(run bigint, agent bigint, conversation text) IS 'What is set aside in a run, its conversation and by its agent.';



CREATE TABLE agentdb.run (
    run_id bigint NOT NULL,
    agent_id bigint NOT NULL,
    role_name name NOT NULL,
    pooled boolean NOT NULL,
    conversation text NOT NULL,
    purpose text,
    tick_interval interval,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ended_at timestamp with time zone,
    outcome text,
    summary text,
    held_until_at timestamp with time zone,
    hold_reason text,
    stop_seen bigint,
    label text NOT NULL,
    lock_max_ttl interval NOT NULL,
    renew_needs_progress boolean NOT NULL,
    CONSTRAINT run_ended_at_check CHECK (((ended_at IS NULL) = (outcome IS NULL))),
    CONSTRAINT run_outcome_check CHECK ((outcome = ANY (ARRAY['succeeded'::text, 'failed'::text, 'cancelled'::text, 'abandoned'::text, 'killed'::text]))),
    CONSTRAINT run_tick_interval_check CHECK ((tick_interval > '00:00:00'::interval))
);



COMMENT ON TABLE agentdb.run IS 'One tick or session of an agent; what it says of its outcome is a claim.';



COMMENT ON COLUMN agentdb.run.stop_seen IS 'The number of the last stop, which was not this run''s; NULL where that is not known, or its role had other open runs.';



COMMENT ON COLUMN agentdb.run.label IS 'What people are told of it where it holds a lock.';



COMMENT ON COLUMN agentdb.run.lock_max_ttl IS 'As in the policy of its agent, see run_limit.sql.';



COMMENT ON COLUMN agentdb.run.renew_needs_progress IS 'As in the policy of its agent, see run_limit.sql.';



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
    cost numeric DEFAULT 0 NOT NULL,
    evidence_at timestamp with time zone,
    calls_since bigint DEFAULT 0 NOT NULL,
    model_calls_since bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='70');



COMMENT ON TABLE agentdb.run_activity IS 'What the logs of a run add up to below roll_up_state.horizon.';



COMMENT ON COLUMN agentdb.run_activity.evidence_at IS 'The last step that was new in the run, or audited write.';



COMMENT ON COLUMN agentdb.run_activity.calls_since IS 'Tool calls since then.';



COMMENT ON COLUMN agentdb.run_activity.model_calls_since IS 'Model calls since then and since the last tool call.';



CREATE TABLE agentdb.token_half_hour (
    agent_id bigint NOT NULL,
    half_hour_at timestamp with time zone NOT NULL,
    input_tokens bigint NOT NULL,
    cached_input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cost numeric NOT NULL
)
WITH (fillfactor='70');



COMMENT ON TABLE agentdb.token_half_hour IS 'Tokens of each agent in half an hour, the history that normal is made of.';



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
    CONSTRAINT token_log_amounts_check CHECK ((LEAST((input_tokens)::numeric, (cached_input_tokens)::numeric, (output_tokens)::numeric, (reasoning_tokens)::numeric, cost) >= (0)::numeric))
)
PARTITION BY RANGE (recorded_at);



COMMENT ON TABLE agentdb.token_log IS 'Tokens of each model call; append-only, a partition a UTC day.';



CREATE FUNCTION agentdb._spent(run bigint, agent bigint, conversation text) RETURNS TABLE(scope text, tokens bigint, cost numeric)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 WITH member AS (
          SELECT r.run_id
            FROM agentdb.run r
           WHERE ((r.agent_id = _spent.agent) AND (r.conversation = _spent.conversation))
         ), today(since) AS (
          SELECT (date_trunc('day'::text, (clock_timestamp() AT TIME ZONE 'UTC'::text)) AT TIME ZONE 'UTC'::text) AS timezone
         ), tail AS MATERIALIZED (
          SELECT t.run_id,
             t.recorded_at,
             t.cost,
             ((t.input_tokens + t.cached_input_tokens) + t.output_tokens) AS tokens
            FROM agentdb.token_log t
           WHERE ((t.xid >= agentdb._horizon()) AND (t.agent_id = _spent.agent))
         ), part(scope, tokens, cost) AS (
          SELECT 'run'::text AS "?column?",
             ((a.input_tokens + a.cached_input_tokens) + a.output_tokens) AS "?column?",
             a.cost
            FROM agentdb.run_activity a
           WHERE (a.run_id = _spent.run)
         UNION ALL
          SELECT 'run'::text,
             t.tokens,
             t.cost
            FROM tail t
           WHERE (t.run_id = _spent.run)
         UNION ALL
          SELECT 'conversation'::text,
             ((a.input_tokens + a.cached_input_tokens) + a.output_tokens),
             a.cost
            FROM agentdb.run_activity a
           WHERE (a.run_id IN ( SELECT m.run_id
                    FROM member m))
         UNION ALL
          SELECT 'conversation'::text,
             t.tokens,
             t.cost
            FROM tail t
           WHERE (t.run_id IN ( SELECT m.run_id
                    FROM member m))
         UNION ALL
          SELECT 'agent_day'::text,
             ((h.input_tokens + h.cached_input_tokens) + h.output_tokens),
             h.cost
            FROM (today d
              JOIN agentdb.token_half_hour h ON (((h.agent_id = _spent.agent) AND (h.half_hour_at >= d.since))))
         UNION ALL
          SELECT 'agent_day'::text,
             t.tokens,
             t.cost
            FROM (today d
              JOIN tail t ON ((t.recorded_at >= d.since)))
         )
  SELECT p.scope,
     (sum(p.tokens))::bigint AS sum,
     sum(p.cost) AS sum
    FROM part p
   GROUP BY p.scope;
END;



COMMENT ON FUNCTION agentdb._spent(run bigint, agent bigint, conversation text) IS 'What a run, its conversation and its agent today have spent, to the last committed event.';



CREATE FUNCTION agentdb._budget(run bigint, agent bigint, conversation text) RETURNS TABLE(scope text, max_tokens bigint, spent bigint, reserved bigint, tokens_left bigint, max_cost double precision, cost numeric)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT l.scope,
     l.max_tokens,
     COALESCE(s.tokens, (0)::bigint) AS "coalesce",
     COALESCE(v.tokens, (0)::bigint) AS "coalesce",
     GREATEST((0)::bigint, ((l.max_tokens - COALESCE(s.tokens, (0)::bigint)) - COALESCE(v.tokens, (0)::bigint))) AS "greatest",
     l.max_cost,
     COALESCE(s.cost, (0)::numeric) AS "coalesce"
    FROM ((agentdb._budget_limit(_budget.agent) l(scope, max_tokens, max_cost)
      LEFT JOIN agentdb._spent(_budget.run, _budget.agent, _budget.conversation) s(scope, tokens, cost) ON ((s.scope = l.scope)))
      LEFT JOIN agentdb._reserved(_budget.run, _budget.agent, _budget.conversation) v(scope, tokens) ON ((v.scope = l.scope)));
END;



COMMENT ON FUNCTION agentdb._budget(run bigint, agent bigint, conversation text) IS 'Each budget that a run is under: its limit, what is spent, reserved and left.';



CREATE FUNCTION agentdb._budget_advice(scope text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN CASE scope WHEN 'conversation'::text THEN 'Begin a new conversation with a summary of this one, or read less: grep or head before whole files.'::text WHEN 'run'::text THEN 'End this run; what is left is for another.'::text ELSE 'The agent''s budget of the day is used up: end the run and go on tomorrow, or have it raised: select * from agentdb.ask_human(question => ''…'');'::text END;



COMMENT ON FUNCTION agentdb._budget_advice(scope text) IS 'What to do when a budget does not suffice.';



CREATE FUNCTION agentdb._open_run(as_of timestamp with time zone) RETURNS TABLE(run_id bigint, agent_id bigint, conversation text, tick_interval interval, started_at timestamp with time zone, held_until_at timestamp with time zone, hold_reason text)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT r.run_id,
     r.agent_id,
     r.conversation,
     r.tick_interval,
     r.started_at,
     r.held_until_at,
     r.hold_reason
    FROM agentdb.run r
   WHERE ((r.ended_at IS NULL) AND (r.started_at <= _open_run.as_of))
 UNION ALL
  SELECT r.run_id,
     r.agent_id,
     r.conversation,
     r.tick_interval,
     r.started_at,
     r.held_until_at,
     r.hold_reason
    FROM agentdb.run r
   WHERE ((r.ended_at > _open_run.as_of) AND (r.started_at <= _open_run.as_of));
END;



COMMENT ON FUNCTION agentdb._open_run(as_of timestamp with time zone) IS 'The runs that were open at a moment.';



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



CREATE FUNCTION agentdb._budget_in_use(as_of timestamp with time zone) RETURNS TABLE(agent_id bigint, scope text, conversation text, run_id bigint)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT DISTINCT r.agent_id,
     'agent_day'::text,
     NULL::text AS text,
     NULL::bigint AS int8
    FROM agentdb._recent_run(_budget_in_use.as_of) r(run_id, agent_id, conversation)
 UNION ALL
  SELECT DISTINCT r.agent_id,
     'conversation'::text,
     r.conversation,
     NULL::bigint AS int8
    FROM agentdb._recent_run(_budget_in_use.as_of) r(run_id, agent_id, conversation)
 UNION ALL
  SELECT r.agent_id,
     'run'::text,
     r.conversation,
     r.run_id
    FROM agentdb._open_run(_budget_in_use.as_of) r(run_id, agent_id, conversation, tick_interval, started_at, held_until_at, hold_reason);
END;



COMMENT ON FUNCTION agentdb._budget_in_use(as_of timestamp with time zone) IS 'The budgets that runs recent at a moment are under.';



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



CREATE FUNCTION agentdb._call_in_flight(as_of timestamp with time zone) RETURNS TABLE(run_id bigint, call_id text, tool text, began_at timestamp with time zone)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT c.run_id,
     c.call_id,
     c.tool,
     c.began_at
    FROM agentdb.tool_call c
   WHERE ((c.ended_at IS NULL) AND (c.began_at <= _call_in_flight.as_of))
 UNION ALL
  SELECT c.run_id,
     c.call_id,
     c.tool,
     c.began_at
    FROM agentdb.tool_call c
   WHERE ((_call_in_flight.as_of < statement_timestamp()) AND (c.ended_at > _call_in_flight.as_of) AND (c.began_at <= _call_in_flight.as_of));
END;



COMMENT ON FUNCTION agentdb._call_in_flight(as_of timestamp with time zone) IS 'The tool calls that had begun and not ended at a moment.';



CREATE FUNCTION agentdb._signature(value text, volatile text[]) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_text text := value;
  v_rest bigint := 0;
  v_pattern text;
begin
  if length(value) > 4000 then
    v_text := left(value, 2000) || ' ' || right(value, 2000);
    v_rest := hashtextextended(substr(value, 2001, length(value) - 4000), 0);
  end if;
  -- Most of it has digits, or is what an id is called.
  if v_text !~ '[0-9]|[iI][dD]|[kK][eE][yY]|[nN]on' then
    return hashtextextended(v_text, v_rest);
  end if;
  -- One after the other: as one pattern they take three times as long.
  foreach v_pattern in array volatile loop
    v_text := regexp_replace(v_text collate "C", v_pattern, '#', 'gi');
  end loop;
  return hashtextextended(v_text, v_rest);
end;
$$;



COMMENT ON FUNCTION agentdb._signature(value text, volatile text[]) IS 'Hash of a text without what matches any of the patterns.';



CREATE FUNCTION agentdb._call_signature(tool text, args jsonb) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN agentdb._signature(concat_ws(' '::text, tool, (args)::text), ARRAY['"(request|req|trace|span|correlation|idempotency)[_-]?(id|key)": ("[^"]*"|\d+)'::text, '"(timestamp|ts|nonce|now|attempts?|retry|retries|try|iteration|request_?at)": ("[^"]*"|[\d.]+)'::text]);



COMMENT ON FUNCTION agentdb._call_signature(tool text, args jsonb) IS 'The same for the same call: tool and arguments without request ids and counters.';



CREATE FUNCTION agentdb._volatile() RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ARRAY['\m[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\M'::text, '\m[0-9a-f]{16,}\M'::text, '\m(request|req|trace|span|correlation)[_-]?id["'' :=]+[\w.-]+'::text, '(\d{4}-\d\d-\d\d[t ])?\d\d:\d\d:\d\d([.,]\d+)?(z| ?[-+]\d\d:?\d\d)?'::text, '\d{4}-\d\d-\d\d[t ]\d\d:\d\dz?'::text, '\m1\d{9}(\.\d+|\d{3})?\M'::text, '\m\d+([.,]\d+)? ?(ns|us|ms|s|secs?|seconds?)\M'::text, '\m(attempts?|retry|retries|tries|try|iteration)["'' :=#_-]*\d+'::text];



COMMENT ON FUNCTION agentdb._volatile() IS 'Patterns of what differs between two results that say the same.';



CREATE FUNCTION agentdb._step_signature(step text) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN agentdb._signature(step, agentdb._volatile());



COMMENT ON FUNCTION agentdb._step_signature(step text) IS 'The same for steps that say the same, whatever the attempt or the time in them.';



CREATE TABLE agentdb.audit_log (
    audit_log_id bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    transaction_at timestamp with time zone DEFAULT transaction_timestamp() NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    statement bigint NOT NULL,
    audit_target_id integer NOT NULL,
    operation text NOT NULL,
    row_key jsonb,
    old_values jsonb,
    new_values jsonb,
    session_role text NOT NULL,
    agent_id bigint,
    run_id bigint,
    change_id bigint,
    application_name text,
    client_addr inet,
    CONSTRAINT audit_log_operation_check CHECK ((operation = ANY (ARRAY['insert'::text, 'update'::text, 'delete'::text, 'truncate'::text])))
)
PARTITION BY RANGE (recorded_at);



COMMENT ON TABLE agentdb.audit_log IS 'Every audited row that changed, what it was and who changed it; append-only, a partition a UTC day.';



COMMENT ON COLUMN agentdb.audit_log.old_values IS 'Only the changed columns of an update; (old_values ->> column)::type gives back a value exactly.';



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



CREATE FUNCTION agentdb._evidence_in_logs(run bigint, since timestamp with time zone, as_of timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    RETURN GREATEST((SELECT max(f.at) AS max FROM (SELECT min(p.recorded_at) AS at FROM agentdb.progress_log p WHERE ((p.run_id = _evidence_in_logs.run) AND ((p.recorded_at >= _evidence_in_logs.since) AND (p.recorded_at <= _evidence_in_logs.as_of))) GROUP BY (agentdb._step_signature(p.step))) f), (SELECT max(l.recorded_at) AS max FROM agentdb.audit_log l WHERE ((l.run_id = _evidence_in_logs.run) AND ((l.recorded_at >= _evidence_in_logs.since) AND (l.recorded_at <= _evidence_in_logs.as_of)))));



COMMENT ON FUNCTION agentdb._evidence_in_logs(run bigint, since timestamp with time zone, as_of timestamp with time zone) IS 'The last evidence of a run before a moment of the past, from the logs themselves.';



CREATE TABLE agentdb.run_step (
    run_id bigint NOT NULL,
    step_signature bigint NOT NULL
);



COMMENT ON TABLE agentdb.run_step IS 'Which steps a run has logged, so that a label repeated is no progress.';



CREATE FUNCTION agentdb._new_step(low xid8, high xid8, as_of timestamp with time zone) RETURNS TABLE(run_id bigint, step_signature bigint, at timestamp with time zone)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT s.run_id,
     s.step_signature,
     s.at
    FROM ( SELECT l.run_id,
             agentdb._step_signature(l.step) AS step_signature,
             min(l.recorded_at) AS at
            FROM ( SELECT p.run_id,
                     p.step,
                     p.recorded_at,
                     row_number() OVER (PARTITION BY p.run_id ORDER BY p.progress_log_id DESC) AS place
                    FROM agentdb.progress_log p
                   WHERE ((p.xid >= _new_step.low) AND (p.xid < _new_step.high) AND (p.recorded_at <= _new_step.as_of))) l
           WHERE (l.place <= 1000)
           GROUP BY l.run_id, (agentdb._step_signature(l.step))) s
   WHERE (NOT (EXISTS ( SELECT
            FROM agentdb.run_step k
           WHERE ((k.run_id = s.run_id) AND (k.step_signature = s.step_signature)))));
END;



COMMENT ON FUNCTION agentdb._new_step(low xid8, high xid8, as_of timestamp with time zone) IS 'The steps of a range of transactions that are new in their run, and when each was logged first.';



CREATE FUNCTION agentdb._evidence_tail(as_of timestamp with time zone) RETURNS TABLE(run_id bigint, at timestamp with time zone)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT n.run_id,
     n.at
    FROM agentdb._new_step(agentdb._horizon(), '18446744073709551615'::xid8, _evidence_tail.as_of) n(run_id, step_signature, at)
 UNION ALL
  SELECT l.run_id,
     max(l.recorded_at) AS max
    FROM agentdb.audit_log l
   WHERE ((l.xid >= agentdb._horizon()) AND (l.recorded_at <= _evidence_tail.as_of) AND (l.run_id IS NOT NULL))
   GROUP BY l.run_id;
END;



COMMENT ON FUNCTION agentdb._evidence_tail(as_of timestamp with time zone) IS 'Evidence above the horizon of the roll-up, up to a moment.';



CREATE TABLE agentdb.run_stop (
    run_id bigint NOT NULL,
    kind text NOT NULL,
    reason text NOT NULL,
    stopped_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    stopped_by name DEFAULT SESSION_USER NOT NULL,
    drained_at timestamp with time zone,
    CONSTRAINT run_stop_kind_check CHECK ((kind = ANY (ARRAY['paused'::text, 'killed'::text])))
);



COMMENT ON TABLE agentdb.run_stop IS 'Runs that were stopped: paused until resumed, or killed for good.';



CREATE FUNCTION agentdb._is_paused(run bigint, as_of timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN (EXISTS (SELECT FROM agentdb.run_stop s WHERE ((s.run_id = _is_paused.run) AND (s.stopped_at <= _is_paused.as_of))));



COMMENT ON FUNCTION agentdb._is_paused(run bigint, as_of timestamp with time zone) IS 'Tells whether a run had been stopped by a moment.';



CREATE TABLE agentdb.question (
    question_id bigint NOT NULL,
    run_id bigint NOT NULL,
    agent_id bigint NOT NULL,
    question text NOT NULL,
    options text[],
    urgency text NOT NULL,
    asked_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    answer text,
    comment text,
    answered_by name,
    answered_at timestamp with time zone,
    CONSTRAINT question_answer_check CHECK ((((answer IS NULL) = (answered_at IS NULL)) AND ((answer IS NULL) = (answered_by IS NULL)))),
    CONSTRAINT question_urgency_check CHECK ((urgency = ANY (ARRAY['low'::text, 'normal'::text, 'high'::text])))
);



COMMENT ON TABLE agentdb.question IS 'What agents asked people, and what these answered.';



CREATE FUNCTION agentdb._working_run(as_of timestamp with time zone) RETURNS TABLE(run_id bigint, agent_id bigint, since timestamp with time zone)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT r.run_id,
     r.agent_id,
     GREATEST(r.started_at, r.held_until_at, t.at, q.answered_at,
         CASE
             WHEN (a.evidence_at > _working_run.as_of) THEN agentdb._evidence_in_logs(r.run_id, r.started_at, _working_run.as_of)
             ELSE a.evidence_at
         END) AS "greatest"
    FROM (((agentdb._open_run(_working_run.as_of) r(run_id, agent_id, conversation, tick_interval, started_at, held_until_at, hold_reason)
      LEFT JOIN agentdb.run_activity a ON ((a.run_id = r.run_id)))
      LEFT JOIN ( SELECT e.run_id,
             max(e.at) AS at
            FROM agentdb._evidence_tail(_working_run.as_of) e(run_id, at)
           GROUP BY e.run_id) t ON ((t.run_id = r.run_id)))
      LEFT JOIN LATERAL ( SELECT max(o.answered_at) FILTER (WHERE (o.answered_at <= _working_run.as_of)) AS answered_at,
             min(o.asked_at) FILTER (WHERE COALESCE((o.answered_at > _working_run.as_of), true)) AS asked_at
            FROM agentdb.question o
           WHERE ((o.run_id = r.run_id) AND (o.asked_at <= _working_run.as_of))) q ON (true))
   WHERE (COALESCE(((q.asked_at + ( SELECT p.max_question_wait
            FROM (agentdb.agent g
              JOIN agentdb.policy p ON ((p.policy_name = g.policy_name)))
           WHERE (g.agent_id = r.agent_id))) <= _working_run.as_of), true) AND ((r.held_until_at IS NULL) OR (r.held_until_at < _working_run.as_of)) AND (NOT agentdb._is_paused(r.run_id, _working_run.as_of)));
END;



COMMENT ON FUNCTION agentdb._working_run(as_of timestamp with time zone) IS 'The runs that ought to get somewhere at a moment, and since when nothing shows that they did.';



CREATE TABLE agentdb.tool (
    tool_name text NOT NULL,
    effect boolean DEFAULT false NOT NULL,
    poll boolean DEFAULT false NOT NULL,
    longest interval,
    server text,
    input_schema jsonb,
    writes jsonb,
    registered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT tool_longest_check CHECK (((longest > '00:00:00'::interval) AND (longest <= '100 years'::interval))),
    CONSTRAINT tool_writes_check CHECK ((jsonb_typeof(writes) = 'array'::text))
);



COMMENT ON TABLE agentdb.tool IS 'What is known of tools by name, so that rules judge their calls rightly.';



COMMENT ON COLUMN agentdb.tool.effect IS 'Whether each call with other arguments does something else, such as sending a mail.';



COMMENT ON COLUMN agentdb.tool.poll IS 'Whether asking again and again is its job.';



COMMENT ON COLUMN agentdb.tool.longest IS 'How long a call may take: until then a run that waits for it is not stuck.';



COMMENT ON COLUMN agentdb.tool.server IS 'Where it runs, such as the name of an MCP server.';



COMMENT ON COLUMN agentdb.tool.input_schema IS 'JSON Schema of its arguments; calls that break it are faulty.';



COMMENT ON COLUMN agentdb.tool.writes IS 'What it does to tables: [{"table": …, "operation": …}]; without operation any.';



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
    call_signature bigint,
    shape_signature bigint,
    result_signature bigint,
    CONSTRAINT tool_call_log_result_size_check CHECK ((result_size >= 0))
)
PARTITION BY RANGE (recorded_at);



COMMENT ON TABLE agentdb.tool_call_log IS 'Finished tool calls; append-only, a partition a UTC day.';



COMMENT ON COLUMN agentdb.tool_call_log.call_signature IS 'Hash of tool and arguments without request ids and counters.';



COMMENT ON COLUMN agentdb.tool_call_log.shape_signature IS 'Hash of tool and arguments without anything volatile and without numbers.';



COMMENT ON COLUMN agentdb.tool_call_log.result_signature IS 'Hash of what the call returned without what is volatile; NULL where nobody told.';



CREATE FUNCTION agentdb._call_since(as_of timestamp with time zone) RETURNS TABLE(run_id bigint, policy_name text, tool_call_log_id bigint, place bigint, tool text, recorded_at timestamp with time zone, ok boolean, call bigint, shape bigint, result bigint, known boolean, large boolean, poll boolean, effect boolean)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 WITH tail AS (
          SELECT l_1.run_id,
             count(*) AS calls
            FROM agentdb.tool_call_log l_1
           WHERE (l_1.xid >= agentdb._horizon())
           GROUP BY l_1.run_id
         )
  SELECT w.run_id,
     p.policy_name,
     l.tool_call_log_id,
     l.place,
     l.tool,
     l.recorded_at,
     l.ok,
     l.call_signature,
     l.shape_signature,
     COALESCE(l.result_signature, l.result_size, ('-1'::integer)::bigint) AS "coalesce",
     (l.result_signature IS NOT NULL),
     (l.ok AND (COALESCE(l.result_size, (0)::bigint) >= p.silent_loop_result_size)),
     COALESCE(t.poll, false) AS "coalesce",
     COALESCE(t.effect, false) AS "coalesce"
    FROM ((((((agentdb._working_run(_call_since.as_of) w(run_id, agent_id, since)
      JOIN agentdb.agent a ON ((a.agent_id = w.agent_id)))
      JOIN agentdb.policy p ON (((p.policy_name = a.policy_name) AND (p.silent_loop_window IS NOT NULL))))
      LEFT JOIN agentdb.run_activity v ON ((v.run_id = w.run_id)))
      LEFT JOIN tail n ON ((n.run_id = w.run_id)))
      CROSS JOIN LATERAL ( SELECT c.tool_call_log_id,
             c.recorded_at,
             c.tool,
             c.ok,
             c.result_size,
             c.call_signature,
             c.shape_signature,
             c.result_signature,
             row_number() OVER (ORDER BY c.tool_call_log_id DESC) AS place
            FROM agentdb.tool_call_log c
           WHERE ((c.run_id = w.run_id) AND (c.recorded_at > (_call_since.as_of - p.silent_loop_window)) AND (c.recorded_at <= _call_since.as_of))
           ORDER BY c.tool_call_log_id DESC
          LIMIT p.silent_loop_calls) l)
      LEFT JOIN agentdb.tool t ON ((t.tool_name = l.tool)))
   WHERE ((((COALESCE(v.calls_since, (0)::bigint) + COALESCE(n.calls, (0)::bigint)) >= LEAST(p.silent_loop_same, p.silent_loop_failures)) OR (GREATEST(v.last_tool_call_at, v.evidence_at) > _call_since.as_of)) AND (l.recorded_at > w.since));
END;



COMMENT ON FUNCTION agentdb._call_since(as_of timestamp with time zone) IS 'The calls of each working run since its last evidence, place 1 the latest, where they are enough to be a loop.';



CREATE FUNCTION agentdb._one_line(value text, max_length integer) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN translate(agentdb._clean_text(value, max_length), '	
'::text, '  '::text);



COMMENT ON FUNCTION agentdb._one_line(value text, max_length integer) IS 'A text without what could deceive a reader or begin another line.';



CREATE FUNCTION agentdb._is_typeable(value text) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    RETURN (value = agentdb._one_line(value, 300));



COMMENT ON FUNCTION agentdb._is_typeable(value text) IS 'Whether a text is whole, on one line, and all of it is seen.';



CREATE FUNCTION agentdb._diagnosis_lines(diagnosis jsonb) RETURNS TABLE(line text, place bigint)
    LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC
 SELECT l.line,
     ((f.place * 2) + l.place)
    FROM (jsonb_array_elements(
         CASE jsonb_typeof(_diagnosis_lines.diagnosis)
             WHEN 'array'::text THEN _diagnosis_lines.diagnosis
             ELSE '[]'::jsonb
         END) WITH ORDINALITY f(item, place)
      CROSS JOIN LATERAL ( VALUES (agentdb._one_line(concat_ws(': '::text, (f.item ->> 'path'::text), COALESCE((f.item ->> 'detail'::text), (f.item ->> 'problem'::text), (f.item ->> 'verdict'::text))), 300),0), (
                 CASE
                     WHEN agentdb._is_typeable((f.item ->> 'mend'::text)) THEN ('fix: '::text || (f.item ->> 'mend'::text))
                     ELSE NULL::text
                 END,1)) l(line, place))
   WHERE ((l.line <> ''::text) AND (((f.item ->> 'verdict'::text) IS DISTINCT FROM 'ok'::text) OR (NOT jsonb_path_exists(_diagnosis_lines.diagnosis, '$[*]?(@."verdict" != "ok" || exists (@."problem"))'::jsonpath))));
END;



COMMENT ON FUNCTION agentdb._diagnosis_lines(diagnosis jsonb) IS 'A diagnosis in words: what is missing, and the command or statement that gives it.';



CREATE FUNCTION agentdb._diagnosis_text(diagnosis jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN (SELECT string_agg(l.line, '
'::text ORDER BY l.place) AS string_agg FROM agentdb._diagnosis_lines(_diagnosis_text.diagnosis) l(line, place));



COMMENT ON FUNCTION agentdb._diagnosis_text(diagnosis jsonb) IS 'A diagnosis in words, NULL where nothing was found.';



CREATE TABLE agentdb.tool_diagnosis (
    run_id bigint NOT NULL,
    tool_call_log_id bigint NOT NULL,
    diagnosis jsonb NOT NULL,
    found_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);



COMMENT ON TABLE agentdb.tool_diagnosis IS 'What was found when somebody looked into a failed tool call.';



CREATE FUNCTION agentdb._call_told(run bigint, since timestamp with time zone) RETURNS TABLE(at timestamp with time zone, place bigint, what text, ok boolean, details jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT c.recorded_at,
     c.tool_call_log_id,
     concat(c.tool, (': '::text || agentdb._one_line(c.error, 10000)),
         CASE
             WHEN (d.diagnosis IS DISTINCT FROM lag(d.diagnosis) OVER (ORDER BY c.recorded_at, c.tool_call_log_id)) THEN ('
'::text || agentdb._diagnosis_text(d.diagnosis))
             ELSE NULL::text
         END) AS concat,
     c.ok,
     c.args
    FROM (agentdb.tool_call_log c
      LEFT JOIN agentdb.tool_diagnosis d ON (((d.run_id = c.run_id) AND (d.tool_call_log_id = c.tool_call_log_id))))
   WHERE ((c.run_id = _call_told.run) AND (c.recorded_at >= _call_told.since));
END;



COMMENT ON FUNCTION agentdb._call_told(run bigint, since timestamp with time zone) IS 'The tool calls of a run with their errors, and what was found out about them.';



CREATE FUNCTION agentdb._calls_of(annotations jsonb) RETURNS bigint[]
    LANGUAGE sql IMMUTABLE
    RETURN ARRAY(SELECT ((c.id)::text)::bigint AS id FROM jsonb_path_query(_calls_of.annotations, '$."calls"[*]'::jsonpath) c(id) WHERE ((c.id)::text ~ '^[0-9]{1,18}$'::text));



COMMENT ON FUNCTION agentdb._calls_of(annotations jsonb) IS 'The rows of tool_call_log that an alert''s annotations name.';



CREATE FUNCTION agentdb._cancel_reservations(run bigint) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_count bigint;
begin
  update agentdb.token_reservation as v
  set expires_at = clock_timestamp()
  where v.token_reservation_id in (
    select o.token_reservation_id
    from agentdb.token_reservation as o
    where o.run_id = run
      and o.settled_at is null
      and o.expires_at > clock_timestamp()
    for no key update skip locked
  );
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;



COMMENT ON FUNCTION agentdb._cancel_reservations(run bigint) IS 'Gives back what a run has set aside and returns how many reservations that were.';



CREATE FUNCTION agentdb._canonical_key(relation regclass, key jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $_$
declare
  v_target integer := agentdb._target_of(relation);
  v_columns text[];
  v_select text;
  v_key jsonb := _canonical_key.key;
begin
  select array_agg(c.column_name::text order by c.key_place),
         string_agg(format('($1 ->> %L)::%s as %I', c.column_name::text,
           format_type(a.atttypid, a.atttypmod), c.column_name),
           ', ' order by c.key_place)
    into v_columns, v_select
  from agentdb.audit_column as c
  join pg_attribute as a on a.attrelid = relation and a.attnum = c.place
  where c.audit_target_id = v_target and c.key_place is not null;
  if v_columns is null then
    perform agentdb._refuse_history(relation,
      'it has no primary key, so its rows have no names',
      format('select * from agentdb.audit where table_name = %L;',
        agentdb._table_name(relation)));
  elsif jsonb_typeof(v_key) <> 'object' and cardinality(v_columns) = 1 then
    v_key := jsonb_build_object(v_columns[1], v_key);
  end if;
  if v_key is null or not v_key ?& v_columns then
    perform agentdb._refuse(
      format('the key of %s is %s', agentdb._table_name(relation),
        array_to_string(v_columns, ', ')),
      'Give it as JSON: {"' || v_columns[1] || '": …}.');
  end if;
  execute format('select %s from (select %s) as o',
      agentdb._key_sql(v_target, 'o'), v_select)
    into v_key using v_key;
  return v_key;
end;
$_$;



COMMENT ON FUNCTION agentdb._canonical_key(relation regclass, key jsonb) IS 'The key of a row as audit_log has it; raises ZA004, ZA006 or ZA033.';



CREATE FUNCTION agentdb._capture_blast() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_max_rows integer;
begin
  if pg_has_role(session_user, 'agentdb_agent', 'member') then
    v_max_rows := agentdb._max_rows();
    if tg_op = 'INSERT' then
      perform from agentdb_new offset v_max_rows limit 1;
    else
      perform from agentdb_old offset v_max_rows limit 1;
    end if;
    if found and v_max_rows is not null then
      perform agentdb._refuse_blast(
        format('%I.%I', tg_table_schema, tg_table_name), v_max_rows);
    end if;
  end if;
  return null;
end;
$$;



COMMENT ON FUNCTION agentdb._capture_blast() IS 'Trigger function: refuses an agent''s statement over its limit, on a table that is audited by row.';



CREATE FUNCTION agentdb._capture_function(target integer) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_level text;
  v_text text := $capture$
#variable_conflict use_column
<<capture>>
declare
  v_now timestamptz := clock_timestamp();
  v_application text := current_setting('application_name');
  v_address inet := inet_client_addr();
  v_statement bigint;
  v_agent_id bigint;
  v_run_id bigint;
  v_change_id bigint;
  v_max_rows integer;
  v_same boolean;
  v_many boolean;
  v_old record;
  v_new record;
  v_old_values jsonb := '{}';
  v_new_values jsonb := '{}';
begin
{begin}
  v_statement := nextval('agentdb.audit_statement_seq');
  -- Only agents and changes have runs: tests that cost nothing spare all others the
  -- search.
  if pg_has_role(session_user, 'agentdb_agent', 'member')
    or current_setting('agentdb.applying', true) <> '' then
    select w.agent_id, w.run_id, w.change_id
      into capture.v_agent_id, capture.v_run_id, capture.v_change_id
    from agentdb._writer() as w;
  end if;
{blast}
{write}
  return null;
end;
$capture$;
begin
  select t.level into v_level
  from agentdb.audit_target as t where t.audit_target_id = target;
  v_text := replace(v_text, '{begin}', agentdb._begin_sql(target, v_level));
  v_text := replace(v_text, '{blast}', agentdb._blast_sql(target, v_level));
  return replace(v_text, '{write}', case v_level
    when 'row' then agentdb._row_write_sql(target)
    else agentdb._statement_write_sql(target) end);
end;
$_$;



COMMENT ON FUNCTION agentdb._capture_function(target integer) IS 'PL/pgSQL text: the body of the trigger function of an audited table.';



CREATE FUNCTION agentdb._capture_sql(target integer, operation text, context text, old_rows text DEFAULT 'agentdb_old'::text, new_rows text DEFAULT 'agentdb_new'::text) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_head text := format(
    'insert into agentdb.audit_log (recorded_at, statement, session_role, agent_id,
       run_id, change_id, application_name, client_addr, audit_target_id, operation,
       row_key, old_values, new_values)
     select %s, %s, ', context, target);
begin
  if operation = 'INSERT' then
    return v_head || format(E'''insert'', %s, null, %s\nfrom %s as n',
      agentdb._key_sql(target, 'n'), agentdb._row_sql(target, 'n'), new_rows);
  elsif operation = 'DELETE' then
    return v_head || format(E'''delete'', %s, %s, null\nfrom %s as o',
      agentdb._key_sql(target, 'o'), agentdb._row_sql(target, 'o'), old_rows);
  elsif agentdb._key_sql(target, 'n') = 'null::jsonb' then
    return v_head || agentdb._paired_sql(target, old_rows, new_rows);
  end if;
  return v_head || agentdb._joined_sql(target, old_rows, new_rows);
end;
$$;



COMMENT ON FUNCTION agentdb._capture_sql(target integer, operation text, context text, old_rows text, new_rows text) IS 'SQL text: writes what a statement changed into audit_log.';



CREATE FUNCTION agentdb._capture_truncate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET extra_float_digits TO '1'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'postgres'
    SET bytea_output TO 'hex'
    SET lc_monetary TO 'C'
    AS $_$
declare
  v_writer record;
begin
  if not has_schema_privilege(tg_table_schema, 'usage')
    or not has_table_privilege(tg_relid, 'select')
    or row_security_active(tg_relid) and not exists (
      select from pg_policy as y
      where y.polrelid = tg_relid
        and y.polcmd in ('r', '*')
        and y.polroles @> array['agentdb_capture'::regrole::oid]
      having bool_and(y.polpermissive)
        and bool_or(pg_get_expr(y.polqual, y.polrelid) = 'true')
    ) then
    raise exception 'truncate of audited %.% refused: its rows cannot be recorded',
        tg_table_schema, tg_table_name
      using errcode = 'ZA032',
            hint = format('Use DELETE; or let agentdb_capture read it: grant usage on '
              'schema %1$I to agentdb_capture; grant select on %1$I.%2$I to '
              'agentdb_capture; with row security also: create policy agentdb_audit '
              'on %1$I.%2$I for select to agentdb_capture using (true);',
              tg_table_schema, tg_table_name);
  end if;
  select w.* into v_writer from agentdb._writer() as w;
  execute agentdb._truncate_sql(tg_argv[0]::integer, tg_relid)
    using clock_timestamp(), nextval('agentdb.audit_statement_seq'), v_writer.agent_id,
      v_writer.run_id, v_writer.change_id, current_setting('application_name'),
      inet_client_addr();
  return null;
end;
$_$;



COMMENT ON FUNCTION agentdb._capture_truncate() IS 'Trigger function: records the rows that a TRUNCATE removes from an audited table.';



CREATE FUNCTION agentdb._change_digest(change bigint) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select encode(sha256(
      convert_to(concat_ws('|', c.change_id, c.kind, c.proposed_by, c.reason,
        (
          select string_agg(concat_ws(' ', t.audit_target_id, t.table_oid,
            t.table_name), ',' order by t.audit_target_id)
          from agentdb.change_table as t where t.change_id = c.change_id
        )), 'UTF8')
      -- In pieces, for a text ends at 1 GB.
      || coalesce((
        select string_agg(p.piece, '' order by p.place)
        from (
          select r.place / 1000 as place,
            sha256(convert_to(string_agg(
              concat(r.audit_target_id, r.operation, r.row_key::text, '|',
                coalesce(r.new_values::text, '~'), '|',
                coalesce(r.expected::text, '~')),
              E'\n' order by r.place), 'UTF8')) as piece
          from agentdb.change_row as r
          where r.change_id = c.change_id
          group by 1
        ) as p
      ), '')
    ), 'hex')
  from agentdb.change as c
  where c.change_id = _change_digest.change;
$$;



COMMENT ON FUNCTION agentdb._change_digest(change bigint) IS 'SHA-256 of everything that a change would do, and why.';



CREATE FUNCTION agentdb._change_event(run bigint) RETURNS TABLE(at timestamp with time zone, place bigint, what text, ok boolean, details jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT c.submitted_at,
     c.change_id,
     format('change %s staged: %s'::text, c.change_id, c.reason) AS format,
     NULL::boolean AS bool,
     c.effects
    FROM agentdb.change c
   WHERE ((c.run_id = _change_event.run) AND (c.submitted_at IS NOT NULL))
 UNION ALL
  SELECT d.decided_at,
     c.change_id,
     concat_ws(': '::text, format('change %s %s by %s'::text, c.change_id,
         CASE d.decision
             WHEN 'approve'::text THEN 'approved'::text
             ELSE 'rejected'::text
         END, d.reviewer), d.comment) AS concat_ws,
     (d.decision = 'approve'::text),
     NULL::jsonb
    FROM (agentdb.change c
      JOIN agentdb.change_decision d ON ((d.change_id = c.change_id)))
   WHERE (c.run_id = _change_event.run)
 UNION ALL
  SELECT c.closed_at,
     c.change_id,
     concat_ws(': '::text, concat_ws(' '::text, 'change', (c.change_id)::text,
         CASE c.state
             WHEN 'conflict'::text THEN 'ended in a conflict'::text
             ELSE c.state
         END, ('by '::text || (c.applied_by)::text)), (c.problem ->> 'message'::text)) AS concat_ws,
     (c.state = 'applied'::text),
     COALESCE(c.problem, c.effects) AS "coalesce"
    FROM agentdb.change c
   WHERE ((c.run_id = _change_event.run) AND (c.closed_at IS NOT NULL) AND (c.state <> 'rejected'::text));
END;



COMMENT ON FUNCTION agentdb._change_event(run bigint) IS 'What became of the changes that a run proposed, and when.';



CREATE FUNCTION agentdb._change_fault(change bigint) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select string_agg(f.fault, '; ')
  from agentdb.change_table as t
  left join pg_class as c on c.oid = t.table_oid
  left join agentdb.audit_target as a on a.audit_target_id = t.audit_target_id
  cross join lateral (
    select case
      when c.oid is null then format('%s is gone', t.table_name)
      when agentdb._table_name(t.table_oid) <> t.table_name then
        format('what was %s is called %s now', t.table_name,
          agentdb._table_name(t.table_oid))
      when a.unaudited_at is not null then format('%s is not audited', t.table_name)
      when not exists (
        select from agentdb.audit_column as k
        where k.audit_target_id = t.audit_target_id and k.key_place is not null
      ) then format('%s has no primary key any more, by which rows are found',
        t.table_name)
      when agentdb._columns_now(t.audit_target_id) <> t.columns
        and agentdb._shape_fault(change, t.audit_target_id) is not null then
        format('%s was altered since: %s', t.table_name,
          agentdb._shape_fault(change, t.audit_target_id))
      else 'an agent controls a part of ' || t.table_name || ': '
        || agentdb._hostile_part(t.table_oid)
    end as fault
  ) as f
  where t.change_id = change;
$$;



COMMENT ON FUNCTION agentdb._change_fault(change bigint) IS 'What has become of the tables of a change that keeps it from being applied; NULL where nothing has.';



CREATE TABLE agentdb.change_table (
    change_id bigint NOT NULL,
    audit_target_id integer NOT NULL,
    table_oid oid NOT NULL,
    table_name text NOT NULL,
    layout text NOT NULL,
    columns jsonb NOT NULL
);



COMMENT ON TABLE agentdb.change_table IS 'The tables of each submitted change, as they were when it was tried.';



CREATE FUNCTION agentdb._change_labels(change bigint) RETURNS jsonb
    LANGUAGE sql STABLE
    RETURN (SELECT jsonb_strip_nulls(jsonb_build_object('change', (c.change_id)::text, 'agent', a.agent_name, 'run', (c.run_id)::text, 'table', (SELECT CASE WHEN (count(*) = 1) THEN min(t.table_name) ELSE NULL::text END AS "case" FROM agentdb.change_table t WHERE (t.change_id = c.change_id)))) AS jsonb_strip_nulls FROM (agentdb.change c LEFT JOIN agentdb.agent a ON ((a.agent_id = c.agent_id))) WHERE (c.change_id = _change_labels.change));



COMMENT ON FUNCTION agentdb._change_labels(change bigint) IS 'What tells one change''s alert from another''s.';



CREATE FUNCTION agentdb._change_policy(change bigint) RETURNS agentdb.policy
    LANGUAGE sql STABLE
    RETURN (SELECT p.*::agentdb.policy AS p FROM ((agentdb.change c LEFT JOIN agentdb.agent a ON ((a.agent_id = c.agent_id))) JOIN agentdb.policy p ON ((p.policy_name = COALESCE(a.policy_name, 'default'::text)))) WHERE (c.change_id = _change_policy.change));



COMMENT ON FUNCTION agentdb._change_policy(change bigint) IS 'The thresholds for a change: of its agent''s policy, or of the default one.';



CREATE FUNCTION agentdb._change_sql(change bigint, in_order boolean) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (
    select case when count(*) = 0 then 'select 0' else format('with %s select %s',
      string_agg(format('c%s as (%s returning 1)', p.place, p.part), E',\n'
        order by p.place),
      string_agg(format('(select count(*) from c%s)', p.place), ' + '
        order by p.place)) end
    from (
      select row_number() over (
          order by array_position(array['delete', 'update'], o.operation), o.target
        ) as place,
        agentdb._part_sql(_change_sql.change, o.target, o.operation, in_order) as part
      from (
        select distinct r.audit_target_id as target, r.operation
        from agentdb.change_row as r
        where r.change_id = _change_sql.change
      ) as o
    ) as p
  );
end;
$$;



COMMENT ON FUNCTION agentdb._change_sql(change bigint, in_order boolean) IS 'SQL text: the statement that applies a change and returns how many of its rows matched.';



CREATE FUNCTION agentdb._changed_sql(o text, n text, col name, exact boolean) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN format(CASE WHEN exact THEN '%1$s.%3$I is distinct from %2$s.%3$I'::text ELSE 'record_image_ne(row(%1$s.%3$I), row(%2$s.%3$I))'::text END, o, n, col);



COMMENT ON FUNCTION agentdb._changed_sql(o text, n text, col name, exact boolean) IS 'SQL text: whether a column differs between two rows.';



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



CREATE FUNCTION agentdb._check_audit(table_oid oid, exclude text[], redact text[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_fault text;
  v_owner oid;
begin
  select c.relowner into v_owner
  from pg_class as c where c.oid = _check_audit.table_oid;
  if v_owner is null then
    perform agentdb._refuse('there is no such table',
      'Give its name: audit_table(''public.orders'').');
  elsif exists (
    select from pg_roles as r
    where r.rolname = session_user
      and r.oid = any (agentdb._agents_roles())
      and not r.rolsuper
  ) then
    perform agentdb._refuse_audit(_check_audit.table_oid,
      format('%s is an agent, or a member of an agent''s role', session_user),
      'Log in as the owner of the table.  If this is the owner, it must not be a '
        'member of what agents are: revoke ' || coalesce((
          select string_agg(quote_ident(r.rolname), ', ' order by r.rolname)
          from pg_roles as r
          where r.rolname in (select a.role_name from agentdb.agent as a)
            and r.rolname <> session_user
            and pg_has_role(session_user, r.oid, 'MEMBER')), 'agentdb_agent')
        || ' from ' || quote_ident(session_user) || ';');
  elsif not pg_has_role(session_user, v_owner, 'MEMBER') then
    perform agentdb._refuse_audit(_check_audit.table_oid,
      format('%s does not own it', session_user),
      format('Log in as a superuser, or as a member of %s and agentdb_operator: '
        'grant %s, agentdb_operator to %I;', v_owner::regrole, v_owner::regrole,
        session_user));
  end if;
  v_fault := agentdb._table_fault(_check_audit.table_oid);
  if v_fault is not null then
    perform agentdb._refuse_audit(_check_audit.table_oid, v_fault,
      'Audit ordinary tables and partitioned tables.');
  end if;
  v_fault := agentdb._hostile_part(_check_audit.table_oid);
  if v_fault is not null then
    perform agentdb._refuse_audit(_check_audit.table_oid,
      'an agent controls a part of it: ' || v_fault,
      'Give these to the owner of the table, or revoke them; then audit it.');
  end if;
  select string_agg(format('%I', n.name), ', ') into v_fault
  from unnest(exclude || redact) as n (name)
  left join pg_attribute as a
    on a.attrelid = _check_audit.table_oid
    and a.attname = n.name
    and a.attnum > 0
    and not a.attisdropped
  left join pg_index as i on i.indrelid = a.attrelid and i.indisprimary
  where a.attnum is null or a.attnum = any (i.indkey);
  if exclude is null or redact is null or v_fault is not null then
    perform agentdb._refuse(
      format('exclude and redact name columns outside the primary key, not %s',
        coalesce(v_fault, 'NULL')),
      'For example exclude => array[''search_vector''], '
        'redact => array[''password''].');
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_audit(table_oid oid, exclude text[], redact text[]) IS 'Raises ZA030 or ZA004 where a table cannot be audited, or not so, or not by this session.';



CREATE FUNCTION agentdb._check_claims(run bigint, agent bigint) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_max integer;
begin
  select p.max_claims into v_max
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where a.agent_id = agent;
  perform from agentdb.claim as c where c.run_id = run offset v_max - 1 limit 1;
  if found then
    raise exception 'run % has made % claims', run, v_max
      using errcode = 'ZA005',
            detail = 'policy.max_claims is ' || v_max,
            hint = 'Claim many rows in one call: claim_rows takes all keys of a table.';
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_claims(run bigint, agent bigint) IS 'Raises ZA005 for a run with as many claims as its policy allows.';



CREATE FUNCTION agentdb._check_comment(comment text, what text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if not agentdb._is_clean_name(comment, 500) then
    perform agentdb._refuse(
      what || ' is required, at most 500 visible characters on one line',
      'Say what is known and what is being done: others read it when this happens '
        'again.');
  end if;
  return comment;
end;
$$;



COMMENT ON FUNCTION agentdb._check_comment(comment text, what text) IS 'Returns what a person on call says, or raises ZA004.';



CREATE FUNCTION agentdb._check_fence() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_name text := tg_argv[0];
  v_run_id bigint;
  v_fence bigint;
begin
  if exists (select from agentdb.agent as a where a.role_name = session_user) then
    select c.run_id into v_run_id from agentdb._current_run(null) as c;
    select l.fence into v_fence
    from agentdb.lock as l
    where l.lock_name = v_name
      and l.run_id = v_run_id
      and agentdb._is_live(l.expires_at, l.renewed_at, clock_timestamp())
    order by l.fence desc
    limit 1;
    if v_fence is null then
      perform agentdb._refuse_write(
        format('%I.%I', tg_table_schema, tg_table_name), v_name, v_run_id);
    end if;
    insert into agentdb.fenced_write (lock_name, fence, run_id)
    select v_name, v_fence, v_run_id
    where not exists (
      select from agentdb.fenced_write as w
      where w.xid = pg_current_xact_id() and w.lock_name = v_name and w.fence = v_fence
    );
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end;
$$;



COMMENT ON FUNCTION agentdb._check_fence() IS 'Trigger function on users'' tables: refuses a write of a run that does not hold the lock of the table.';



CREATE FUNCTION agentdb._check_fence_again() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  perform from agentdb.lock as l
  where l.lock_name = new.lock_name
    and l.fence = new.fence
    and l.run_id = new.run_id
  for share;
  if not found and not exists (
    -- Let go of by the run itself, in this very transaction.
    select from agentdb.lock_log as h
    where h.lock_name = new.lock_name
      and h.fence = new.fence
      and h.run_id = new.run_id
      and h.xid = pg_current_xact_id()
      and h.outcome in ('released', 'run_ended')
  ) then
    perform agentdb._refuse_write('what it wrote in this transaction',
      new.lock_name, new.run_id);
  end if;
  delete from agentdb.fenced_write as w
  where w.xid = new.xid and w.lock_name = new.lock_name and w.fence = new.fence;
  return null;
end;
$$;



COMMENT ON FUNCTION agentdb._check_fence_again() IS 'Trigger function: refuses the commit of a run that lost the lock since it wrote.';



CREATE FUNCTION agentdb._check_guard(relation regclass, target integer, named text[], auto_approve jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_unknown text;
begin
  if not exists (
    select from agentdb.change_column as c
    where c.audit_target_id = target and c.key_place is not null
  ) then
    perform agentdb._refuse_guard(relation, 'it has no primary key',
      'Give it one: rows of a change are found by their key.');
  elsif current_setting('server_version_num')::integer < 150000 and (
    select c.relrowsecurity from pg_class as c where c.oid = relation
  ) then
    perform agentdb._refuse_guard(relation, 'it has row security',
      'Before PostgreSQL 15 a view cannot read with the rights of the agent.');
  end if;
  select string_agg(distinct n.name, ', ') into v_unknown
  from unnest(named || array(
    select jsonb_array_elements_text(auto_approve -> 'columns'))) as n (name)
  where not exists (
    select from agentdb.change_column as c
    where c.audit_target_id = target and c.column_name = n.name
      and not c.generated and not c.hidden);
  if v_unknown is not null then
    perform agentdb._refuse(
      format('%s has no column %s to review', relation, v_unknown),
      'columns, context and auto_approve name columns that the audit records; what is '
        'not given is as it was guarded last, and ''{}'' is given.');
  elsif jsonb_typeof(auto_approve) <> 'object' or exists (
    select from jsonb_object_keys(auto_approve) as k (name)
    where k.name not in ('operations', 'columns', 'rows', 'condition')
  ) or jsonb_typeof(auto_approve -> 'rows') <> 'number'
    or jsonb_typeof(auto_approve -> 'condition') <> 'string'
    or not auto_approve -> 'operations' <@ '["insert", "update", "delete"]' then
    perform agentdb._refuse('auto_approve has members it cannot have',
      '{"operations": ["update"], "columns": ["note"], "rows": 3, '
        '"condition": "public.is_small"}');
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_guard(relation regclass, target integer, named text[], auto_approve jsonb) IS 'Raises ZA004 or ZA051 where a table cannot be guarded, or not so.';



CREATE FUNCTION agentdb._check_idle_agent(agent bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_kind text;
  v_reason text;
  v_what text;
begin
  perform from agentdb.agent_gate as g where g.agent_id = agent for share;
  if current_setting('transaction_isolation') <> 'read committed' then
    perform agentdb._check_snapshot();
  end if;
  select s.kind, s.reason, format('agent %s', a.agent_name)
    into v_kind, v_reason, v_what
  from agentdb.agent_stop as s
  join agentdb.agent as a on a.agent_id = s.agent_id
  where s.agent_id = agent;
  if not found then
    select s.kind, s.reason, format('run %s', s.run_id) into v_kind, v_reason, v_what
    from agentdb.run_stop as s
    where s.run_id = agentdb._last_run(agent);
  end if;
  if v_kind is not null then
    perform agentdb._refuse_stopped(v_kind, v_reason, v_what);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_idle_agent(agent bigint) IS 'Raises ZA040 or ZA041 for a write outside any run of an agent that was stopped.';



CREATE FUNCTION agentdb._check_instances(instances jsonb) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if jsonb_typeof(instances) is distinct from 'array' then
    perform agentdb._refuse(
      'instances must be a JSON array', 'Send what the rule''s query returned.'
    );
  elsif exists (
    select from jsonb_array_elements(instances) as i (item)
    where jsonb_typeof(i.item -> 'labels') is distinct from 'object'
      or jsonb_typeof(i.item -> 'annotations') not in ('object', 'null')
      or jsonb_typeof(i.item -> 'value') not in ('number', 'string', 'null')
  ) then
    perform agentdb._refuse(
      'a row of the rule has no labels object, or annotations that are no object',
      'A rule''s view has labels jsonb, value double precision, annotations jsonb.'
    );
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_instances(instances jsonb) IS 'Raises ZA004 unless every instance has labels, and annotations that are an object or absent.';



CREATE FUNCTION agentdb._check_last_run(role_name name) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform agentdb._check_stop(agentdb._last_run(a.agent_id), a.agent_id)
  from agentdb.agent as a
  where a.role_name = _check_last_run.role_name and not a.pooled;
end;
$$;



COMMENT ON FUNCTION agentdb._check_last_run(role_name name) IS 'Raises ZA040 or ZA041 where the last run of a role was stopped.';



CREATE FUNCTION agentdb._check_lasting(lasts interval, longest interval, what text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if lasts is null or lasts <= '0' or lasts > longest then
    perform agentdb._refuse(
      format('%s must last more than 0 and at most %s, got %s', what,
        agentdb._span(longest), coalesce(lasts::text, 'NULL')),
      'Write 2h, 30 min or 1 day.');
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_lasting(lasts interval, longest interval, what text) IS 'Raises ZA004 for a length of time that is none or too long.';



CREATE FUNCTION agentdb._check_locks(agent_id bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_max integer;
  v_held text[];
begin
  select p.max_locks into v_max
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where a.agent_id = _check_locks.agent_id;
  if v_max - 32 >= (
    select count(*) from agentdb.lock as l where l.agent_id = _check_locks.agent_id
  ) then
    return;
  end if;
  perform agentdb._forget_locks(_check_locks.agent_id);
  v_held := agentdb._held_locks(_check_locks.agent_id);
  if cardinality(v_held) > v_max - 32 then
    perform from agentdb.agent as a
    where a.agent_id = _check_locks.agent_id
    for no key update;
    v_held := agentdb._held_locks(_check_locks.agent_id);
  end if;
  if cardinality(v_held) > v_max then
    raise exception 'the agent holds % locks already', v_max
      using errcode = 'ZA005',
            detail = format('policy.max_locks is %s; held: %s', v_max,
              array_to_string(v_held[1:20], ', ')),
            hint = 'Release what is done with: select * from agentdb.release_lock('
              'name => …, fence => …);';
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_locks(agent_id bigint) IS 'Raises ZA005 where an agent holds more locks than its policy allows.';



CREATE FUNCTION agentdb._check_names(target integer, object jsonb, absent boolean) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_unknown text;
begin
  if absent and object is null then
    return;
  elsif absent or jsonb_typeof(object) is distinct from 'object' or object = '{}'
    or octet_length(object::text) > 1000000 then
    perform agentdb._refuse('key and new_values are JSON objects, with what is needed',
      'insert needs new_values, update key and new_values, delete key: {"id": 1}.');
  end if;
  select string_agg(format('%I', left(k.name, 63)), ', ') into v_unknown
  from jsonb_object_keys(object) as k (name)
  where not exists (
    select from agentdb.change_column as c
    where c.audit_target_id = target and c.column_name = k.name and not c.generated);
  if v_unknown is not null then
    perform agentdb._refuse(
      format('%s has no column %s that a change can set',
        (select t.table_name from agentdb.audit_target as t
          where t.audit_target_id = target), agentdb._clean_text(v_unknown, 300)),
      (select 'It has ' || string_agg(c.column_name, ', ' order by c.place) || '.'
        from agentdb.change_column as c
        where c.audit_target_id = target and not c.hidden and not c.generated));
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_names(target integer, object jsonb, absent boolean) IS 'Raises ZA004 unless a JSON object has columns of a table as its members, or is absent.';



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
            hint = format('End those that are over: select * from '
              'agentdb.end_tool_call(call_id => %L, ok => false, run => %s);', (
                select c.call_id from agentdb.tool_call as c
                where c.run_id = run and c.ended_at is null
                order by c.began_at limit 1), run);
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



CREATE FUNCTION agentdb._check_options(options jsonb) RETURNS text[]
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_options text[];
begin
  if options is null or options = 'null' then
    return null;
  elsif jsonb_typeof(options) = 'array' then
    v_options := array(
      select case jsonb_typeof(o.item) when 'string' then o.item #>> '{}' end
      from jsonb_array_elements(options) with ordinality as o (item, place)
      order by o.place limit 11);
  end if;
  if coalesce(cardinality(v_options), 0) not between 2 and 10
    or exists (
      select from unnest(v_options) as o (text)
      group by o.text
      having count(*) > 1 or not agentdb._is_clean_name(o.text, 100)) then
    perform agentdb._refuse('options must be 2 to 10 different short texts, or NULL',
      'Send options => ''["yes", "no"]'', each of at most 100 visible characters.');
  end if;
  return v_options;
end;
$$;



COMMENT ON FUNCTION agentdb._check_options(options jsonb) IS 'The answers to choose from, NULL for any; raises ZA004.';



CREATE FUNCTION agentdb._check_past(relation regclass, at timestamp with time zone) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_since timestamptz := (
    select greatest(t.audited_at, clock_timestamp()
      - (select max(p.audit_retention) from agentdb.policy as p))
    from agentdb.audit_target as t
    where t.audit_target_id = agentdb._target_of(relation)
  );
begin
  if at is null or at < v_since then
    perform agentdb._refuse_history(relation,
      format('it is recorded since %s', v_since),
      format('Ask for a moment since then, not for %s.', coalesce(at::text, 'NULL')));
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_past(relation regclass, at timestamp with time zone) IS 'Raises ZA033 for a moment before the audit of a table began or its retention ends.';



CREATE FUNCTION agentdb._check_pattern(pattern text, matchers text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform '' ~ pattern;
  if length(pattern) > 200 or pattern ~ '[\\][0-9]' then
    perform agentdb._refuse_matchers(matchers);
  end if;
exception when invalid_regular_expression then
  perform agentdb._refuse_matchers(matchers);
end;
$$;



COMMENT ON FUNCTION agentdb._check_pattern(pattern text, matchers text) IS 'Raises ZA004 for a regular expression that is wrong, long or costly.';



CREATE FUNCTION agentdb._check_questions(agent bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_open bigint;
  v_day bigint;
  v_max_open integer;
  v_max_day integer;
begin
  -- Questions of an agent go one at a time, or two would pass at once.
  perform from agentdb.agent as a where a.agent_id = agent for no key update;
  select count(*) filter (where q.answer is null and r.ended_at is null),
    count(*) filter (where q.asked_at > clock_timestamp() - interval '1 day')
    into v_open, v_day
  from agentdb.question as q
  join agentdb.run as r on r.run_id = q.run_id
  where q.agent_id = agent;
  select p.max_questions, p.max_questions_day into v_max_open, v_max_day
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where a.agent_id = agent;
  if v_open >= v_max_open or v_day >= v_max_day then
    raise exception
        'agent % has % open questions and asked % in a day, and may % and %',
        (select a.agent_name from agentdb.agent as a where a.agent_id = agent),
        v_open, v_day, v_max_open, v_max_day
      using errcode = 'ZA005',
            hint = 'Wait for the answers: select * from agentdb.answer_of(question => '
              'n); or end the run: select * from agentdb.end_run('
              'outcome => ''failed'', summary => ''…'');';
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_questions(agent bigint) IS 'Raises ZA005 where an agent asks more than its policy allows.';



CREATE FUNCTION agentdb._check_reason(reason text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if reason is null or reason !~ '[^[:space:]]' then
    perform agentdb._refuse(
      'a reason is required',
      'Say why in a few words: the agent is told, and it stays in stop_log.'
    );
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_reason(reason text) IS 'Raises ZA004 for an empty reason.';



CREATE FUNCTION agentdb._check_reservation(estimate bigint, max_output bigint) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if estimate is null or max_output is null or estimate < 0 or max_output < 0
    or estimate::numeric + max_output not between 1 and 1000000000 then
    perform agentdb._refuse(
      format('estimate %s and max_output %s are nothing to reserve',
        coalesce(estimate::text, 'NULL'), coalesce(max_output::text, 'NULL')),
      'Give the tokens of the prompt, about a quarter of its characters, and the most '
        'that the model may answer.'
    );
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_reservation(estimate bigint, max_output bigint) IS 'Raises ZA004 for token counts that cannot be reserved.';



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
      format('row %s of %s has no %s',
        v_place, jsonb_array_length(items), required_key),
      format('Every row is an object with a non-empty "%s"; nothing of this call was '
        'recorded.', required_key)
    );
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_rows(items jsonb, required_key text) IS 'Raises ZA004 unless a value is an array of at most 10000 objects that all have a key.';



CREATE FUNCTION agentdb._check_said(text text, what text) RETURNS text
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if text is null or text !~ '[^[:space:]]' or length(text) > 2000
    or text <> agentdb._clean_text(text, 2000) then
    perform agentdb._refuse(
      format('the %s is empty, longer than 2000 characters, or hides some', what),
      'Say why in visible characters: a person reads it and decides.');
  end if;
  return text;
end;
$$;



COMMENT ON FUNCTION agentdb._check_said(text text, what text) IS 'Returns a text that people will read, or raises ZA004 for an empty or deceptive one.';



CREATE FUNCTION agentdb._check_seen(change bigint) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_proposed_by name;
  v_proposer bigint;
  v_agent bigint;
begin
  select c.proposed_by, c.agent_id into v_proposed_by, v_proposer
  from agentdb.change as c where c.change_id = change;
  if agentdb._is_agent() then
    v_agent := (select w.agent_id from agentdb._known_writer() as w);
    if v_proposed_by = session_user and v_agent = v_proposer
      or agentdb._is_validator(change, v_agent) then
      return;
    end if;
  elsif v_proposed_by is not null and (
    pg_has_role(session_user, 'agentdb_reviewer', 'usage')
    or pg_has_role(session_user, 'agentdb_operator', 'usage')
    or pg_has_role(session_user, 'agentdb_auditor', 'usage')
  ) then
    return;
  end if;
  perform agentdb._refuse_state(change, null, null);
end;
$$;



COMMENT ON FUNCTION agentdb._check_seen(change bigint) IS 'Raises ZA006 for a change that the session may not look at, whether or not it exists.';



CREATE FUNCTION agentdb._check_slots(name text, slots integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now timestamptz := clock_timestamp();
  v_slots bigint;
  v_live bigint;
begin
  if slots is null or slots not between 1 and 1000 then
    perform agentdb._refuse(
      format('slots must be between 1 and 1000, got %s', coalesce(slots::text, 'NULL')),
      'Say how many runs may hold it at the same time.'
    );
  end if;
  select count(*),
    count(*) filter (where agentdb._is_live(l.expires_at, l.renewed_at, v_now))
    into v_slots, v_live
  from agentdb.lock as l
  where l.lock_name = name and l.slot > 0;
  if v_slots = slots or v_slots = 0 then
    return;
  elsif v_live > 0 then
    perform agentdb._refuse(
      format('semaphore %s has %s slots, not %s', name, v_slots, slots),
      format('Say slots => %s, as the others do; it can be changed while no slot is '
        'held.', v_slots)
    );
  end if;
  delete from agentdb.lock as l
  where l.lock_name = name
    and l.slot > _check_slots.slots
    and not agentdb._is_live(l.expires_at, l.renewed_at, v_now);
  perform agentdb._make_lock(name, 1, slots);
end;
$$;



COMMENT ON FUNCTION agentdb._check_slots(name text, slots integer) IS 'Makes a semaphore have as many slots as a caller says, or raises ZA004.';



CREATE FUNCTION agentdb._check_snapshot() RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_xid bigint;
begin
  for v_xid in
    select s.last_value from agentdb.stop_last_seq as s
    union all
    select s.last_value from agentdb.stop_former_seq as s
  loop
    if v_xid > 2
      and not pg_visible_in_snapshot(v_xid::text::xid8, pg_current_snapshot())
      and pg_xact_status(v_xid::text::xid8) <> 'aborted' then
      raise exception 'somebody stopped an agent after this transaction began'
        using errcode = '40001',
              hint = 'Roll back and try the transaction again: it may be this agent.';
    end if;
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb._check_snapshot() IS 'Raises 40001 in a REPEATABLE READ or SERIALIZABLE transaction that is older than a stop.';



CREATE FUNCTION agentdb._check_stage(target integer, operation text, new_values jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_name text;
  v_oid oid;
  v_columns text[];
begin
  select g.table_name, g.table_oid, g.columns into v_name, v_oid, v_columns
  from agentdb.guarded_table as g where g.audit_target_id = target;
  if v_name is null then
    perform agentdb._refuse('the table is not guarded any more',
      'Write to it directly.');
  elsif not has_table_privilege(session_user, v_oid, 'select') then
    raise exception '% may not read %', session_user, v_name
      using errcode = '42501',
            hint = format('Who stages must see: grant select on %s to %I;', v_name,
              session_user);
  elsif v_columns is not null
    and (operation <> 'update' or new_values - v_columns <> '{}') then
    perform agentdb._refuse(
      format('a change of %s may only set %s', v_name,
        array_to_string(v_columns, ', ')),
      'Leave all else as it is, and neither insert nor delete rows.');
  elsif octet_length(new_values::text) > 1000000 then
    perform agentdb._refuse(format('a row of %s is too large to review', v_name),
      'Keep the values of a row below 1 MB.');
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_stage(target integer, operation text, new_values jsonb) IS 'Raises ZA004 or 42501 for a row that may not be staged.';



CREATE FUNCTION agentdb._check_stop(run bigint, agent bigint) RETURNS void
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_kind text;
  v_reason text;
  v_what text;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    perform agentdb._check_snapshot();
  end if;
  select s.kind, s.reason, s.what into v_kind, v_reason, v_what
  from (
    select r.kind, r.reason, 'run ' || r.run_id as what
    from agentdb.run_stop as r where r.run_id = run
    union all
    select a.kind, a.reason, 'the agent'
    from agentdb.agent_stop as a where a.agent_id = agent
  ) as s
  limit 1;
  if found then
    perform agentdb._refuse_stopped(v_kind, v_reason, v_what);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_stop(run bigint, agent bigint) IS 'Raises ZA040 or ZA041 for a run that was stopped, itself or with its agent, 40001 where the snapshot is too old to know.';



CREATE FUNCTION agentdb._check_tables(change bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_fault text := agentdb._change_fault(change);
begin
  if v_fault is not null then
    raise exception 'change % cannot be tried: %', change, v_fault
      using errcode = 'ZA051',
            hint = 'The table has to be put right and guarded again.  Tell people: '
              'select * from agentdb.ask_human(question => ''…'');';
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_tables(change bigint) IS 'Raises ZA051 where the tables of a change are not what they were.';



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
    perform agentdb._refuse(
      'tool must not be empty', 'Give the tool''s name, as the model wrote it.'
    );
  elsif call_id is not null and not agentdb._is_clean_name(call_id, 200) then
    perform agentdb._refuse(
      format('%L is no call_id', agentdb._clean_text(call_id, 100)),
      'Use the model''s tool call id: 1 to 200 visible characters on one line.'
    );
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_tool(tool text, call_id text) IS 'Raises ZA004 for an empty tool or an ill-formed call_id.';



CREATE FUNCTION agentdb._check_tool_definition(name text, input_schema jsonb, writes jsonb) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  if not agentdb._is_clean_name(name, 200) then
    perform agentdb._refuse(
      format('%L is no name for a tool', agentdb._clean_text(name, 100)),
      'Use 1 to 200 visible characters on one line.');
  elsif jsonb_typeof(input_schema) not in ('object', 'boolean')
    or octet_length(input_schema::text) > 65536
    or jsonb_path_exists(input_schema, 'strict $.**{101}') then
    perform agentdb._refuse(
      format('the schema of %s is no JSON Schema', name),
      'Give an object of at most 64 kB and 100 levels, such as {"type": "object"}.');
  elsif jsonb_typeof(writes) is distinct from 'array' and writes is not null
    or exists (
      select from jsonb_array_elements(writes) as w (item)
      where jsonb_typeof(w.item -> 'table') is distinct from 'string'
        or coalesce(w.item ->> 'operation', 'insert')
          not in ('insert', 'update', 'delete')
    ) then
    perform agentdb._refuse(
      format('what %s writes is ill-formed', name),
      'Send [{"table": "public.orders", "operation": "update"}]; without an operation '
        'any is meant.');
  end if;
end;
$_$;



COMMENT ON FUNCTION agentdb._check_tool_definition(name text, input_schema jsonb, writes jsonb) IS 'Raises ZA004 for a tool that cannot be registered.';



CREATE FUNCTION agentdb._check_write(run bigint, agent bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  if run is not null then
    perform from agentdb.run_gate as g where g.run_id = run for share;
    perform agentdb._check_stop(run, agent);
  elsif agent is not null then
    perform agentdb._check_idle_agent(agent);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._check_write(run bigint, agent bigint) IS 'Refuses a write of a stopped run, and holds a stop that comes now until it is committed; raises ZA040, ZA041 or 40001.';



CREATE TABLE agentdb.claim (
    claim_id bigint NOT NULL,
    run_id bigint NOT NULL,
    agent_id bigint NOT NULL,
    kind text NOT NULL,
    target text NOT NULL,
    expectation jsonb NOT NULL,
    claimed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    due_at timestamp with time zone NOT NULL,
    state text DEFAULT 'pending'::text NOT NULL,
    attempt integer DEFAULT 0 NOT NULL,
    leased_until timestamp with time zone,
    next_check_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    checked_at timestamp with time zone,
    CONSTRAINT claim_kind_check CHECK ((kind ~ '^[a-z][a-z0-9_-]{0,30}$'::text)),
    CONSTRAINT claim_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'verified'::text, 'refuted'::text, 'unreachable'::text, 'refused'::text])))
);



COMMENT ON TABLE agentdb.claim IS 'What an agent says it has done, put so that somebody else can look.';



CREATE FUNCTION agentdb._claimed_keys(run bigint) RETURNS TABLE(claim_id bigint, table_name text, operation text, row_key jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT c.claim_id,
     c.target,
     (c.expectation ->> 'operation'::text),
     k.key
    FROM (agentdb.claim c
      LEFT JOIN LATERAL jsonb_array_elements((c.expectation -> 'keys'::text)) k(key) ON (true))
   WHERE ((c.run_id = _claimed_keys.run) AND (c.kind = 'rows'::text));
END;



COMMENT ON FUNCTION agentdb._claimed_keys(run bigint) IS 'The rows that a run claims, by their keys; a claim of a number has no key.';



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
    end_reason text,
    dismissed_severity text,
    flush boolean DEFAULT false NOT NULL,
    acknowledged_at timestamp with time zone,
    acknowledged_until timestamp with time zone,
    acknowledged_by name,
    acknowledge_comment text,
    CONSTRAINT alert_acknowledged_at_check CHECK ((((acknowledged_at IS NULL) = (acknowledged_by IS NULL)) AND ((acknowledged_at IS NULL) = (acknowledged_until IS NULL)))),
    CONSTRAINT alert_dismissed_severity_check CHECK (((dismissed_severity IS NULL) OR ((state = 'resolved'::text) AND (dismissed_severity = ANY (ARRAY['info'::text, 'warning'::text, 'critical'::text]))))),
    CONSTRAINT alert_severity_check CHECK ((severity = ANY (ARRAY['info'::text, 'warning'::text, 'critical'::text]))),
    CONSTRAINT alert_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'firing'::text, 'resolved'::text])))
)
WITH (fillfactor='70');



COMMENT ON TABLE agentdb.alert IS 'One labelled instance of a rule and its life: pending, firing, resolved.';



COMMENT ON COLUMN agentdb.alert.episode IS 'Counts how often the alert has come back.';



COMMENT ON COLUMN agentdb.alert.end_reason IS 'What ended the last episode.';



COMMENT ON COLUMN agentdb.alert.dismissed_severity IS 'How severe it was when a person ended it: what is no worse does not fire again until it has been gone.';



COMMENT ON COLUMN agentdb.alert.flush IS 'Whether a change has still to be turned into notifications.';



COMMENT ON COLUMN agentdb.alert.acknowledged_until IS 'Until when nobody is told again; infinity is until it is resolved.';



CREATE FUNCTION agentdb._clear_share(agent_name text, share double precision, as_of timestamp with time zone) RETURNS double precision
    LANGUAGE sql STABLE
    RETURN CASE WHEN (EXISTS (SELECT FROM agentdb.alert l WHERE ((l.rule_name = 'token_rate'::text) AND (l.fingerprint = md5((jsonb_build_object('agent', _clear_share.agent_name))::text)) AND (l.state = 'firing'::text) AND (l.firing_at <= _clear_share.as_of)))) THEN share ELSE (1)::double precision END;



COMMENT ON FUNCTION agentdb._clear_share(agent_name text, share double precision, as_of timestamp with time zone) IS 'The part of a token threshold that counts: all of it, or policy.token_rate_clear while the agent''s alert fires.';



CREATE FUNCTION agentdb._close_change(change bigint, state text, problem jsonb DEFAULT NULL::jsonb) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  update agentdb.change as c
  set state = _close_change.state,
      problem = _close_change.problem,
      closed_at = clock_timestamp()
  where c.change_id = _close_change.change;
$$;



COMMENT ON FUNCTION agentdb._close_change(change bigint, state text, problem jsonb) IS 'Ends a change.';



CREATE FUNCTION agentdb._column_uses(change bigint, target integer, operation text, expected boolean) RETURNS TABLE(column_name name, type_name text, exact boolean, always boolean, default_expression text, place smallint)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query
    with part as (
      select case when _column_uses.expected then r.expected else r.new_values end
        as object
      from agentdb.change_row as r
      where r.change_id = change
        and r.audit_target_id = target
        and r.operation = _column_uses.operation
    ),
    use as (
      select k.name, count(*) as uses
      from part as p cross join lateral jsonb_object_keys(p.object) as k (name)
      group by k.name
    )
    -- One that is gone by now is named all the same: PostgreSQL refuses it.
    select coalesce(c.column_name, u.name::name), coalesce(c.type_name, 'text'),
      coalesce(c.exact, true), u.uses = (select count(*) from part),
      c.default_expression, c.place
    from use as u
    left join lateral (
      select k.* from agentdb.change_column as k
      where k.audit_target_id = target and k.column_name = u.name::name
      offset 0
    ) as c on true
    order by c.place;
end;
$$;



COMMENT ON FUNCTION agentdb._column_uses(change bigint, target integer, operation text, expected boolean) IS 'The columns that rows of a change set or expect, and whether all of them do.';



CREATE FUNCTION agentdb._columns_now(target integer) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select jsonb_object_agg(c.column_name, jsonb_build_object(
    'place', c.place,
    'is', concat_ws(', ', format_type(a.atttypid, a.atttypmod),
      (select format('collation %s', a.attcollation::regcollation)
        where a.attcollation not in (0, 100)),
      case when c.generated
        then 'generated as ' || pg_get_expr(d.adbin, d.adrelid) end,
      'part ' || c.key_place || ' of the key')))
  from agentdb.change_column as c
  join agentdb.audit_target as t on t.audit_target_id = c.audit_target_id
  join pg_attribute as a on a.attrelid = t.table_oid and a.attnum = c.place
  left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
  where c.audit_target_id = target;
$$;



COMMENT ON FUNCTION agentdb._columns_now(target integer) IS 'The columns of an audited table, each with its place and what a value of it means.';



CREATE FUNCTION agentdb._comparable(labels jsonb, annotations jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN (jsonb_strip_nulls(jsonb_build_object('agent', (annotations ->> 'agent'::text), 'run', (annotations ->> 'run'::text), 'table', (annotations ->> 'table'::text), 'tool', (annotations ->> 'tool'::text))) || labels);



COMMENT ON FUNCTION agentdb._comparable(labels jsonb, annotations jsonb) IS 'What an alert may have in common with others: its labels, and agent, run, table and tool of its annotations.';



CREATE FUNCTION agentdb._condition_of(relation regclass, name text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_function text := (
    select format('%I.%I', n.nspname, p.proname)
    from pg_proc as p
    join pg_namespace as n on n.oid = p.pronamespace
    join pg_class as c on c.oid = relation
    where p.oid = to_regprocedure(name || '(jsonb,jsonb)')
      and p.prosecdef
      and p.prorettype = 'boolean'::regtype
      and p.proowner <> all (agentdb._agents_roles())
      and (p.proowner = c.relowner
        or (select r.rolsuper from pg_roles as r where r.oid = p.proowner))
  );
begin
  if name is not null and v_function is null then
    perform agentdb._refuse(format('%L is no condition for %s', name, relation),
      'A condition is a security definer function of the owner of the table that takes '
        'the old and the new values (jsonb, jsonb) of a row and returns boolean; name '
        'it with its schema.');
  end if;
  return v_function;
end;
$$;



COMMENT ON FUNCTION agentdb._condition_of(relation regclass, name text) IS 'The quoted name of a function that may decide about changes; raises ZA004.';



CREATE FUNCTION agentdb._conflict_rows(change bigint, target integer, most integer, as_applier boolean) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_rows jsonb;
begin
  if as_applier then
    v_rows := agentdb._read_conflicts(change, target, most);
  else
    select jsonb_agg(to_jsonb(f)) into v_rows
    from agentdb._read_rows(agentdb._current_sql(change, target), most) as f;
  end if;
  return coalesce(v_rows, '[]');
end;
$$;



COMMENT ON FUNCTION agentdb._conflict_rows(change bigint, target integer, most integer, as_applier boolean) IS 'The rows of a change in one table that are not as expected, as they are now.';



CREATE FUNCTION agentdb._conflict_text(conflicts jsonb) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select string_agg(concat(
      'row ', c.value -> 'key', ' of ', c.value ->> 'table', ' ',
      c.value ->> 'conflict',
      (
        select string_agg(format(': %s was expected to be %s and is %s', d.key,
          d.value -> 'expected', d.value -> 'current'), '')
        from jsonb_each(case jsonb_typeof(c.value -> 'columns')
          when 'object' then c.value -> 'columns' else '{}' end) as d
      ),
      ' (by ' || concat_ws(' of ', 'run ' || (c.value #>> '{by,run}'),
        coalesce(c.value #>> '{by,agent}', c.value #>> '{by,role}')) || ')'
    ), '; ' order by c.place)
  from jsonb_array_elements(conflicts) with ordinality as c (value, place);
$$;



COMMENT ON FUNCTION agentdb._conflict_text(conflicts jsonb) IS 'Conflicts as a person reads them; NULL where there are none.';



CREATE FUNCTION agentdb._conflicts(change bigint, most integer, as_applier boolean) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_target integer;
  v_found jsonb := '[]';
begin
  for v_target in
    select distinct r.audit_target_id from agentdb.change_row as r
    where r.change_id = change
  loop
    begin
      v_found := v_found || agentdb._conflicts_of(change, v_target,
        agentdb._conflict_rows(change, v_target, most, as_applier));
    exception when insufficient_privilege then
      -- What it is about has been said by whoever was refused the write.
      null;
    end;
  end loop;
  return v_found;
end;
$$;



COMMENT ON FUNCTION agentdb._conflicts(change bigint, most integer, as_applier boolean) IS 'The first conflicts of a change, a few in each table.';



CREATE FUNCTION agentdb._conflicts_of(change bigint, target integer, found jsonb) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(jsonb_agg(jsonb_build_object(
      'table', t.table_name, 'key', r.row_key, 'operation', r.operation,
      'place', r.place, 'conflict', f.value ->> 'conflict', 'columns', d.columns,
      'by', agentdb._last_writer(target, r.row_key,
        array(select jsonb_object_keys(d.columns)))
    ) order by r.place), '[]')
  from jsonb_array_elements(found) as f
  join agentdb.change_row as r
    on r.change_id = change and r.place = (f.value ->> 'place')::integer
  join agentdb.audit_target as t on t.audit_target_id = target
  left join lateral (
    select jsonb_object_agg(e.key, jsonb_build_object('expected', e.value,
      'current', f.value -> 'present' -> e.key)) as columns
    from jsonb_each(r.expected) as e
    where f.value -> 'present' <> 'null'
      and (f.value -> 'present' -> e.key)::text is distinct from e.value::text
  ) as d on true;
$$;



COMMENT ON FUNCTION agentdb._conflicts_of(change bigint, target integer, found jsonb) IS 'Conflicts in one table with the columns that differ and who wrote them.';



CREATE FUNCTION agentdb._context_of(change bigint) RETURNS TABLE(place integer, context jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_part record;
begin
  for v_part in
    select t.audit_target_id as target, g.context as columns
    from agentdb.change_table as t
    join agentdb.guarded_table as g on g.audit_target_id = t.audit_target_id
    where t.change_id = change
      and g.context <> '{}'
      -- Else its rows cannot be read as they are named here.
      and agentdb._change_fault(change) is null
  loop
    return query
      select f.place, (
        select jsonb_object_agg(v.key, v.value)
        from jsonb_each(f.present) as v where v.key = any (v_part.columns))
      from agentdb._read_as_applier(format(
        'select s.place, s.operation, s.row_key, s.present, ''-'' as conflict '
        'from (%s) as s where s.present is not null',
        agentdb._current_sql(change, v_part.target)), 1000) as f;
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb._context_of(change bigint) IS 'The context columns of the rows of a change, as they are now.';



CREATE FUNCTION agentdb._context_sql() RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN 'capture.v_now, capture.v_statement, session_user, capture.v_agent_id, capture.v_run_id, capture.v_change_id, capture.v_application, capture.v_address'::text;



COMMENT ON FUNCTION agentdb._context_sql() IS 'SQL text: who, when and from where, the same for all rows of a statement.';



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



CREATE FUNCTION agentdb._cooling_span(max_ttl interval, at_least interval) RETURNS interval
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if at_least < '0' or at_least > max_ttl then
    perform agentdb._refuse(
      format('at_least must be between 0 and %s, got %s', max_ttl, at_least),
      'Give the shortest time from acquiring a lock until it can be taken again.'
    );
  end if;
  return agentdb._exact_span(at_least);
end;
$$;



COMMENT ON FUNCTION agentdb._cooling_span(max_ttl interval, at_least interval) IS 'Checks and returns how long a lock is kept at least; raises ZA004.';



CREATE FUNCTION agentdb._count_denial(name text, run_id bigint, agent_id bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now timestamptz := clock_timestamp();
  v_first_at timestamptz;
  v_last_at timestamptz;
begin
  select d.first_at, d.last_at into v_first_at, v_last_at
  from agentdb.lock_denial as d
  where d.lock_name = name and d.run_id = _count_denial.run_id
  order by d.first_at desc
  limit 1;
  if v_last_at > v_now - interval '1 second' and v_last_at <= v_now then
    perform pg_sleep(0.01);
    return;
  elsif v_first_at > v_now - interval '1 minute' and v_first_at <= v_now
    and current_setting('transaction_isolation') = 'read committed' then
    perform from agentdb.lock_denial as d
    where d.lock_name = name and d.run_id = _count_denial.run_id
      and d.first_at = v_first_at
    for no key update skip locked;
    update agentdb.lock_denial as d
    set denials = d.denials + 1,
        last_at = v_now
    where found and d.lock_name = name and d.run_id = _count_denial.run_id
      and d.first_at = v_first_at;
  else
    insert into agentdb.lock_denial (lock_name, run_id, agent_id, first_at, last_at)
    values (name, _count_denial.run_id, _count_denial.agent_id, v_now, v_now)
    on conflict on constraint lock_denial_pkey do nothing;
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._count_denial(name text, run_id bigint, agent_id bigint) IS 'Counts that a run was denied a lock, at most once a second.';



CREATE FUNCTION agentdb._counts(group_id bigint, kind text) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select jsonb_agg(jsonb_strip_nulls(jsonb_build_object(
    'rule', c.rule_name, 'agent', left(c.agent, 60), 'alerts', c.alerts
  )) order by c.alerts desc, c.rule_name, c.agent)
  from (
    select a.rule_name, a.labels ->> 'agent' as agent, count(*) as alerts
    from agentdb._tellable(group_id, kind) as t
    join agentdb.alert as a on a.alert_id = t.alert_id
    group by 1, 2
    order by 3 desc, 1, 2
    limit 10
  ) as c;
$$;



COMMENT ON FUNCTION agentdb._counts(group_id bigint, kind text) IS 'How many alerts of a group are of which rule and agent, the ten most.';



CREATE FUNCTION agentdb._create_blast_triggers(relation regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_trigger text[];
begin
  foreach v_trigger slice 1 in array array[
    ['insert', 'new table as agentdb_new'],
    ['update', 'old table as agentdb_old'],
    ['delete', 'old table as agentdb_old']]
  loop
    execute format('create trigger %1$I after %2$s on %3$s referencing %4$s '
      'for each statement execute function agentdb._capture_blast()',
      'agentdb_blast_' || v_trigger[1], v_trigger[1], relation, v_trigger[2]);
    execute format('alter table %s enable always trigger %I',
      relation, 'agentdb_blast_' || v_trigger[1]);
  end loop;
end;
$_$;



COMMENT ON FUNCTION agentdb._create_blast_triggers(relation regclass) IS 'Creates the triggers that refuse statements over the limit on a table that is audited by row.';



CREATE FUNCTION agentdb._create_guard(relation regclass, whom text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_part regclass;
begin
  execute format('create trigger "00_agentdb_guard" before insert or update or delete '
    'on %s for each %s execute function agentdb._guard(%L)', relation,
    (
      select case when c.relkind = 'p' or c.relispartition then 'row'
        else 'statement' end
      from pg_class as c where c.oid = relation
    ), whom);
  for v_part in
    select coalesce(p.relid, relation) from (select) as one
    left join pg_partition_tree(relation) as p on true
  loop
    execute format('alter table only %s enable always trigger "00_agentdb_guard"',
      v_part);
    execute format('create trigger "00_agentdb_guard_truncate" before truncate on %s '
      'for each statement execute function agentdb._guard(%L)', v_part, whom);
    execute format(
      'alter table only %s enable always trigger "00_agentdb_guard_truncate"', v_part);
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb._create_guard(relation regclass, whom text) IS 'Creates the guard triggers of a table and its partitions, with the rights of the caller.';



CREATE FUNCTION agentdb._create_triggers(relation regclass, target integer, level text, refuse_blast boolean) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_part regclass;
  v_trigger text[];
begin
  foreach v_trigger slice 1 in array case level
    -- By row it has to come before all others, whose writes it would else record first.
    when 'row' then array[
      ['00_agentdb_audit', 'after insert or update or delete', 'for each row']]
    else array[
      ['agentdb_audit_insert', 'after insert',
        'referencing new table as agentdb_new for each statement'],
      ['agentdb_audit_update', 'after update',
        'referencing old table as agentdb_old new table as agentdb_new '
        'for each statement'],
      ['agentdb_audit_delete', 'after delete',
        'referencing old table as agentdb_old for each statement']] end
  loop
    execute format('create trigger %I %s on %s %s execute function agentdb.%I()',
      v_trigger[1], v_trigger[2], relation, v_trigger[3], '_capture_' || target);
    execute format('alter table %s enable always trigger %I', relation, v_trigger[1]);
  end loop;
  for v_part in
    select coalesce(p.relid, relation) from (select) as one
    left join pg_partition_tree(relation) as p on true
  loop
    execute format('create trigger agentdb_audit_truncate before truncate on %s '
      'for each statement execute function agentdb._capture_truncate(%L)',
      v_part, target);
    execute format('alter table %s enable always trigger agentdb_audit_truncate',
      v_part);
    execute format('grant select on %s to agentdb_capture', v_part);
    if refuse_blast and level = 'row' then
      perform agentdb._create_blast_triggers(v_part);
    end if;
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb._create_triggers(relation regclass, target integer, level text, refuse_blast boolean) IS 'Creates the audit triggers of a table, with the rights of the caller.';



CREATE FUNCTION agentdb._current_change(OUT change_id bigint, OUT agent_id bigint, OUT max_rows integer) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_proposer record;
  v_bound bigint := agentdb._bound_run();
begin
  select c.change_id, c.agent_id, c.max_rows
    into _current_change.change_id, _current_change.agent_id, _current_change.max_rows
  from agentdb.change as c
  where c.proposed_by = session_user
    and c.state = 'open'
    and c.xid = pg_current_xact_id()
    and (v_bound is null or c.run_id = v_bound);
  if found then
    return;
  end if;
  select p.* into v_proposer from agentdb._proposer() as p;
  update agentdb.change as c
  set xid = pg_current_xact_id()
  where c.proposed_by = session_user
    and c.state = 'open'
    and not c.automatic
    and c.run_id is not distinct from v_proposer.run_id
    and c.expires_at > clock_timestamp()
  returning c.change_id, c.agent_id, c.max_rows
    into _current_change.change_id, _current_change.agent_id, _current_change.max_rows;
  if not found then
    change_id := agentdb._add_change(v_proposer.agent_id, v_proposer.run_id, coalesce(
      nullif(current_setting('agentdb.change_reason', true), ''),
      (select r.purpose from agentdb.run as r where r.run_id = v_proposer.run_id),
      'no reason given'), true);
    select c.agent_id, c.max_rows
      into _current_change.agent_id, _current_change.max_rows
    from agentdb.change as c where c.change_id = _current_change.change_id;
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._current_change(OUT change_id bigint, OUT agent_id bigint, OUT max_rows integer) IS 'The change that takes the rows the session stages now; begins one that is submitted at commit.';



CREATE FUNCTION agentdb._current_run(run bigint, OUT run_id bigint, OUT agent_id bigint) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_bound bigint;
  v_run bigint;
  v_ended_at timestamptz;
begin
  if run is null then
    select o.run_id, o.agent_id into _current_run.run_id, _current_run.agent_id
    from agentdb._lone_run() as o;
    if found then
      return;
    end if;
  end if;
  v_bound := agentdb._bound_run();
  v_run := coalesce(run, v_bound);
  if v_run is null then
    select o.run_id, o.agent_id into _current_run.run_id, _current_run.agent_id
    from agentdb._only_open_run() as o;
    perform agentdb._check_stop(_current_run.run_id, _current_run.agent_id);
    return;
  end if;
  select r.run_id, r.agent_id, r.ended_at
    into _current_run.run_id, _current_run.agent_id, v_ended_at
  from agentdb.run as r
  where r.run_id = v_run
    and r.role_name = session_user
    -- Behind a shared role a number proves nothing: only the token does.
    and (not r.pooled or r.run_id = v_bound);
  if not found then
    perform agentdb._refuse_foreign_run(v_run);
  end if;
  perform agentdb._check_stop(v_run, _current_run.agent_id);
  if v_ended_at is not null then
    perform agentdb._refuse_closed_run(v_run);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._current_run(run bigint, OUT run_id bigint, OUT agent_id bigint) IS 'Resolves the run of a call: the argument, the bound token, else the role''s only open run; raises ZA001 or ZA003.';



CREATE FUNCTION agentdb._is_exact(type oid, typmod integer, collation_id oid) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN (SELECT ((t.typtype = 'e'::"char") OR (t.oid = ANY (ARRAY[('boolean'::regtype)::oid, ('smallint'::regtype)::oid, ('integer'::regtype)::oid, ('bigint'::regtype)::oid, ('oid'::regtype)::oid, ('uuid'::regtype)::oid, ('date'::regtype)::oid, ('timestamp without time zone'::regtype)::oid, ('timestamp with time zone'::regtype)::oid, ('bytea'::regtype)::oid])) OR ((t.oid = ('numeric'::regtype)::oid) AND (_is_exact.typmod >= 0)) OR ((t.oid = ANY (ARRAY[('text'::regtype)::oid, ('character varying'::regtype)::oid])) AND COALESCE((SELECT c.collisdeterministic FROM pg_collation c WHERE (c.oid = _is_exact.collation_id)), true))) FROM pg_type t WHERE (t.oid = agentdb._base_type(_is_exact.type)));



COMMENT ON FUNCTION agentdb._is_exact(type oid, typmod integer, collation_id oid) IS 'Whether two values of a type that are equal are also identical.';



CREATE FUNCTION agentdb._object_sql(parts text[]) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN COALESCE((SELECT string_agg(format('(%s)'::text, g.text), '
 || '::text ORDER BY g.place) AS string_agg FROM (SELECT (p.place / 40) AS place, string_agg(p.part, '
 || '::text ORDER BY p.place) AS text FROM unnest(_object_sql.parts) WITH ORDINALITY p(part, place) GROUP BY (p.place / 40)) g), '''{}''::jsonb'::text);



COMMENT ON FUNCTION agentdb._object_sql(parts text[]) IS 'SQL text: JSON objects put together, whatever their number.';



CREATE FUNCTION agentdb._table_name(table_oid oid) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT format('%I.%I'::text, n.nspname, c.relname) AS format FROM (pg_class c JOIN pg_namespace n ON ((n.oid = c.relnamespace))) WHERE (c.oid = _table_name.table_oid));



COMMENT ON FUNCTION agentdb._table_name(table_oid oid) IS 'The name of a table with its schema, quoted where it must be.';



CREATE FUNCTION agentdb._typed_sql(source text, col text, type_name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN format('(%s ->> %L)::%s'::text, source, col, type_name);



COMMENT ON FUNCTION agentdb._typed_sql(source text, col text, type_name text) IS 'SQL text: a member of a JSON object as a value of a type.';



CREATE FUNCTION agentdb._value_sql(row_name text, col name, form text, redacted boolean) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN redacted THEN '''[redacted]''::text'::text WHEN (form = 'plain'::text) THEN format('%1$s.%2$I'::text, row_name, col) WHEN (form = 'jsonb'::text) THEN format('case when jsonb_typeof(%1$s.%2$I) in (''object'', ''array'') then %1$s.%2$I else to_jsonb(%1$s.%2$I::text) end'::text, row_name, col) WHEN (form = 'float'::text) THEN format('case when %1$s.%2$I = 0 and concat(%1$s.%2$I) = ''-0'' then to_jsonb(''-0''::text) else to_jsonb(%1$s.%2$I) end'::text, row_name, col) ELSE format('case when num_nulls(%1$s.%2$I) = 0 then concat(%1$s.%2$I) end'::text, row_name, col) END;



COMMENT ON FUNCTION agentdb._value_sql(row_name text, col name, form text, redacted boolean) IS 'SQL text: the value of a column of a row, as it is recorded.';



CREATE VIEW agentdb.audit_column AS
 SELECT t.audit_target_id,
    a.attnum AS place,
    a.attname AS column_name,
    b.oid AS base_type,
        CASE
            WHEN (b.oid = ('jsonb'::regtype)::oid) THEN 'jsonb'::text
            WHEN (b.oid = ANY (ARRAY[('real'::regtype)::oid, ('double precision'::regtype)::oid])) THEN 'float'::text
            WHEN ((b.oid = ('json'::regtype)::oid) OR (b.typcategory = 'A'::"char") OR (b.typtype = 'c'::"char") OR ((b.oid >= (16384)::oid) AND (b.typtype <> ALL (ARRAY['e'::"char", 'r'::"char", 'm'::"char"])))) THEN 'text'::text
            ELSE 'plain'::text
        END AS form,
    ((b.oid < (16384)::oid) OR (b.typtype = 'e'::"char")) AS safe,
    agentdb._is_exact(a.atttypid, a.atttypmod, a.attcollation) AS exact,
    ((a.attname = ANY (t.redacted)) OR (a.attnum = ANY (t.redacted_places))) AS redacted,
    ((a.attname = ANY (t.excluded)) OR (a.attnum = ANY (t.excluded_places))) AS excluded,
    k.place AS key_place
   FROM (((((agentdb.audit_target t
     JOIN pg_attribute a ON (((a.attrelid = t.table_oid) AND (a.attnum > 0) AND (NOT a.attisdropped))))
     JOIN pg_type d ON ((d.oid = a.atttypid)))
     JOIN pg_type b ON ((b.oid =
        CASE
            WHEN (d.typtype = 'd'::"char") THEN agentdb._base_type(d.oid)
            ELSE d.oid
        END)))
     LEFT JOIN pg_index i ON (((i.indrelid = t.table_oid) AND i.indisprimary AND i.indimmediate)))
     LEFT JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k(attnum, place) ON ((k.attnum = a.attnum)))
  WHERE (t.unaudited_at IS NULL);



COMMENT ON VIEW agentdb.audit_column IS 'The columns of audited tables as they are now, and how each is recorded.';



COMMENT ON COLUMN agentdb.audit_column.audit_target_id IS 'The attachment.';



COMMENT ON COLUMN agentdb.audit_column.place IS 'Number of the column in its table.';



COMMENT ON COLUMN agentdb.audit_column.column_name IS 'The column.';



COMMENT ON COLUMN agentdb.audit_column.base_type IS 'Its type, below all domains.';



COMMENT ON COLUMN agentdb.audit_column.form IS 'How its values become JSON: plain, or so that ->> gives them back exactly.';



COMMENT ON COLUMN agentdb.audit_column.safe IS 'Whether no cast of a user can be involved.';



COMMENT ON COLUMN agentdb.audit_column.exact IS 'Whether = finds every change.';



COMMENT ON COLUMN agentdb.audit_column.redacted IS 'Whether only the fact of a change is recorded.';



COMMENT ON COLUMN agentdb.audit_column.excluded IS 'Whether it is not recorded at all.';



COMMENT ON COLUMN agentdb.audit_column.key_place IS 'Its place in the primary key; NULL outside it, or where the key is deferrable.';



CREATE VIEW agentdb.change_column AS
 SELECT c.audit_target_id,
    c.place,
    c.column_name,
    format_type(a.atttypid, '-1'::integer) AS type_name,
    c.base_type,
    c.form,
    c.exact,
    c.key_place,
    (c.redacted OR c.excluded) AS hidden,
    (a.attgenerated <> ''::"char") AS generated,
        CASE
            WHEN (a.attidentity <> ''::"char") THEN ( SELECT format('nextval(%L)'::text, agentdb._table_name(s.objid)) AS format
               FROM pg_depend s
              WHERE ((s.classid = ('pg_class'::regclass)::oid) AND (s.refclassid = ('pg_class'::regclass)::oid) AND ((s.refobjid = a.attrelid) AND (s.refobjsubid = a.attnum) AND (s.deptype = 'i'::"char"))))
            WHEN (a.attgenerated = ''::"char") THEN pg_get_expr(d.adbin, d.adrelid)
            ELSE NULL::text
        END AS default_expression
   FROM (((agentdb.audit_column c
     JOIN agentdb.audit_target t ON ((t.audit_target_id = c.audit_target_id)))
     JOIN pg_attribute a ON (((a.attrelid = t.table_oid) AND (a.attnum = c.place))))
     LEFT JOIN pg_attrdef d ON (((d.adrelid = a.attrelid) AND (d.adnum = a.attnum))));



COMMENT ON VIEW agentdb.change_column IS 'The columns of audited tables as changes see them.';



COMMENT ON COLUMN agentdb.change_column.audit_target_id IS 'The attachment of the audit.';



COMMENT ON COLUMN agentdb.change_column.place IS 'Number of the column in its table.';



COMMENT ON COLUMN agentdb.change_column.column_name IS 'The column.';



COMMENT ON COLUMN agentdb.change_column.type_name IS 'Its type, without a length.';



COMMENT ON COLUMN agentdb.change_column.base_type IS 'Its type, below all domains.';



COMMENT ON COLUMN agentdb.change_column.form IS 'How its values become JSON.';



COMMENT ON COLUMN agentdb.change_column.exact IS 'Whether = finds every change.';



COMMENT ON COLUMN agentdb.change_column.key_place IS 'Its place in the primary key; NULL outside it.';



COMMENT ON COLUMN agentdb.change_column.hidden IS 'Whether the audit does not record its values, so that no change can have them.';



COMMENT ON COLUMN agentdb.change_column.generated IS 'Whether the database computes it.';



COMMENT ON COLUMN agentdb.change_column.default_expression IS 'What an INSERT without it gets.';



CREATE FUNCTION agentdb._current_sql(change bigint, target integer) RETURNS text
    LANGUAGE sql STABLE
    RETURN format('
    select i.place, i.operation, i.row_key, c.present,
      case
        when i.operation = ''insert'' and c.present is not null then ''exists already''
        when i.operation <> ''insert'' and c.present is null then ''is gone''
        when i.operation <> ''insert'' and exists (
          select from jsonb_each(i.expected) as e
          -- As text, for 1.0 and 1.00 are one number and two values.
          where (c.present -> e.key)::text is distinct from e.value::text)
          then ''was changed''
      end as conflict
    from agentdb.change_row as i
    left join lateral (
      select %3$s as present from %4$s as t where %5$s) as c on true
    where i.change_id = %1$s and i.audit_target_id = %2$s
    order by i.place'::text, change, target, agentdb._object_sql(ARRAY(SELECT format('jsonb_build_object(%L, %s)'::text, (c.column_name)::text, agentdb._value_sql('t'::text, c.column_name, c.form, false)) AS format FROM agentdb.change_column c WHERE ((c.audit_target_id = _current_sql.target) AND (NOT c.hidden) AND (NOT c.generated)) ORDER BY c.place)), (SELECT (CASE c.relkind WHEN 'p'::"char" THEN ''::text ELSE 'only '::text END || agentdb._table_name(c.oid)) FROM (agentdb.audit_target t JOIN pg_class c ON ((c.oid = t.table_oid))) WHERE (t.audit_target_id = _current_sql.target)), (SELECT string_agg(format('t.%I = %s'::text, c.column_name, agentdb._typed_sql('i.row_key'::text, (c.column_name)::text, c.type_name)), ' and '::text) AS string_agg FROM agentdb.change_column c WHERE ((c.audit_target_id = _current_sql.target) AND (c.key_place IS NOT NULL))));



COMMENT ON FUNCTION agentdb._current_sql(change bigint, target integer) IS 'SQL text: the rows of a change in one table, as they are now and what is wrong.';



CREATE FUNCTION agentdb._decision(labels jsonb) RETURNS text
    LANGUAGE sql STABLE
    RETURN COALESCE((SELECT format('Q-%s was answered by %s'::text, q.question_id, q.answered_by) AS format FROM agentdb.question q WHERE ((q.answer IS NOT NULL) AND (q.question_id = CASE WHEN ((_decision.labels ->> 'question'::text) ~ '^Q-[0-9]{1,18}$'::text) THEN (substr((_decision.labels ->> 'question'::text), 3))::bigint ELSE NULL::bigint END))), (SELECT format('change %s is %s'::text, c.change_id, c.state) AS format FROM agentdb.change c WHERE ((c.closed_at IS NOT NULL) AND (c.state <> 'conflict'::text) AND (c.change_id = CASE WHEN ((_decision.labels ->> 'change'::text) ~ '^[0-9]{1,18}$'::text) THEN ((_decision.labels ->> 'change'::text))::bigint ELSE NULL::bigint END))), (('silence '::text || (labels ->> 'silence'::text)) || ' is over'::text));



COMMENT ON FUNCTION agentdb._decision(labels jsonb) IS 'What people decided of the question, change or silence that an alert is about.';



CREATE TABLE agentdb.stop_log (
    stop_log_id bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    agent_id bigint,
    run_id bigint,
    action text NOT NULL,
    reason text NOT NULL,
    stopped_by name DEFAULT SESSION_USER NOT NULL,
    details jsonb
)
PARTITION BY RANGE (recorded_at);



COMMENT ON TABLE agentdb.stop_log IS 'Who stopped, resumed or held what, and why; append-only, a partition a UTC day.';



CREATE FUNCTION agentdb._deed(run bigint, since timestamp with time zone) RETURNS TABLE(at timestamp with time zone, place bigint, kind text, what text, ok boolean, details jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT w.recorded_at,
     w.audit_log_id,
     'write'::text,
     concat_ws(' '::text, w.operation, g.table_name, (w.row_key)::text) AS concat_ws,
     NULL::boolean AS bool,
     COALESCE(w.new_values, w.old_values) AS "coalesce"
    FROM (agentdb.audit_log w
      JOIN agentdb.audit_target g ON ((g.audit_target_id = w.audit_target_id)))
   WHERE ((w.run_id = _deed.run) AND (w.recorded_at >= _deed.since))
 UNION ALL
  SELECT e.at,
     e.place,
     'change'::text,
     e.what,
     e.ok,
     e.details
    FROM agentdb._change_event(_deed.run) e(at, place, what, ok, details)
 UNION ALL
  SELECT k.recorded_at,
     k.stop_log_id,
     'stop'::text,
     format('%s by %s: %s'::text, k.action, k.stopped_by, k.reason) AS format,
     NULL::boolean,
     k.details
    FROM agentdb.stop_log k
   WHERE ((k.run_id = _deed.run) AND (k.recorded_at >= _deed.since))
 UNION ALL
  SELECT c.claimed_at,
     c.claim_id,
     'claim'::text,
     format('%s %s: %s'::text, c.kind, c.target, c.state) AS format,
         CASE c.state
             WHEN 'verified'::text THEN true
             WHEN 'refuted'::text THEN false
             ELSE NULL::boolean
         END AS "case",
     c.expectation
    FROM agentdb.claim c
   WHERE (c.run_id = _deed.run)
 UNION ALL
  SELECT q.asked_at,
     q.question_id,
     'question'::text,
     q.question,
     NULL::boolean,
     jsonb_strip_nulls(jsonb_build_object('options', q.options, 'urgency', q.urgency)) AS jsonb_strip_nulls
    FROM agentdb.question q
   WHERE (q.run_id = _deed.run)
 UNION ALL
  SELECT q.answered_at,
     q.question_id,
     'answer'::text,
     format('%s by %s'::text, q.answer, q.answered_by) AS format,
     NULL::boolean,
     jsonb_strip_nulls(jsonb_build_object('comment', q.comment)) AS jsonb_strip_nulls
    FROM agentdb.question q
   WHERE ((q.run_id = _deed.run) AND (q.answer IS NOT NULL));
END;



COMMENT ON FUNCTION agentdb._deed(run bigint, since timestamp with time zone) IS 'The audited writes of a run, its changes, what operators did to it, what it claims and asks.';



CREATE FUNCTION agentdb._deeds(run bigint) RETURNS TABLE(table_name text, row_key jsonb, operation text, operations text[], changed_at timestamp with time zone)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT t.table_name,
     l.row_key,
         CASE
             WHEN (l.row_key IS NULL) THEN (array_agg(l.operation))[1]
             WHEN ((l.first_operation = 'insert'::text) AND (l.last_operation = 'delete'::text)) THEN 'none'::text
             WHEN (l.first_operation = 'insert'::text) THEN 'insert'::text
             WHEN (l.last_operation = 'delete'::text) THEN 'delete'::text
             ELSE 'update'::text
         END AS "case",
     array_agg(DISTINCT l.operation) AS array_agg,
     max(l.recorded_at) AS max
    FROM (( SELECT a.audit_target_id,
             a.row_key,
             a.operation,
             a.recorded_at,
             first_value(a.operation) OVER w AS first_operation,
             last_value(a.operation) OVER w AS last_operation,
                 CASE
                     WHEN (a.row_key IS NULL) THEN a.audit_log_id
                     ELSE NULL::bigint
                 END AS apart
            FROM agentdb.audit_log a
           WHERE (a.run_id = _deeds.run)
           WINDOW w AS (PARTITION BY a.audit_target_id, a.row_key,
                 CASE
                     WHEN (a.row_key IS NULL) THEN a.audit_log_id
                     ELSE NULL::bigint
                 END ORDER BY a.audit_log_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING)) l
      JOIN agentdb.audit_target t ON ((t.audit_target_id = l.audit_target_id)))
   GROUP BY t.table_name, l.row_key, l.apart, l.first_operation, l.last_operation;
END;



COMMENT ON FUNCTION agentdb._deeds(run bigint) IS 'Each row that a run changed and what became of it: insert, update, delete, or none.';



CREATE FUNCTION agentdb._deferred() RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_roles oid[];
begin
  -- Most databases have none.
  if not exists (
    select from pg_trigger as t
    join pg_class as c on c.oid = t.tgrelid
    where t.tgdeferrable and c.relnamespace <> 'agentdb'::regnamespace
  ) then
    return 'all';
  end if;
  v_roles := agentdb._agents_roles();
  return (
    select case when bool_and(k.harmless) is not false then 'all'
      else string_agg(k.name, ', ') filter (where k.harmless) end
    from (
      select format('%I.%I', n.nspname, k.conname) as name,
        bool_and(c.relowner <> all (v_roles) and p.proowner <> all (v_roles))
          as harmless
      from pg_trigger as t
      join pg_constraint as k on k.oid = t.tgconstraint
      join pg_namespace as n on n.oid = k.connamespace
      join pg_class as c on c.oid = t.tgrelid
      join pg_proc as p on p.oid = t.tgfoid
      where t.tgdeferrable
      group by n.nspname, k.conname
    ) as k
  );
end;
$$;



COMMENT ON FUNCTION agentdb._deferred() IS 'SQL text: the deferrable constraints in which no agent has a part.';



CREATE FUNCTION agentdb._matchable(alert bigint, rule_name text, severity text, labels jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN (labels || jsonb_build_object('alert', ('A-'::text || alert), 'rule', rule_name, 'severity', severity));



COMMENT ON FUNCTION agentdb._matchable(alert bigint, rule_name text, severity text, labels jsonb) IS 'The labels of an alert by which it can be named: its own, alert, rule and severity.';



CREATE FUNCTION agentdb._matches(matchers jsonb, labels jsonb) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    RETURN (NOT (EXISTS (SELECT FROM (jsonb_array_elements(_matches.matchers) m(item) CROSS JOIN LATERAL (SELECT COALESCE((_matches.labels ->> (m.item ->> 'label'::text)), ''::text) AS given, (m.item ->> 'value'::text) AS wanted) v) WHERE CASE (m.item ->> 'is'::text) WHEN '='::text THEN (v.given <> v.wanted) WHEN '!='::text THEN (v.given = v.wanted) WHEN '~'::text THEN (v.given !~ v.wanted) ELSE (v.given ~ v.wanted) END)));



COMMENT ON FUNCTION agentdb._matches(matchers jsonb, labels jsonb) IS 'Whether labels satisfy all matchers.';



CREATE FUNCTION agentdb._severity_rank(severity text) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN array_position(ARRAY['info'::text, 'warning'::text, 'critical'::text], severity);



COMMENT ON FUNCTION agentdb._severity_rank(severity text) IS 'Orders severities: info 1, warning 2, critical 3.';



CREATE FUNCTION agentdb._span(value interval) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
 SELECT COALESCE(NULLIF(concat_ws(' '::text, (NULLIF((s.seconds / 86400), 0) || ' d'::text), (NULLIF(((s.seconds % (86400)::bigint) / 3600), 0) || ' h'::text), (NULLIF(((s.seconds % (3600)::bigint) / 60), 0) || ' min'::text), (NULLIF((s.seconds % (60)::bigint), 0) || ' s'::text)), ''::text), '0 s'::text) AS "coalesce"
    FROM ( SELECT (floor(EXTRACT(epoch FROM _span.value)))::bigint AS seconds) s;
END;



COMMENT ON FUNCTION agentdb._span(value interval) IS 'A length of time as people say it, such as 1 h 30 min.';



CREATE TABLE agentdb.alert_group (
    alert_group_id bigint NOT NULL,
    receiver_name text NOT NULL,
    route_name text,
    group_key text NOT NULL,
    labels jsonb NOT NULL,
    alert_id bigint,
    told text,
    told_at timestamp with time zone,
    generation integer DEFAULT 0 NOT NULL,
    open_at timestamp with time zone NOT NULL,
    look_at timestamp with time zone NOT NULL,
    CONSTRAINT alert_group_told_check CHECK ((told = ANY (ARRAY['firing'::text, 'acknowledged'::text, 'silenced'::text, 'resolved'::text])))
)
WITH (fillfactor='50');



COMMENT ON TABLE agentdb.alert_group IS 'What one receiver was told as one incident, and when there is more to say.';



COMMENT ON COLUMN agentdb.alert_group.alert_id IS 'The alert, where each is a group by itself.';



COMMENT ON COLUMN agentdb.alert_group.told IS 'What the receiver was told last.';



COMMENT ON COLUMN agentdb.alert_group.open_at IS 'Before this no change is told, by group_wait and group_interval.';



COMMENT ON COLUMN agentdb.alert_group.look_at IS 'When flush() looks at the group next.';



CREATE TABLE agentdb.alert_rule (
    rule_name text NOT NULL,
    description text NOT NULL,
    view_name text NOT NULL,
    evidence_query text,
    remedy text,
    ends_when text,
    ends_with_run boolean DEFAULT false NOT NULL,
    group_by text[] DEFAULT '{alert}'::text[] NOT NULL,
    severity text DEFAULT 'warning'::text NOT NULL,
    health text DEFAULT 'alerting'::text NOT NULL,
    action text DEFAULT 'notify'::text NOT NULL,
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
    CONSTRAINT alert_rule_action_check CHECK ((action = ANY (ARRAY['notify'::text, 'block'::text, 'kill'::text]))),
    CONSTRAINT alert_rule_health_check CHECK ((health ~ '^[a-z]{1,20}$'::text)),
    CONSTRAINT alert_rule_max_alerts_check CHECK (((max_alerts >= 1) AND (max_alerts <= 100000))),
    CONSTRAINT alert_rule_rule_name_check CHECK ((rule_name ~ '^[a-z0-9][a-z0-9_]{0,62}$'::text)),
    CONSTRAINT alert_rule_severity_check CHECK ((severity = ANY (ARRAY['info'::text, 'warning'::text, 'critical'::text]))),
    CONSTRAINT alert_rule_times_check CHECK ((((evaluate_every >= '00:00:00.1'::interval) AND (evaluate_every <= '1 day'::interval)) AND ((fire_after >= '00:00:00'::interval) AND (fire_after <= '7 days'::interval)) AND ((keep_firing >= '00:00:00'::interval) AND (keep_firing <= '7 days'::interval)) AND ((timeout >= '00:00:00.01'::interval) AND (timeout <= '00:05:00'::interval)))),
    CONSTRAINT alert_rule_view_name_check CHECK ((cardinality(parse_ident(view_name)) = 2))
)
WITH (fillfactor='50');



COMMENT ON TABLE agentdb.alert_rule IS 'Rules: a view that has a row for each trouble, how often to ask it and how to alert.';



COMMENT ON COLUMN agentdb.alert_rule.view_name IS 'schema.view with columns labels jsonb, value double precision, annotations jsonb.';



COMMENT ON COLUMN agentdb.alert_rule.evidence_query IS 'Statement that shows the rows behind an alert; :labels, :at and :calls stand for its labels, moment and the tool calls that it names.';



COMMENT ON COLUMN agentdb.alert_rule.remedy IS 'What to do about an alert, a line a step: a command, a statement that ends in a semicolon, or a sentence; {run} stands for the label run.  NULL is general advice.';



COMMENT ON COLUMN agentdb.alert_rule.ends_when IS 'What ends an alert, in words; {run} stands for the label run.';



COMMENT ON COLUMN agentdb.alert_rule.ends_with_run IS 'Whether an alert is over as soon as the run that it names ends or is stopped or, where it names none, its agent is stopped.';



COMMENT ON COLUMN agentdb.alert_rule.group_by IS 'Which labels make one incident of several alerts at receivers without a route; {alert} is each by itself.';



COMMENT ON COLUMN agentdb.alert_rule.health IS 'The word agent_health has for an agent with such an alert.';



COMMENT ON COLUMN agentdb.alert_rule.action IS 'What happens when it fires besides telling people: notify (nothing), block (the agent is paused) or kill (the run, or the agent where no run is named).';



COMMENT ON COLUMN agentdb.alert_rule.fire_after IS 'How long a row must stay before its alert fires.';



COMMENT ON COLUMN agentdb.alert_rule.keep_firing IS 'How long an alert fires on after its row is gone.';



COMMENT ON COLUMN agentdb.alert_rule.max_alerts IS 'How many rows are looked at; past that nothing is resolved.';



COMMENT ON COLUMN agentdb.alert_rule.evaluation IS 'Counts evaluations; an answer to an older one is dropped.';



CREATE TABLE agentdb.group_alert (
    alert_group_id bigint NOT NULL,
    alert_id bigint NOT NULL,
    state text DEFAULT 'firing'::text NOT NULL,
    episode integer DEFAULT 1 NOT NULL,
    until_at timestamp with time zone,
    told text,
    told_episode integer,
    escalate_at timestamp with time zone,
    escalated boolean DEFAULT false NOT NULL,
    reason text,
    CONSTRAINT group_alert_state_check CHECK ((state = ANY (ARRAY['firing'::text, 'acknowledged'::text, 'silenced'::text, 'inhibited'::text, 'gone'::text, 'resolved'::text]))),
    CONSTRAINT group_alert_told_check CHECK ((told = ANY (ARRAY['firing'::text, 'acknowledged'::text, 'silenced'::text])))
)
WITH (fillfactor='50');



COMMENT ON TABLE agentdb.group_alert IS 'The alerts of a group that fire or whose end has still to be told.';



COMMENT ON COLUMN agentdb.group_alert.until_at IS 'Until when it is acknowledged or silenced.';



COMMENT ON COLUMN agentdb.group_alert.reason IS 'Why it is told again, or to this receiver.';



CREATE TABLE agentdb.receiver (
    receiver_name text NOT NULL,
    channel text NOT NULL,
    target text,
    secret_ref text,
    min_severity text DEFAULT 'info'::text NOT NULL,
    send_resolved boolean DEFAULT true NOT NULL,
    enabled boolean DEFAULT true NOT NULL,
    escalate_after interval,
    escalate_to text,
    CONSTRAINT receiver_channel_check CHECK ((channel = ANY (ARRAY['alertmanager'::text, 'apprise'::text, 'email'::text, 'exec'::text, 'pagerduty'::text, 'stdout'::text, 'webhook'::text]))),
    CONSTRAINT receiver_escalate_after_check CHECK ((((escalate_after IS NULL) = (escalate_to IS NULL)) AND ((escalate_after >= '00:00:10'::interval) AND (escalate_after <= '7 days'::interval)))),
    CONSTRAINT receiver_escalate_to_check CHECK ((escalate_to <> receiver_name)),
    CONSTRAINT receiver_min_severity_check CHECK ((min_severity = ANY (ARRAY['info'::text, 'warning'::text, 'critical'::text]))),
    CONSTRAINT receiver_receiver_name_check CHECK ((receiver_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'::text)),
    CONSTRAINT receiver_secret_check CHECK (((secret_ref IS NOT NULL) OR (channel <> ALL (ARRAY['apprise'::text, 'pagerduty'::text])))),
    CONSTRAINT receiver_secret_ref_check CHECK ((secret_ref ~ '^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$'::text)),
    CONSTRAINT receiver_target_check CHECK (
CASE
    WHEN (channel = ANY (ARRAY['apprise'::text, 'stdout'::text])) THEN (target IS NULL)
    WHEN (channel = 'exec'::text) THEN ((target IS NOT NULL) AND (target ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'::text))
    WHEN ((channel = 'pagerduty'::text) AND (target IS NULL)) THEN true
    WHEN (target ~ '^(env:[A-Za-z_][A-Za-z0-9_]*|file:/.+)$'::text) THEN true
    WHEN (channel = 'email'::text) THEN ((target IS NOT NULL) AND (target ~ '^smtps?://([^[:space:]/@:?#]+@)?[^[:space:]/@?#]+/?[?][^[:space:]]+$'::text))
    ELSE ((target IS NOT NULL) AND (target ~ '^https?://[^[:space:]/@?#]+([/?#][^[:space:]]*)?$'::text))
END)
);



COMMENT ON TABLE agentdb.receiver IS 'Who is told, and through which channel.';



COMMENT ON COLUMN agentdb.receiver.target IS 'A URL, or env:NAME or file:/path of the runner where it holds a secret; for exec the name of a program in the runner''s configuration.';



COMMENT ON COLUMN agentdb.receiver.secret_ref IS 'Where the runner finds the key, password, routing key or URL that is secret: env:NAME or file:/path.';



COMMENT ON COLUMN agentdb.receiver.escalate_after IS 'Who does not acknowledge an alert for so long has escalate_to told of it.';



CREATE TABLE agentdb.route (
    route_name text NOT NULL,
    receiver_name text NOT NULL,
    matchers jsonb NOT NULL,
    group_by text[] NOT NULL,
    group_wait interval NOT NULL,
    group_interval interval NOT NULL,
    repeat_interval interval,
    CONSTRAINT route_route_name_check CHECK ((route_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'::text)),
    CONSTRAINT route_times_check CHECK ((((group_wait >= '00:00:00'::interval) AND (group_wait <= '1 day'::interval)) AND ((group_interval >= '00:00:00'::interval) AND (group_interval <= '1 day'::interval)) AND ((repeat_interval >= '00:01:00'::interval) AND (repeat_interval <= '30 days'::interval))))
);



COMMENT ON TABLE agentdb.route IS 'Which alerts a receiver hears of and which of them come as one message; a receiver without a route hears of each alert by itself.';



COMMENT ON COLUMN agentdb.route.group_by IS 'Labels, rule or severity: alerts that have them equal are one message; {alert} is each by itself, {} all together.';



COMMENT ON COLUMN agentdb.route.group_wait IS 'How long a new group waits for more alerts before it is told.';



COMMENT ON COLUMN agentdb.route.group_interval IS 'How long at least lies between two messages about changes of a group.';



COMMENT ON COLUMN agentdb.route.repeat_interval IS 'How often a group is told again that nobody acknowledges; NULL is never.';



CREATE FUNCTION agentdb._destination(alert agentdb.alert) RETURNS TABLE(receiver_name text, route_name text, group_by text[], reason text)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT r.receiver_name,
     t.route_name,
     COALESCE(t.group_by, ( SELECT l.group_by
            FROM agentdb.alert_rule l
           WHERE (l.rule_name = (_destination.alert).rule_name)), '{alert}'::text[]) AS "coalesce",
     e.reason
    FROM ((agentdb.receiver r
      LEFT JOIN LATERAL ( SELECT m.route_name,
             m.group_by
            FROM agentdb.route m
           WHERE ((m.receiver_name = r.receiver_name) AND agentdb._matches(m.matchers, agentdb._matchable((_destination.alert).alert_id, (_destination.alert).rule_name, (_destination.alert).severity, (_destination.alert).labels)))
           ORDER BY m.route_name
          LIMIT 1) t ON (true))
      LEFT JOIN LATERAL ( SELECT format('escalated: %s did not acknowledge it for %s'::text, f.receiver_name, agentdb._span(f.escalate_after)) AS reason
            FROM ((agentdb.group_alert m
              JOIN agentdb.alert_group g ON ((g.alert_group_id = m.alert_group_id)))
              JOIN agentdb.receiver f ON ((f.receiver_name = g.receiver_name)))
           WHERE ((m.alert_id = (_destination.alert).alert_id) AND m.escalated AND (m.episode = (_destination.alert).episode) AND (f.escalate_to = r.receiver_name))
          LIMIT 1) e ON (true))
   WHERE (r.enabled AND
         CASE
             WHEN ((_destination.alert).rule_name = 'dead_letter'::text) THEN (r.receiver_name IS DISTINCT FROM ((_destination.alert).labels ->> 'receiver'::text))
             WHEN (e.reason IS NOT NULL) THEN true
             WHEN (agentdb._severity_rank((_destination.alert).severity) < agentdb._severity_rank(r.min_severity)) THEN false
             WHEN (EXISTS ( SELECT
                FROM agentdb.route o
               WHERE (o.receiver_name = r.receiver_name))) THEN (t.route_name IS NOT NULL)
             ELSE (NOT (EXISTS ( SELECT
                FROM agentdb.receiver o
               WHERE (o.escalate_to = r.receiver_name))))
         END);
END;



COMMENT ON FUNCTION agentdb._destination(alert agentdb.alert) IS 'The receivers that hear of an alert, each by its first route that matches, and why one hears of it that otherwise would not.';



CREATE FUNCTION agentdb._diagnosis(alert agentdb.alert) RETURNS text[]
    LANGUAGE sql STABLE
    RETURN ARRAY(SELECT l.line FROM ((jsonb_array_elements(CASE jsonb_typeof(((_diagnosis.alert).annotations -> 'calls'::text)) WHEN 'array'::text THEN ((_diagnosis.alert).annotations -> 'calls'::text) ELSE '[]'::jsonb END) WITH ORDINALITY c(call, place) JOIN agentdb.tool_diagnosis d ON ((d.tool_call_log_id = CASE WHEN ((c.call)::text ~ '^[0-9]{1,18}$'::text) THEN ((c.call)::text)::bigint ELSE NULL::bigint END))) CROSS JOIN LATERAL agentdb._diagnosis_lines(d.diagnosis) l(line, place)) GROUP BY l.line ORDER BY (min(((c.place * 1000) + l.place))) LIMIT 6);



COMMENT ON FUNCTION agentdb._diagnosis(alert agentdb.alert) IS 'What was found out about the failed calls that an alert names.';



CREATE FUNCTION agentdb._did(deed text, operations text[], claimed text) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    RETURN ((deed = claimed) OR ((claimed = 'update'::text) AND (deed = 'insert'::text) AND ('update'::text = ANY (operations))));



COMMENT ON FUNCTION agentdb._did(deed text, operations text[], claimed text) IS 'Tells whether what became of a row bears out what was claimed of it.';



CREATE FUNCTION agentdb._difference_sql(target integer, row_name text) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT agentdb._object_sql(array_agg(format('case when %s then jsonb_build_object(%L, %s) else ''{}'' end'::text, agentdb._changed_sql('o'::text, 'n'::text, c.column_name, c.exact), (c.column_name)::text, agentdb._value_sql(_difference_sql.row_name, c.column_name, c.form, c.redacted)) ORDER BY c.place)) AS _object_sql FROM agentdb.audit_column c WHERE ((c.audit_target_id = _difference_sql.target) AND (NOT c.excluded) AND (c.key_place IS NULL)));



COMMENT ON FUNCTION agentdb._difference_sql(target integer, row_name text) IS 'SQL text: the changed columns of a row o or n as JSON.';



CREATE FUNCTION agentdb._digest(group_id bigint, kind text) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
  select jsonb_build_object(
    'version', 1,
    'kind', kind,
    'rule', case when min(a.rule_name) = max(a.rule_name) then min(a.rule_name) end,
    'severity', (array['info', 'warning', 'critical'])[
      max(agentdb._severity_rank(a.severity))],
    'summary', format('%s alerts%s: %s', count(*), case kind when 'resolved'
      then ' are over' else '' end, (
      select string_agg(concat_ws(' ', c.item ->> 'alerts', c.item ->> 'rule',
        'of ' || (c.item ->> 'agent')), ', ' order by c.place)
      from jsonb_array_elements(agentdb._counts(group_id, kind))
        with ordinality as c (item, place)
      where c.place <= 5
    )),
    'since', to_char(
      min(coalesce(a.firing_at, a.active_at)), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'counts', agentdb._counts(group_id, kind),
    'worst', agentdb._worst(group_id, kind)
  )
  from agentdb._tellable(group_id, kind) as t
  join agentdb.alert as a on a.alert_id = t.alert_id;
$$;



COMMENT ON FUNCTION agentdb._digest(group_id bigint, kind text) IS 'Many alerts as one message of bounded size.';



CREATE FUNCTION agentdb._dismiss(alerts bigint[], reason text) RETURNS bigint[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_alerts bigint[];
begin
  perform from agentdb.alert as a
  where a.alert_id = any (alerts) order by a.alert_id for no key update;
  with resolved as (
    update agentdb.alert as a
    set state = 'resolved',
        resolved_at = clock_timestamp(),
        end_reason = format('resolved by %s: %s', session_user, _dismiss.reason),
        dismissed_severity = a.severity,
        acknowledged_at = null,
        acknowledged_by = null,
        acknowledged_until = null,
        acknowledge_comment = null
    where a.alert_id = any (alerts)
      and a.state = 'firing'
    returning a.*
  ),
  logged as (
    insert into agentdb.alert_log (
      alert_id, rule_name, from_state, to_state, episode, value, comment
    )
    select a.alert_id, a.rule_name, 'firing', 'resolved', a.episode, a.value,
      _dismiss.reason
    from resolved as a
  )
  select coalesce(array_agg(a.alert_id), '{}') into v_alerts from resolved as a;
  perform agentdb._tell_groups(agentdb._wake_groups(v_alerts, clock_timestamp()));
  return v_alerts;
end;
$$;



COMMENT ON FUNCTION agentdb._dismiss(alerts bigint[], reason text) IS 'Ends those of the alerts that fire, and returns them.';



CREATE FUNCTION agentdb._drop_guard(relation regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_trigger record;
begin
  for v_trigger in
    select t.tgname, t.tgrelid::regclass as name
    from pg_trigger as t
    where t.tgfoid = 'agentdb._guard'::regproc
      and t.tgparentid = 0
      and (t.tgrelid = relation
        or t.tgrelid in (select r.relid from pg_partition_tree(relation) as r))
  loop
    execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.name);
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb._drop_guard(relation regclass) IS 'Drops the guard triggers of a table and its partitions, with the rights of the caller.';



CREATE FUNCTION agentdb._drop_partition(partition_name text) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '100ms'
    AS $$
begin
  execute format('drop table agentdb.%I', partition_name);
  return 'dropped';
exception when lock_not_available then
  return 'postponed';
end;
$$;



COMMENT ON FUNCTION agentdb._drop_partition(partition_name text) IS 'Drops an old partition of a log, unless its lock cannot be had now.';



CREATE FUNCTION agentdb._drop_rows(change bigint, places integer[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  delete from agentdb.change_row as r
  using agentdb.change as c
  where c.change_id = change
    and c.kind = 'undo'
    and c.state = 'open'
    and c.proposed_by = session_user
    and r.change_id = change
    and r.place = any (places);
end;
$$;



COMMENT ON FUNCTION agentdb._drop_rows(change bigint, places integer[]) IS 'Leaves rows out of an undo that is being made.';



CREATE FUNCTION agentdb._drop_triggers(relation regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_trigger record;
begin
  for v_trigger in
    select t.tgname, t.tgrelid::regclass as name
    from pg_trigger as t
    join pg_proc as p on p.oid = t.tgfoid
    where p.pronamespace = 'agentdb'::regnamespace
      and p.proname like '\_capture\_%'
      and t.tgparentid = 0
      and (t.tgrelid = relation
        or t.tgrelid in (select r.relid from pg_partition_tree(relation) as r))
  loop
    execute format('drop trigger %I on %s', v_trigger.tgname, v_trigger.name);
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb._drop_triggers(relation regclass) IS 'Drops the audit triggers of a table and its partitions, with the rights of the caller.';



CREATE FUNCTION agentdb._earlier_changes(change bigint) RETURNS bigint[]
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(array_agg(o.change_id order by o.change_id), '{}')
  from agentdb.change as c
  join agentdb.change as o
    on o.proposed_by = c.proposed_by
    and o.agent_id is not distinct from c.agent_id
    and o.change_id < c.change_id
    and o.state in ('pending', 'approved')
  where c.change_id = _earlier_changes.change;
$$;



COMMENT ON FUNCTION agentdb._earlier_changes(change bigint) IS 'All undecided changes of the same proposer before a change.';



CREATE FUNCTION agentdb._end_alerts(run bigint, agent bigint) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with mine as (
    select a.alert_id
    from agentdb.alert as a
    join agentdb.alert_rule as r on r.rule_name = a.rule_name and r.ends_with_run
    where a.state = 'firing'
      and a.labels ->> 'agent' = (
        select g.agent_name from agentdb.agent as g
        where g.agent_id = _end_alerts.agent)
      and a.labels ->> 'run' is not distinct from run::text
    for no key update of a skip locked
  ),
  ended as (
    update agentdb.alert as a
    set state = 'resolved',
        resolved_at = clock_timestamp(),
        end_reason = coalesce(agentdb._run_end(run),
          agentdb._agent_end(a.labels ->> 'agent', '-infinity')),
        dismissed_severity = 'critical',
        flush = true,
        acknowledged_at = null,
        acknowledged_until = null,
        acknowledged_by = null,
        acknowledge_comment = null
    from mine as m
    where a.alert_id = m.alert_id
    returning a.*
  )
  insert into agentdb.alert_log (
    alert_id, rule_name, from_state, to_state, episode, value, comment
  )
  select e.alert_id, e.rule_name, 'firing', 'resolved', e.episode, e.value, e.end_reason
  from ended as e;
$$;



COMMENT ON FUNCTION agentdb._end_alerts(run bigint, agent bigint) IS 'Ends the alerts that end with a run which was killed or, where it is NULL, with its agent.';



CREATE FUNCTION agentdb._end_apply(change bigint, effects jsonb, problem jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update agentdb.change as c
  set state = case when _end_apply.problem is null then 'applied' else 'conflict' end,
      problem = _end_apply.problem,
      effects = coalesce(_end_apply.effects, c.effects),
      closed_at = clock_timestamp(),
      applied_by = case when _end_apply.problem is null then session_user end,
      applied_xid = case when _end_apply.problem is null then pg_current_xact_id() end
  where c.change_id = change and c.state = 'approved';
end;
$$;



COMMENT ON FUNCTION agentdb._end_apply(change bigint, effects jsonb, problem jsonb) IS 'Writes down how the application of a change ended.';



CREATE FUNCTION agentdb._end_apply_as_caller(change bigint, effects jsonb, problem jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if agentdb._all_guarded(change) then
    perform agentdb._refuse_state(change, 'on guarded tables', 'on others');
  end if;
  delete from agentdb.change_pass as p where p.xid = pg_current_xact_id();
  perform agentdb._end_apply(change, effects, problem);
end;
$$;



COMMENT ON FUNCTION agentdb._end_apply_as_caller(change bigint, effects jsonb, problem jsonb) IS 'The same for a change that the caller has applied with its own rights.';



CREATE FUNCTION agentdb._end_audit(relation regclass, detach boolean) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_target integer;
  v_owner oid;
begin
  select t.audit_target_id, c.relowner into v_target, v_owner
  from agentdb.audit_target as t
  join pg_class as c on c.oid = t.table_oid
  where t.table_oid = relation::oid and t.unaudited_at is null;
  if v_target is null then
    raise exception '% is not audited', coalesce(agentdb._table_name(relation), 'NULL')
      using errcode = 'ZA006', hint = 'select table_name from agentdb.audited_table;';
  elsif not pg_has_role(session_user, v_owner, 'MEMBER') then
    perform agentdb._refuse_audit(relation, format('%s does not own it', session_user),
      format('Log in as a member of %s.', v_owner::regrole));
  elsif detach then
    perform agentdb._forget_target(v_target);
  else
    perform agentdb._take_back_capture(v_target, pg_get_userbyid(v_owner));
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._end_audit(relation regclass, detach boolean) IS 'Takes the right to a capture function back, or ends the attachment; raises ZA006 or ZA030.';



CREATE FUNCTION agentdb._end_guard(relation regclass) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_guard record;
begin
  perform agentdb._check_audit(relation, '{}', '{}');
  delete from agentdb.guarded_table as g where g.table_oid = relation::oid
  returning g.view_name, g.audit_target_id into v_guard;
  if not found then
    perform agentdb._refuse_unguarded(relation);
  end if;
  execute format('drop view if exists agentdb_stage.%I', v_guard.view_name);
  execute format('drop function agentdb.%I', '_propose_' || v_guard.audit_target_id);
end;
$$;



COMMENT ON FUNCTION agentdb._end_guard(relation regclass) IS 'Forgets that a table is guarded and drops its staging view; raises ZA006 or ZA030.';



CREATE FUNCTION agentdb._end_killed(run bigint) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  update agentdb.run as r
  set ended_at = clock_timestamp(),
      outcome = 'killed'
  where r.run_id in (
    select o.run_id from agentdb.run as o
    where o.run_id = run and o.ended_at is null
    for no key update skip locked
  );
$$;



COMMENT ON FUNCTION agentdb._end_killed(run bigint) IS 'Ends a killed run, unless the run itself is just being changed.';



CREATE FUNCTION agentdb._end_of_life(major integer) RETURNS date
    LANGUAGE sql IMMUTABLE
    RETURN CASE major WHEN 14 THEN '2026-11-12'::date WHEN 15 THEN '2027-11-11'::date WHEN 16 THEN '2028-11-09'::date WHEN 17 THEN '2029-11-08'::date WHEN 18 THEN '2030-11-14'::date ELSE NULL::date END;



COMMENT ON FUNCTION agentdb._end_of_life(major integer) IS 'When a major version of PostgreSQL is no longer mended; NULL where it is unknown.';



CREATE FUNCTION agentdb._end_pause(agent bigint) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  update agentdb.run as r
  set held_until_at = clock_timestamp(),
      hold_reason = 'it was stopped'
  where r.run_id in (
    select o.run_id
    from agentdb.run as o
    where o.agent_id = agent
      and (o.ended_at is null or o.run_id = agentdb._last_run(agent))
      and coalesce(o.held_until_at < clock_timestamp(), true)
    for no key update skip locked
  );
$$;



COMMENT ON FUNCTION agentdb._end_pause(agent bigint) IS 'Makes the open runs of an agent, and its last one, count from now on again.';



CREATE FUNCTION agentdb._lasted(alert agentdb.alert) RETURNS interval
    LANGUAGE sql IMMUTABLE
    RETURN ((alert).resolved_at - COALESCE((alert).firing_at, (alert).active_at));



COMMENT ON FUNCTION agentdb._lasted(alert agentdb.alert) IS 'How long an alert fired that is over.';



CREATE FUNCTION agentdb._end_payload(alert agentdb.alert) RETURNS jsonb
    LANGUAGE sql STABLE
    RETURN jsonb_strip_nulls(jsonb_build_object('was', COALESCE(((alert).annotations ->> 'summary'::text), (alert).rule_name), 'ended_by', (alert).end_reason, 'lasted_seconds', round(EXTRACT(epoch FROM agentdb._lasted(alert))), 'until', to_char(((alert).resolved_at AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'::text)));



COMMENT ON FUNCTION agentdb._end_payload(alert agentdb.alert) IS 'What a receiver is told of the end of an alert.';



CREATE FUNCTION agentdb._has_unapplied(run bigint) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN (EXISTS (SELECT FROM agentdb.change c WHERE ((c.run_id = _has_unapplied.run) AND (c.kind = 'stage'::text) AND (c.state <> ALL (ARRAY['applied'::text, 'withdrawn'::text])) AND ((c.closed_at IS NULL) OR (EXISTS (SELECT FROM agentdb.change_row r WHERE ((r.change_id = c.change_id) AND (NOT (r.audit_target_id IN (SELECT t.audit_target_id FROM (agentdb.change l JOIN agentdb.change_table t ON ((t.change_id = l.change_id))) WHERE ((l.run_id = _has_unapplied.run) AND (l.change_id > c.change_id) AND (l.state = 'applied'::text))))))))))));



COMMENT ON FUNCTION agentdb._has_unapplied(run bigint) IS 'Whether something that a run proposed waits, or came to nothing.';



CREATE FUNCTION agentdb._labelled_run(labels jsonb) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN ((labels ->> 'run'::text) ~ '^[0-9]{1,18}$'::text) THEN ((labels ->> 'run'::text))::bigint ELSE NULL::bigint END;



COMMENT ON FUNCTION agentdb._labelled_run(labels jsonb) IS 'The run that labels name.';



CREATE TABLE agentdb.lock_log (
    lock_name text NOT NULL,
    slot integer NOT NULL,
    fence bigint NOT NULL,
    agent_id bigint,
    run_id bigint NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    acquired_at timestamp with time zone NOT NULL,
    expires_at timestamp with time zone NOT NULL,
    renewals integer NOT NULL,
    outcome text NOT NULL,
    ended_by name NOT NULL,
    reason text
)
PARTITION BY RANGE (recorded_at);



COMMENT ON TABLE agentdb.lock_log IS 'Tenures of locks that have ended, and how; append-only, a partition a UTC day.';



CREATE FUNCTION agentdb._lock_end(alert agentdb.alert) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT concat(format('lock %s of run %s: %s'::text, h.lock_name, h.run_id, CASE h.outcome WHEN 'forced'::text THEN 'taken away'::text ELSE h.outcome END), (' by '::text || (h.ended_by)::text), (': '::text || h.reason)) AS concat FROM agentdb.lock_log h WHERE ((h.lock_name = ((_lock_end.alert).labels ->> 'lock'::text)) AND (h.fence = CASE WHEN (((_lock_end.alert).annotations ->> 'fence'::text) ~ '^[0-9]{1,18}$'::text) THEN (((_lock_end.alert).annotations ->> 'fence'::text))::bigint ELSE NULL::bigint END)) LIMIT 1);



COMMENT ON FUNCTION agentdb._lock_end(alert agentdb.alert) IS 'How the tenure of a lock that an alert is about came to its end.';



CREATE FUNCTION agentdb._next_start(alert agentdb.alert) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT format('run %s of %s started'::text, max(r.run_id), a.agent_name) AS format FROM (agentdb.agent a JOIN agentdb.run r ON ((r.agent_id = a.agent_id))) WHERE (((_next_start.alert).rule_name = 'missed_tick'::text) AND (a.agent_name = ((_next_start.alert).labels ->> 'agent'::text)) AND (r.started_at >= (_next_start.alert).active_at)) GROUP BY a.agent_name);



COMMENT ON FUNCTION agentdb._next_start(alert agentdb.alert) IS 'The start that a late agent was waited for.';



CREATE FUNCTION agentdb._run_state(run bigint, outcome text) RETURNS text
    LANGUAGE sql STABLE
    RETURN CASE WHEN (outcome IS NULL) THEN 'running'::text WHEN ((outcome = 'succeeded'::text) AND ((EXISTS (SELECT FROM agentdb.claim c WHERE ((c.run_id = _run_state.run) AND (c.state <> 'verified'::text)))) OR agentdb._has_unapplied(run))) THEN 'unverified'::text ELSE outcome END;



COMMENT ON FUNCTION agentdb._run_state(run bigint, outcome text) IS 'running, the outcome, or unverified for a run that says it succeeded and has a claim that is not verified or a change that was not applied.';



CREATE FUNCTION agentdb._run_end(run bigint) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT CASE WHEN (s.run_id IS NULL) THEN format('run %s ended: %s'::text, r.run_id, agentdb._run_state(r.run_id, r.outcome)) ELSE format('run %s was %s by %s: %s'::text, r.run_id, s.kind, s.stopped_by, s.reason) END AS format FROM (agentdb.run r LEFT JOIN agentdb.run_stop s ON ((s.run_id = r.run_id))) WHERE ((r.run_id = _run_end.run) AND ((r.ended_at IS NOT NULL) OR (s.run_id IS NOT NULL))));



COMMENT ON FUNCTION agentdb._run_end(run bigint) IS 'How a run ended or who stopped it, NULL while it goes on.';



CREATE FUNCTION agentdb._end_reason(alert agentdb.alert) RETURNS text
    LANGUAGE sql STABLE
    RETURN "left"(COALESCE(agentdb._lock_end(alert), agentdb._decision((alert).labels), (SELECT agentdb._run_end(agentdb._labelled_run((_end_reason.alert).labels)) AS _run_end FROM agentdb.alert_rule r WHERE ((r.rule_name = (_end_reason.alert).rule_name) AND r.ends_with_run)), agentdb._agent_end(((alert).labels ->> 'agent'::text), (alert).active_at), agentdb._next_start(alert), format('rule %s does not report it any more'::text, (alert).rule_name)), 500);



COMMENT ON FUNCTION agentdb._end_reason(alert agentdb.alert) IS 'What ended an alert whose rule does not report it any more.';



CREATE FUNCTION agentdb._end_submit(change bigint, row_count bigint, effects jsonb, basis bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_apply text;
begin
  update agentdb.change as c
  set state = case when g.approvals is null then 'approved' else 'pending' end,
      row_count = _end_submit.row_count,
      effects = _end_submit.effects,
      builds_on = basis,
      approvals = coalesce(g.approvals, 0),
      apply = coalesce(g.apply, 'hand'),
      expires_at = clock_timestamp() + coalesce(g.expires, interval '24 hours'),
      submitted_at = clock_timestamp(),
      digest = agentdb._change_digest(change)
  from (
    -- The strictest of its tables decides.
    select max(g.approvals) as approvals, min(g.expires) as expires,
      -- What agentdb_applier may not write, somebody applies who may.
      case when bool_or(g.apply = 'hand') or not agentdb._all_guarded(change)
          then 'hand'
        when bool_or(g.apply = 'runner') then 'runner' else 'approval' end as apply
    from agentdb.guarded_table as g
    where g.audit_target_id in (
        select t.audit_target_id from agentdb.change_table as t
        where t.change_id = change)
      -- Those that only a cascade or a trigger writes as well.
      or _end_submit.effects ?| array[g.table_name || ' inserted',
        g.table_name || ' updated', g.table_name || ' deleted']
  ) as g
  where c.change_id = change
  returning c.apply into v_apply;
  if agentdb._is_harmless(change) then
    update agentdb.change as c
    set state = 'approved', approvals = 0
    where c.change_id = change;
    if v_apply = 'approval' then
      perform agentdb._apply(change);
    end if;
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._end_submit(change bigint, row_count bigint, effects jsonb, basis bigint[]) IS 'Writes down what a change was tried to do and what it needs.';



CREATE FUNCTION agentdb._shell_word(value text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN ((NOT agentdb._is_typeable(value)) OR (value ~ '^-|^$'::text)) THEN NULL::text WHEN ((value COLLATE "C") ~ '^[A-Za-z0-9_./:=@%+,-]+$'::text) THEN value ELSE ((''''::text || replace(value, ''''::text, '''\'''''::text)) || ''''::text) END;



COMMENT ON FUNCTION agentdb._shell_word(value text) IS 'A value as one word of a command, quoted where a shell needs it; NULL where it cannot be typed safely.';



CREATE FUNCTION agentdb._fill(line text, given jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN (SELECT CASE WHEN bool_and((p.part IS NOT NULL)) THEN string_agg(p.part, ''::text ORDER BY p.place) ELSE NULL::text END AS "case" FROM (SELECT m.place, CASE WHEN (m.found[2] IS NULL) THEN m.found[1] WHEN (_fill.line ~ '^agentdb '::text) THEN agentdb._shell_word((_fill.given ->> m.found[2])) WHEN (_fill.line ~ ';$'::text) THEN CASE WHEN agentdb._is_typeable((_fill.given ->> m.found[2])) THEN quote_literal((_fill.given ->> m.found[2])) ELSE NULL::text END ELSE agentdb._one_line((_fill.given ->> m.found[2]), 100) END AS part FROM regexp_matches(_fill.line, '([{]([a-z_]+)[}]|[^{]+|[{])'::text, 'g'::text) WITH ORDINALITY m(found, place)) p);



COMMENT ON FUNCTION agentdb._fill(line text, given jsonb) IS 'A line of a remedy with its {placeholders} filled in, as a command, a statement or a sentence needs them; NULL where one of them is not given.';



CREATE FUNCTION agentdb._given(alert agentdb.alert) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN (jsonb_build_object('alert', ('A-'::text || (alert).alert_id), 'rule', (alert).rule_name) || (alert).labels);



COMMENT ON FUNCTION agentdb._given(alert agentdb.alert) IS 'What the placeholders of a remedy stand for: the labels, alert and rule.';



CREATE FUNCTION agentdb._ends_when(alert agentdb.alert) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT concat(COALESCE(agentdb._fill(r.ends_when, agentdb._given(_ends_when.alert)), (('rule '::text || r.rule_name) || ' does not report it any more'::text)), CASE WHEN (r.keep_firing > '00:00:00'::interval) THEN (', and that for '::text || agentdb._span(r.keep_firing)) ELSE NULL::text END) AS concat FROM agentdb.alert_rule r WHERE (r.rule_name = (_ends_when.alert).rule_name));



COMMENT ON FUNCTION agentdb._ends_when(alert agentdb.alert) IS 'What ends an alert, in words.';



CREATE FUNCTION agentdb._error_class(error text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (error IS NULL) THEN 'failed'::text WHEN (error ~ '\m(42501|EACCES|EPERM)\M'::text) THEN 'permission denied'::text WHEN (error ~ '\m(42P01|42703|42883|3F000|ENOENT|ENOTDIR)\M'::text) THEN 'not found'::text WHEN (error ~ '\m(57014|55P03|25P03|ETIMEDOUT|ESTALE)\M'::text) THEN 'timeout'::text WHEN (error ~ '\m(22[0-9A-Z]{3}|23[0-9]{3}|42601|EINVAL|ZA004)\M'::text) THEN 'bad arguments'::text WHEN (error ~ '\mZA0[0-9]{2}\M'::text) THEN 'refused'::text WHEN (error ~* '\m(http|status|code)[^0-9a-z]{0,3}(401|403)\M'::text) THEN 'permission denied'::text WHEN (error ~* '\m(http|status|code)[^0-9a-z]{0,3}(404|410)\M'::text) THEN 'not found'::text WHEN (error ~* '\m(http|status|code)[^0-9a-z]{0,3}(408|504)\M'::text) THEN 'timeout'::text WHEN (error ~* '\m(http|status|code)[^0-9a-z]{0,3}429\M'::text) THEN 'rate limited'::text WHEN (error ~* '\m(http|status|code)[^0-9a-z]{0,3}(400|422)\M'::text) THEN 'bad arguments'::text WHEN (error ~* 'unknown tool|no such tool|tool .{0,80}not found'::text) THEN 'unknown tool'::text WHEN (error ~* 'permission denied|access denied|not permitted|forbidden|unauthori'::text) THEN 'permission denied'::text WHEN (error ~* 'no such file|not found|does not exist|no such'::text) THEN 'not found'::text WHEN (error ~* 'timed? ?out|deadline'::text) THEN 'timeout'::text WHEN (error ~* 'rate.?limit|too many requests|quota'::text) THEN 'rate limited'::text WHEN (error ~* 'invalid|must be|required|missing|expected|malformed|type ?error'::text) THEN 'bad arguments'::text WHEN (error ~* 'refused|rejected|not allowed|denied'::text) THEN 'refused'::text ELSE 'failed'::text END;



COMMENT ON FUNCTION agentdb._error_class(error text) IS 'unknown tool, bad arguments, not found, permission denied, timeout, rate limited, refused or failed.';



CREATE FUNCTION agentdb._escalate(max_alerts integer, at timestamp with time zone) RETURNS bigint[]
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with late as (
    select m.alert_group_id, m.alert_id
    from agentdb.group_alert as m
    where m.escalate_at <= _escalate.at
    order by m.escalate_at
    limit max_alerts
    for update skip locked
  ),
  escalated as (
    update agentdb.group_alert as m
    set escalate_at = null,
        escalated = true
    from late as l
    where m.alert_group_id = l.alert_group_id
      and m.alert_id = l.alert_id
    returning m.alert_id
  )
  select coalesce(array_agg(distinct e.alert_id), '{}') from escalated as e;
$$;



COMMENT ON FUNCTION agentdb._escalate(max_alerts integer, at timestamp with time zone) IS 'Marks alerts that a receiver did not acknowledge in time and returns them.';



CREATE FUNCTION agentdb._exact_span(given interval) RETURNS interval
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN make_interval(secs => date_part('epoch'::text, given));



COMMENT ON FUNCTION agentdb._exact_span(given interval) IS 'Returns a time in seconds that are the same on every day.';



CREATE FUNCTION agentdb._execute_in_order(change bigint) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    AS $$
declare
  v_matched bigint;
begin
  perform set_config('search_path', agentdb._apply_path(change), true);
  execute agentdb._change_sql(change, true) into v_matched;
  return v_matched;
end;
$$;



COMMENT ON FUNCTION agentdb._execute_in_order(change bigint) IS 'Executes a change in the order of its rows; returns how many of them matched.';



CREATE FUNCTION agentdb._meeting_start(agent bigint, due_at timestamp with time zone, met_at timestamp with time zone, grace interval, as_of timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    RETURN (SELECT max(r.started_at) AS max FROM agentdb.run r WHERE ((r.agent_id = _meeting_start.agent) AND (r.started_at >= (_meeting_start.due_at - _meeting_start.grace)) AND (r.started_at > COALESCE(_meeting_start.met_at, '-infinity'::timestamp with time zone)) AND (r.started_at <= _meeting_start.as_of)));



COMMENT ON FUNCTION agentdb._meeting_start(agent bigint, due_at timestamp with time zone, met_at timestamp with time zone, grace interval, as_of timestamp with time zone) IS 'When the latest run began that met a scheduled start; NULL where none did.';



CREATE TABLE agentdb.schedule (
    agent_id bigint NOT NULL,
    cron text,
    time_zone text DEFAULT 'UTC'::text NOT NULL,
    tick_interval interval,
    grace interval,
    no_progress_after interval,
    due_at timestamp with time zone,
    met_at timestamp with time zone,
    error text,
    CONSTRAINT schedule_cron_check CHECK (((cron ~ '^[-0-9A-Za-z*/,#? ]{1,200}$'::text) AND ((cron IS NULL) OR (tick_interval IS NULL)))),
    CONSTRAINT schedule_time_zone_check CHECK ((time_zone ~ '^[A-Za-z0-9_+/-]{1,64}$'::text)),
    CONSTRAINT schedule_times_check CHECK (((tick_interval > '00:00:00'::interval) AND (tick_interval <= '100 years'::interval) AND ((grace >= '00:00:00'::interval) AND (grace <= '100 years'::interval)) AND (no_progress_after > '00:00:00'::interval) AND (no_progress_after <= '100 years'::interval)))
);



COMMENT ON TABLE agentdb.schedule IS 'When an agent is expected to start, by cron or by interval, and how patient to be; the runner keeps due_at.';



COMMENT ON COLUMN agentdb.schedule.cron IS 'Five fields, read in time_zone.';



COMMENT ON COLUMN agentdb.schedule.grace IS 'How late a tick may be; NULL is policy.missed_tick_grace.';



COMMENT ON COLUMN agentdb.schedule.no_progress_after IS 'How long its runs may show no evidence of progress; NULL is the policy''s.';



COMMENT ON COLUMN agentdb.schedule.due_at IS 'The start that is waited for; it moves on when a run has met it.';



COMMENT ON COLUMN agentdb.schedule.met_at IS 'The start that met the one before.';



COMMENT ON COLUMN agentdb.schedule.error IS 'Why the runner cannot read cron or time_zone.';



CREATE FUNCTION agentdb._expected_start(as_of timestamp with time zone) RETURNS TABLE(agent_id bigint, due_at timestamp with time zone, rhythm text, run_id bigint, error text)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT s.agent_id,
     s.due_at,
     format('it starts at %s %s'::text, s.cron, s.time_zone) AS format,
     NULL::bigint AS int8,
     s.error
    FROM ((agentdb.schedule s
      JOIN agentdb.agent a ON ((a.agent_id = s.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((s.cron IS NOT NULL) AND ((s.error IS NOT NULL) OR ((s.due_at < _expected_start.as_of) AND (agentdb._meeting_start(s.agent_id, s.due_at, s.met_at, COALESCE(s.grace, p.missed_tick_grace), _expected_start.as_of) IS NULL))))
 UNION ALL
  SELECT a.agent_id,
     GREATEST((r.started_at + COALESCE(r.tick_interval, s.tick_interval)), r.held_until_at) AS "greatest",
     format('it comes every %s'::text, agentdb._span(COALESCE(r.tick_interval, s.tick_interval))) AS format,
     r.run_id,
     NULL::text
    FROM ((agentdb.agent a
      LEFT JOIN agentdb.schedule s ON ((s.agent_id = a.agent_id)))
      CROSS JOIN LATERAL ( SELECT l.run_id,
             l.started_at,
             l.tick_interval,
             l.held_until_at
            FROM agentdb.run l
           WHERE ((l.agent_id = a.agent_id) AND (l.started_at <= _expected_start.as_of))
           ORDER BY l.started_at DESC
          LIMIT 1) r)
   WHERE ((s.cron IS NULL) AND (COALESCE(r.tick_interval, s.tick_interval) IS NOT NULL));
END;



COMMENT ON FUNCTION agentdb._expected_start(as_of timestamp with time zone) IS 'The start that each scheduled agent is waited for at a moment.';



CREATE FUNCTION agentdb._fence_target(table_name text) RETURNS regclass
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_table regclass := to_regclass(table_name);
begin
  if v_table is null then
    raise exception 'there is no table %',
        coalesce(agentdb._clean_text(table_name, 200), 'NULL')
      using errcode = 'ZA006', hint = 'Write the schema in front of it: public.report.';
  elsif not exists (
    select from pg_class as c
    where c.oid = v_table
      and c.relkind in ('r', 'p')
      and c.relpersistence <> 't'
      and c.relnamespace not in ('agentdb'::regnamespace, 'pg_catalog'::regnamespace)
      and not c.relispartition
      and (c.relkind = 'p' or not c.relhassubclass)
  ) then
    perform agentdb._refuse(
      format('%s cannot be fenced', v_table),
      'Fence an ordinary or partitioned table of the application, without inheritance.'
    );
  end if;
  return v_table;
end;
$$;



COMMENT ON FUNCTION agentdb._fence_target(table_name text) IS 'Returns the table of a name, or raises ZA004 or ZA006.';



CREATE FUNCTION agentdb._finish_undo(change bigint, effects jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_count bigint := (
    select count(*) from agentdb.change_row as r where r.change_id = change);
begin
  if not exists (
    select from agentdb.change as c
    where c.change_id = change
      and c.kind = 'undo'
      and c.state = 'open'
      and c.proposed_by = session_user
  ) then
    perform agentdb._refuse_state(change, 'no undo that is being made', 'one');
  elsif v_count = 0 then
    perform agentdb._close_change(change, 'withdrawn');
  else
    perform agentdb._end_submit(change, v_count, effects, '{}');
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._finish_undo(change bigint, effects jsonb) IS 'Hands an undo to the reviewers; without guarded tables it needs none.';



CREATE FUNCTION agentdb._forget_alerts(keep interval) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_count bigint;
begin
  delete from agentdb.alert as a
  where a.state = 'resolved'
    and not a.flush
    and a.seen_at < clock_timestamp() - keep
    and not exists (
      select from agentdb.notification as n
      where n.alert_id = a.alert_id and n.state = 'queued'
    )
    and not exists (
      select from agentdb.group_alert as m where m.alert_id = a.alert_id
    );
  get diagnostics v_count = row_count;
  delete from agentdb.notification as n
  where n.state <> 'queued'
    and n.created_at < clock_timestamp() - keep;
  delete from agentdb.alert_group as g
  where g.look_at = 'infinity'
    and g.told_at < clock_timestamp() - keep
    and not exists (
      select from agentdb.group_alert as m where m.alert_group_id = g.alert_group_id
    )
    and not exists (
      select from agentdb.notification as n
      where n.alert_group_id = g.alert_group_id and n.state = 'queued'
    );
  delete from agentdb.silence as s
  where s.ends_at < clock_timestamp() - keep;
  delete from agentdb.runner as r
  where greatest(r.evaluated_at, r.flushed_at, r.sent_at, r.started_at)
    < clock_timestamp() - interval '7 days';
  delete from agentdb.token_half_hour as h
  where h.half_hour_at < clock_timestamp() - greatest(keep, (
    select max(p.token_rate_baseline) from agentdb.policy as p
  ) + interval '2 days');
  delete from agentdb.tool_day as d
  where d.day_at < clock_timestamp() - greatest(keep, (
    select max(p.tool_errors_baseline) from agentdb.policy as p
  ) + interval '1 day');
  return v_count;
end;
$$;



COMMENT ON FUNCTION agentdb._forget_alerts(keep interval) IS 'Removes alerts resolved before the retention with their messages, runners silent for a week, and hours no baseline needs; returns how many alerts.';



CREATE FUNCTION agentdb._forget_changes(keep interval) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_count bigint;
begin
  delete from agentdb.change_row as r
  using agentdb.change as c
  where c.change_id = r.change_id
    and c.closed_at < clock_timestamp() - keep;
  delete from agentdb.change as c where c.closed_at < clock_timestamp() - keep;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;



COMMENT ON FUNCTION agentdb._forget_changes(keep interval) IS 'Removes changes that ended before the retention; returns how many.';



CREATE FUNCTION agentdb._forget_dismissals(rule_name text, at timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  update agentdb.alert as a
  set dismissed_severity = null
  from agentdb.alert_rule as r
  where r.rule_name = _forget_dismissals.rule_name
    and a.rule_name = r.rule_name
    and a.dismissed_severity is not null
    and a.seen_at < _forget_dismissals.at
    and a.seen_at + r.keep_firing < _forget_dismissals.at;
$$;



COMMENT ON FUNCTION agentdb._forget_dismissals(rule_name text, at timestamp with time zone) IS 'Lets alerts that a person ended fire again, where they have been gone.';



CREATE FUNCTION agentdb._forget_due() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  new.due_at := null;
  new.error := null;
  return new;
end;
$$;



COMMENT ON FUNCTION agentdb._forget_due() IS 'Trigger function: a schedule that is changed has no next start until a runner has read it.';



CREATE FUNCTION agentdb._forget_locks(agent_id bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update agentdb.lock as l
  set agent_id = null,
      run_id = null,
      outcome = case when l.run_id is not null then 'expired' end
  from (
    select f.lock_name, f.slot
    from agentdb.lock as f
    where f.agent_id = _forget_locks.agent_id
      and (f.run_id is null
        or not agentdb._is_live(f.expires_at, f.renewed_at, clock_timestamp()))
    for no key update skip locked
  ) as f
  where l.lock_name = f.lock_name and l.slot = f.slot;
end;
$$;



COMMENT ON FUNCTION agentdb._forget_locks(agent_id bigint) IS 'Ends the expired locks of an agent and parts it from those it released.';



CREATE FUNCTION agentdb._forget_runs(keep interval) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_count bigint;
begin
  delete from agentdb.tool_call as c
  using agentdb.run as r
  where r.run_id = c.run_id
    and r.ended_at < clock_timestamp() - interval '1 day';
  delete from agentdb.run_token as t
  using agentdb.run as r
  where r.run_id = t.run_id
    and r.ended_at < clock_timestamp() - interval '1 day';
  delete from agentdb.token_reservation as v
  using agentdb.run as r
  where r.run_id = v.run_id
    and r.ended_at < clock_timestamp() - interval '1 day';
  delete from agentdb.run as r
  where r.ended_at < clock_timestamp() - keep;
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;



COMMENT ON FUNCTION agentdb._forget_runs(keep interval) IS 'Removes runs that ended before the retention, and earlier what only open runs need; returns how many runs.';



CREATE FUNCTION agentdb._forget_target(target integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update agentdb.audit_target as t
  set unaudited_at = clock_timestamp()
  where t.audit_target_id = target;
  perform agentdb._lend_capture(target, null);
end;
$$;



COMMENT ON FUNCTION agentdb._forget_target(target integer) IS 'Ends an attachment and drops its capture function.';



CREATE FUNCTION agentdb._generate_capture(target integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- Two at a time would both change the rights on the schema.
  lock table agentdb.audit_target in share row exclusive mode;
  update agentdb.audit_target as t
  set layout = agentdb._layout_now(t.table_oid),
      excluded_places = array(
        select c.place from agentdb.audit_column as c
        where c.audit_target_id = target and c.excluded),
      redacted_places = array(
        select c.place from agentdb.audit_column as c
        where c.audit_target_id = target and c.redacted)
  where t.audit_target_id = target;
  grant create on schema agentdb to agentdb_capture;
  perform agentdb._place_capture(target, agentdb._capture_function(target));
  revoke create on schema agentdb from agentdb_capture;
end;
$$;



COMMENT ON FUNCTION agentdb._generate_capture(target integer) IS 'Makes the capture function of an attachment for the present layout of its table.';



CREATE FUNCTION agentdb._generate_stage(target integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_name text := '_propose_' || target;
  v_view text;
begin
  if agentdb._key_sql(target, 'n') = 'null::jsonb' then
    perform agentdb._refuse_guard((select t.table_oid::regclass
        from agentdb.audit_target as t where t.audit_target_id = target),
      'it has no primary key', 'Give it one: rows of a change are found by their key.');
  end if;
  update agentdb.guarded_table as g
  set layout = agentdb._stage_layout(target)
  where g.audit_target_id = target
  returning g.view_name into v_view;
  execute format('create or replace function agentdb.%I () returns trigger '
    'language plpgsql security definer set search_path = pg_catalog, pg_temp '
    'set extra_float_digits = 1 set "TimeZone" = ''UTC'' '
    'set "DateStyle" = ''ISO, YMD'' set "IntervalStyle" = ''postgres'' '
    'set bytea_output = ''hex'' set lc_monetary = ''C'' as %L',
    v_name, agentdb._propose_sql(target));
  execute format('revoke all on function agentdb.%I from public', v_name);
  execute format('comment on function agentdb.%I is %L', v_name,
    'Trigger function, generated: stages what is written to a staging view.');
  perform agentdb._place_stage(target, v_view);
  execute format('create or replace trigger agentdb_propose '
    'instead of insert or update or delete on agentdb_stage.%I '
    'for each row execute function agentdb.%I()', v_view, v_name);
  execute format('grant select, insert, update, delete on agentdb_stage.%I to '
    'agentdb_agent, agentdb_operator, agentdb_reviewer', v_view);
end;
$$;



COMMENT ON FUNCTION agentdb._generate_stage(target integer) IS 'Makes the staging view of a guarded table for its present layout.';



CREATE FUNCTION agentdb._give_verdict(claim bigint, verdict text, evidence jsonb) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now timestamptz := clock_timestamp();
  v_state text;
begin
  insert into agentdb.verdict (claim_id, verdict, evidence)
  values (claim, _give_verdict.verdict, agentdb._bounded_json(evidence, 65536));
  update agentdb.claim as c
  set checked_at = v_now,
      leased_until = null,
      state = case
        when verdict = 'unreachable' and v_now < c.due_at + p.verify_within
          then 'pending'
        -- What may still come about is not refuted yet.
        when verdict = 'refuted' and v_now < c.due_at then 'pending'
        else verdict
      end,
      -- Once at the end of the time that it may take, and seldom before.
      next_check_at = least(
        v_now + least(interval '1 second' * 2 ^ least(c.attempt, 10), '5 minutes'),
        case when c.due_at > v_now then c.due_at end)
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where c.claim_id = claim and a.agent_id = c.agent_id
  returning c.state into v_state;
  return v_state;
end;
$$;



COMMENT ON FUNCTION agentdb._give_verdict(claim bigint, verdict text, evidence jsonb) IS 'Writes down what was seen of a claim and returns the claim''s state.';



CREATE FUNCTION agentdb._grant_usage(relation regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_schema name := (
    select n.nspname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.oid = relation
  );
begin
  if not has_schema_privilege('agentdb_capture', v_schema, 'usage')
    and has_schema_privilege(v_schema, 'usage with grant option') then
    execute format('grant usage on schema %I to agentdb_capture', v_schema);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._grant_usage(relation regclass) IS 'Lets agentdb_capture read rows before a TRUNCATE, where the caller may grant that.';



CREATE TABLE agentdb.notification (
    notification_id bigint NOT NULL,
    alert_group_id bigint,
    alert_id bigint,
    generation integer,
    kind text NOT NULL,
    former text,
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
    CONSTRAINT notification_alert_group_id_check CHECK (((alert_group_id IS NULL) = (kind = 'test'::text))),
    CONSTRAINT notification_kind_check CHECK ((kind = ANY (ARRAY['firing'::text, 'acknowledged'::text, 'silenced'::text, 'resolved'::text, 'test'::text]))),
    CONSTRAINT notification_state_check CHECK ((state = ANY (ARRAY['queued'::text, 'sent'::text, 'dead'::text, 'cancelled'::text])))
)
WITH (fillfactor='70');



COMMENT ON TABLE agentdb.notification IS 'The outbox: one message a change of a group, until sent, given up or cancelled.';



COMMENT ON COLUMN agentdb.notification.former IS 'What the receiver had been told before, in case it is cancelled.';



COMMENT ON COLUMN agentdb.notification.visible_at IS 'When it may be claimed: a lease that runs out, or the end of a back-off.';



CREATE FUNCTION agentdb._group_count(groups bigint[]) RETURNS TABLE(alert_group_id bigint, firing bigint, fresh bigint, acknowledged bigint, silenced bigint, inhibited bigint, gone bigint, resolved bigint, ended bigint, until_at timestamp with time zone, waiting bigint)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT m.alert_group_id,
     count(*) FILTER (WHERE (m.state = 'firing'::text)) AS count,
     count(*) FILTER (WHERE ((m.state = 'firing'::text) AND ((m.told IS DISTINCT FROM 'firing'::text) OR (m.told_episode IS DISTINCT FROM m.episode)))) AS count,
     count(*) FILTER (WHERE (m.state = 'acknowledged'::text)) AS count,
     count(*) FILTER (WHERE (m.state = 'silenced'::text)) AS count,
     count(*) FILTER (WHERE ((m.state = 'inhibited'::text) AND (m.told IS NOT NULL))) AS count,
     count(*) FILTER (WHERE (m.state = 'gone'::text)) AS count,
     count(*) FILTER (WHERE ((m.state = 'resolved'::text) AND (m.told IS NOT NULL))) AS count,
     count(*) FILTER (WHERE (m.state = 'resolved'::text)) AS count,
     min(m.until_at) FILTER (WHERE (m.state = ANY (ARRAY['acknowledged'::text, 'silenced'::text, 'inhibited'::text]))) AS min,
     ( SELECT
                 CASE
                     WHEN ((n.attempt = 0) AND (n.kind = 'firing'::text)) THEN n.notification_id
                     ELSE NULL::bigint
                 END AS "case"
            FROM agentdb.notification n
           WHERE ((n.alert_group_id = m.alert_group_id) AND (n.state = 'queued'::text))
           ORDER BY n.notification_id DESC
          LIMIT 1) AS "case"
    FROM agentdb.group_alert m
   WHERE (m.alert_group_id = ANY (_group_count.groups))
   GROUP BY m.alert_group_id;
END;



COMMENT ON FUNCTION agentdb._group_count(groups bigint[]) IS 'How many alerts of each group are in each state (fresh ones fire and were not told), and the message that waits to be sent.';



CREATE FUNCTION agentdb._group_change(groups bigint[], at timestamp with time zone) RETURNS TABLE(alert_group_id bigint, waiting bigint, kinds text[], look_at timestamp with time zone, group_interval interval)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT c.alert_group_id,
     c.waiting,
     k.kinds,
     LEAST(
         CASE
             WHEN ((k.kinds = '{}'::text[]) AND (((c.fresh + c.gone) + c.ended) > 0) AND (g.open_at > _group_change.at)) THEN g.open_at
             ELSE NULL::timestamp with time zone
         END,
         CASE
             WHEN ((c.firing > 0) AND (r.repeat_interval IS NOT NULL)) THEN GREATEST(g.open_at, (r.repeat_interval +
             CASE k.kinds
                 WHEN '{}'::text[] THEN COALESCE(g.told_at, _group_change.at)
                 ELSE _group_change.at
             END))
             ELSE NULL::timestamp with time zone
         END, c.until_at, 'infinity'::timestamp with time zone) AS "least",
         CASE
             WHEN ((g.route_name IS NULL) AND (g.alert_id IS NULL)) THEN '00:01:00'::interval
             ELSE COALESCE(r.group_interval, '00:00:00'::interval)
         END AS "coalesce"
    FROM (((((agentdb._group_count(_group_change.groups) c(alert_group_id, firing, fresh, acknowledged, silenced, inhibited, gone, resolved, ended, until_at, waiting)
      JOIN agentdb.alert_group g ON ((g.alert_group_id = c.alert_group_id)))
      JOIN agentdb.receiver e ON ((e.receiver_name = g.receiver_name)))
      LEFT JOIN agentdb.route r ON ((r.route_name = g.route_name)))
      CROSS JOIN LATERAL ( SELECT
                 CASE
                     WHEN (c.acknowledged > 0) THEN 'acknowledged'::text
                     WHEN (c.silenced > 0) THEN 'silenced'::text
                     ELSE 'resolved'::text
                 END AS rest) s)
      CROSS JOIN LATERAL ( SELECT
                 CASE
                     WHEN ((g.open_at > _group_change.at) AND ((c.firing > 0) OR (s.rest = 'resolved'::text))) THEN '{}'::text[]
                     WHEN (c.firing > 0) THEN
                     CASE
                         WHEN ((c.fresh > 0) OR (e.send_resolved AND ((c.resolved + c.gone) > 0)) OR ((g.told = 'firing'::text) AND ((g.told_at + r.repeat_interval) <= _group_change.at))) THEN ARRAY['firing'::text]
                         ELSE '{}'::text[]
                     END
                     WHEN (c.gone > 0) THEN ARRAY['firing'::text, s.rest]
                     WHEN ((s.rest <> 'resolved'::text) AND (g.told = 'firing'::text)) THEN ARRAY[s.rest]
                     WHEN ((s.rest = 'resolved'::text) AND (c.inhibited = 0) AND (g.told <> 'resolved'::text)) THEN ARRAY['resolved'::text]
                     ELSE '{}'::text[]
                 END AS kinds) k);
END;



COMMENT ON FUNCTION agentdb._group_change(groups bigint[], at timestamp with time zone) IS 'What has to be told of each group now, and when to look again.';



CREATE FUNCTION agentdb._group_labels(alert agentdb.alert, group_by text[]) RETURNS jsonb
    LANGUAGE sql STABLE
    RETURN (SELECT COALESCE(jsonb_object_agg(l.label, "left"(COALESCE((agentdb._matchable((_group_labels.alert).alert_id, (_group_labels.alert).rule_name, (_group_labels.alert).severity, (_group_labels.alert).labels) ->> l.label), ''::text), 200)), '{}'::jsonb) AS "coalesce" FROM unnest(_group_labels.group_by) l(label));



COMMENT ON FUNCTION agentdb._group_labels(alert agentdb.alert, group_by text[]) IS 'What the alerts of a group have in common.';



CREATE FUNCTION agentdb._group_next(member agentdb.alert_group, alert bigint, kind text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN to_jsonb(array_remove(ARRAY['agentdb alerts'::text, format('agentdb why A-%s'::text, alert), CASE kind WHEN 'firing'::text THEN format('agentdb ack G-%s -m …'::text, (member).alert_group_id) WHEN 'acknowledged'::text THEN format('agentdb unack G-%s'::text, (member).alert_group_id) WHEN 'silenced'::text THEN 'agentdb silences'::text ELSE NULL::text END], NULL::text));



COMMENT ON FUNCTION agentdb._group_next(member agentdb.alert_group, alert bigint, kind text) IS 'What somebody may type who has read of a group.';



CREATE FUNCTION agentdb._group_payload(member agentdb.alert_group, kind text) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_alerts bigint;
  v_alert bigint;
  v_reason text;
  v_payload jsonb;
begin
  select count(*), min(t.alert_id), min(t.reason) into v_alerts, v_alert, v_reason
  from agentdb._tellable(member.alert_group_id, kind) as t;
  if v_alerts = 1 then
    v_payload := (
      select agentdb._payload(a, kind)
      from agentdb.alert as a where a.alert_id = v_alert
    );
  else
    v_payload := agentdb._digest(member.alert_group_id, kind);
    v_payload := v_payload || jsonb_build_object('labels', member.labels, 'next',
      agentdb._group_next(member, (v_payload #>> '{worst,0,alert}')::bigint, kind));
  end if;
  if v_reason is not null then
    v_payload := v_payload || jsonb_build_object('reason', left(v_reason, 300));
  end if;
  if member.alert_id is null then
    v_payload := v_payload || (
      select jsonb_build_object(
        'group', format('G-%s', member.alert_group_id),
        'firing', count(*) filter (where m.state = 'firing'),
        'acknowledged', count(*) filter (where m.state = 'acknowledged'),
        'silenced', count(*) filter (where m.state in ('silenced', 'inhibited')),
        'resolved', count(*) filter (where m.state in ('resolved', 'gone')))
      from agentdb.group_alert as m
      where m.alert_group_id = member.alert_group_id);
  end if;
  return v_payload;
end;
$$;



COMMENT ON FUNCTION agentdb._group_payload(member agentdb.alert_group, kind text) IS 'The JSON that a receiver gets for a group: of its alert, or of all its alerts.';



CREATE FUNCTION agentdb._guard() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent boolean := agentdb._is_agent();
begin
  if v_agent then
    perform agentdb._writer();
  end if;
  if (v_agent or tg_argv[0] = 'everybody') and not exists (
    select from agentdb.change_pass as p
    where p.xid = pg_current_xact_id_if_assigned() and p.opens_guard
  ) then
    perform agentdb._refuse_direct(tg_op,
      format('%I.%I', tg_table_schema, tg_table_name), tg_relid);
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end;
$$;



COMMENT ON FUNCTION agentdb._guard() IS 'Trigger function on users'' tables: refuses writes of agents outside an approved change.';



CREATE TABLE agentdb.guarded_table (
    table_oid oid NOT NULL,
    table_name text NOT NULL,
    audit_target_id integer NOT NULL,
    view_name text NOT NULL,
    columns text[],
    context text[] NOT NULL,
    approvals integer NOT NULL,
    expires interval NOT NULL,
    apply text NOT NULL,
    validators text[] NOT NULL,
    everybody boolean NOT NULL,
    auto_approve jsonb,
    layout text DEFAULT ''::text NOT NULL,
    guarded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    guarded_by name DEFAULT SESSION_USER NOT NULL,
    CONSTRAINT guarded_table_apply_check CHECK ((apply = ANY (ARRAY['approval'::text, 'runner'::text, 'hand'::text]))),
    CONSTRAINT guarded_table_approvals_check CHECK (((approvals >= 1) AND (approvals <= 10))),
    CONSTRAINT guarded_table_expires_check CHECK (((expires >= '00:00:01'::interval) AND (expires <= '90 days'::interval)))
);



COMMENT ON TABLE agentdb.guarded_table IS 'Tables that agents write only through approved changes, and how these are decided.';



COMMENT ON COLUMN agentdb.guarded_table.view_name IS 'The view in agentdb_stage that takes ordinary SQL.';



COMMENT ON COLUMN agentdb.guarded_table.columns IS 'The only columns that a change may set; NULL allows all, and inserts and deletes.';



COMMENT ON COLUMN agentdb.guarded_table.context IS 'Columns that reviewers see beside the key of a changed row.';



COMMENT ON COLUMN agentdb.guarded_table.apply IS 'When an approved change is applied: on the last approval, by the runner or by hand.';



COMMENT ON COLUMN agentdb.guarded_table.validators IS 'Agents whose approval counts like a person''s.';



COMMENT ON COLUMN agentdb.guarded_table.everybody IS 'Whether the guard refuses direct writes of all sessions, not only of agents.';



COMMENT ON COLUMN agentdb.guarded_table.auto_approve IS 'Which changes need nobody: operations, columns, rows, and a condition, a function of the DBA.';



COMMENT ON COLUMN agentdb.guarded_table.layout IS 'The columns and the key that its staging view was generated for.';



CREATE FUNCTION agentdb._guard_arguments(relation regclass, columns text[], approvals integer, expires interval, auto_approve jsonb, apply text, validators text[], context text[], everybody boolean) RETURNS agentdb.guarded_table
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select jsonb_populate_record(null::agentdb.guarded_table,
    '{"approvals": 1, "expires": "24 hours", "apply": "approval", "validators": [],
      "context": [], "everybody": false}'
    || coalesce((
      select t.guard from agentdb.audit_target as t
      where t.table_oid = relation::oid and t.unaudited_at is null), '{}')
    || jsonb_strip_nulls(jsonb_build_object('approvals', approvals,
      'expires', expires, 'apply', apply, 'validators', validators,
      'context', context, 'everybody', everybody))
    || case when columns is null then '{}'
      else jsonb_build_object('columns', nullif(columns, '{}')) end
    || case when auto_approve is null then '{}'
      else jsonb_build_object('auto_approve', nullif(auto_approve, 'null')) end);
$$;



COMMENT ON FUNCTION agentdb._guard_arguments(relation regclass, columns text[], approvals integer, expires interval, auto_approve jsonb, apply text, validators text[], context text[], everybody boolean) IS 'How a table is guarded: as given, else as it was guarded last, else as usual.';



CREATE FUNCTION agentdb._has_new_step(run bigint, since timestamp with time zone) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN ((EXISTS (SELECT FROM agentdb.run_activity a WHERE ((a.run_id = _has_new_step.run) AND (a.evidence_at > _has_new_step.since)))) OR (EXISTS (SELECT FROM agentdb._new_step(agentdb._horizon(), '18446744073709551615'::xid8, 'infinity'::timestamp with time zone) n(run_id, step_signature, at) WHERE ((n.run_id = _has_new_step.run) AND (n.at > _has_new_step.since)))));



COMMENT ON FUNCTION agentdb._has_new_step(run bigint, since timestamp with time zone) IS 'Tells whether a run has shown evidence of progress since a moment.';



CREATE FUNCTION agentdb._hash_secret(secret text) RETURNS bytea
    LANGUAGE sql IMMUTABLE
    RETURN sha256(convert_to(secret, 'UTF8'::name));



COMMENT ON FUNCTION agentdb._hash_secret(secret text) IS 'SHA-256 of a secret; enough for one with 244 random bits, which nobody can guess.';



CREATE FUNCTION agentdb._is_watching(evaluated_at timestamp with time zone, flushed_at timestamp with time zone, sent_at timestamp with time zone, verified_at timestamp with time zone) RETURNS boolean
    LANGUAGE sql
    RETURN ((clock_timestamp() - '00:00:30'::interval) < LEAST(COALESCE(evaluated_at, '-infinity'::timestamp with time zone), COALESCE(flushed_at, '-infinity'::timestamp with time zone), COALESCE(sent_at, '-infinity'::timestamp with time zone), COALESCE(verified_at, '-infinity'::timestamp with time zone)));



COMMENT ON FUNCTION agentdb._is_watching(evaluated_at timestamp with time zone, flushed_at timestamp with time zone, sent_at timestamp with time zone, verified_at timestamp with time zone) IS 'Tells whether all loops of a runner succeeded within 30 seconds.';



CREATE TABLE agentdb.alembic_version (
    version_num character varying(32) NOT NULL
);



CREATE TABLE agentdb.runner (
    runner_name text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    evaluated_at timestamp with time zone,
    flushed_at timestamp with time zone,
    sent_at timestamp with time zone,
    listened_at timestamp with time zone,
    verified_at timestamp with time zone,
    revision text
)
WITH (fillfactor='50');



COMMENT ON TABLE agentdb.runner IS 'Runners that have reported, and when each of their loops last succeeded.';



CREATE VIEW agentdb.runner_health AS
 SELECT r.runner_name,
    r.host,
    r.pid,
    r.version,
    r.started_at,
    s.silent_for,
    agentdb._is_watching(r.evaluated_at, r.flushed_at, r.sent_at, r.verified_at) AS healthy,
    COALESCE((r.revision < (a.version_num)::text), false) AS outdated
   FROM ((agentdb.runner r
     LEFT JOIN agentdb.alembic_version a ON (true))
     CROSS JOIN LATERAL ( SELECT (clock_timestamp() - LEAST(COALESCE(r.evaluated_at, r.started_at), COALESCE(r.flushed_at, r.started_at), COALESCE(r.sent_at, r.started_at), COALESCE(r.verified_at, r.started_at))) AS silent_for) s);



COMMENT ON VIEW agentdb.runner_health IS 'Each runner and how long ago the slowest of its loops last succeeded.';



COMMENT ON COLUMN agentdb.runner_health.runner_name IS 'The runner.';



COMMENT ON COLUMN agentdb.runner_health.host IS 'The machine it says it runs on.';



COMMENT ON COLUMN agentdb.runner_health.pid IS 'Its process there.';



COMMENT ON COLUMN agentdb.runner_health.version IS 'Its version of agentdb.';



COMMENT ON COLUMN agentdb.runner_health.started_at IS 'When it first reported.';



COMMENT ON COLUMN agentdb.runner_health.silent_for IS 'Age of the last success of its slowest loop.';



COMMENT ON COLUMN agentdb.runner_health.healthy IS 'Whether all its loops succeeded within 30 seconds.';



COMMENT ON COLUMN agentdb.runner_health.outdated IS 'Whether the database is at a later revision than it knows.';



CREATE FUNCTION agentdb._health_sign(agent bigint) RETURNS TABLE(rank integer, state text, since timestamp with time zone, why text)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT 0,
     s.kind,
     s.stopped_at,
     format('%s by %s: %s'::text, s.kind, s.stopped_by, s.reason) AS format
    FROM agentdb.agent_stop s
   WHERE (s.agent_id = _health_sign.agent)
 UNION ALL
  SELECT
         CASE l.severity
             WHEN 'critical'::text THEN 1
             WHEN 'warning'::text THEN 2
             ELSE 6
         END AS "case",
     r.health,
     l.firing_at,
     format('%s (A-%s)'::text, COALESCE((l.annotations ->> 'summary'::text), r.rule_name), l.alert_id) AS format
    FROM ((agentdb.agent a
      JOIN agentdb.alert l ON ((((l.labels ->> 'agent'::text) = a.agent_name) AND (l.state = 'firing'::text))))
      JOIN agentdb.alert_rule r ON ((r.rule_name = l.rule_name)))
   WHERE (a.agent_id = _health_sign.agent)
 UNION ALL
  SELECT 3,
     'unwatched'::text,
     (clock_timestamp() - min(h.silent_for)),
     'no runner works, so nobody looks: start agentdb run'::text
    FROM agentdb.runner_health h
  HAVING (count(*) FILTER (WHERE h.healthy) = 0)
 UNION ALL
  SELECT 4,
     'waiting'::text,
     r.started_at,
     format('run %s waits until %s UTC: %s'::text, r.run_id, to_char((r.held_until_at AT TIME ZONE 'UTC'::text), 'HH24:MI'::text), r.hold_reason) AS format
    FROM agentdb.run r
   WHERE ((r.agent_id = _health_sign.agent) AND (r.ended_at IS NULL) AND (r.held_until_at > clock_timestamp()))
 UNION ALL
  SELECT 4,
     'waiting'::text,
     q.asked_at,
     format('run %s waits for an answer to Q-%s: %s'::text, q.run_id, q.question_id, "left"(q.question, 100)) AS format
    FROM (agentdb.question q
      JOIN agentdb.run r ON (((r.run_id = q.run_id) AND (r.ended_at IS NULL))))
   WHERE ((q.agent_id = _health_sign.agent) AND (q.answer IS NULL))
 UNION ALL
  SELECT 5,
     'working'::text,
     r.started_at,
     format('run %s is open%s'::text, r.run_id, ('; its last step: '::text || "left"(v.last_step, 100))) AS format
    FROM (agentdb.run r
      LEFT JOIN agentdb.run_activity v ON ((v.run_id = r.run_id)))
   WHERE ((r.agent_id = _health_sign.agent) AND (r.ended_at IS NULL))
 UNION ALL
 ( SELECT 7,
     'idle'::text,
     r.ended_at,
     format('run %s %s'::text, r.run_id, agentdb._run_state(r.run_id, r.outcome)) AS format
    FROM agentdb.run r
   WHERE ((r.agent_id = _health_sign.agent) AND (r.ended_at IS NOT NULL))
   ORDER BY r.ended_at DESC
  LIMIT 1)
 UNION ALL
  SELECT 8,
     'idle'::text,
     a.registered_at,
     'it has never run'::text
    FROM agentdb.agent a
   WHERE (a.agent_id = _health_sign.agent);
END;



COMMENT ON FUNCTION agentdb._health_sign(agent bigint) IS 'All that can be said of an agent now, rank 0 before all else.';



CREATE FUNCTION agentdb._held_locks(agent_id bigint) RETURNS text[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return array(
    select l.lock_name
    from agentdb.lock as l
    where l.agent_id = _held_locks.agent_id
    order by l.acquired_at
  );
end;
$$;



COMMENT ON FUNCTION agentdb._held_locks(agent_id bigint) IS 'The names of the locks that count against an agent''s cap.';



CREATE FUNCTION agentdb._holding_run(name text, fence bigint, run bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return coalesce(run, agentdb._bound_run(), (
    select r.run_id
    from agentdb.lock as l
    join agentdb.run as r on r.run_id = l.run_id
    where l.lock_name = name
      and l.fence = _holding_run.fence
      and r.role_name = session_user
      and not r.pooled
  ));
end;
$$;



COMMENT ON FUNCTION agentdb._holding_run(name text, fence bigint, run bigint) IS 'The run that a call about a lock means: the argument, the bound token''s, or the role''s own that holds the lock, else NULL.';



CREATE FUNCTION agentdb._hostile_part(table_oid oid) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
declare
  v_roles oid[] := agentdb._agents_roles();
  v_types oid[] := array(select o.oid from agentdb._types_of(table_oid) as o (oid));
begin
  return (
    select string_agg(h.what, ', ' order by h.what)
    from (
      select format('it belongs to %s', c.relowner::regrole)
      from pg_class as c
      where c.oid = _hostile_part.table_oid and c.relowner = any (v_roles)
      union
      select format('type %s of %s', format_type(t.oid, null), t.typowner::regrole)
      from pg_type as t
      where t.oid = any (v_types) and t.typowner = any (v_roles)
      union
      select format('cast from %s by %s of %s', format_type(c.castsource, null),
        c.castfunc::regproc, p.proowner::regrole)
      from pg_cast as c
      join pg_proc as p on p.oid = c.castfunc
      where c.castsource = any (v_types)
        -- What comes with PostgreSQL is nobody else's.
        and c.castfunc >= 16384
        and p.proowner = any (v_roles)
      union
      select format('function %s of %s', p.oid::regproc, p.proowner::regrole)
      from (
        select 'pg_trigger'::regclass, t.oid from pg_trigger as t
        where t.tgrelid = _hostile_part.table_oid
        union all select 'pg_attrdef'::regclass, a.oid from pg_attrdef as a
        where a.adrelid = _hostile_part.table_oid
        union all select 'pg_constraint'::regclass, k.oid from pg_constraint as k
        where k.conrelid = _hostile_part.table_oid
        union all select 'pg_constraint'::regclass, k.oid from pg_constraint as k
        where k.contypid = any (v_types)
        union all select 'pg_policy'::regclass, y.oid from pg_policy as y
        where y.polrelid = _hostile_part.table_oid
        union all select 'pg_class'::regclass, i.indexrelid from pg_index as i
        where i.indrelid = _hostile_part.table_oid
      ) as x (classid, objid)
      -- Object by object: the planner would rather read all that depends on functions.
      cross join lateral (
        select d.refobjid
        from pg_depend as d
        where d.classid = x.classid
          and d.objid = x.objid
          and d.refclassid = 'pg_proc'::regclass
          and d.refobjid >= 16384
        offset 0
      ) as d
      join pg_proc as p on p.oid = d.refobjid
      where p.proowner = any (v_roles)
      union
      select format('the right of %s to create triggers on it', r.oid::regrole)
      from pg_roles as r
      where r.oid = any (v_roles)
        and not r.rolsuper
        and has_table_privilege(r.oid, _hostile_part.table_oid, 'TRIGGER')
    ) as h (what)
  );
end;
$$;



COMMENT ON FUNCTION agentdb._hostile_part(table_oid oid) IS 'Names what an agent could use to run code inside the audit of a table; NULL where there is nothing.';



CREATE FUNCTION agentdb._hour_of_week(at timestamp with time zone) RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((EXTRACT(hour FROM (at AT TIME ZONE 'UTC'::text)))::integer + CASE WHEN (EXTRACT(isodow FROM (at AT TIME ZONE 'UTC'::text)) > (5)::numeric) THEN 24 ELSE 0 END);



COMMENT ON FUNCTION agentdb._hour_of_week(at timestamp with time zone) IS 'The hour of the day, 0 to 23 on weekdays and 24 to 47 at weekends, UTC.';



CREATE FUNCTION agentdb._how_ended(alert bigint) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT format('It was over at %s UTC: %s.'::text, to_char((a.resolved_at AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD HH24:MI:SS'::text), a.end_reason) AS format FROM agentdb.alert a WHERE ((a.alert_id = _how_ended.alert) AND (a.state = 'resolved'::text) AND (a.end_reason IS NOT NULL)));



COMMENT ON FUNCTION agentdb._how_ended(alert bigint) IS 'When and by what an alert ended, NULL while it has not.';



CREATE FUNCTION agentdb._idle_thought(as_of timestamp with time zone) RETURNS TABLE(run_id bigint, count bigint, since timestamp with time zone, until timestamp with time zone)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 WITH tail AS (
          SELECT l.run_id,
             count(*) AS calls
            FROM agentdb.token_log l
           WHERE (l.xid >= agentdb._horizon())
           GROUP BY l.run_id
         )
  SELECT w.run_id,
     t.count,
     t.since,
     t.until
    FROM (((((agentdb._working_run(_idle_thought.as_of) w(run_id, agent_id, since)
      JOIN agentdb.agent a ON ((a.agent_id = w.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      LEFT JOIN agentdb.run_activity v ON ((v.run_id = w.run_id)))
      LEFT JOIN tail n ON ((n.run_id = w.run_id)))
      CROSS JOIN LATERAL ( SELECT count(*) AS count,
             min(l.recorded_at) AS since,
             max(l.recorded_at) AS until
            FROM ( SELECT k.recorded_at
                    FROM agentdb.token_log k
                   WHERE ((k.run_id = w.run_id) AND (k.recorded_at > (_idle_thought.as_of - p.silent_loop_window)) AND (k.recorded_at <= _idle_thought.as_of))
                   ORDER BY k.token_log_id DESC
                  LIMIT GREATEST(p.silent_loop_calls, p.silent_loop_model_calls)) l
           WHERE (l.recorded_at > GREATEST(w.since, ( SELECT c.recorded_at
                    FROM agentdb.tool_call_log c
                   WHERE ((c.run_id = w.run_id) AND ((c.recorded_at >= w.since) AND (c.recorded_at <= _idle_thought.as_of)))
                   ORDER BY c.tool_call_log_id DESC
                  LIMIT 1)))) t)
   WHERE ((p.silent_loop_window IS NOT NULL) AND (((COALESCE(v.model_calls_since, (0)::bigint) + COALESCE(n.calls, (0)::bigint)) >= p.silent_loop_model_calls) OR (GREATEST(v.last_tokens_at, v.last_tool_call_at, v.evidence_at) > _idle_thought.as_of)) AND (t.count >= p.silent_loop_model_calls));
END;



COMMENT ON FUNCTION agentdb._idle_thought(as_of timestamp with time zone) IS 'Working runs with many model calls and no tool call since their last evidence.';



CREATE FUNCTION agentdb._named_rule(matchers jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN (SELECT (m.item ->> 'value'::text) FROM jsonb_array_elements(_named_rule.matchers) m(item) WHERE (((m.item ->> 'label'::text) = 'rule'::text) AND ((m.item ->> 'is'::text) = '='::text)) LIMIT 1);



COMMENT ON FUNCTION agentdb._named_rule(matchers jsonb) IS 'The one rule that matchers allow, NULL where they allow several.';



CREATE FUNCTION agentdb._shared_labels(labels jsonb, equal_labels text[]) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN (SELECT COALESCE(jsonb_object_agg(l.label, (_shared_labels.labels ->> l.label)) FILTER (WHERE (_shared_labels.labels ? l.label)), '{}'::jsonb) AS "coalesce" FROM unnest(_shared_labels.equal_labels) l(label));



COMMENT ON FUNCTION agentdb._shared_labels(labels jsonb, equal_labels text[]) IS 'What an alert must have in common with another that inhibits it.';



CREATE TABLE agentdb.inhibition (
    inhibition_name text NOT NULL,
    source jsonb NOT NULL,
    target jsonb NOT NULL,
    equal_labels text[] NOT NULL,
    linger interval DEFAULT '00:00:00'::interval NOT NULL,
    CONSTRAINT inhibition_inhibition_name_check CHECK ((inhibition_name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'::text)),
    CONSTRAINT inhibition_linger_check CHECK (((linger >= '00:00:00'::interval) AND (linger <= '1 day'::interval)))
);



COMMENT ON TABLE agentdb.inhibition IS 'While an alert that matches source fires, nobody is notified of those that match target, are no more severe and have the same equal_labels.';



COMMENT ON COLUMN agentdb.inhibition.linger IS 'How much longer it holds once the source has ended.';



CREATE FUNCTION agentdb._inhibiting() RETURNS TABLE(inhibition_name text, shared jsonb, rank integer)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT DISTINCT i.inhibition_name,
     s.shared,
     k.rank
    FROM ((((( SELECT f.alert_id,
             f.rule_name,
             f.fingerprint,
             f.labels,
             f.annotations,
             f.value,
             f.severity,
             f.state,
             f.episode,
             f.active_at,
             f.firing_at,
             f.seen_at,
             f.resolved_at,
             f.end_reason,
             f.dismissed_severity,
             f.flush,
             f.acknowledged_at,
             f.acknowledged_until,
             f.acknowledged_by,
             f.acknowledge_comment
            FROM agentdb.alert f
           WHERE (f.state = 'firing'::text)
         UNION ALL
          SELECT e.alert_id,
             e.rule_name,
             e.fingerprint,
             e.labels,
             e.annotations,
             e.value,
             e.severity,
             e.state,
             e.episode,
             e.active_at,
             e.firing_at,
             e.seen_at,
             e.resolved_at,
             e.end_reason,
             e.dismissed_severity,
             e.flush,
             e.acknowledged_at,
             e.acknowledged_until,
             e.acknowledged_by,
             e.acknowledge_comment
            FROM agentdb.alert e
           WHERE (e.resolved_at > (clock_timestamp() - ( SELECT max(w.linger) AS max
                    FROM agentdb.inhibition w)))) a
      CROSS JOIN LATERAL agentdb._comparable(a.labels, a.annotations) c(labels))
      JOIN agentdb.inhibition i ON (((COALESCE(agentdb._named_rule(i.source), a.rule_name) = a.rule_name) AND agentdb._matches(i.source, agentdb._matchable(a.alert_id, a.rule_name, a.severity, a.labels)) AND ((a.state = 'firing'::text) OR ((a.firing_at IS NOT NULL) AND (a.resolved_at > (clock_timestamp() - i.linger)))) AND (c.labels ?& i.equal_labels))))
      CROSS JOIN LATERAL agentdb._shared_labels(c.labels, i.equal_labels) s(shared))
      CROSS JOIN LATERAL generate_series(1, agentdb._severity_rank(a.severity)) k(rank));
END;



COMMENT ON FUNCTION agentdb._inhibiting() IS 'The inhibitions whose source fires or ended just now, with the labels that a target must share and each severity that it may have.';



CREATE FUNCTION agentdb._insert_tool_call(run_id bigint, agent_id bigint, tool text, args jsonb, ok boolean, error text, result_size bigint, duration interval, call_id text, result text, violation text DEFAULT NULL::text, OUT recorded_at timestamp with time zone, OUT fault text, OUT hint text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
declare
  v_call bigint;
  v_known boolean;
  v_args jsonb := agentdb._bounded_json(_insert_tool_call.args, 65536);
begin
  insert into agentdb.tool_call_log as l (
    run_id, agent_id, tool, args, ok, error, result_size, duration, call_id,
    call_signature, shape_signature, result_signature
  )
  values (
    _insert_tool_call.run_id, _insert_tool_call.agent_id,
    agentdb._clean_text(_insert_tool_call.tool, 200),
    v_args, _insert_tool_call.ok,
    agentdb._clean_text(_insert_tool_call.error, 4000),
    coalesce(_insert_tool_call.result_size, length(_insert_tool_call.result)),
    _insert_tool_call.duration, _insert_tool_call.call_id,
    agentdb._call_signature(_insert_tool_call.tool, v_args),
    agentdb._shape_signature(_insert_tool_call.tool, v_args),
    agentdb._result_signature(_insert_tool_call.ok, _insert_tool_call.result,
      _insert_tool_call.error)
  )
  -- What an agent without a registry calls is not judged.  Asked here, it costs no
  -- statement of its own.
  returning l.recorded_at, l.tool_call_log_id,
    exists (select from agentdb.agent_tool as a
      where a.agent_id = l.agent_id and a.tool_name = l.tool)
    or not exists (select from agentdb.agent_tool as a where a.agent_id = l.agent_id)
    into _insert_tool_call.recorded_at, v_call, v_known;
  if not v_known then
    select u.fault, u.hint into _insert_tool_call.fault, _insert_tool_call.hint
    from agentdb._note_unknown_tool(
      _insert_tool_call.run_id, _insert_tool_call.agent_id, v_call,
      _insert_tool_call.tool) as u;
  end if;
  -- Only against itself is an agent believed: that nothing is wrong it cannot say.
  if _insert_tool_call.fault is null
    and _insert_tool_call.violation ~ '[^[:space:]]'
  then
    insert into agentdb.tool_fault as f (run_id, tool_call_log_id, fault, detail)
    values (_insert_tool_call.run_id, v_call, 'invalid_args',
      agentdb._clean_text(_insert_tool_call.violation, 1000))
    returning f.fault, f.detail
      into _insert_tool_call.fault, _insert_tool_call.hint;
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._insert_tool_call(run_id bigint, agent_id bigint, tool text, args jsonb, ok boolean, error text, result_size bigint, duration interval, call_id text, result text, violation text, OUT recorded_at timestamp with time zone, OUT fault text, OUT hint text) IS 'Appends one row to tool_call_log, made harmless and cut to size, and says what is wrong with the call.';



CREATE FUNCTION agentdb._instance(rule_name text, instances jsonb) RETURNS TABLE(fingerprint text, labels jsonb, annotations jsonb, value double precision, severity text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select distinct on (md5((i.item -> 'labels')::text))
    md5((i.item -> 'labels')::text),
    agentdb._bounded_json(i.item -> 'labels', 8192),
    agentdb._bounded_json(
      coalesce(nullif(i.item -> 'annotations', 'null'), '{}'), 65536),
    (i.item ->> 'value')::double precision,
    s.severity
  from agentdb.alert_rule as r
  cross join jsonb_array_elements(_instance.instances) as i (item)
  cross join lateral (select case
    when i.item #>> '{annotations,severity}' in ('info', 'warning', 'critical')
      then i.item #>> '{annotations,severity}'
    else r.severity
  end as severity) as s
  where r.rule_name = _instance.rule_name
  -- Of rows with the same labels the worst counts, whatever their order.
  order by 1, agentdb._severity_rank(s.severity) desc;
$$;



COMMENT ON FUNCTION agentdb._instance(rule_name text, instances jsonb) IS 'The rows of an evaluation, one a set of labels, as alerts want them.';



CREATE FUNCTION agentdb._is_agent() RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return exists (select from agentdb.agent as a where a.role_name = session_user)
    or pg_has_role(session_user, 'agentdb_agent', 'usage')
      and not (select r.rolsuper from pg_roles as r where r.rolname = session_user);
end;
$$;



COMMENT ON FUNCTION agentdb._is_agent() IS 'Whether the session belongs to an agent.';



CREATE FUNCTION agentdb._is_clean_name(value text, max_length integer) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN COALESCE((((length(value) >= 1) AND (length(value) <= max_length)) AND (value = agentdb._clean_text(value, max_length)) AND (value !~ '[[:space:]]{2}|^[[:space:]]|[[:space:]]$|[\t\n]'::text)), false);



COMMENT ON FUNCTION agentdb._is_clean_name(value text, max_length integer) IS 'Tells whether a text may serve as a name: one line, no hidden characters, not empty.';



CREATE FUNCTION agentdb._is_counted(fence bigint) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((fence % (1000)::bigint) = 0);



COMMENT ON FUNCTION agentdb._is_counted(fence bigint) IS 'Tells of one fence in a thousand that who has got it is checked against its cap.';



CREATE FUNCTION agentdb._is_dismissed(state text, dismissed_severity text, severity text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((state = 'resolved'::text) AND (dismissed_severity IS NOT NULL) AND (agentdb._severity_rank(severity) <= agentdb._severity_rank(dismissed_severity)));



COMMENT ON FUNCTION agentdb._is_dismissed(state text, dismissed_severity text, severity text) IS 'Tells whether a person ended an alert that its rule still reports, no worse than it was.';



CREATE FUNCTION agentdb._is_harmless(change bigint) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_table record;
  v_met boolean;
begin
  if (
    select c.row_count is distinct from (
      select sum(e.value::bigint) from jsonb_each_text(c.effects) as e)
    from agentdb.change as c
    where c.change_id = change
  ) then
    return false;
  end if;
  for v_table in
    select t.audit_target_id, t.table_oid, g.auto_approve as rule
    from agentdb.change_table as t
    left join agentdb.guarded_table as g on g.audit_target_id = t.audit_target_id
    where t.change_id = change
  loop
    select v_table.rule is not null
        and count(*) <= coalesce((v_table.rule ->> 'rows')::numeric, 1)
        and bool_and(coalesce(v_table.rule -> 'operations', '["update"]')
          ? r.operation)
        and bool_and(r.operation = 'delete' or not v_table.rule ? 'columns'
          or r.new_values - array(
            select jsonb_array_elements_text(v_table.rule -> 'columns')) = '{}')
      into v_met
    from agentdb.change_row as r
    where r.change_id = change and r.audit_target_id = v_table.audit_target_id;
    if v_met and v_table.rule ? 'condition' then
      v_met := agentdb._meets(change, v_table.audit_target_id, v_table.table_oid,
        v_table.rule ->> 'condition');
    end if;
    if v_met is not true then
      return false;
    end if;
  end loop;
  return true;
end;
$$;



COMMENT ON FUNCTION agentdb._is_harmless(change bigint) IS 'Whether the rules of all tables of a change approve it without anybody.';



CREATE FUNCTION agentdb._is_live(expires_at timestamp with time zone, renewed_at timestamp with time zone, at timestamp with time zone) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (expires_at > at) THEN ((expires_at - renewed_at) >= (renewed_at - at)) ELSE false END;



COMMENT ON FUNCTION agentdb._is_live(expires_at timestamp with time zone, renewed_at timestamp with time zone, at timestamp with time zone) IS 'Tells whether a lock, or its cooling, still lasts at a moment; also after the clock was set back.';



CREATE FUNCTION agentdb._is_over(alert agentdb.alert) RETURNS boolean
    LANGUAGE sql STABLE
    RETURN (EXISTS (SELECT FROM agentdb.alert_rule r WHERE ((r.rule_name = (_is_over.alert).rule_name) AND r.ends_with_run AND CASE WHEN ((_is_over.alert).labels ? 'run'::text) THEN (agentdb._run_end(agentdb._labelled_run((_is_over.alert).labels)) IS NOT NULL) ELSE (agentdb._agent_end(((_is_over.alert).labels ->> 'agent'::text), (_is_over.alert).active_at) IS NOT NULL) END)));



COMMENT ON FUNCTION agentdb._is_over(alert agentdb.alert) IS 'Tells whether the run or agent that an alert is about has ended or was stopped.';



CREATE FUNCTION agentdb._is_span(ttl interval, max_hold interval, max_ttl interval) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((ttl > '00:00:00'::interval) AND (ttl <= max_ttl) AND ((max_hold IS NULL) OR ((max_hold > '00:00:00'::interval) AND (max_hold <= '1 year'::interval))));



COMMENT ON FUNCTION agentdb._is_span(ttl interval, max_hold interval, max_ttl interval) IS 'Tells whether a lock can have this ttl and max_hold.';



CREATE SEQUENCE agentdb.stop_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;



COMMENT ON SEQUENCE agentdb.stop_number_seq IS 'How many stops there have been, for run.stop_seen.';



CREATE FUNCTION agentdb._is_unstopped(stop_seen bigint) RETURNS boolean
    LANGUAGE sql
    RETURN (stop_seen = CASE WHEN (COALESCE(current_setting('agentdb.run_token'::text, true), ''::text) = ''::text) THEN COALESCE(pg_sequence_last_value('agentdb.stop_number_seq'::regclass), (0)::bigint) ELSE NULL::bigint END);



COMMENT ON FUNCTION agentdb._is_unstopped(stop_seen bigint) IS 'Tells whether nobody was stopped since that number (stop_seen.sql), and no token is bound; inlined into what asks.';



CREATE FUNCTION agentdb._is_usual_hour(hours bigint, regular_hours integer, at timestamp with time zone) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((EXISTS (SELECT FROM generate_series('-1'::integer, 1) d(step) WHERE (((_is_usual_hour.hours >> (((agentdb._hour_of_week(_is_usual_hour.at) / 24) * 24) + ((((agentdb._hour_of_week(_is_usual_hour.at) % 24) + d.step) + 24) % 24))) & (1)::bigint) = 1))) OR (SELECT (count(*) > _is_usual_hour.regular_hours) FROM generate_series(0, 23) h(hour) WHERE (((((_is_usual_hour.hours >> h.hour) | _is_usual_hour.hours) >> (h.hour + 24)) & (1)::bigint) = 1)));



COMMENT ON FUNCTION agentdb._is_usual_hour(hours bigint, regular_hours integer, at timestamp with time zone) IS 'Tells whether an agent was ever active at this hour, or the one before or after, on such a day, or is active at all hours.';



CREATE FUNCTION agentdb._is_validator(change bigint, agent bigint) RETURNS boolean
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(bool_and(a.agent_name = any (g.validators)), false)
  from agentdb.change_table as t
  left join agentdb.guarded_table as g on g.audit_target_id = t.audit_target_id
  left join agentdb.agent as a on a.agent_id = agent
  where t.change_id = change;
$$;



COMMENT ON FUNCTION agentdb._is_validator(change bigint, agent bigint) IS 'Whether the approval of an agent counts for all tables of a change.';



CREATE FUNCTION agentdb._is_wider(change bigint, effects jsonb) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select exists (
    select from jsonb_each_text(effects) as e
    where e.key like '% deleted'
      and e.value::bigint > (
        select count(*)
        from agentdb.change_row as r
        join agentdb.audit_target as t on t.audit_target_id = r.audit_target_id
        where r.change_id = change
          and r.operation = 'delete'
          and t.table_name || ' deleted' = e.key)
  );
$$;



COMMENT ON FUNCTION agentdb._is_wider(change bigint, effects jsonb) IS 'Whether a change would delete rows that it does not name.';



CREATE FUNCTION agentdb._join_groups(alerts bigint[], at timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with keyed as materialized (
    select j.*, _join_groups.at + j.group_wait as open_at,
      coalesce('A-' || j.only_alert,
        md5(concat(j.route_name, ' ', j.labels::text))) as group_key
    from agentdb._joining(alerts) as j
  ),
  made as (
    insert into agentdb.alert_group as g (
      receiver_name, route_name, group_key, labels, alert_id, open_at, look_at
    )
    select distinct on (k.receiver_name, k.group_key)
      k.receiver_name, k.route_name, k.group_key, k.labels, k.only_alert, k.open_at,
      k.open_at
    from keyed as k
    order by k.receiver_name, k.group_key
    -- The update waits for another runner that is making the same group.
    on conflict on constraint alert_group_receiver_name_group_key_key do update
    set open_at = case when g.look_at = 'infinity'
          then greatest(g.open_at, excluded.open_at) else g.open_at end,
        look_at = least(g.look_at, greatest(g.open_at, excluded.open_at))
    returning g.alert_group_id, g.receiver_name, g.group_key
  )
  insert into agentdb.group_alert (alert_group_id, alert_id, reason)
  select m.alert_group_id, k.alert_id, k.reason
  from keyed as k
  join made as m on m.receiver_name = k.receiver_name and m.group_key = k.group_key
  on conflict on constraint group_alert_pkey do nothing;
$$;



COMMENT ON FUNCTION agentdb._join_groups(alerts bigint[], at timestamp with time zone) IS 'Puts alerts into the groups of the receivers that are to hear of them.';



CREATE FUNCTION agentdb._key_sql(target integer, row_name text) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT COALESCE((('jsonb_build_object('::text || string_agg(format('%L, %s'::text, (c.column_name)::text, agentdb._value_sql(_key_sql.row_name, c.column_name, c.form, false)), ', '::text ORDER BY c.key_place)) || ')'::text), 'null::jsonb'::text) AS "coalesce" FROM agentdb.audit_column c WHERE ((c.audit_target_id = _key_sql.target) AND (c.key_place IS NOT NULL)));



COMMENT ON FUNCTION agentdb._key_sql(target integer, row_name text) IS 'SQL text: the primary key of a row as JSON, NULL for a table without one.';



CREATE FUNCTION agentdb._row_sql(target integer, row_name text) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT CASE WHEN (bool_and(c.safe) AND (NOT bool_or(c.excluded))) THEN concat(format(CASE WHEN (_row_sql.row_name ~~ 'v\_%'::text) THEN 'to_jsonb(%s)'::text ELSE 'to_jsonb(%s.*)'::text END, _row_sql.row_name), string_agg(format('
 || jsonb_build_object(%L, %s)'::text, (c.column_name)::text, agentdb._value_sql(_row_sql.row_name, c.column_name, c.form, c.redacted)), ''::text ORDER BY c.place) FILTER (WHERE ((c.form <> 'plain'::text) OR c.redacted))) ELSE agentdb._object_sql(array_agg(format('jsonb_build_object(%L, %s)'::text, (c.column_name)::text, agentdb._value_sql(_row_sql.row_name, c.column_name, c.form, c.redacted)) ORDER BY c.place) FILTER (WHERE (NOT c.excluded))) END AS _object_sql FROM agentdb.audit_column c WHERE (c.audit_target_id = _row_sql.target));



COMMENT ON FUNCTION agentdb._row_sql(target integer, row_name text) IS 'SQL text: a whole row as JSON, as it is recorded.';



CREATE FUNCTION agentdb._joined_sql(target integer, old_rows text, new_rows text) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT format('d.* from (
 select case when %2$s then ''insert'' when %3$s then ''delete'' else ''update'' end as operation,
 case when %3$s then %4$s else %5$s end as row_key,
 case when %2$s then null when %3$s then %6$s else %8$s end as old_values,
 case when %3$s then null when %2$s then %7$s else %9$s end as new_values
 from %10$s as o full join %11$s as n on %1$s
 offset 0) as d
where d.operation <> ''update'' or d.new_values <> ''{}'''::text, string_agg(format(CASE WHEN c.exact THEN 'o.%1$I = n.%1$I'::text ELSE 'row(o.%1$I)::record *= row(n.%1$I)::record'::text END, c.column_name), ' and '::text ORDER BY c.key_place), min(format('num_nulls(o.%I) = 1'::text, c.column_name)) FILTER (WHERE (c.key_place = 1)), min(format('num_nulls(n.%I) = 1'::text, c.column_name)) FILTER (WHERE (c.key_place = 1)), agentdb._key_sql(_joined_sql.target, 'o'::text), agentdb._key_sql(_joined_sql.target, 'n'::text), agentdb._row_sql(_joined_sql.target, 'o'::text), agentdb._row_sql(_joined_sql.target, 'n'::text), agentdb._difference_sql(_joined_sql.target, 'o'::text), agentdb._difference_sql(_joined_sql.target, 'n'::text), _joined_sql.old_rows, _joined_sql.new_rows) AS format FROM agentdb.audit_column c WHERE ((c.audit_target_id = _joined_sql.target) AND (c.key_place IS NOT NULL)));



COMMENT ON FUNCTION agentdb._joined_sql(target integer, old_rows text, new_rows text) IS 'SQL text: what an update changed in a table that has a primary key.';



CREATE FUNCTION agentdb._single_places(receiver text, rule text) RETURNS bigint
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT (10 - count(*))
    FROM ( SELECT
            FROM ((agentdb.alert a
              JOIN agentdb.group_alert m ON ((m.alert_id = a.alert_id)))
              JOIN agentdb.alert_group g ON ((g.alert_group_id = m.alert_group_id)))
           WHERE ((a.rule_name = _single_places.rule) AND (a.state = 'firing'::text) AND (g.receiver_name = _single_places.receiver) AND (g.alert_id IS NOT NULL) AND (g.route_name IS NULL))
          LIMIT 10) s;
END;



COMMENT ON FUNCTION agentdb._single_places(receiver text, rule text) IS 'How many more alerts of a rule a receiver without a route may hear of one by one.';



CREATE FUNCTION agentdb._joining(alerts bigint[]) RETURNS TABLE(alert_id bigint, receiver_name text, route_name text, reason text, group_wait interval, only_alert bigint, labels jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 WITH destined AS MATERIALIZED (
          SELECT a.alert_id,
             a.rule_name,
             d_1.receiver_name,
             d_1.route_name,
             d_1.reason,
             (d_1.group_by = '{alert}'::text[]) AS alone,
             agentdb._group_labels(a.*, d_1.group_by) AS labels,
             COALESCE(r.group_wait, '00:00:00'::interval) AS group_wait,
             row_number() OVER (PARTITION BY d_1.receiver_name, d_1.route_name, a.rule_name ORDER BY a.alert_id) AS place
            FROM ((agentdb.alert a
              CROSS JOIN LATERAL agentdb._destination(a.*) d_1(receiver_name, route_name, group_by, reason))
              LEFT JOIN agentdb.route r ON ((r.route_name = d_1.route_name)))
           WHERE ((a.alert_id = ANY (_joining.alerts)) AND ((a.state = 'firing'::text) OR (NOT (EXISTS ( SELECT
                    FROM agentdb.group_alert m
                   WHERE (m.alert_id = a.alert_id))))) AND (NOT (EXISTS ( SELECT
                    FROM (agentdb.group_alert m
                      JOIN agentdb.alert_group g ON ((g.alert_group_id = m.alert_group_id)))
                   WHERE ((m.alert_id = a.alert_id) AND (g.receiver_name = d_1.receiver_name))))))
         ), places AS MATERIALIZED (
          SELECT d_1.receiver_name,
             d_1.rule_name,
             agentdb._single_places(d_1.receiver_name, d_1.rule_name) AS places
            FROM destined d_1
           WHERE (d_1.route_name IS NULL)
           GROUP BY d_1.receiver_name, d_1.rule_name
         )
  SELECT d.alert_id,
     d.receiver_name,
     d.route_name,
     d.reason,
     d.group_wait,
         CASE
             WHEN (d.alone AND COALESCE((d.place <= p.places), true)) THEN d.alert_id
             ELSE NULL::bigint
         END AS "case",
         CASE
             WHEN (d.alone AND (d.place > p.places)) THEN jsonb_build_object('rule', d.rule_name)
             ELSE d.labels
         END AS labels
    FROM (destined d
      LEFT JOIN places p ON (((d.route_name IS NULL) AND (p.receiver_name = d.receiver_name) AND (p.rule_name = d.rule_name))));
END;



COMMENT ON FUNCTION agentdb._joining(alerts bigint[]) IS 'The receivers that are to hear of alerts and do not yet, and what each alert is told of together with.';



CREATE FUNCTION agentdb._json_text(object jsonb, key text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN (jsonb_typeof((object -> key)) = ANY (ARRAY['string'::text, 'number'::text, 'boolean'::text])) THEN (object ->> key) ELSE NULL::text END;



COMMENT ON FUNCTION agentdb._json_text(object jsonb, key text) IS 'Returns a scalar member of a JSON object as text, else NULL.';



CREATE FUNCTION agentdb._kill_run(run bigint, agent bigint, reason text, OUT locks_freed bigint, OUT reservations_cancelled bigint, OUT changes_withdrawn bigint) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  insert into agentdb.run_stop as s (run_id, kind, reason)
  values (run, 'killed', agentdb._clean_text(reason, 500))
  on conflict on constraint run_stop_pkey do update
  set kind = 'killed',
      reason = case s.kind when 'killed' then s.reason else excluded.reason end,
      drained_at = null;
  perform agentdb._end_killed(run);
  perform agentdb._end_alerts(run, agent);
  locks_freed := agentdb._release_locks(run, agent, 'killed');
  reservations_cancelled := agentdb._cancel_reservations(run);
  changes_withdrawn := agentdb._withdraw_changes(agent, run);
  perform agentdb._log_stop(agent, run, 'kill', reason, jsonb_build_object(
    'locks_freed', locks_freed, 'reservations_cancelled', reservations_cancelled,
    'changes_withdrawn', changes_withdrawn));
end;
$$;



COMMENT ON FUNCTION agentdb._kill_run(run bigint, agent bigint, reason text, OUT locks_freed bigint, OUT reservations_cancelled bigint, OUT changes_withdrawn bigint) IS 'Marks a run as killed, ends it and frees what it held.';



CREATE FUNCTION agentdb._known_writer(OUT agent_id bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_bound bigint := agentdb._bound_run();
begin
  if v_bound is not null then
    select r.agent_id into _known_writer.agent_id
    from agentdb.run as r
    where r.run_id = v_bound and r.role_name = session_user;
  end if;
  if agent_id is null then
    select a.agent_id into _known_writer.agent_id
    from agentdb.agent as a
    where a.role_name = session_user and not a.pooled;
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._known_writer(OUT agent_id bigint) IS 'The agent of a session, by the bound token or by its role.';



CREATE FUNCTION agentdb._last_event_at(run bigint, since timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    RETURN GREATEST(since, (SELECT l.recorded_at FROM agentdb.progress_log l WHERE ((l.run_id = _last_event_at.run) AND (l.recorded_at >= _last_event_at.since)) ORDER BY l.progress_log_id DESC LIMIT 1), (SELECT l.recorded_at FROM agentdb.tool_call_log l WHERE ((l.run_id = _last_event_at.run) AND (l.recorded_at >= _last_event_at.since)) ORDER BY l.tool_call_log_id DESC LIMIT 1), (SELECT l.recorded_at FROM agentdb.token_log l WHERE ((l.run_id = _last_event_at.run) AND (l.recorded_at >= _last_event_at.since)) ORDER BY l.token_log_id DESC LIMIT 1), (SELECT max(c.began_at) AS max FROM agentdb.tool_call c WHERE ((c.run_id = _last_event_at.run) AND (c.ended_at IS NULL))));



COMMENT ON FUNCTION agentdb._last_event_at(run bigint, since timestamp with time zone) IS 'When a run logged anything last, from the logs themselves.';



CREATE FUNCTION agentdb._last_run(agent bigint) RETURNS bigint
    LANGUAGE sql STABLE
    RETURN (SELECT l.run_id FROM (SELECT r.run_id, r.ended_at FROM agentdb.run r WHERE (r.agent_id = _last_run.agent) ORDER BY r.started_at DESC LIMIT 20) l ORDER BY l.ended_at DESC LIMIT 1);



COMMENT ON FUNCTION agentdb._last_run(agent bigint) IS 'The run that an agent worked for last.';



CREATE FUNCTION agentdb._last_stop() RETURNS bigint
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_number bigint := coalesce(pg_sequence_last_value('agentdb.stop_number_seq'), 0);
  v_xid bigint := coalesce(pg_sequence_last_value('agentdb.stop_last_seq'), 0);
begin
  if current_setting('transaction_isolation') = 'read committed'
    and pg_visible_in_snapshot(greatest(v_xid, 3)::text::xid8, pg_current_snapshot())
  then
    return v_number;
  end if;
  return null;
end;
$$;



COMMENT ON FUNCTION agentdb._last_stop() IS 'The number of the last stop, if this snapshot and all later ones of the transaction see it, else NULL.';



CREATE FUNCTION agentdb._last_writer(target integer, key jsonb, columns text[]) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select jsonb_build_object('role', l.session_role, 'agent', a.agent_name,
    'run', l.run_id, 'change', l.change_id, 'at', l.recorded_at,
    'audit', l.audit_log_id)
  from agentdb.audit_log as l
  left join agentdb.agent as a on a.agent_id = l.agent_id
  where l.audit_target_id = target
    and jsonb_hash_extended(l.row_key, 0) = jsonb_hash_extended(key, 0)
    and l.row_key = key
    and (l.operation <> 'update' or columns is null or l.new_values ?| columns)
  order by l.audit_log_id desc
  limit 1;
$$;



COMMENT ON FUNCTION agentdb._last_writer(target integer, key jsonb, columns text[]) IS 'Who last wrote certain columns of a row: role, agent, run, moment.';



CREATE FUNCTION agentdb._layout(table_oid oid) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return agentdb._layout_now(table_oid);
end;
$$;



COMMENT ON FUNCTION agentdb._layout(table_oid oid) IS 'The same fingerprint, looked up once a plan.';



CREATE FUNCTION agentdb._layout_now(table_oid oid) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (
    select md5(concat(
      string_agg(
        concat_ws(' ', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attcollation,
          nullif(a.attgenerated, '')),
        ',' order by a.attnum
      ),
      (select i.indkey::text from pg_index as i
        where i.indrelid = _layout_now.table_oid and i.indisprimary and i.indimmediate)
    ))
    from pg_attribute as a
    where a.attrelid = _layout_now.table_oid and a.attnum > 0 and not a.attisdropped
  );
end;
$$;



COMMENT ON FUNCTION agentdb._layout_now(table_oid oid) IS 'A fingerprint of the columns and the primary key of a table, looked up at every call.';



CREATE FUNCTION agentdb._leave_lock(name text, fence bigint, run_id bigint, at timestamp with time zone) RETURNS agentdb.released_lock
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_held_for interval;
begin
  update agentdb.lock as l
  set depth = l.depth - 1
  where l.lock_name = name
    and l.fence = _leave_lock.fence
    and l.run_id = _leave_lock.run_id
    and l.depth > 1
  returning at - l.acquired_at into v_held_for;
  return (false, case when found then 'still_held' else 'lost' end, v_held_for, null,
    agentdb._waiting(name, fence))::agentdb.released_lock;
end;
$$;



COMMENT ON FUNCTION agentdb._leave_lock(name text, fence bigint, run_id bigint, at timestamp with time zone) IS 'Takes back one of several entries into a lock, or says that it is lost.';



CREATE FUNCTION agentdb._lend_capture(target integer, owner name) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if owner is null then
    execute format('drop function agentdb.%I', '_capture_' || target);
  else
    execute format('grant execute on function agentdb.%I to %I',
      '_capture_' || target, owner);
    execute format('grant execute on function agentdb._capture_truncate, '
      'agentdb._capture_blast to %I', owner);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._lend_capture(target integer, owner name) IS 'Lets the owner of a table name its capture function in a trigger; without an owner, drops the function.';



CREATE FUNCTION agentdb._lend_table(relation regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_schema name;
  v_role name;
  v_sequence regclass;
begin
  select n.nspname into v_schema
  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
  where c.oid = relation;
  execute format('grant select, insert, update, delete on %s to agentdb_applier',
    relation);
  -- The staging view names the table, the change writes it.
  foreach v_role in array array['agentdb_applier', 'agentdb_owner'] loop
    if not has_schema_privilege(v_role, v_schema, 'usage') then
      execute format('grant usage on schema %I to %I', v_schema, v_role);
    end if;
  end loop;
  for v_sequence in
    select d.objid from pg_depend as d
    join pg_class as c on c.oid = d.objid and c.relkind = 'S'
    where d.classid = 'pg_class'::regclass
      and d.refclassid = 'pg_class'::regclass
      and d.refobjid = relation::oid
      and d.deptype in ('a', 'i')
  loop
    execute format('grant usage on sequence %s to agentdb_applier, agentdb_agent',
      v_sequence);
  end loop;
  if current_setting('server_version_num')::integer < 150000 then
    execute format('grant select on %s to agentdb_owner', relation);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._lend_table(relation regclass) IS 'Lets agentdb_applier write a table, and agents take numbers from its sequences, with the rights of the caller.';



CREATE FUNCTION agentdb._lock_caller(run bigint, OUT run_id bigint, OUT agent_id bigint, OUT label text, OUT max_ttl interval, OUT needs_progress boolean) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  select r.run_id, r.agent_id, r.label, r.lock_max_ttl, r.renew_needs_progress
    into _lock_caller.run_id, _lock_caller.agent_id, _lock_caller.label,
      _lock_caller.max_ttl, _lock_caller.needs_progress
  from agentdb._current_run(_lock_caller.run) as c
  join agentdb.run as r on r.run_id = c.run_id;
end;
$$;



COMMENT ON FUNCTION agentdb._lock_caller(run bigint, OUT run_id bigint, OUT agent_id bigint, OUT label text, OUT max_ttl interval, OUT needs_progress boolean) IS 'Resolves the run that wants a lock, its agent and what their policy says of locks; raises ZA001 or ZA003.';



CREATE FUNCTION agentdb._lock_limit(agent bigint) RETURNS TABLE(agent_name text, max_ttl interval, needs_progress boolean)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT a.agent_name,
     p.lock_max_ttl,
     p.renew_needs_progress
    FROM (agentdb.agent a
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE (a.agent_id = _lock_limit.agent);
END;



COMMENT ON FUNCTION agentdb._lock_limit(agent bigint) IS 'The name of an agent, and what its policy says of locks.';



CREATE FUNCTION agentdb._log_sql(target integer, operation text, row_key text, old_values text, new_values text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN format('insert into agentdb.audit_log (recorded_at, statement, session_role, agent_id,
       run_id, change_id, application_name, client_addr, audit_target_id, operation,
       row_key, old_values, new_values)
     values (%s, %s, %L, %s, %s, %s);'::text, agentdb._context_sql(), target, operation, row_key, old_values, new_values);



COMMENT ON FUNCTION agentdb._log_sql(target integer, operation text, row_key text, old_values text, new_values text) IS 'PL/pgSQL text: writes one row into audit_log.';



CREATE FUNCTION agentdb._log_stop(agent bigint, run bigint, action text, reason text, details jsonb) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into agentdb.stop_log (agent_id, run_id, action, reason, details)
  values (agent, run, action, agentdb._clean_text(reason, 500), details);
$$;



COMMENT ON FUNCTION agentdb._log_stop(agent bigint, run bigint, action text, reason text, details jsonb) IS 'Writes down who stopped what, and why.';



CREATE TABLE agentdb.lock (
    lock_name text NOT NULL,
    slot integer DEFAULT 0 NOT NULL,
    role_name name,
    stop_seen bigint,
    fence bigint NOT NULL,
    agent_id bigint,
    run_id bigint,
    acquired_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    renewed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    expires_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    hold_until timestamp with time zone DEFAULT 'infinity'::timestamp with time zone NOT NULL,
    renewals integer DEFAULT 0 NOT NULL,
    depth integer DEFAULT 0 NOT NULL,
    outcome text,
    reason text,
    former_agent_id bigint
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='2000', autovacuum_vacuum_cost_delay='0');



COMMENT ON TABLE agentdb.lock IS 'Locks and slots of semaphores, a row each: who holds it and until when.';



COMMENT ON COLUMN agentdb.lock.role_name IS 'The login role of the holder, if its run was known to be the only one of it.';



COMMENT ON COLUMN agentdb.lock.stop_seen IS 'The stop_seen of that run when it took the lock.';



COMMENT ON COLUMN agentdb.lock.fence IS 'The number of the present or last tenure; it only grows.';



COMMENT ON COLUMN agentdb.lock.agent_id IS 'Who held it last.';



COMMENT ON COLUMN agentdb.lock.run_id IS 'The run that holds it; NULL when it is free or cooling.';



COMMENT ON COLUMN agentdb.lock.hold_until IS 'The end that no renewal goes beyond.';



COMMENT ON COLUMN agentdb.lock.depth IS 'How many releases it takes, one for each acquisition of the same run.';



COMMENT ON COLUMN agentdb.lock.outcome IS 'How the tenure began (acquired, taken_over) or ended.';



COMMENT ON COLUMN agentdb.lock.former_agent_id IS 'The agent that had the row before the present or last holder.';



CREATE FUNCTION agentdb._log_tenure(lock agentdb.lock, outcome text, reason text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  insert into agentdb.lock_log (
    lock_name, slot, fence, agent_id, run_id, acquired_at, expires_at, renewals,
    outcome, ended_by, reason
  )
  values (
    lock.lock_name, lock.slot, lock.fence, lock.agent_id, lock.run_id,
    lock.acquired_at, lock.expires_at, lock.renewals, outcome, session_user, reason
  );
end;
$$;



COMMENT ON FUNCTION agentdb._log_tenure(lock agentdb.lock, outcome text, reason text) IS 'Logs that a lock as it was is held no longer.';



CREATE FUNCTION agentdb._newest_run() RETURNS TABLE(run_id bigint, agent_id bigint, stop_seen bigint, label text, lock_max_ttl interval, renew_needs_progress boolean)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT r.run_id,
     r.agent_id,
     r.stop_seen,
     r.label,
     r.lock_max_ttl,
     r.renew_needs_progress
    FROM agentdb.run r
   WHERE ((r.role_name = SESSION_USER) AND (NOT r.pooled) AND (r.ended_at IS NULL))
   ORDER BY r.run_id DESC
  LIMIT 1;
END;



COMMENT ON FUNCTION agentdb._newest_run() IS 'The newest open run of the login role, its only one if it is _is_unstopped(); inlined into what asks.';



CREATE FUNCTION agentdb._lone_run() RETURNS TABLE(run_id bigint, agent_id bigint)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT n.run_id,
     n.agent_id
    FROM agentdb._newest_run() n(run_id, agent_id, stop_seen, label, lock_max_ttl, renew_needs_progress)
   WHERE agentdb._is_unstopped(n.stop_seen);
END;



COMMENT ON FUNCTION agentdb._lone_run() IS 'The one open run of the login role where nothing else is to be asked, else no row.';



CREATE FUNCTION agentdb._long_call_until(run bigint, max_long_call interval, as_of timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql STABLE
    RETURN (SELECT max(LEAST(c.until, (c.began_at + LEAST(t.longest, _long_call_until.max_long_call)))) AS max FROM ((SELECT f.tool, f.began_at, _long_call_until.as_of AS until FROM agentdb._call_in_flight(_long_call_until.as_of) f(run_id, call_id, tool, began_at) WHERE (f.run_id = _long_call_until.run) UNION ALL SELECT e.tool, e.began_at, e.ended_at FROM ((SELECT l_1.call_id, l_1.tool FROM agentdb.tool_call_log l_1 WHERE ((l_1.run_id = _long_call_until.run) AND (l_1.recorded_at <= _long_call_until.as_of) AND (EXISTS (SELECT FROM agentdb.tool k WHERE (k.longest IS NOT NULL)))) ORDER BY l_1.tool_call_log_id DESC LIMIT 200) l JOIN agentdb.tool_call e ON (((e.run_id = _long_call_until.run) AND (e.call_id = l.call_id)))) WHERE (l.tool IN (SELECT k.tool_name FROM agentdb.tool k WHERE (k.longest IS NOT NULL)))) c JOIN agentdb.tool t ON ((t.tool_name = c.tool))) WHERE (t.longest IS NOT NULL));



COMMENT ON FUNCTION agentdb._long_call_until(run bigint, max_long_call interval, as_of timestamp with time zone) IS 'Until when a run was waiting for a call that is known to take long.';



CREATE FUNCTION agentdb._look(groups bigint[], at timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with inhibiting as materialized (select i.* from agentdb._inhibiting() as i),
  seen as (
    select m.alert_group_id, m.alert_id, a.episode, f.until_at, f.reason,
      case
        when a.state <> 'firing' and (m.told is not null or f.state is not null
          or m.state not in ('firing', 'gone')) then 'resolved'
        when a.state <> 'firing' then 'gone'
        else coalesce(f.state, 'firing')
      end as state
    from agentdb.group_alert as m
    join agentdb.alert as a on a.alert_id = m.alert_id
    left join lateral (
      select 'silenced' as state, s.ends_at as until_at,
        format('silence S-%s by %s: %s', s.silence_id, s.created_by, s.comment)
          as reason
      from agentdb.silence as s
      where s.ends_at > _look.at
        and a.rule_name <> 'silence_ending'
        and agentdb._matches(s.matchers,
          agentdb._matchable(a.alert_id, a.rule_name, a.severity, a.labels))
      union all
      select 'acknowledged', a.acknowledged_until,
        format('acknowledgement by %s: %s', a.acknowledged_by, a.acknowledge_comment)
      where a.acknowledged_until > _look.at
      union all
      select 'inhibited', _look.at + interval '15 seconds', null
      from agentdb.inhibition as i
      where case
        when coalesce(agentdb._named_rule(i.target), a.rule_name) = a.rule_name
          and agentdb._matches(i.target,
            agentdb._matchable(a.alert_id, a.rule_name, a.severity, a.labels))
          and not agentdb._matches(i.source,
            agentdb._matchable(a.alert_id, a.rule_name, a.severity, a.labels))
        -- Hashed: in a storm there are as many sources as targets.
        then (i.inhibition_name, agentdb._severity_rank(a.severity),
            agentdb._shared_labels(
              agentdb._comparable(a.labels, a.annotations), i.equal_labels))
          in (select s.inhibition_name, s.rank, s.shared from inhibiting as s)
      end
      order by 1 desc, 2 desc
      limit 1
    ) as f on true
    where m.alert_group_id = any (groups)
  )
  update agentdb.group_alert as m
  set state = s.state,
      episode = s.episode,
      escalated = m.escalated and m.episode = s.episode,
      until_at = s.until_at,
      reason = case
        when s.reason is not null then s.reason
        when s.state = 'firing' and m.state in ('silenced', 'acknowledged')
          then 'over: ' || m.reason
        else m.reason
      end
  from seen as s
  where m.alert_group_id = s.alert_group_id
    and m.alert_id = s.alert_id
    and (m.state, m.episode, m.until_at) is distinct from
      (s.state, s.episode, s.until_at);
$$;



COMMENT ON FUNCTION agentdb._look(groups bigint[], at timestamp with time zone) IS 'Brings the members of groups up to date: firing, acknowledged, silenced, inhibited, resolved, or gone before anybody was told.';



CREATE FUNCTION agentdb._maintain_audit() RETURNS TABLE(action text, object text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_target integer;
begin
  -- A table restored from a dump has another number; its trigger knows which it is.
  update agentdb.audit_target as t
  set table_oid = g.tgrelid
  from pg_trigger as g
  join pg_proc as p on p.oid = g.tgfoid and p.pronamespace = 'agentdb'::regnamespace
  where p.proname = '_capture_' || t.audit_target_id
    and t.unaudited_at is null
    and g.tgparentid = 0
    and g.tgrelid <> t.table_oid;
  for v_target, object, action in
    select t.audit_target_id, t.table_name,
      case when c.oid is null then 'unaudited (dropped)' else 'regenerated' end
    from agentdb.audit_target as t
    left join pg_class as c on c.oid = t.table_oid
    where t.unaudited_at is null
      and (c.oid is null or t.layout is distinct from agentdb._layout_now(t.table_oid)
        or t.table_name <> agentdb._table_name(t.table_oid))
    order by t.audit_target_id
  loop
    begin
      if action = 'regenerated' then
        update agentdb.audit_target as t
        set table_name = agentdb._table_name(t.table_oid)
        where t.audit_target_id = v_target;
        perform agentdb._generate_capture(v_target);
      else
        perform agentdb._forget_target(v_target);
      end if;
    exception when others then
      action := format('not %s: %s', action, sqlerrm);
    end;
    return next;
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb._maintain_audit() IS 'Adapts the capture functions to tables that were altered, and forgets tables that were dropped.';



CREATE FUNCTION agentdb._maintain_guards() RETURNS TABLE(action text, object text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_target integer;
begin
  -- A table restored from a dump has another number, which maintain() knows by now.
  update agentdb.guarded_table as g
  set table_oid = t.table_oid,
      table_name = t.table_name
  from agentdb.audit_target as t
  where t.audit_target_id = g.audit_target_id
    and t.unaudited_at is null
    and (t.table_oid, t.table_name) <> (g.table_oid, g.table_name);
  for v_target, object in
    delete from agentdb.guarded_table as g
    where not exists (select from pg_class as c where c.oid = g.table_oid)
    returning g.audit_target_id, g.table_name
  loop
    execute format('drop function if exists agentdb.%I', '_propose_' || v_target);
    action := 'unguarded (dropped)';
    return next;
  end loop;
  for v_target, object in
    select g.audit_target_id, g.table_name
    from agentdb.guarded_table as g
    join agentdb.audit_target as t
      on t.audit_target_id = g.audit_target_id and t.unaudited_at is null
    join pg_class as c on c.oid = g.table_oid
    where g.layout <> agentdb._stage_layout(g.audit_target_id)
      or to_regclass(format('agentdb_stage.%I', g.view_name)) is null
    order by g.audit_target_id
  loop
    -- Whoever reads the view in a long transaction, or has built another on it, must
    -- not hold up all other maintenance.
    begin
      perform agentdb._generate_stage(v_target);
      action := 'staging view regenerated';
    exception when others then
      action := 'staging view not regenerated: ' || sqlerrm;
    end;
    return next;
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb._maintain_guards() IS 'Adapts staging views to tables that were altered, and forgets tables that were dropped.';



CREATE FUNCTION agentdb._make_lock(name text, first_slot integer, last_slot integer) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_made bigint;
begin
  if not agentdb._is_clean_name(name, 200) then
    perform agentdb._refuse(
      format('%L is no name for a lock', agentdb._clean_text(name, 100)),
      'Use 1 to 200 visible characters on one line.'
    );
  elsif exists (
    select from agentdb.lock as l
    where l.lock_name = name and (l.slot = 0) <> (first_slot = 0)
  ) then
    perform agentdb._refuse(
      format('%s is the name of a %s', name,
        case when first_slot = 0 then 'semaphore' else 'lock' end),
      case when first_slot = 0 then 'Take it with acquire_slot, or use another name.'
        else 'Take it with acquire_lock, or use another name.' end
    );
  end if;
  perform set_config('lock_timeout', '100ms', true);
  insert into agentdb.lock (lock_name, slot, fence)
  select name, s.slot, coalesce(
    (select max(h.fence) from agentdb.lock_log as h where h.lock_name = name), 0)
  from generate_series(first_slot, last_slot) as s (slot)
  on conflict on constraint lock_pkey do nothing;
  get diagnostics v_made = row_count;
  return v_made;
exception when lock_not_available then
  return 0;
end;
$$;



COMMENT ON FUNCTION agentdb._make_lock(name text, first_slot integer, last_slot integer) IS 'Makes the rows that a name lacks and returns how many; raises ZA004 for an ill-formed name.';



CREATE FUNCTION agentdb._match_sql(change bigint, target integer, operation text) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  return concat(
    format('i.change_id = %s and i.audit_target_id = %s and i.operation = %L',
      change, target, operation),
    (
      select string_agg(format(' and t.%I = %s', c.column_name,
        agentdb._typed_sql('i.row_key', c.column_name, c.type_name)), '')
      from agentdb.change_column as c
      where c.audit_target_id = target and c.key_place is not null
    ),
    (
      select string_agg(format(
        case when u.always then ' and %2$s'
          else ' and (not i.expected ? %1$L or %2$s)' end,
        u.column_name::text,
        format(
          case when u.exact then 't.%I is not distinct from %s'
            else 'record_image_eq(row(t.%I), row(%s))' end,
          u.column_name,
          agentdb._typed_sql('i.expected', u.column_name, u.type_name))), '')
      from agentdb._column_uses(change, target, operation, true) as u
    )
  );
end;
$_$;



COMMENT ON FUNCTION agentdb._match_sql(change bigint, target integer, operation text) IS 'SQL text: a row of the change is that of the table, and as it was expected.';



CREATE FUNCTION agentdb._matchers_text(matchers jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN (SELECT string_agg(concat((m.item ->> 'label'::text), (m.item ->> 'is'::text), CASE WHEN ((m.item ->> 'value'::text) ~ '^[^,"[:space:]]+$'::text) THEN (m.item ->> 'value'::text) ELSE format('"%s"'::text, (m.item ->> 'value'::text)) END), ','::text ORDER BY m.place) AS string_agg FROM jsonb_array_elements(_matchers_text.matchers) WITH ORDINALITY m(item, place));



COMMENT ON FUNCTION agentdb._matchers_text(matchers jsonb) IS 'Matchers as people write them.';



CREATE FUNCTION agentdb._max_rows() RETURNS integer
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (
    select min(p.blast_radius_rows)
    from agentdb.agent as a
    join agentdb.policy as p on p.policy_name = a.policy_name
    where a.role_name = session_user
  );
end;
$$;



COMMENT ON FUNCTION agentdb._max_rows() IS 'How many rows a statement of the session may change; NULL where it is no agent''s.';



CREATE FUNCTION agentdb._meets(change bigint, target integer, table_oid oid, condition text) RETURNS boolean
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_met boolean;
begin
  execute format('select bool_and(coalesce(%s(r.expected, r.new_values), false)) '
      'from agentdb.change_row as r '
      'where r.change_id = $1 and r.audit_target_id = $2',
      agentdb._condition_of(table_oid, condition))
    into v_met using change, target;
  return v_met;
exception when others then
  raise log 'condition % of change %: %', condition, change, sqlerrm;
  return false;
end;
$_$;



COMMENT ON FUNCTION agentdb._meets(change bigint, target integer, table_oid oid, condition text) IS 'Whether all rows of a change in one table meet the condition of its guard.';



CREATE FUNCTION agentdb._members(alert_group bigint) RETURNS bigint[]
    LANGUAGE sql STABLE
    RETURN COALESCE((SELECT array_agg(m.alert_id) AS array_agg FROM agentdb.group_alert m WHERE (m.alert_group_id = _members.alert_group)), '{}'::bigint[]);



COMMENT ON FUNCTION agentdb._members(alert_group bigint) IS 'The alerts of a group.';



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



CREATE FUNCTION agentdb._trigrams(word text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ARRAY(SELECT DISTINCT substr(w.padded, p.place, 3) AS substr FROM ((SELECT (('  '::text || lower("left"(_trigrams.word, 200))) || ' '::text) AS "?column?") w(padded) CROSS JOIN LATERAL generate_series(1, (length(w.padded) - 2)) p(place)));



COMMENT ON FUNCTION agentdb._trigrams(word text) IS 'The sets of three letters that a word is made of.';



CREATE FUNCTION agentdb._similarity(one text, other text) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (SELECT ((count(*) FILTER (WHERE (t.places = 2)))::double precision / (NULLIF(count(*), 0))::double precision) FROM (SELECT count(*) AS places FROM (SELECT unnest(agentdb._trigrams(_similarity.one)) AS unnest UNION ALL SELECT unnest(agentdb._trigrams(_similarity.other)) AS unnest) u(trigram) GROUP BY u.trigram) t);



COMMENT ON FUNCTION agentdb._similarity(one text, other text) IS 'How alike two names are, from 0 to 1: shared trigrams among all (Jaccard).';



CREATE FUNCTION agentdb._missing_relation(parts text[]) RETURNS TABLE(verdict text, detail text, mend text)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT
         CASE
             WHEN (count(c.oid) FILTER (WHERE (c.relname = (_missing_relation.parts)[cardinality(_missing_relation.parts)])) > 1) THEN 'ambiguous'::text
             WHEN ((cardinality(_missing_relation.parts) = 2) AND (NOT (EXISTS ( SELECT
                FROM pg_namespace n
               WHERE (n.nspname = (_missing_relation.parts)[1]))))) THEN 'missing_schema'::text
             ELSE 'missing_table'::text
         END AS "case",
     (format('there is %s table %s'::text,
         CASE
             WHEN (count(c.oid) FILTER (WHERE (c.relname = (_missing_relation.parts)[cardinality(_missing_relation.parts)])) > 1) THEN 'more than one'::text
             ELSE 'no'::text
         END, ( SELECT string_agg(quote_ident(p.part), '.'::text ORDER BY p.place) AS string_agg
            FROM unnest(_missing_relation.parts) WITH ORDINALITY p(part, place))) || COALESCE(('; nearest: '::text || string_agg(format('%I.%I'::text, c.nspname, c.relname), ', '::text ORDER BY c.likeness DESC)), ''::text)),
     NULL::text AS text
    FROM ( SELECT r.oid,
             n.nspname,
             r.relname,
             agentdb._similarity((r.relname)::text, (_missing_relation.parts)[cardinality(_missing_relation.parts)]) AS likeness
            FROM (pg_class r
              JOIN pg_namespace n ON ((n.oid = r.relnamespace)))
           WHERE ((r.relkind = ANY (ARRAY['r'::"char", 'p'::"char", 'v'::"char", 'm'::"char", 'f'::"char"])) AND (n.nspname !~ '^pg_'::text) AND (n.nspname <> ALL (ARRAY['information_schema'::name, 'agentdb'::name])) AND (agentdb._similarity((r.relname)::text, (_missing_relation.parts)[cardinality(_missing_relation.parts)]) >= (0.3)::double precision))
           ORDER BY (agentdb._similarity((r.relname)::text, (_missing_relation.parts)[cardinality(_missing_relation.parts)])) DESC
          LIMIT 3) c;
END;



COMMENT ON FUNCTION agentdb._missing_relation(parts text[]) IS 'Says which tables have names like one that does not exist.';



CREATE FUNCTION agentdb._ms_until(at timestamp with time zone) RETURNS integer
    LANGUAGE sql
    RETURN (LEAST((60000)::numeric, GREATEST((0)::numeric, COALESCE(ceil((EXTRACT(epoch FROM (at - clock_timestamp())) * (1000)::numeric)), (60000)::numeric))))::integer;



COMMENT ON FUNCTION agentdb._ms_until(at timestamp with time zone) IS 'Milliseconds until a moment, at most 60000.';



CREATE FUNCTION agentdb._nearest_tools(agent bigint, tool text) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select string_agg(n.tool_name, ', ' order by n.likeness desc, n.tool_name)
  from (
    select a.tool_name, agentdb._similarity(a.tool_name, tool) as likeness
    from agentdb.agent_tool as a
    where a.agent_id = agent
    order by 2 desc, 1
    limit 3
  ) as n;
$$;



COMMENT ON FUNCTION agentdb._nearest_tools(agent bigint, tool text) IS 'The three tools of an agent whose names are most like one that it made up.';



CREATE FUNCTION agentdb._needs_rows(table_oid oid) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT CASE WHEN ((c.relkind = 'p'::"char") OR c.relispartition) THEN 'a partition can be written to by its own name'::text WHEN (EXISTS (SELECT FROM pg_inherits i WHERE ((_needs_rows.table_oid = i.inhrelid) OR (_needs_rows.table_oid = i.inhparent)))) THEN 'it inherits or is inherited from'::text WHEN (EXISTS (SELECT FROM pg_subscription_rel s WHERE (s.srrelid = _needs_rows.table_oid))) THEN 'a subscription writes row by row'::text WHEN (EXISTS (SELECT FROM pg_trigger t WHERE ((t.tgrelid = _needs_rows.table_oid) AND (NOT t.tgisinternal) AND (((t.tgtype)::integer & 1) = 1) AND (((t.tgtype)::integer & 66) = 0) AND (NOT (t.tgfoid IN (SELECT p.oid FROM pg_proc p WHERE (p.pronamespace = ('agentdb'::regnamespace)::oid))))))) THEN 'its AFTER ROW triggers may write to it in between'::text WHEN (EXISTS (SELECT FROM pg_constraint k WHERE ((k.conrelid = _needs_rows.table_oid) AND (k.confrelid = _needs_rows.table_oid) AND (k.contype = 'f'::"char") AND ((k.confdeltype = ANY (ARRAY['c'::"char", 'n'::"char", 'd'::"char"])) OR (k.confupdtype = ANY (ARRAY['c'::"char", 'n'::"char", 'd'::"char"])))))) THEN 'a foreign key to itself may write to it in between'::text WHEN (c.relnatts > 600) THEN 'its rows are too wide to compare two at a time'::text ELSE NULL::text END AS "case" FROM pg_class c WHERE (c.oid = _needs_rows.table_oid));



COMMENT ON FUNCTION agentdb._needs_rows(table_oid oid) IS 'Says why triggers by statement would miss or reorder writes of a table; NULL where they would not.';



CREATE FUNCTION agentdb._net_effect(scope text, id text) RETURNS TABLE(target integer, row_key jsonb, first_operation text, last_operation text, old_values jsonb, new_values jsonb, place bigint)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with record as materialized (
    select l.audit_log_id, p.target, l.row_key, l.operation, l.old_values, l.new_values
    from agentdb.audit_log as l
    join (
      -- Of a table that was attached anew the present attachment.
      select t.audit_target_id, max(o.audit_target_id) as target
      from agentdb.audit_target as t
      join agentdb.audit_target as o on o.table_oid = t.table_oid
      group by t.audit_target_id
    ) as p on p.audit_target_id = l.audit_target_id
    where (l.audit_log_id, l.recorded_at) in (
      select distinct u.audit_log_id, u.recorded_at
      from agentdb._undone(scope, id) as u)
  ),
  touched as (
    select r.target, r.row_key, min(r.audit_log_id) as first_id,
      max(r.audit_log_id) as last_id
    from record as r
    group by r.target, r.row_key
  )
  select t.target, t.row_key, f.operation, f.operation, f.old_values,
    f.new_values, t.last_id
  from touched as t
  join record as f on f.audit_log_id = t.first_id
  where t.first_id = t.last_id
  union all
  select m.target, m.row_key, f.operation, l.operation, m.old_values,
    m.new_values, m.last_id
  from (
    select t.target, t.row_key, t.first_id, t.last_id,
      jsonb_object_agg(v.key, v.value order by r.audit_log_id desc)
        filter (where v.old) as old_values,
      jsonb_object_agg(v.key, v.value order by r.audit_log_id)
        filter (where not v.old) as new_values
    from touched as t
    join record as r on r.target = t.target and r.row_key = t.row_key
    cross join lateral (
      select o.key, o.value, true as old from jsonb_each(r.old_values) as o
      union all
      select n.key, n.value, false from jsonb_each(r.new_values) as n
    ) as v
    where t.first_id < t.last_id
    group by t.target, t.row_key, t.first_id, t.last_id
  ) as m
  join record as f on f.audit_log_id = m.first_id
  join record as l on l.audit_log_id = m.last_id;
$$;



COMMENT ON FUNCTION agentdb._net_effect(scope text, id text) IS 'What became of each row, over all that was recorded of it.';



CREATE FUNCTION agentdb._new_secret() RETURNS text
    LANGUAGE sql
    RETURN replace(((gen_random_uuid())::text || (gen_random_uuid())::text), '-'::text, ''::text);



COMMENT ON FUNCTION agentdb._new_secret() IS 'Returns 64 hexadecimal digits with 244 random bits.';



CREATE FUNCTION agentdb._next_commands(alert agentdb.alert, kind text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN (SELECT (CASE jsonb_typeof(((alert).annotations -> 'next'::text)) WHEN 'array'::text THEN ((alert).annotations -> 'next'::text) ELSE '[]'::jsonb END || to_jsonb(array_remove(ARRAY[format('agentdb why A-%s'::text, (alert).alert_id), ('agentdb timeline '::text || agentdb._labelled_run((alert).labels)), CASE kind WHEN 'firing'::text THEN format('agentdb ack A-%s -m …'::text, (alert).alert_id) WHEN 'acknowledged'::text THEN format('agentdb unack A-%s'::text, (alert).alert_id) WHEN 'silenced'::text THEN 'agentdb silences'::text ELSE NULL::text END], NULL::text))));



COMMENT ON FUNCTION agentdb._next_commands(alert agentdb.alert, kind text) IS 'What somebody may type who has read of an alert.';



CREATE FUNCTION agentdb._next_fence(former bigint, slot integer, at timestamp with time zone) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN CASE WHEN (slot = 0) THEN GREATEST((former + 1), ((date_part('epoch'::text, at) * (1000000)::double precision))::bigint) ELSE (((GREATEST(((former / 1000) + 1), ((date_part('epoch'::text, at) * (1000)::double precision))::bigint) * 1000) + slot) - 1) END;



COMMENT ON FUNCTION agentdb._next_fence(former bigint, slot integer, at timestamp with time zone) IS 'Returns a fence greater than the former one of the lock or slot.';



CREATE FUNCTION agentdb._note_any_stop() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform agentdb._note_stop();
  return null;
end;
$$;



COMMENT ON FUNCTION agentdb._note_any_stop() IS 'Trigger function: no stop goes unnoticed, whoever writes it.';



CREATE FUNCTION agentdb._note_children(relation regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_children text := (
    select string_agg(distinct k.conrelid::regclass::text, ', ')
    from pg_constraint as k
    where k.contype = 'f'
      and k.confrelid = relation
      and k.conrelid <> relation
      and not exists (
        select from agentdb.guarded_table as g where g.table_oid = k.conrelid)
  );
begin
  if v_children is not null then
    raise notice '% refers to % and is not guarded', v_children, relation
      using hint = format('A row that an agent stages in %s is not there until it is '
        'applied: what it writes to %s directly meanwhile fails with 23503.  Guard '
        'these too, and both are staged as one change.', relation, v_children);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._note_children(relation regclass) IS 'Names the tables that refer to a guarded one and are not guarded themselves.';



CREATE FUNCTION agentdb._note_reaped(pid integer, role_name name, age interval) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform agentdb._log_stop(
    (select a.agent_id from agentdb.agent as a
      where a.role_name = _note_reaped.role_name and not a.pooled),
    null, 'reap', format('its transaction was open for %s', agentdb._span(age)),
    jsonb_build_object('pid', pid, 'role', role_name));
end;
$$;



COMMENT ON FUNCTION agentdb._note_reaped(pid integer, role_name name, age interval) IS 'Writes down that a session was ended because of its old transaction.';



CREATE FUNCTION agentdb._note_stop() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_last bigint;
begin
  lock table agentdb.agent_stop in share row exclusive mode;
  select s.last_value into v_last from agentdb.stop_last_seq as s;
  if v_last > 2 and pg_xact_status(v_last::text::xid8) = 'committed' then
    perform setval('agentdb.stop_former_seq', v_last);
  end if;
  perform setval('agentdb.stop_last_seq', pg_current_xact_id()::text::bigint);
  perform nextval('agentdb.stop_number_seq');
end;
$$;



COMMENT ON FUNCTION agentdb._note_stop() IS 'Leaves the transaction and the number of a stop where older snapshots find them; stops go one at a time.';



CREATE FUNCTION agentdb._note_tables(change bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  insert into agentdb.change_table (
    change_id, audit_target_id, table_oid, table_name, layout, columns
  )
  select change, t.audit_target_id, t.table_oid, t.table_name,
    agentdb._layout_now(t.table_oid), agentdb._columns_now(t.audit_target_id)
  from agentdb.audit_target as t
  where t.audit_target_id in (
    select r.audit_target_id from agentdb.change_row as r where r.change_id = change);
  perform agentdb._check_tables(change);
end;
$$;



COMMENT ON FUNCTION agentdb._note_tables(change bigint) IS 'Writes down what the tables of a change are now; raises ZA051.';



CREATE FUNCTION agentdb._note_unknown_tool(run bigint, agent bigint, call bigint, tool text, OUT fault text, OUT hint text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform from agentdb.tool_alias as n
  join agentdb.agent_tool as a on a.tool_name = n.tool_name and a.agent_id = agent
  where n.alias = tool;
  if found then
    return;
  end if;
  fault := 'unknown';
  hint := format('There is no tool %s.  Nearest: %s.',
    agentdb._clean_text(tool, 200), agentdb._nearest_tools(agent, tool));
  insert into agentdb.tool_fault (run_id, tool_call_log_id, fault, detail)
  values (run, call, fault, hint);
end;
$$;



COMMENT ON FUNCTION agentdb._note_unknown_tool(run bigint, agent bigint, call bigint, tool text, OUT fault text, OUT hint text) IS 'Marks a call of a tool that its agent does not have, unless by a former name, and says which are nearest.';



CREATE FUNCTION agentdb._one_row_sql(target integer) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT concat(format('if %s then
    %s
    %s
    else
    '::text, string_agg(agentdb._changed_sql('v_old'::text, 'v_new'::text, c.column_name, c.exact), ' or '::text) FILTER (WHERE (c.key_place IS NOT NULL)), agentdb._log_sql(_one_row_sql.target, 'delete'::text, agentdb._key_sql(_one_row_sql.target, 'v_old'::text), agentdb._row_sql(_one_row_sql.target, 'v_old'::text), 'null'::text), agentdb._log_sql(_one_row_sql.target, 'insert'::text, agentdb._key_sql(_one_row_sql.target, 'v_new'::text), 'null'::text, agentdb._row_sql(_one_row_sql.target, 'v_new'::text))), string_agg(format('if %1$s then
      v_old_values := v_old_values || jsonb_build_object(%2$L, %3$s);
      v_new_values := v_new_values || jsonb_build_object(%2$L, %4$s);
    end if;
    '::text, agentdb._changed_sql('v_old'::text, 'v_new'::text, c.column_name, c.exact), (c.column_name)::text, agentdb._value_sql('v_old'::text, c.column_name, c.form, c.redacted), agentdb._value_sql('v_new'::text, c.column_name, c.form, c.redacted)), ''::text ORDER BY c.place) FILTER (WHERE ((NOT c.excluded) AND (c.key_place IS NULL))), 'if v_new_values <> ''{}'' then
    ', agentdb._log_sql(_one_row_sql.target, 'update'::text, agentdb._key_sql(_one_row_sql.target, 'v_new'::text), 'capture.v_old_values'::text, 'capture.v_new_values'::text), '
    end if;
    end if;') AS concat FROM agentdb.audit_column c WHERE (c.audit_target_id = _one_row_sql.target));



COMMENT ON FUNCTION agentdb._one_row_sql(target integer) IS 'PL/pgSQL text: compares v_old and v_new column by column and writes the difference.';



CREATE FUNCTION agentdb._only_open_run(OUT run_id bigint, OUT agent_id bigint) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_runs bigint[];
begin
  select array_agg(r.run_id order by r.run_id), min(r.agent_id)
    into v_runs, _only_open_run.agent_id
  from agentdb.run as r
  where r.role_name = session_user
    and r.ended_at is null
    and not r.pooled;
  if cardinality(v_runs) = 1 then
    run_id := v_runs[1];
  elsif v_runs is null then
    perform agentdb._check_last_run(session_user);
    raise exception 'role % has no open run', session_user
      using errcode = 'ZA001',
            hint = 'Open one first: select * from agentdb.start_run(); behind a shared '
              'role then bind its token in every transaction: '
              'select agentdb.bind_run(token);';
  else
    raise exception 'role % has % open runs: %', session_user, cardinality(v_runs),
        array_to_string(v_runs, ', ')
      using errcode = 'ZA001',
            hint = format('Say which: add run => %s to a call of agentdb; before an '
              'INSERT, UPDATE or DELETE bind the token that start_run() returned, in '
              'the same transaction: select agentdb.bind_run(token); or end the '
              'others: '
              'select * from agentdb.end_run(outcome => ''cancelled'', run => %s);',
              v_runs[cardinality(v_runs)], v_runs[1]);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._only_open_run(OUT run_id bigint, OUT agent_id bigint) IS 'The one open run of the login role; raises ZA001 where there is none or several.';



CREATE FUNCTION agentdb._open_at(as_of timestamp with time zone) RETURNS SETOF agentdb.question
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT q.question_id,
     q.run_id,
     q.agent_id,
     q.question,
     q.options,
     q.urgency,
     q.asked_at,
     q.answer,
     q.comment,
     q.answered_by,
     q.answered_at
    FROM (( SELECT o.question_id,
             o.run_id,
             o.agent_id,
             o.question,
             o.options,
             o.urgency,
             o.asked_at,
             o.answer,
             o.comment,
             o.answered_by,
             o.answered_at
            FROM agentdb.question o
           WHERE (o.answer IS NULL)
         UNION ALL
          SELECT o.question_id,
             o.run_id,
             o.agent_id,
             o.question,
             o.options,
             o.urgency,
             o.asked_at,
             o.answer,
             o.comment,
             o.answered_by,
             o.answered_at
            FROM agentdb.question o
           WHERE (o.answered_at > _open_at.as_of)) q
      JOIN agentdb.run r ON ((r.run_id = q.run_id)))
   WHERE ((q.asked_at <= _open_at.as_of) AND COALESCE((r.ended_at > _open_at.as_of), true));
END;



COMMENT ON FUNCTION agentdb._open_at(as_of timestamp with time zone) IS 'The questions that waited for an answer at a moment.';



CREATE FUNCTION agentdb._override_rows(change bigint, present jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update agentdb.change_row as r
  set operation = case r.operation when 'insert' then 'update' else r.operation end,
      new_values = case r.operation when 'insert' then d.new_values
        else r.new_values end,
      expected = case r.operation when 'delete' then f.value -> 'present'
        else d.expected end
  from agentdb.change as c,
    jsonb_array_elements(present) as f,
    lateral (
      select jsonb_object_agg(v.key, v.value) as new_values,
        jsonb_object_agg(v.key, f.value -> 'present' -> v.key) as expected
      from agentdb.change_row as o
      cross join lateral jsonb_each(o.new_values) as v
      where o.change_id = change
        and o.place = (f.value ->> 'place')::integer
        and (o.operation = 'update'
          or v.value is distinct from f.value -> 'present' -> v.key)
    ) as d
  where c.change_id = change
    and c.kind = 'undo'
    and c.state = 'open'
    and c.proposed_by = session_user
    and r.change_id = change
    and r.place = (f.value ->> 'place')::integer
    and f.value -> 'present' <> 'null';
end;
$$;



COMMENT ON FUNCTION agentdb._override_rows(change bigint, present jsonb) IS 'Takes rows back although somebody else changed them since.';



CREATE FUNCTION agentdb._paired_sql(target integer, old_rows text, new_rows text) RETURNS text
    LANGUAGE sql STABLE
    RETURN format('''update'', null::jsonb, d.old_values, d.new_values from (
 select a.old_values, b.new_values
 from (select row_number() over () as place, row(o.*) as image,
   %1$s as old_values from %3$s as o) as a
 join (select row_number() over () as place, row(n.*) as image,
   %2$s as new_values from %4$s as n) as b
   on a.place = b.place
 where record_image_ne(a.image, b.image)%5$s offset 0) as d'::text, agentdb._row_sql(target, 'o'::text), agentdb._row_sql(target, 'n'::text), old_rows, new_rows, CASE WHEN (EXISTS (SELECT FROM agentdb.audit_column c WHERE ((c.audit_target_id = _paired_sql.target) AND c.excluded))) THEN ' and a.old_values::text <> b.new_values::text'::text ELSE ''::text END);



COMMENT ON FUNCTION agentdb._paired_sql(target integer, old_rows text, new_rows text) IS 'SQL text: what an update changed in a table without a primary key.';



CREATE FUNCTION agentdb._parse_matchers(matchers text) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_rest text := btrim(matchers);
  v_parts text[];
  v_found jsonb := '[]';
begin
  if matchers is null or length(matchers) > 1000
    or matchers <> agentdb._clean_text(matchers, 1000) or matchers ~ '[\t\n]' then
    perform agentdb._refuse_matchers(matchers);
  end if;
  while v_rest <> '' loop
    v_parts := regexp_match(v_rest, '^([A-Za-z_][A-Za-z0-9_.-]*)[[:space:]]*(!=|!~|=|~)'
      '[[:space:]]*(?:"([^"]*)"|([^",]*[^",[:space:]]|))'
      '[[:space:]]*(?:,[[:space:]]*(?=.)|$)(.*)$');
    if v_parts is null or jsonb_array_length(v_found) >= 20 then
      perform agentdb._refuse_matchers(matchers);
    end if;
    if v_parts[2] in ('~', '!~') then
      perform agentdb._check_pattern(coalesce(v_parts[3], v_parts[4], ''), matchers);
    end if;
    v_found := v_found || jsonb_build_object('label', v_parts[1], 'is', v_parts[2],
      'value', coalesce(v_parts[3], v_parts[4], ''));
    v_rest := v_parts[5];
  end loop;
  return v_found;
end;
$_$;



COMMENT ON FUNCTION agentdb._parse_matchers(matchers text) IS 'Takes a list of matchers apart; an empty one matches every alert; raises ZA004.';



CREATE FUNCTION agentdb._part_sql(change bigint, target integer, operation text, in_order boolean) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_name text;
  v_table text;
begin
  select agentdb._table_name(c.oid),
    case c.relkind when 'p' then '' else 'only ' end || agentdb._table_name(c.oid)
    into v_name, v_table
  from agentdb.audit_target as t
  join pg_class as c on c.oid = t.table_oid
  where t.audit_target_id = target;
  if operation = 'delete' then
    return format('delete from %s as t using agentdb.change_row as i where %s',
      v_table, agentdb._match_sql(change, target, operation));
  elsif operation = 'update' then
    return (
      select format('update %s as t set %s from %s as i where %s',
        v_table,
        string_agg(format(
          case when u.always then '%2$I = %3$s'
            else '%2$I = case when i.new_values ? %1$L then %3$s else t.%2$I end' end,
          u.column_name::text, u.column_name,
          agentdb._typed_sql('i.new_values', u.column_name, u.type_name)), ', '),
        case when in_order then format('(select * from agentdb.change_row as r '
          'where r.change_id = %s order by r.place offset 0)', change)
          else 'agentdb.change_row' end,
        agentdb._match_sql(change, target, operation))
      from agentdb._column_uses(change, target, operation, false) as u);
  end if;
  return (
    select format('insert into %s (%s) overriding system value select %s '
      'from agentdb.change_row as i where i.change_id = %s and i.audit_target_id = %s '
      'and i.operation = ''insert'' order by i.place',
      v_name,
      string_agg(format('%I', u.column_name), ', ' order by u.place),
      string_agg(format(
        case when u.always then '%2$s'
          else 'case when i.new_values ? %1$L then %2$s else %3$s end' end,
        u.column_name::text,
        agentdb._typed_sql('i.new_values', u.column_name, u.type_name),
        coalesce(u.default_expression, 'null')), ', ' order by u.place),
      change, target)
    from agentdb._column_uses(change, target, operation, false) as u);
end;
$_$;



COMMENT ON FUNCTION agentdb._part_sql(change bigint, target integer, operation text, in_order boolean) IS 'SQL text: what a change does to one table by one operation.';



CREATE FUNCTION agentdb._pass_changed_limit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  -- A policy has no agent_id: all runs are looked at.
  perform agentdb._pass_limits((to_jsonb(new) ->> 'agent_id')::bigint);
  return null;
end;
$$;



COMMENT ON FUNCTION agentdb._pass_changed_limit() IS 'Trigger function: tells open runs what has changed in their agent or policy.';



CREATE FUNCTION agentdb._pass_gate(agent bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update agentdb.budget_gate as g set passed = g.passed + 1 where g.agent_id = agent;
  if not found then
    insert into agentdb.budget_gate as g (agent_id) values (agent)
    on conflict on constraint budget_gate_pkey do update set passed = g.passed + 1;
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._pass_gate(agent bigint) IS 'Lets the reservations of an agent through one at a time, until each commits.';



CREATE FUNCTION agentdb._pass_limits(agent bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update agentdb.run as r
  set label = l.label,
      lock_max_ttl = l.max_ttl,
      renew_needs_progress = l.needs_progress
  from (
    select o.run_id, n.label, p.max_ttl, p.needs_progress
    from agentdb.run as o
    cross join lateral agentdb._lock_limit(o.agent_id) as p
    cross join lateral (
      select agentdb._run_label(o.run_id, p.agent_name) as label
    ) as n
    where o.ended_at is null
      and (_pass_limits.agent is null or o.agent_id = _pass_limits.agent)
      and (o.label, o.lock_max_ttl, o.renew_needs_progress)
        is distinct from (n.label, p.max_ttl, p.needs_progress)
    for no key update of o skip locked
  ) as l
  where r.run_id = l.run_id;
end;
$$;



COMMENT ON FUNCTION agentdb._pass_limits(agent bigint) IS 'Tells the open runs of one agent, or all, what their policies say of locks.';



CREATE FUNCTION agentdb._pass_stop() RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_last bigint := agentdb._last_stop();
begin
  if v_last is null or exists (
    select from agentdb.roll_up_state as s where s.stop_passed = v_last
  ) then
    return;
  end if;
  update agentdb.run as r
  set stop_seen = v_last
  where r.run_id in (
    select o.run_id
    from agentdb.run as o
    where o.ended_at is null
      and o.stop_seen <> v_last
      and not exists (select from agentdb.run_stop as s where s.run_id = o.run_id)
      and not exists (select from agentdb.agent_stop as s where s.agent_id = o.agent_id)
    for no key update skip locked
  );
  update agentdb.roll_up_state as s
  set stop_passed = v_last;
end;
$$;



COMMENT ON FUNCTION agentdb._pass_stop() IS 'Tells the open runs that the last stop was not theirs; the runner calls it with every roll-up.';



CREATE FUNCTION agentdb._target_of(relation regclass) RETURNS integer
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_target integer := (
    select t.audit_target_id from agentdb.audit_target as t
    where t.table_oid = relation::oid and t.unaudited_at is null
  );
begin
  if v_target is null then
    raise exception '% is not audited', coalesce(agentdb._table_name(relation), 'NULL')
      using errcode = 'ZA006', hint = 'select table_name from agentdb.audited_table;';
  end if;
  return v_target;
end;
$$;



COMMENT ON FUNCTION agentdb._target_of(relation regclass) IS 'The present attachment of a table; raises ZA006.';



CREATE FUNCTION agentdb._past_sql(relation regclass, by_key boolean) RETURNS text
    LANGUAGE sql STABLE
    RETURN format('
    with event as materialized (
      select l.audit_log_id, l.row_key, l.operation, l.old_values
      from agentdb.audit_log as l
      where l.audit_target_id = %1$s and l.recorded_at > $1 %2$s
    ),
    changed as (
      select e.row_key,
        min(e.audit_log_id)
          filter (where e.operation in (''delete'', ''truncate'')) as removed,
        (array_agg(e.operation order by e.audit_log_id))[1] as first_operation
      from event as e
      group by e.row_key
    ),
    former as (
      select e.row_key,
        jsonb_object_agg(v.key, v.value order by e.audit_log_id desc) as row_values
      from event as e
      join changed as c on c.row_key = e.row_key
      cross join lateral jsonb_each(e.old_values) as v
      where e.operation = ''update'' and (c.removed is null or e.audit_log_id < c.removed)
      group by e.row_key
    ),
    present as (
      select %3$s as row_key, %4$s as row_values from %5$s as o %6$s
    )
    select p.row_key, p.row_values
    from present as p
    where not exists (select from changed as c where c.row_key = p.row_key)
    union all
    select c.row_key,
      coalesce(r.old_values, p.row_values) || coalesce(f.row_values, ''{}'')
    from changed as c
    left join former as f on f.row_key = c.row_key
    left join event as r on r.audit_log_id = c.removed
    left join present as p on p.row_key = c.row_key and c.removed is null
    where c.first_operation <> ''insert'''::text, agentdb._target_of(relation), CASE WHEN by_key THEN 'and jsonb_hash_extended(l.row_key, 0) = jsonb_hash_extended($2, 0) and l.row_key = $2'::text ELSE ''::text END, agentdb._key_sql(agentdb._target_of(relation), 'o'::text), agentdb._row_sql(agentdb._target_of(relation), 'o'::text), relation, CASE WHEN by_key THEN (SELECT ('where '::text || string_agg(format('o.%I = ($2 ->> %L)::%s'::text, c.column_name, (c.column_name)::text, format_type(a.atttypid, a.atttypmod)), ' and '::text)) FROM (agentdb.audit_column c JOIN pg_attribute a ON (((a.attrelid = (_past_sql.relation)::oid) AND (a.attnum = c.place)))) WHERE ((c.audit_target_id = agentdb._target_of(_past_sql.relation)) AND (c.key_place IS NOT NULL))) ELSE ''::text END);



COMMENT ON FUNCTION agentdb._past_sql(relation regclass, by_key boolean) IS 'SQL text: the rows of a table, or one of them, as they were at $1.';



CREATE FUNCTION agentdb._paths_in(args jsonb, error text) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    RETURN ARRAY(SELECT p.path FROM (SELECT DISTINCT rtrim(m.found[1], '.,;:''")'::text) AS path FROM ((SELECT (v.value #>> '{}'::text[]) AS said FROM jsonb_path_query(_paths_in.args, '$.**'::jsonpath) v(value) WHERE (jsonb_typeof(v.value) = 'string'::text) UNION ALL SELECT _paths_in.error AS error) t CROSS JOIN LATERAL regexp_matches("left"(t.said, 4000), '(?:^|[\s''"(=])(/[^\s''"()<>|*?]+)'::text, 'g'::text) m(found))) p WHERE (p.path ~ '^/[^/]'::text) ORDER BY (length(p.path)) DESC LIMIT 3);



COMMENT ON FUNCTION agentdb._paths_in(args jsonb, error text) IS 'Up to three absolute paths that a failed call names.';



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
    'summary', agentdb._told_summary(alert, kind),
    'value', case
      when alert.value < 'infinity' and alert.value > '-infinity' then alert.value end,
    'since', to_char(
      coalesce(alert.firing_at, alert.active_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'annotations', alert.annotations - 'summary' - 'next',
    'next', agentdb._next_commands(alert, kind)
  ) || case kind
    when 'resolved' then agentdb._end_payload(alert)
    else jsonb_build_object(
      'diagnosis', to_jsonb(agentdb._diagnosis(alert)),
      'remedy', to_jsonb(agentdb._remedy(alert)),
      'ends_when', agentdb._ends_when(alert))
  end;
$$;



COMMENT ON FUNCTION agentdb._payload(alert agentdb.alert, kind text) IS 'The JSON that a receiver gets for an alert, described in docs/on-call.md.';



CREATE FUNCTION agentdb._perform(change bigint) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'postgres'
    SET lc_monetary TO 'C'
    SET array_nulls TO 'on'
    SET standard_conforming_strings TO 'on'
    SET transform_null_equals TO 'off'
    SET work_mem TO '64MB'
    AS $$
declare
  v_statement text := agentdb._change_sql(change, false);
  v_before jsonb := agentdb._written();
  v_after jsonb;
  v_matched bigint;
begin
  perform set_config('search_path', agentdb._apply_path(change), true);
  begin
    execute v_statement into v_matched;
  exception when unique_violation then
    -- What was rolled back counts as written.
    v_before := agentdb._written();
    v_matched := agentdb._execute_in_order(change);
  end;
  execute format('set constraints %s immediate', agentdb._deferred());
  perform set_config('search_path', 'pg_catalog, pg_temp', true);
  if v_matched <> (
    select count(*) from agentdb.change_row as r where r.change_id = change
  ) then
    raise exception 'change % does not match its rows any more', change
      using errcode = 'ZA052';
  end if;
  v_after := agentdb._written();
  return (
    select coalesce(jsonb_object_agg(w.key,
      w.value::bigint - coalesce((v_before ->> w.key)::bigint, 0)), '{}')
    from jsonb_each_text(v_after) as w
    where w.value is distinct from v_before ->> w.key
  );
end;
$$;



COMMENT ON FUNCTION agentdb._perform(change bigint) IS 'Applies the rows of a change with the rights of the caller, all or none, and returns what was written where; raises ZA052.';



CREATE FUNCTION agentdb._perform_as_applier(change bigint) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return agentdb._perform(change);
end;
$$;



COMMENT ON FUNCTION agentdb._perform_as_applier(change bigint) IS 'Applies the rows of a change as agentdb_applier, which may write guarded tables.';



CREATE FUNCTION agentdb._place_capture(target integer, body text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
begin
  -- Settings that turn rows into text are pinned: a session's own would blur the log.
  execute format(
    'create or replace function agentdb.%1$I () returns trigger
       language plpgsql security definer
       set search_path = pg_catalog, pg_temp
       set extra_float_digits = 1 set "TimeZone" = ''UTC''
       set "DateStyle" = ''ISO, YMD'' set "IntervalStyle" = ''postgres''
       set bytea_output = ''hex'' set lc_monetary = ''C''
       as %2$L',
    '_capture_' || target, body);
  execute format('revoke all on function agentdb.%I from public',
    '_capture_' || target);
  -- Without it `revoke … on all functions` would stop at this one.
  execute format('grant execute on function agentdb.%I to agentdb_owner',
    '_capture_' || target);
  execute format('comment on function agentdb.%I is %L', '_capture_' || target,
    'Trigger function, generated: records what changes in an audited table.');
end;
$_$;



COMMENT ON FUNCTION agentdb._place_capture(target integer, body text) IS 'Creates the capture function of an attachment, as agentdb_capture.';



CREATE FUNCTION agentdb._place_guard(relation regclass, everybody boolean, condition text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if condition is not null then
    execute format('grant execute on function %s(jsonb, jsonb) to agentdb_owner',
      to_regprocedure(condition || '(jsonb,jsonb)')::regproc);
  end if;
  perform agentdb._drop_guard(relation);
  perform agentdb._create_guard(relation,
    case when everybody then 'everybody' else 'agents' end);
  perform agentdb._note_children(relation);
end;
$$;



COMMENT ON FUNCTION agentdb._place_guard(relation regclass, everybody boolean, condition text) IS 'Puts the triggers of a guard on its table, with the rights of the caller.';



CREATE FUNCTION agentdb._place_stage(target integer, view_name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_column record;
begin
  begin
    execute agentdb._stage_view_sql(target, view_name);
  exception when invalid_table_definition then
    execute format('drop view agentdb_stage.%I', view_name);
    execute agentdb._stage_view_sql(target, view_name);
  end;
  for v_column in
    select a.attname as name,
      coalesce('set default ' || c.default_expression, 'drop default') as action
    from pg_attribute as a
    left join agentdb.change_column as c
      on c.audit_target_id = target and c.column_name = a.attname and not c.hidden
    where a.attrelid = format('agentdb_stage.%I', view_name)::regclass
      and (a.atthasdef or c.default_expression is not null)
  loop
    execute format('alter view agentdb_stage.%I alter column %I %s', view_name,
      v_column.name, v_column.action);
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb._place_stage(target integer, view_name text) IS 'Creates or replaces a staging view with its defaults.';



CREATE FUNCTION agentdb._plan_undo(scope text, id text, reason text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    SET work_mem TO '64MB'
    AS $$
declare
  v_change_id bigint;
  v_fault text;
begin
  insert into agentdb.change as c (
    kind, state, automatic, reason, undoes, expires_at
  )
  values (
    'undo', 'open', false,
    agentdb._check_said(coalesce(reason, format('undo of %s %s', scope, id)), 'reason'),
    jsonb_build_object(scope, id), clock_timestamp() + interval '24 hours'
  )
  returning c.change_id into v_change_id;
  if exists (
    select from agentdb._undone(scope, id) as u
    join agentdb.audit_log as l
      on l.audit_log_id = u.audit_log_id and l.recorded_at = u.recorded_at
    where l.row_key is null
  ) then
    v_fault := 'a table without a primary key was written, whose rows have no names';
  else
    perform agentdb._add_undo_rows(v_change_id, scope, id);
    v_fault := case when exists (
      select from agentdb.change_row as r where r.change_id = v_change_id)
      then agentdb._undo_fault(v_change_id)
      else 'no row that it wrote is recorded, or all are as they were before' end;
  end if;
  if v_fault is not null then
    raise exception 'undo of % % is not possible: %', scope, id, v_fault
      using errcode = 'ZA056',
            hint = 'See what is recorded: select * from agentdb.audit; a run of which '
              'only a part can be taken back is undone row by row: '
              'agentdb.undo_row(audit_log_id).';
  end if;
  perform agentdb._note_tables(v_change_id);
  return v_change_id;
end;
$$;



COMMENT ON FUNCTION agentdb._plan_undo(scope text, id text, reason text) IS 'Adds the change that takes something back; raises ZA004, ZA051 or ZA056.';



CREATE FUNCTION agentdb._prompt(since timestamp with time zone, as_of timestamp with time zone) RETURNS TABLE(agent_id bigint, run_id bigint, at timestamp with time zone, tokens bigint, sent boolean)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT t.agent_id,
     t.run_id,
     t.recorded_at,
     (t.input_tokens + t.cached_input_tokens),
     true
    FROM agentdb.token_log t
   WHERE ((t.recorded_at > _prompt.since) AND (t.recorded_at <= _prompt.as_of))
 UNION ALL
  SELECT v.agent_id,
     v.run_id,
     v.reserved_at,
     v.prompt_tokens,
     false
    FROM agentdb.token_reservation v
   WHERE ((v.reserved_at > _prompt.since) AND (v.reserved_at <= _prompt.as_of) AND ((v.settled_at IS NULL) OR (v.settled_at > _prompt.as_of)));
END;



COMMENT ON FUNCTION agentdb._prompt(since timestamp with time zone, as_of timestamp with time zone) IS 'Prompts of a span of time: sent ones from the log, and reserved ones on their way.';



CREATE FUNCTION agentdb._stage_check_sql(target integer) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT concat(string_agg(format('if (tg_op = ''UPDATE'' and %s) or tg_op = ''INSERT'' and num_nulls(n.%I) = 0 then
    perform agentdb._refuse_column(%s, %L); end if;
  '::text, agentdb._changed_sql('o'::text, 'n'::text, c.column_name, false), c.column_name, _stage_check_sql.target, (c.column_name)::text), ''::text ORDER BY c.place) FILTER (WHERE c.hidden), string_agg(format('if (tg_op = ''INSERT'' or %4$s) and concat(n.%1$I) in (''NaN'', ''Infinity'', ''-Infinity'', ''infinity'', ''-infinity'') then
    perform agentdb._refuse_value(%2$s, %3$L, concat(n.%1$I)); end if;
  '::text, c.column_name, _stage_check_sql.target, (c.column_name)::text, agentdb._changed_sql('o'::text, 'n'::text, c.column_name, c.exact)), ''::text ORDER BY c.place) FILTER (WHERE ((NOT c.hidden) AND (COALESCE(c.default_expression, ''::text) !~* '''(-?infinity|nan)'''::text) AND (c.base_type = ANY (ARRAY[('numeric'::regtype)::oid, ('real'::regtype)::oid, ('double precision'::regtype)::oid, ('date'::regtype)::oid, ('timestamp without time zone'::regtype)::oid, ('timestamp with time zone'::regtype)::oid]))))) AS concat FROM agentdb.change_column c WHERE (c.audit_target_id = _stage_check_sql.target));



COMMENT ON FUNCTION agentdb._stage_check_sql(target integer) IS 'PL/pgSQL text: refuses values that nobody could review or that mean none.';



CREATE FUNCTION agentdb._stage_object_sql(target integer, row_name text, changed_only boolean) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT agentdb._object_sql(array_agg(format(CASE WHEN _stage_object_sql.changed_only THEN 'case when %3$s then jsonb_build_object(%1$L, %2$s) else ''{}'' end'::text ELSE 'jsonb_build_object(%1$L, %2$s)'::text END, (c.column_name)::text, agentdb._value_sql(_stage_object_sql.row_name, c.column_name, c.form, false), agentdb._changed_sql('o'::text, 'n'::text, c.column_name, c.exact)) ORDER BY c.place)) AS _object_sql FROM agentdb.change_column c WHERE ((c.audit_target_id = _stage_object_sql.target) AND (NOT c.hidden) AND (NOT c.generated) AND (NOT (_stage_object_sql.changed_only AND (c.key_place IS NOT NULL)))));



COMMENT ON FUNCTION agentdb._stage_object_sql(target integer, row_name text, changed_only boolean) IS 'SQL text: a row named o or n as JSON, or only the columns that differ.';



CREATE FUNCTION agentdb._propose_sql(target integer) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT format('
declare
  o record;
  n record;
  v_new jsonb;
begin
  -- PL/pgSQL must know what o is, whatever becomes of it.
  if tg_op = ''INSERT'' then
    o := new;
  else
    o := old;
  end if;
  if tg_op = ''DELETE'' then
    perform agentdb._stage_row(%1$s, ''delete'', %2$s, null, %4$s);
    return old;
  end if;
  n := new;
  %7$s
  if tg_op = ''INSERT'' then
    perform agentdb._stage_row(%1$s, ''insert'', %3$s, %5$s, null);
  elsif %6$s then
    %10$s
    perform agentdb._stage_row(%1$s, ''delete'', %2$s, null, %4$s);
    perform agentdb._stage_row(%1$s, ''insert'', %3$s, %5$s, null);
  else
    v_new := %8$s;
    if v_new <> ''{}'' then
      perform agentdb._stage_row(%1$s, ''update'', %2$s, v_new, %9$s);
    end if;
  end if;
  return new;
end;
'::text, target, agentdb._key_sql(target, 'o'::text), agentdb._key_sql(target, 'n'::text), agentdb._stage_object_sql(target, 'o'::text, false), agentdb._stage_object_sql(target, 'n'::text, false), (SELECT string_agg(agentdb._changed_sql('o'::text, 'n'::text, c.column_name, c.exact), ' or '::text) AS string_agg FROM agentdb.change_column c WHERE ((c.audit_target_id = _propose_sql.target) AND (c.key_place IS NOT NULL))), agentdb._stage_check_sql(target), agentdb._stage_object_sql(target, 'n'::text, true), agentdb._stage_object_sql(target, 'o'::text, true), (SELECT format('perform agentdb._refuse_column(%s, %L);'::text, _propose_sql.target, min((c.column_name)::text)) AS format FROM agentdb.change_column c WHERE ((c.audit_target_id = _propose_sql.target) AND c.hidden) HAVING (count(*) > 0))) AS format);



COMMENT ON FUNCTION agentdb._propose_sql(target integer) IS 'PL/pgSQL text: the trigger function of a staging view.';



CREATE FUNCTION agentdb._proposer(OUT agent_id bigint, OUT run_id bigint) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if agentdb._is_agent() then
    select c.agent_id, c.run_id into _proposer.agent_id, _proposer.run_id
    from agentdb._current_run(null) as c;
    perform agentdb._check_write(_proposer.run_id, _proposer.agent_id);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._proposer(OUT agent_id bigint, OUT run_id bigint) IS 'The agent and run that a session proposes for, NULL for a person; refuses a stopped run; raises ZA001.';



CREATE FUNCTION agentdb._prune_locks(keep interval) RETURNS TABLE(action text, object text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now timestamptz := clock_timestamp();
  v_count bigint;
begin
  delete from agentdb.lock as l
  where (l.lock_name, l.slot) in (
    select f.lock_name, f.slot
    from agentdb.lock as f
    where f.run_id is null
      and f.expires_at < v_now
      and f.acquired_at < v_now - interval '1 day'
    for update skip locked
  );
  get diagnostics v_count = row_count;
  if v_count > 0 then
    return query select 'forgot'::text, format('%s locks', v_count);
  end if;
  delete from agentdb.lock_denial as d where d.last_at < v_now - keep;
  delete from agentdb.lock_waiter as w where w.until_at < v_now - interval '1 hour';
end;
$$;



COMMENT ON FUNCTION agentdb._prune_locks(keep interval) IS 'Forgets names that no run has used for a day, and denials past their retention.';



CREATE FUNCTION agentdb._question_labels(asked agentdb.question) RETURNS jsonb
    LANGUAGE sql STABLE
    RETURN jsonb_build_object('agent', (SELECT a.agent_name FROM agentdb.agent a WHERE (a.agent_id = (_question_labels.asked).agent_id)), 'run', ((asked).run_id)::text, 'question', ('Q-'::text || (asked).question_id));



COMMENT ON FUNCTION agentdb._question_labels(asked agentdb.question) IS 'What tells an alert about a question from others.';



CREATE FUNCTION agentdb._raise_again(state text, message text, detail text, hint text, constraint_name text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception using
    errcode = state,
    message = message,
    detail = detail,
    hint = hint,
    constraint = constraint_name;
end;
$$;



COMMENT ON FUNCTION agentdb._raise_again(state text, message text, detail text, hint text, constraint_name text) IS 'Raises an error that was caught.';



CREATE FUNCTION agentdb._read_as_applier(statement text, most integer) RETURNS TABLE(place integer, operation text, row_key jsonb, present jsonb, conflict text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query select * from agentdb._read_rows(statement, most);
end;
$$;



COMMENT ON FUNCTION agentdb._read_as_applier(statement text, most integer) IS 'The same as agentdb_applier, which may read guarded tables.';



CREATE FUNCTION agentdb._read_conflicts(change bigint, target integer, most integer) RETURNS jsonb
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select jsonb_agg(to_jsonb(f))
  from agentdb._read_as_applier(agentdb._current_sql(change, target), most) as f;
$$;



COMMENT ON FUNCTION agentdb._read_conflicts(change bigint, target integer, most integer) IS 'The same, read as agentdb_applier.';



CREATE FUNCTION agentdb._read_rows(statement text, most integer) RETURNS TABLE(place integer, operation text, row_key jsonb, present jsonb, conflict text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET extra_float_digits TO '1'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'postgres'
    SET bytea_output TO 'hex'
    SET lc_monetary TO 'C'
    AS $$
begin
  return query execute format(
    'select * from (%s) as r where r.conflict is not null limit %s', statement,
    coalesce(most::text, 'all'));
end;
$$;



COMMENT ON FUNCTION agentdb._read_rows(statement text, most integer) IS 'The conflicts that a statement of _current_sql() finds, with the rights of the caller.';



CREATE FUNCTION agentdb.tool_diff(run bigint) RETURNS TABLE(finding text, tool text, tool_call_log_id bigint, table_name text, operation text, row_key jsonb, recorded_at timestamp with time zone)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_nestloop TO 'off'
    AS $$
begin
  return query
  with call as materialized (
    select l.tool_call_log_id, l.tool, l.ok, l.recorded_at, t.writes,
      row_number() over (order by l.recorded_at, l.tool_call_log_id) as place
    from agentdb.tool_call_log as l
    left join agentdb.tool_alias as n on n.alias = l.tool
    left join agentdb.tool as t on t.tool_name = coalesce(n.tool_name, l.tool)
    where l.run_id = run
  ),
  event as (
    select c.recorded_at, c.place, null::integer as audit_target_id,
      null::text as operation, null::jsonb as row_key
    from call as c
    union all
    select a.recorded_at, null, a.audit_target_id, a.operation, a.row_key
    from agentdb._row_event(run) as a
  ),
  deed as materialized (
    select e.recorded_at, t.table_name, e.operation, e.row_key,
      c.tool_call_log_id, c.tool, c.ok,
      coalesce(agentdb._writes(c.writes, t.table_name, e.operation), false) as covered
    from (
      select o.recorded_at, o.audit_target_id, o.operation, o.row_key,
        min(o.place) over (order by o.recorded_at desc) as place
      from event as o
    ) as e
    join agentdb.audit_target as t on t.audit_target_id = e.audit_target_id
    left join call as c on c.place = e.place
  )
  select
    case when d.covered then 'written by a call that failed'
      else 'written without a call' end,
    case when d.covered then d.tool end,
    case when d.covered then d.tool_call_log_id end,
    d.table_name, d.operation, d.row_key, d.recorded_at
  from deed as d
  where not d.covered or not d.ok
  union all
  select 'nothing written', c.tool, c.tool_call_log_id, null, null, null, c.recorded_at
  from call as c
  where c.ok
    and jsonb_array_length(c.writes) > 0
    and not exists (
      select from deed as d
      where d.tool_call_log_id = c.tool_call_log_id and d.covered
    );
end;
$$;



COMMENT ON FUNCTION agentdb.tool_diff(run bigint) IS 'Calls of a run that said ok and neither wrote nor staged anything, and rows that no call accounts for; only tools that are registered with what they write count.';



CREATE FUNCTION agentdb._recent_diff(as_of timestamp with time zone) RETURNS TABLE(agent_name text, policy_name text, run_id bigint, finding text, what text, count bigint, calls bigint[])
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT a.agent_name,
     p.policy_name,
     r.run_id,
     d.finding,
     COALESCE(d.tool, ((d.operation || ' of '::text) || d.table_name)) AS "coalesce",
     count(*) AS count,
     (array_agg(d.tool_call_log_id ORDER BY d.tool_call_log_id DESC) FILTER (WHERE (d.tool_call_log_id IS NOT NULL)))[1:10] AS array_agg
    FROM (((( SELECT DISTINCT l.run_id,
             l.agent_id
            FROM (agentdb.tool_call_log l
              JOIN agentdb.policy w ON (true))
           WHERE ((l.recorded_at <= _recent_diff.as_of) AND (l.recorded_at > (_recent_diff.as_of - w.tool_diff_window)))) r
      JOIN agentdb.agent a ON ((a.agent_id = r.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      CROSS JOIN LATERAL agentdb.tool_diff(r.run_id) d(finding, tool, tool_call_log_id, table_name, operation, row_key, recorded_at))
   WHERE ((d.recorded_at <= (_recent_diff.as_of - '00:00:05'::interval)) AND (d.recorded_at > (_recent_diff.as_of - p.tool_diff_window)) AND (EXISTS ( SELECT
            FROM agentdb.tool t
           WHERE (jsonb_array_length(t.writes) > 0))))
   GROUP BY a.agent_name, p.policy_name, r.run_id, d.finding, COALESCE(d.tool, ((d.operation || ' of '::text) || d.table_name));
END;



COMMENT ON FUNCTION agentdb._recent_diff(as_of timestamp with time zone) IS 'What tools said against what the audit has, for the runs of policy.tool_diff_window.';



CREATE FUNCTION agentdb._record_deletion() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform agentdb._log_tenure(old, 'deleted', null);
  return null;
end;
$$;



COMMENT ON FUNCTION agentdb._record_deletion() IS 'Trigger function: logs that a lock that was held is no more.';



CREATE FUNCTION agentdb._record_tenure() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if new.run_id is null and new.outcome <> old.outcome then
    -- As _log_tenure() does, which every release would have to call.
    insert into agentdb.lock_log (
      lock_name, slot, fence, agent_id, run_id, acquired_at, expires_at, renewals,
      outcome, ended_by, reason
    )
    values (
      old.lock_name, old.slot, old.fence, old.agent_id, old.run_id, old.acquired_at,
      old.expires_at, old.renewals, new.outcome, session_user, new.reason
    );
  elsif new.run_id is not null and new.fence <> old.fence then
    perform agentdb._log_tenure(old, 'taken_over', null);
  elsif new.run_id is distinct from old.run_id then
    perform agentdb._log_tenure(old, 'edited', new.reason);
  end if;
  return null;
end;
$$;



COMMENT ON FUNCTION agentdb._record_tenure() IS 'Trigger function: logs how a run came to hold a lock no longer.';



CREATE FUNCTION agentdb._reenter_lock(name text, given bigint, run_id bigint, OUT fence bigint, OUT expires_at timestamp with time zone, OUT slot integer, OUT outcome text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  update agentdb.lock as l
  set depth = l.depth + 1
  where l.lock_name = name
    and l.fence = given
    and l.run_id = _reenter_lock.run_id
    and l.depth < 1000
    and agentdb._is_live(l.expires_at, l.renewed_at, clock_timestamp())
  returning l.fence, l.expires_at, l.slot, 'reentered'
    into _reenter_lock.fence, _reenter_lock.expires_at, _reenter_lock.slot,
      _reenter_lock.outcome;
end;
$$;



COMMENT ON FUNCTION agentdb._reenter_lock(name text, given bigint, run_id bigint, OUT fence bigint, OUT expires_at timestamp with time zone, OUT slot integer, OUT outcome text) IS 'Enters a lock once more that the run holds under this fence, or returns NULL.';



CREATE FUNCTION agentdb._refuse(problem text, hint text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception using errcode = 'ZA004', message = problem, hint = hint;
end;
$$;



COMMENT ON FUNCTION agentdb._refuse(problem text, hint text) IS 'Raises ZA004 (invalid argument) with a message and what to do instead.';



CREATE FUNCTION agentdb._refuse_alert(what text, detail text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception '% does not fire', what
    using errcode = 'ZA075',
          detail = coalesce(detail, 'It has not fired, or its end is long ago.'),
          hint = 'agentdb alerts lists what fires.';
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_alert(what text, detail text) IS 'Raises ZA075 for an alert that is over or never was, with what ended it.';



CREATE FUNCTION agentdb._refuse_altered(change bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception 'change % is not what was reviewed', change
    using errcode = 'ZA054',
          detail = 'Its digest is another one.',
          hint = 'Look at it again and decide about what it is now: select * from '
            'agentdb.show_change_rows(change => ' || change || ');';
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_altered(change bigint) IS 'Raises ZA054 for a change whose content differs from what was reviewed.';



CREATE FUNCTION agentdb._refuse_audit(table_oid oid, problem text, hint text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception '% cannot be audited: %',
      coalesce(agentdb._table_name(table_oid), table_oid::text), problem
    using errcode = 'ZA030', hint = hint;
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_audit(table_oid oid, problem text, hint text) IS 'Raises ZA030 for a table that cannot be audited.';



CREATE FUNCTION agentdb._refuse_blast(table_name text, max_rows integer) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception 'a statement of % changes more than % rows of %',
      session_user, max_rows, table_name
    using errcode = 'ZA031',
          detail = format('policy.blast_radius_rows of the agent is %s; '
            'nothing was changed.', max_rows),
          hint = 'Check the WHERE clause.  If all these rows are meant, a person does '
            'it, or raises the limit: select * from agentdb.ask_human(question => '
            '''…'');';
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_blast(table_name text, max_rows integer) IS 'Raises ZA031 for a statement of an agent that changes more rows than its policy allows.';



CREATE FUNCTION agentdb._refuse_change(change bigint, problem jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_conflicts jsonb;
begin
  if problem ->> 'sqlstate' <> 'ZA052' then
    perform agentdb._raise_again(problem ->> 'sqlstate',
      'the change would fail: ' || (problem ->> 'message'), problem ->> 'detail',
      'Nothing was staged by this transaction; put it right and stage it again.',
      problem ->> 'constraint');
  end if;
  v_conflicts := agentdb._conflicts(change, 5, true);
  raise exception 'the change does not fit the rows as they are now'
    using errcode = 'ZA052',
          detail = coalesce(agentdb._conflict_text(v_conflicts),
            problem ->> 'message' || '; or row security or a trigger keeps the '
              'database from writing some.'),
          hint = 'Somebody else changed them meanwhile: read them again, decide anew, '
            'and stage what is still right.';
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_change(change bigint, problem jsonb) IS 'Raises why a change cannot be staged.';



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



CREATE FUNCTION agentdb._refuse_column(target integer, col text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform agentdb._refuse(
    format('column %I of %s cannot be changed: its values are not shown', col,
      (select t.table_name from agentdb.audit_target as t
        where t.audit_target_id = target)),
    'Leave the column and the primary key as they are; a person changes them.');
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_column(target integer, col text) IS 'Raises ZA004 for a column that the audit hides.';



CREATE FUNCTION agentdb._refuse_direct(operation text, table_name text, table_oid oid) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_view text := (
    select format('agentdb_stage.%I', g.view_name)
    from agentdb.guarded_table as g
    where g.table_oid in (
      select a.relid from pg_partition_ancestors(_refuse_direct.table_oid) as a
      union all select _refuse_direct.table_oid)
    limit 1
  );
begin
  raise exception '% may not % % directly: it is guarded', session_user,
      lower(operation), table_name
    using errcode = 'ZA050',
          detail = 'Somebody else must approve what changes in this table; nothing was '
            'changed.',
          hint = case when operation = 'TRUNCATE' then format(
              'Stage the rows to delete: delete from %s where …;', v_view)
            else format('Write the same INSERT, UPDATE or DELETE on %s instead: it '
              'becomes a change that a reviewer approves when the transaction commits.',
              v_view) end;
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_direct(operation text, table_name text, table_oid oid) IS 'Raises ZA050 for a write that has to be staged.';



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



CREATE FUNCTION agentdb._refuse_guard(relation regclass, problem text, hint text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception '% cannot be guarded: %', relation, problem
    using errcode = 'ZA051', hint = hint;
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_guard(relation regclass, problem text, hint text) IS 'Raises ZA051 for a table that cannot be guarded.';



CREATE FUNCTION agentdb._refuse_history(relation regclass, problem text, hint text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception 'the past of % cannot be told: %',
      agentdb._table_name(relation), problem
    using errcode = 'ZA033', hint = hint;
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_history(relation regclass, problem text, hint text) IS 'Raises ZA033 where the log cannot answer.';



CREATE FUNCTION agentdb._refuse_matchers(matchers text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform agentdb._refuse(
    format('%L is no list of matchers', agentdb._clean_text(matchers, 200)),
    'Write label=value, label!=value, label~regex or label!~regex, with commas between '
      'them: agent=billing,rule~loop.  Labels are those of the alert, and rule, '
      'severity, alert; a value with a comma goes into double quotes; a regular '
      'expression has no back-reference.');
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_matchers(matchers text) IS 'Raises ZA004 for a list of matchers that cannot be read.';



CREATE FUNCTION agentdb._refuse_message(notification bigint, problem text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception 'message % %', coalesce(notification::text, 'NULL'), problem
    using errcode = 'ZA076',
          hint = 'agentdb outbox lists what waits, agentdb outbox --dead what was '
            'given up.';
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_message(notification bigint, problem text) IS 'Raises ZA076 for a message with which this cannot be done.';



CREATE FUNCTION agentdb._refuse_reviewer(change bigint, problem text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception '% may not decide change %: %', session_user, change, problem
    using errcode = 'ZA055',
          hint = 'A member of agentdb_reviewer who did not propose it decides, or an '
            'agent that guard_table() names as a validator, in a run of its own.';
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_reviewer(change bigint, problem text) IS 'Raises ZA055 for a session whose decision does not count.';



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



CREATE FUNCTION agentdb._refuse_span(ttl interval, max_ttl interval, max_hold interval) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if ttl is null or ttl <= '0' or ttl > max_ttl then
    perform agentdb._refuse_ttl(ttl, max_ttl);
  end if;
  perform agentdb._refuse(
    format('max_hold must be between 0 and 1 year, got %s', max_hold),
    'Give the time after which renewals end, or leave it out.'
  );
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_span(ttl interval, max_ttl interval, max_hold interval) IS 'Raises ZA004 for a ttl or max_hold that no lock can have.';



CREATE FUNCTION agentdb._refuse_state(change bigint, state text, wanted text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if state is null then
    raise exception 'there is no change %', coalesce(change::text, 'NULL')
      using errcode = 'ZA006',
            hint = 'select * from agentdb.waiting_changes(); lists what waits.';
  end if;
  raise exception 'change % is %, not %', change, state, wanted
    using errcode = 'ZA053',
          hint = 'Nothing is left to do for it here; look at it: select * from '
            'agentdb.show_change(change => ' || change || ');';
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_state(change bigint, state text, wanted text) IS 'Raises ZA053 for a change that is not in the state a call needs, ZA006 where there is none.';



CREATE FUNCTION agentdb._refuse_stopped(kind text, reason text, what text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if kind = 'killed' then
    raise exception '% was killed: %', what, reason
      using errcode = 'ZA040',
            hint = 'Stop now: do nothing more for this work, do not retry and do not '
              'start another run.  An operator has decided, and decides what comes '
              'next.';
  end if;
  raise exception '% is paused: %', what, reason
    using errcode = 'ZA041',
          hint = 'Wait, and try the same call again in a minute; an operator resumes '
            'it.';
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_stopped(kind text, reason text, what text) IS 'Raises ZA040 (killed) or ZA041 (paused).';



CREATE FUNCTION agentdb._refuse_truncate() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception '% of agentdb.% refused: it would end locks unlogged',
      tg_op, tg_table_name
    using errcode = 'ZA008',
          hint = 'Delete the rows instead, or release them: select * from '
            'agentdb.force_release_lock(name => …, reason => …);';
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_truncate() IS 'Trigger function: refuses what row triggers do not see.';



CREATE FUNCTION agentdb._refuse_ttl(ttl interval, max_ttl interval) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform agentdb._refuse(
    format('ttl must be between 0 and %s, got %s',
      max_ttl, coalesce(ttl::text, 'NULL')),
    'Give the longest time that one step can take, for example ttl => ''15 min''; '
      'renew_lock prolongs it.  policy.lock_max_ttl is the maximum.'
  );
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_ttl(ttl interval, max_ttl interval) IS 'Raises ZA004 for a time that no lock can have.';



CREATE FUNCTION agentdb._refuse_unguarded(relation regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  raise exception '% is not guarded', relation
    using errcode = 'ZA006', hint = 'select table_name from agentdb.guarded_table;';
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_unguarded(relation regclass) IS 'Raises ZA006 for a table that is not guarded.';



CREATE FUNCTION agentdb._refuse_value(target integer, col text, value text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform agentdb._refuse(
    format('column %I of %s cannot become %s', col,
      (select t.table_name from agentdb.audit_target as t
        where t.audit_target_id = target), value),
    'Give a number or a moment that exists, or NULL.');
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_value(target integer, col text, value text) IS 'Raises ZA004 for NaN and infinity.';



CREATE FUNCTION agentdb._refuse_write(target text, name text, run_id bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now timestamptz := clock_timestamp();
  v_detail text;
begin
  select string_agg(case
      when l.run_id = _refuse_write.run_id
        then format('It expired at %s.', l.expires_at)
      when l.run_id is null
        then format('Nobody holds it; its last fence is %s.', l.fence)
      else format('Run %s of %s has it now, with fence %s.',
        l.run_id, a.agent_name, l.fence)
    end, ' ' order by l.slot) into v_detail
  from agentdb.lock as l
  left join agentdb.agent as a on a.agent_id = l.agent_id
  where l.lock_name = _refuse_write.name;
  raise exception 'run % may not write %: it does not hold lock %', run_id, target, name
    using errcode = 'ZA020',
          detail = coalesce(v_detail, 'Nobody has taken it yet.'),
          hint = format('Stop, and take the lock before doing the work again: '
            'select * from agentdb.acquire_lock(name => %L); what was done before may '
            'be outdated.', name);
end;
$$;



COMMENT ON FUNCTION agentdb._refuse_write(target text, name text, run_id bigint) IS 'Raises ZA020 for a write of a run that does not hold the lock of the table.';



CREATE FUNCTION agentdb._refused_renewal(name text, fence bigint, run_id bigint, at timestamp with time zone) RETURNS agentdb.renewed_lock
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_lock agentdb.renewed_lock;
begin
  select false, l.expires_at,
    greatest(ceil(date_part('epoch', l.expires_at - at) * 1000), 0),
    case when l.hold_until <= at then 'max_hold' else 'no_progress' end
    into v_lock
  from agentdb.lock as l
  where l.lock_name = name
    and l.fence = _refused_renewal.fence
    and l.run_id = _refused_renewal.run_id;
  if not found then
    return (false, null, null, 'lost')::agentdb.renewed_lock;
  end if;
  return v_lock;
end;
$$;



COMMENT ON FUNCTION agentdb._refused_renewal(name text, fence bigint, run_id bigint, at timestamp with time zone) IS 'Says why a lock was not renewed: lost, max_hold or no_progress.';



CREATE FUNCTION agentdb._register_audit(relation regclass, exclude text[], redact text[], level text, refuse_blast boolean, OUT target integer, OUT chosen text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  perform agentdb._check_audit(relation, exclude, redact);
  if level not in ('statement', 'row') or refuse_blast is null
    or level = 'statement' and agentdb._needs_rows(relation) is not null then
    perform agentdb._refuse(
      format('level %s is not possible: %s', level,
        coalesce(agentdb._needs_rows(relation), 'statement or row')),
      'Leave level out to have the fastest that is right.');
  end if;
  chosen := coalesce(level, case when agentdb._needs_rows(relation) is null
    then 'statement' else 'row' end);
  lock table agentdb.audit_target in share row exclusive mode;
  update agentdb.audit_target as t
  set excluded = _register_audit.exclude,
      redacted = _register_audit.redact,
      excluded_places = '{}',
      redacted_places = '{}',
      level = chosen,
      refuse_blast = _register_audit.refuse_blast
  where t.table_oid = relation::oid and t.unaudited_at is null
  returning t.audit_target_id into target;
  if target is null then
    insert into agentdb.audit_target as t (
      table_oid, table_name, level, excluded, redacted, refuse_blast, layout
    )
    values (
      relation, agentdb._table_name(relation), chosen, exclude, redact, refuse_blast, ''
    )
    returning t.audit_target_id into target;
  end if;
  perform agentdb._generate_capture(target);
  perform agentdb._lend_capture(target, (
    select pg_get_userbyid(c.relowner) from pg_class as c where c.oid = relation));
end;
$$;



COMMENT ON FUNCTION agentdb._register_audit(relation regclass, exclude text[], redact text[], level text, refuse_blast boolean, OUT target integer, OUT chosen text) IS 'Makes the capture function of a table and lets its owner use it in triggers.';



CREATE FUNCTION agentdb._register_guard(relation regclass, columns text[], context text[], approvals integer, expires interval, apply text, validators text[], everybody boolean, auto_approve jsonb) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_target integer := agentdb._target_of(relation);
  v_condition text;
  v_former record;
  v_view text;
begin
  perform agentdb._check_audit(relation, '{}', '{}');
  perform agentdb._check_guard(relation, v_target, columns || context, auto_approve);
  v_condition := agentdb._condition_of(relation, auto_approve ->> 'condition');
  select string_agg(n.name, ', ') into v_view
  from unnest(validators) as n (name)
  where not exists (select from agentdb.agent as a where a.agent_name = n.name);
  if v_view is not null then
    perform agentdb._refuse('there is no agent ' || v_view,
      'validators names agents: select agent_name from agentdb.agent;');
  end if;
  lock table agentdb.guarded_table in share row exclusive mode;
  delete from agentdb.guarded_table as g where g.table_oid = relation::oid
  returning g.view_name, g.audit_target_id into v_former;
  select case when exists (
      select from agentdb.guarded_table as g where g.view_name = c.relname)
    then n.nspname || '_' || c.relname else c.relname end into v_view
  from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
  where c.oid = relation;
  if v_former.view_name <> v_view then
    execute format('drop view if exists agentdb_stage.%I', v_former.view_name);
  end if;
  insert into agentdb.guarded_table (
    table_oid, table_name, audit_target_id, view_name, columns, context, approvals,
    expires, apply, validators, everybody, auto_approve
  )
  values (
    relation, agentdb._table_name(relation), v_target, v_view, columns, context,
    approvals, expires, apply, validators, everybody,
    case when v_condition is null then auto_approve
      else auto_approve || jsonb_build_object('condition', v_condition) end
  );
  update agentdb.audit_target as t
  set guard = (select to_jsonb(g) from agentdb.guarded_table as g
    where g.audit_target_id = v_target)
  where t.audit_target_id = v_target;
  perform agentdb._generate_stage(v_target);
  if v_former.audit_target_id <> v_target then
    execute format('drop function if exists agentdb.%I',
      '_propose_' || v_former.audit_target_id);
  end if;
  return v_view;
end;
$$;



COMMENT ON FUNCTION agentdb._register_guard(relation regclass, columns text[], context text[], approvals integer, expires interval, apply text, validators text[], everybody boolean, auto_approve jsonb) IS 'Writes down that a table is guarded and makes its staging view; raises ZA004, ZA006, ZA030 or ZA051.';



CREATE FUNCTION agentdb._relation_in(error text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN (regexp_match("left"(error, 4000), '(?:relation|table|view) "?([[:alnum:]_.$"]{1,130}?)"?(?:[[:space:]]|$)'::text))[1];



COMMENT ON FUNCTION agentdb._relation_in(error text) IS 'The table that an error of PostgreSQL names.';



CREATE FUNCTION agentdb._search_path(role_name name) RETURNS text[]
    LANGUAGE sql STABLE
    RETURN ARRAY(SELECT replace(btrim(p.part, ' "'::text), '$user'::text, (_search_path.role_name)::text) AS replace FROM regexp_split_to_table(COALESCE((SELECT substr(c.setting, (length('search_path='::text) + 1)) AS substr FROM (pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) c(setting)) WHERE ((s.setdatabase = ANY (ARRAY[(0)::oid, (SELECT d.oid FROM pg_database d WHERE (d.datname = current_database()))])) AND (s.setrole = ANY (ARRAY[(0)::oid, (SELECT r.oid FROM pg_roles r WHERE (r.rolname = _search_path.role_name))])) AND (c.setting ~ '^search_path='::text)) ORDER BY (s.setrole <> (0)::oid) DESC, (s.setdatabase <> (0)::oid) DESC LIMIT 1), '"$user", public'::text), ','::text) WITH ORDINALITY p(part, place) ORDER BY p.place);



COMMENT ON FUNCTION agentdb._search_path(role_name name) IS 'The schemas in which a role looks for a table whose schema it does not name.';



CREATE FUNCTION agentdb._relation_of(parts text[], role_name name) RETURNS oid
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 WITH found AS (
          SELECT c.oid,
             array_position(agentdb._search_path(_relation_of.role_name), (n.nspname)::text) AS place
            FROM (pg_class c
              JOIN pg_namespace n ON ((n.oid = c.relnamespace)))
           WHERE ((c.relkind = ANY (ARRAY['r'::"char", 'p'::"char", 'v'::"char", 'm'::"char", 'f'::"char"])) AND (c.relname = (_relation_of.parts)[cardinality(_relation_of.parts)]) AND (n.nspname = COALESCE(
                 CASE
                     WHEN (cardinality(_relation_of.parts) = 2) THEN (_relation_of.parts)[1]
                     ELSE NULL::text
                 END, (n.nspname)::text)) AND (n.nspname !~ '^pg_(toast|temp)'::text))
         )
  SELECT f.oid
    FROM found f
   WHERE ((f.place IS NOT NULL) OR (( SELECT count(*) AS count
            FROM found) = 1))
   ORDER BY f.place
  LIMIT 1;
END;



COMMENT ON FUNCTION agentdb._relation_of(parts text[], role_name name) IS 'The table that a role means by a name: by its search path, or the only one of that name.';



CREATE FUNCTION agentdb._release_locks(run_id bigint, agent_id bigint, outcome text) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_released bigint;
begin
  update agentdb.lock as l
  set run_id = null,
      outcome = _release_locks.outcome,
      expires_at = '-infinity'
  from (
    select h.lock_name, h.slot
    from agentdb.lock as h
    where h.agent_id = _release_locks.agent_id and h.run_id = _release_locks.run_id
    for no key update skip locked
  ) as h
  where l.lock_name = h.lock_name and l.slot = h.slot;
  get diagnostics v_released = row_count;
  return v_released;
end;
$$;



COMMENT ON FUNCTION agentdb._release_locks(run_id bigint, agent_id bigint, outcome text) IS 'Frees all locks of a run that is over and returns how many.';



CREATE FUNCTION agentdb._release_otherwise(name text, fence bigint, at_least interval, run bigint) RETURNS agentdb.released_lock
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now timestamptz := clock_timestamp();
  v_caller record;
  v_span interval;
  v_lock agentdb.released_lock;
begin
  v_caller := agentdb._lock_caller(agentdb._holding_run(name, fence, run));
  if at_least is not null then
    v_span := agentdb._cooling_span(v_caller.max_ttl, at_least);
  end if;
  update agentdb.lock as l
  set depth = 0,
      run_id = null,
      outcome = 'released',
      renewed_at = l.acquired_at,
      expires_at = coalesce(l.acquired_at + v_span, '-infinity')
  where l.lock_name = name
    and l.fence = _release_otherwise.fence
    and l.run_id = v_caller.run_id
    and l.depth = 1
  returning true, l.outcome, v_now - l.acquired_at,
    case when l.expires_at > v_now then l.expires_at end,
    agentdb._waiting(name, l.fence)
    into v_lock;
  if not found then
    return agentdb._leave_lock(name, fence, v_caller.run_id, v_now);
  end if;
  return v_lock;
end;
$$;



COMMENT ON FUNCTION agentdb._release_otherwise(name text, fence bigint, at_least interval, run bigint) IS 'Gives a lock of any caller''s run back, at once or after it has cooled.';



CREATE FUNCTION agentdb._remedy(alert agentdb.alert) RETURNS text[]
    LANGUAGE sql STABLE
    RETURN ARRAY(SELECT f.line FROM ((agentdb.alert_rule r CROSS JOIN LATERAL regexp_split_to_table(COALESCE(r.remedy, 'Look at the rows behind it and at what the rule is for:
agentdb rules explain {rule}'::text), '\n'::text) WITH ORDINALITY l(line, place)) CROSS JOIN LATERAL (SELECT agentdb._fill(btrim(l.line), agentdb._given(_remedy.alert)) AS line) f) WHERE ((r.rule_name = (_remedy.alert).rule_name) AND (f.line <> ''::text)) ORDER BY l.place);



COMMENT ON FUNCTION agentdb._remedy(alert agentdb.alert) IS 'What to do about an alert, a line a step.';



CREATE FUNCTION agentdb._renew_otherwise(name text, fence bigint, ttl interval, needs_progress boolean, run bigint) RETURNS agentdb.renewed_lock
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now timestamptz := clock_timestamp();
  v_caller record;
  v_strict boolean;
  v_lock agentdb.renewed_lock;
begin
  v_caller := agentdb._lock_caller(agentdb._holding_run(name, fence, run));
  if agentdb._is_span(ttl, null, v_caller.max_ttl) is not true then
    perform agentdb._refuse_ttl(ttl, v_caller.max_ttl);
  end if;
  v_strict := v_caller.needs_progress or needs_progress is true;
  update agentdb.lock as l
  set expires_at = least(v_now + agentdb._exact_span(ttl), l.hold_until),
      renewed_at = v_now,
      renewals = l.renewals + 1
  where l.lock_name = name
    and l.fence = _renew_otherwise.fence
    and l.run_id = v_caller.run_id
    and l.hold_until > v_now
    and (not v_strict or agentdb._has_new_step(l.run_id, l.renewed_at))
  returning true, l.expires_at,
    ceil(date_part('epoch', l.expires_at - v_now) * 1000), 'renewed'
    into v_lock;
  if not found then
    return agentdb._refused_renewal(name, fence, v_caller.run_id, v_now);
  end if;
  return v_lock;
end;
$$;



COMMENT ON FUNCTION agentdb._renew_otherwise(name text, fence bigint, ttl interval, needs_progress boolean, run bigint) IS 'Prolongs a lock of any caller''s run, or says why not.';



CREATE FUNCTION agentdb._resolve(change bigint, on_conflict text, as_applier boolean) RETURNS jsonb
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_target integer;
  v_rows jsonb;
  v_settled integer[];
  v_left jsonb := '[]';
begin
  for v_target in
    select distinct r.audit_target_id from agentdb.change_row as r
    where r.change_id = change
  loop
    v_rows := agentdb._conflict_rows(change, v_target, null, as_applier);
    v_settled := agentdb._settled(change, v_rows);
    perform agentdb._drop_rows(change, v_settled);
    select coalesce(jsonb_agg(f), '[]') into v_rows
    from jsonb_array_elements(v_rows) as f
    where (f ->> 'place')::integer <> all (v_settled);
    if on_conflict = 'skip' then
      perform agentdb._drop_rows(change, array(
        select (f ->> 'place')::integer from jsonb_array_elements(v_rows) as f));
    end if;
    if on_conflict = 'override' then
      perform agentdb._override_rows(change, v_rows);
      select coalesce(jsonb_agg(f), '[]') into v_rows
      from jsonb_array_elements(v_rows) as f where f -> 'present' = 'null';
    end if;
    if on_conflict <> 'skip' then
      -- Nobody reads more of them.
      v_left := v_left || agentdb._conflicts_of(change, v_target,
        jsonb_path_query_array(v_rows, '$[0 to 999]'));
    end if;
  end loop;
  return v_left;
end;
$_$;



COMMENT ON FUNCTION agentdb._resolve(change bigint, on_conflict text, as_applier boolean) IS 'Settles the conflicts of an undo as asked and returns those that are left.';



CREATE FUNCTION agentdb._restage_row(former agentdb.change_row, operation text, new_values jsonb, expected jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_values jsonb := new_values;
  v_expected jsonb := expected || former.expected;
  v_net jsonb := new_values;
  v_operation text := operation;
begin
  if former.operation = 'insert' and operation = 'delete' then
    delete from agentdb.change_row as r
    where r.change_id = former.change_id and r.place = former.place;
    return;
  elsif former.operation = 'insert' and operation = 'update' then
    v_operation := 'insert';
    v_values := former.new_values || new_values;
    v_expected := null;
    v_net := coalesce(former.net_values, former.new_values) || new_values;
  elsif former.operation = 'update' and operation = 'update' then
    v_values := former.new_values || new_values;
    v_net := coalesce(former.net_values, former.new_values) || new_values;
  elsif former.operation = 'delete' and operation = 'insert' then
    v_operation := 'update';
    select coalesce(jsonb_object_agg(v.key, v.value), '{}') into v_values
    from jsonb_each(new_values) as v
    where v.value is distinct from former.expected -> v.key;
    select jsonb_object_agg(v.key, former.expected -> v.key) into v_expected
    from jsonb_each(v_values) as v;
    if v_values = '{}' then
      delete from agentdb.change_row as r
      where r.change_id = former.change_id and r.place = former.place;
      return;
    end if;
  elsif not (former.operation = 'update' and operation = 'delete') then
    perform agentdb._refuse(
      format('row %s is staged for %s already', former.row_key, former.operation),
      'Look at the staging view: it shows the row as it would become.');
  end if;
  update agentdb.change_row as r
  set operation = v_operation,
      new_values = v_values,
      expected = v_expected,
      net_operation = case when r.builds_on is not null or r.net_operation is not null
        then case when _restage_row.operation = 'update'
          then coalesce(r.net_operation, v_operation)
          else _restage_row.operation end end,
      net_values = case when r.builds_on is not null then v_net end,
      staged_at = case when cardinality(r.staged_at) < 100
        then r.staged_at || clock_timestamp() else r.staged_at end
  where r.change_id = former.change_id and r.place = former.place;
end;
$$;



COMMENT ON FUNCTION agentdb._restage_row(former agentdb.change_row, operation text, new_values jsonb, expected jsonb) IS 'Merges a second write of a row into what the same change has staged for it.';



CREATE FUNCTION agentdb._result_signature(ok boolean, result text, error text) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN agentdb._signature((CASE WHEN ok THEN 'ok '::text ELSE 'failed '::text END || COALESCE(result, error)), agentdb._volatile());



COMMENT ON FUNCTION agentdb._result_signature(ok boolean, result text, error text) IS 'The same for results that say the same; NULL where neither result nor error is known.';



CREATE FUNCTION agentdb._retry_change(change bigint) RETURNS text
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_effects jsonb := (
    select c.effects from agentdb.change as c where c.change_id = change);
  v_fault text := agentdb._change_fault(change);
  v_end record;
begin
  if v_fault is not null then
    perform agentdb._close_change(change, 'conflict',
      jsonb_build_object('sqlstate', 'ZA051', 'message', v_fault));
    return 'conflict: ' || v_fault;
  end if;
  select a.effects, a.problem into v_end
  from agentdb._attempt(change, agentdb._basis(change), true, false, null) as a;
  if v_end.problem is null and v_end.effects <> v_effects then
    v_end.problem := jsonb_build_object('sqlstate', 'ZA052', 'message', format(
      'its tables were altered: it would write %s now, and %s was reviewed',
      v_end.effects, v_effects));
  end if;
  if v_end.problem is not null then
    perform agentdb._close_change(change, 'conflict', v_end.problem
      || jsonb_build_object('conflicts', agentdb._conflicts(change, 20, true)));
    return 'conflict: ' || (v_end.problem ->> 'message');
  end if;
  update agentdb.change_table as t
  set layout = agentdb._layout_now(t.table_oid)
  where t.change_id = change;
  return 'the same on the altered table';
end;
$$;



COMMENT ON FUNCTION agentdb._retry_change(change bigint) IS 'Tries an undecided change again on tables that were altered: it stays as it is, or ends as a conflict that says why.';



CREATE FUNCTION agentdb._retry_changes() RETURNS TABLE(action text, object text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_change_id bigint;
begin
  for v_change_id in
    select c.change_id
    from agentdb.change as c
    where c.state in ('pending', 'approved')
      and agentdb._all_guarded(c.change_id)
      and exists (
        select from agentdb.change_table as t
        where t.change_id = c.change_id
          and (t.layout, t.table_name) is distinct from
            (agentdb._layout_now(t.table_oid), agentdb._table_name(t.table_oid)))
    order by c.change_id
    limit 100
    for no key update skip locked
  loop
    exit when clock_timestamp() > statement_timestamp() + interval '10 seconds';
    object := 'change ' || v_change_id;
    begin
      action := 'tried again: ' || agentdb._retry_change(v_change_id);
    exception when others then
      -- A lock, a deadlock, a stop: the next time.
      action := 'not tried again: ' || sqlerrm;
    end;
    return next;
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb._retry_changes() IS 'Tries the undecided changes of altered tables again, a hundred at a time.';



CREATE FUNCTION agentdb._reviewer(change bigint, OUT agent_id bigint, OUT run_id bigint) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_proposed_by name;
  v_proposer bigint;
  v_agents_role name;
begin
  select c.proposed_by, c.agent_id, a.role_name
    into v_proposed_by, v_proposer, v_agents_role
  from agentdb.change as c
  left join agentdb.agent as a on a.agent_id = c.agent_id
  where c.change_id = change;
  if agentdb._is_agent() then
    perform agentdb._check_seen(change);
    select p.agent_id, p.run_id into _reviewer.agent_id, _reviewer.run_id
    from agentdb._proposer() as p;
    if agent_id = v_proposer then
      perform agentdb._refuse_reviewer(change, 'it is of the same agent');
    elsif not agentdb._is_validator(change, agent_id) then
      perform agentdb._refuse_reviewer(change, 'it is no validator of its tables');
    end if;
  elsif not pg_has_role(session_user, 'agentdb_reviewer', 'usage') then
    perform agentdb._refuse_reviewer(change, 'it is no reviewer');
  end if;
  if session_user in (v_proposed_by, v_agents_role) then
    perform agentdb._refuse_reviewer(change, 'it proposed it');
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._reviewer(change bigint, OUT agent_id bigint, OUT run_id bigint) IS 'The agent and run that decide a change, NULL for a person; raises ZA001, ZA006 or ZA055.';



CREATE FUNCTION agentdb._role_fault(role_name name) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT concat_ws(', '::text, CASE WHEN r.rolsuper THEN 'it is a superuser'::text ELSE NULL::text END, CASE WHEN r.rolbypassrls THEN 'it bypasses row security'::text ELSE NULL::text END, CASE WHEN r.rolcreaterole THEN 'it may create roles'::text ELSE NULL::text END, CASE WHEN r.rolreplication THEN 'it may replicate'::text ELSE NULL::text END, CASE WHEN (NOT r.rolcanlogin) THEN 'it cannot log in'::text ELSE NULL::text END, (SELECT ('it is a member of '::text || string_agg((g.rolname)::text, ', '::text ORDER BY ((g.rolname)::text))) FROM pg_roles g WHERE ((g.rolname = ANY (ARRAY['agentdb_owner'::name, 'agentdb_capture'::name, 'agentdb_applier'::name, 'agentdb_operator'::name, 'agentdb_reviewer'::name])) AND pg_has_role(r.oid, g.oid, 'MEMBER'::text)))) AS concat_ws FROM pg_roles r WHERE (r.rolname = _role_fault.role_name));



COMMENT ON FUNCTION agentdb._role_fault(role_name name) IS 'Says why a role must not be an agent''s; empty where nothing speaks against it, NULL where there is no such role.';



CREATE FUNCTION agentdb._roll_up_evidence(low xid8, high xid8) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with step as materialized (
    select n.run_id, n.step_signature, n.at
    from agentdb._new_step(low, high, 'infinity') as n
  ),
  added as (
    insert into agentdb.run_step (run_id, step_signature)
    select n.run_id, n.step_signature from step as n
  ),
  evidence as (
    select n.run_id, n.at from step as n
    union all
    select l.run_id, l.recorded_at
    from agentdb.audit_log as l
    join agentdb.run as r on r.run_id = l.run_id
    where l.xid >= low and l.xid < high
  )
  insert into agentdb.run_activity as a (run_id, evidence_at)
  select e.run_id, max(e.at)
  from evidence as e
  group by e.run_id
  on conflict (run_id) do update
  set evidence_at = excluded.evidence_at,
      calls_since = 0,
      model_calls_since = 0
  where a.evidence_at is null or a.evidence_at < excluded.evidence_at;
$$;



COMMENT ON FUNCTION agentdb._roll_up_evidence(low xid8, high xid8) IS 'Moves run_activity.evidence_at to the last evidence of a range of transactions.';



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
    output_tokens, cost, model_calls_since
  )
  select
    l.run_id, max(l.recorded_at), count(*), sum(l.input_tokens),
    sum(l.cached_input_tokens), sum(l.output_tokens), sum(l.cost),
    count(*) filter (where l.recorded_at > coalesce(
      greatest(v.evidence_at, v.last_tool_call_at), '-infinity'))
  from agentdb.token_log as l
  left join agentdb.run_activity as v on v.run_id = l.run_id
  where l.xid >= low and l.xid < high
  group by l.run_id
  on conflict (run_id) do update
  set last_tokens_at = greatest(a.last_tokens_at, excluded.last_tokens_at),
      model_calls = a.model_calls + excluded.model_calls,
      input_tokens = a.input_tokens + excluded.input_tokens,
      cached_input_tokens = a.cached_input_tokens + excluded.cached_input_tokens,
      output_tokens = a.output_tokens + excluded.output_tokens,
      cost = a.cost + excluded.cost,
      model_calls_since = a.model_calls_since + excluded.model_calls_since;

  insert into agentdb.token_half_hour as h (
    agent_id, half_hour_at, input_tokens, cached_input_tokens, output_tokens, cost
  )
  select
    l.agent_id, date_bin('30 minutes', l.recorded_at, 'epoch'), sum(l.input_tokens),
    sum(l.cached_input_tokens), sum(l.output_tokens), sum(l.cost)
  from agentdb.token_log as l
  where l.xid >= low and l.xid < high
  group by 1, 2
  on conflict (agent_id, half_hour_at) do update
  set input_tokens = h.input_tokens + excluded.input_tokens,
      cached_input_tokens = h.cached_input_tokens + excluded.cached_input_tokens,
      output_tokens = h.output_tokens + excluded.output_tokens,
      cost = h.cost + excluded.cost;
$$;



COMMENT ON FUNCTION agentdb._roll_up_tokens(low xid8, high xid8) IS 'Adds the tokens of a range of transactions to run_activity and token_half_hour.';



CREATE FUNCTION agentdb._roll_up_tool_calls(low xid8, high xid8) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into agentdb.run_activity as a (
    run_id, last_tool_call_at, tool_calls, tool_errors, calls_since
  )
  select
    l.run_id, max(l.recorded_at), count(*), count(*) filter (where not l.ok),
    count(*) filter (where v.evidence_at is null or l.recorded_at > v.evidence_at)
  from agentdb.tool_call_log as l
  left join agentdb.run_activity as v on v.run_id = l.run_id
  where l.xid >= low and l.xid < high
  group by l.run_id
  on conflict (run_id) do update
  set last_tool_call_at = greatest(a.last_tool_call_at, excluded.last_tool_call_at),
      tool_calls = a.tool_calls + excluded.tool_calls,
      tool_errors = a.tool_errors + excluded.tool_errors,
      calls_since = a.calls_since + excluded.calls_since,
      model_calls_since = 0;

  insert into agentdb.tool_day as d (agent_id, tool, day_at, calls, errors)
  select
    l.agent_id, l.tool, date_bin('1 day', l.recorded_at, 'epoch'), count(*),
    count(*) filter (where not l.ok)
  from agentdb.tool_call_log as l
  where l.xid >= low and l.xid < high
  group by 1, 2, 3
  on conflict (agent_id, tool, day_at) do update
  set calls = d.calls + excluded.calls,
      errors = d.errors + excluded.errors;
$$;



COMMENT ON FUNCTION agentdb._roll_up_tool_calls(low xid8, high xid8) IS 'Adds the tool calls of a range of transactions to run_activity and tool_day.';



CREATE FUNCTION agentdb._row_event(run bigint) RETURNS TABLE(recorded_at timestamp with time zone, audit_target_id integer, operation text, row_key jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT a.recorded_at,
     a.audit_target_id,
     a.operation,
     a.row_key
    FROM agentdb.audit_log a
   WHERE ((a.run_id = _row_event.run) AND (a.change_id IS NULL))
 UNION ALL
  SELECT s.staged_at,
     r.audit_target_id,
     r.operation,
     r.row_key
    FROM ((agentdb.change c
      JOIN agentdb.change_row r ON ((r.change_id = c.change_id)))
      CROSS JOIN LATERAL unnest(r.staged_at) s(staged_at))
   WHERE ((c.run_id = _row_event.run) AND ((c.submitted_at IS NOT NULL) OR (c.state = 'open'::text)));
END;



COMMENT ON FUNCTION agentdb._row_event(run bigint) IS 'The rows that a run wrote directly, and those that it staged.';



CREATE FUNCTION agentdb._row_verdicts(run bigint) RETURNS TABLE(claim_id bigint, verdict text, evidence jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_nestloop TO 'off'
    AS $$
begin
  return query
    with deed as materialized (
      select d.table_name, d.row_key, d.operation, d.operations
      from agentdb._deeds(run) as d
    ),
    counted as (
      select d.table_name, o.claimed, count(*) as rows
      from deed as d
      cross join unnest('{insert,update,delete}'::text[]) as o (claimed)
      where agentdb._did(d.operation, d.operations, o.claimed)
      group by d.table_name, o.claimed
    ),
    keyed as (
      select k.claim_id,
        jsonb_agg(k.row_key) filter (where coalesce(d.operation, 'none') = 'none')
          as missing,
        jsonb_agg(jsonb_build_object('key', k.row_key, 'done', d.operation))
          filter (where d.operation <> 'none'
            and not agentdb._did(d.operation, d.operations, k.operation)) as wrong
      from agentdb._claimed_keys(run) as k
      left join deed as d on d.table_name = k.table_name and d.row_key = k.row_key
      where k.row_key is not null
      group by k.claim_id
    )
    select c.claim_id,
      case when k.missing is null and k.wrong is null
        and coalesce(n.rows, 0) = coalesce(
          (c.expectation ->> 'count')::bigint, n.rows, 0) then 'verified'
        else 'refuted' end,
      jsonb_strip_nulls(jsonb_build_object('rows', coalesce(n.rows, 0),
        'not_done', k.missing, 'done_otherwise', k.wrong,
        'not_applied', agentdb._unapplied(run, c.target)))
    from agentdb.claim as c
    left join keyed as k on k.claim_id = c.claim_id
    left join counted as n
      on n.table_name = c.target and n.claimed = c.expectation ->> 'operation'
    where c.run_id = run and c.kind = 'rows' and c.state = 'pending';
end;
$$;



COMMENT ON FUNCTION agentdb._row_verdicts(run bigint) IS 'Decides the pending claims of a run about rows by the run''s audit.';



CREATE FUNCTION agentdb._row_write_sql(target integer) RETURNS text
    LANGUAGE sql STABLE
    RETURN format('
  if not v_same then
    execute agentdb._capture_sql(%1$s, tg_op,
        ''$1, $2, session_user, $3, $4, $5, $6, $7'', ''(select ($8).*)'',
        ''(select ($9).*)'')
      using v_now, v_statement, v_agent_id, v_run_id, v_change_id, v_application,
        v_address, old, new;
  elsif tg_op = ''INSERT'' then
    %2$s
  elsif tg_op = ''DELETE'' then
    %3$s
  else
    %4$s
  end if;'::text, target, agentdb._log_sql(target, 'insert'::text, agentdb._key_sql(target, 'v_new'::text), 'null'::text, agentdb._row_sql(target, 'v_new'::text)), agentdb._log_sql(target, 'delete'::text, agentdb._key_sql(target, 'v_old'::text), agentdb._row_sql(target, 'v_old'::text), 'null'::text), CASE WHEN (agentdb._key_sql(target, 'n'::text) <> 'null::jsonb'::text) THEN agentdb._one_row_sql(target) ELSE format('if record_image_ne(v_old, v_new) then
    %s
    end if;'::text, agentdb._log_sql(target, 'update'::text, 'null::jsonb'::text, agentdb._row_sql(target, 'v_old'::text), agentdb._row_sql(target, 'v_new'::text))) END);



COMMENT ON FUNCTION agentdb._row_write_sql(target integer) IS 'PL/pgSQL text: writes what happened to a row.';



CREATE FUNCTION agentdb._rule_query(view_name text, max_alerts integer) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN format('select coalesce(jsonb_agg(r), ''[]'') from (select v.labels, v.value, v.annotations from %I.%I as v order by row_number() over (partition by v.labels ->> ''agent'') limit %s) as r'::text, (parse_ident(view_name))[1], (parse_ident(view_name))[2], (max_alerts + 1));



COMMENT ON FUNCTION agentdb._rule_query(view_name text, max_alerts integer) IS 'The statement that yields a rule''s rows as one JSON array, one row more than allowed.';



CREATE FUNCTION agentdb._run_label(run_id bigint, agent_name text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    RETURN ((('run '::text || run_id) || ' of '::text) || agent_name);



COMMENT ON FUNCTION agentdb._run_label(run_id bigint, agent_name text) IS 'What people are told of a run that holds a lock.';



CREATE FUNCTION agentdb._schema_in(error text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN (regexp_match("left"(error, 4000), 'schema "?([[:alnum:]_.$"]{1,130}?)"?(?:[[:space:]]|$)'::text))[1];



COMMENT ON FUNCTION agentdb._schema_in(error text) IS 'The schema that an error of PostgreSQL names.';



CREATE FUNCTION agentdb._session_agent(agent text, secret text, OUT agent_id bigint, OUT pooled boolean, OUT policy_name text) RETURNS record
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  select a.agent_id, a.pooled, a.policy_name
    into _session_agent.agent_id, _session_agent.pooled, _session_agent.policy_name
  from agentdb.agent as a
  left join agentdb.agent_secret as s on s.agent_id = a.agent_id
  where a.role_name = session_user
    and (a.agent_name = agent or (agent is null and not a.pooled))
    and (not a.pooled or s.secret_hash = agentdb._hash_secret(secret));
  if not found then
    raise exception 'role % may not run agent %',
        session_user, coalesce(agent, '(its own)')
      using errcode = 'ZA002',
            hint = format('An operator registers agents: select * from '
              'agentdb.register_agent(name => ''…'', role_name => %L); an agent '
              'behind a shared role also gives agent => and secret =>.', session_user);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._session_agent(agent text, secret text, OUT agent_id bigint, OUT pooled boolean, OUT policy_name text) IS 'Resolves the agent of a session by its login role, or by name and secret behind a shared role; raises ZA002.';



CREATE FUNCTION agentdb._settle_members(groups bigint[], at timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  delete from agentdb.group_alert as m
  using agentdb.alert_group as g
  where m.alert_group_id = any (groups)
    and g.alert_group_id = m.alert_group_id
    and m.state in ('resolved', 'gone')
    and (g.told_at = _settle_members.at or g.open_at <= _settle_members.at);
  update agentdb.alert_group as g
  set look_at = 'infinity'
  where g.alert_group_id = any (groups)
    and not exists (
      select from agentdb.group_alert as m where m.alert_group_id = g.alert_group_id);
  with settled as (
    select m.alert_group_id, m.alert_id, t.told, t.now,
      case when m.state = 'firing' and t.told = 'firing' and not m.escalated
        then coalesce(m.escalate_at, _settle_members.at + e.escalate_after)
      end as escalate_at
    from agentdb.group_alert as m
    join agentdb.alert_group as g on g.alert_group_id = m.alert_group_id
    join agentdb.receiver as e on e.receiver_name = g.receiver_name
    cross join lateral (
      select g.told = 'firing' and g.told_at = _settle_members.at
          and m.state = 'firing' as now,
        case
          when g.told = 'firing' and g.told_at = _settle_members.at
            and m.state = 'firing' then 'firing'
          when m.told is not null and m.state in ('acknowledged', 'silenced')
            then m.state
          else m.told
        end as told
    ) as t
    where m.alert_group_id = any (groups)
  )
  update agentdb.group_alert as m
  set told = s.told,
      told_episode = case when s.now then m.episode else m.told_episode end,
      escalate_at = s.escalate_at
  from settled as s
  where m.alert_group_id = s.alert_group_id
    and m.alert_id = s.alert_id
    and (s.now or (m.told, m.escalate_at) is distinct from (s.told, s.escalate_at));
$$;



COMMENT ON FUNCTION agentdb._settle_members(groups bigint[], at timestamp with time zone) IS 'Remembers what was told of each alert, and forgets those whose end was.';



CREATE FUNCTION agentdb._settled(change bigint, found jsonb) RETURNS integer[]
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(array_agg(r.place), '{}')
  from jsonb_array_elements(found) as f
  join agentdb.change_row as r
    on r.change_id = change and r.place = (f.value ->> 'place')::integer
  where case r.operation
    when 'delete' then f.value -> 'present' = 'null'
    else f.value -> 'present' @> r.new_values
  end;
$$;



COMMENT ON FUNCTION agentdb._settled(change bigint, found jsonb) IS 'The rows of an undo that are as they should become.';



CREATE FUNCTION agentdb._shape_fault(change bigint, target integer) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select string_agg(format(case
      when f.now is null then 'column %I is gone'
      when f.former is null and f.now ->> 'is' like '% key'
        then 'column %I is new in the key'
      when f.former is null then 'column %I is new and has a default'
      when f.now -> 'is' = f.former -> 'is' then 'column %I is another one of that name'
      else 'column %I was %s and is %s' end,
    f.column_name, f.former ->> 'is', f.now ->> 'is'), ', ' order by f.column_name)
  from (
    select u.column_name, t.columns -> u.column_name as former,
      n.columns -> u.column_name as now
    from agentdb.change_table as t
    cross join lateral (select agentdb._columns_now(target) as columns) as n
    cross join agentdb._used_columns(change, target) as u
    where t.change_id = change and t.audit_target_id = target
  ) as f
  where f.former is distinct from f.now;
$$;



COMMENT ON FUNCTION agentdb._shape_fault(change bigint, target integer) IS 'Which columns that a change writes are not what they were; NULL where all are.';



CREATE FUNCTION agentdb._shape_signature(tool text, args jsonb) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN agentdb._signature(concat_ws(' '::text, tool, (args)::text), ((agentdb._volatile())[1:3] || '\d+([.,:]\d+)*'::text));



COMMENT ON FUNCTION agentdb._shape_signature(tool text, args jsonb) IS 'The same for calls whose arguments differ in numbers, times and ids only.';



CREATE FUNCTION agentdb._stage_layout(target integer) RETURNS text
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (
    select md5(concat(agentdb._layout_now(t.table_oid), string_agg(
      concat_ws(' ', c.place, c.hidden, c.generated, a.attidentity, d.adbin), ','
      order by c.place)))
    from agentdb.audit_target as t
    join agentdb.change_column as c on c.audit_target_id = t.audit_target_id
    join pg_attribute as a on a.attrelid = t.table_oid and a.attnum = c.place
    left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where t.audit_target_id = target
    group by t.table_oid
  );
end;
$$;



COMMENT ON FUNCTION agentdb._stage_layout(target integer) IS 'A fingerprint of all that a staging view is made from; NULL where the table is not audited.';



CREATE FUNCTION agentdb._stage_row(target integer, operation text, key jsonb, new_values jsonb, expected jsonb) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_change record;
  v_row agentdb.change_row;
  v_place integer;
begin
  perform agentdb._check_stage(target, operation, new_values);
  select c.* into v_change from agentdb._current_change() as c;
  -- A key that a trigger has still to make names no row.
  select r.* into v_row
  from agentdb.change_row as r
  where r.change_id in (
      select c.change_id from agentdb.change as c
      where c.proposed_by = session_user
        and c.agent_id is not distinct from v_change.agent_id
        and c.state in ('open', 'pending', 'approved'))
    and r.audit_target_id = target
    and jsonb_hash_extended(r.row_key, 0) = jsonb_hash_extended(key, 0)
    and r.row_key = key
    and jsonb_strip_nulls(key) = key
  order by r.change_id = v_change.change_id desc, r.change_id desc
  limit 1;
  if v_row.change_id = v_change.change_id then
    perform agentdb._restage_row(v_row, operation, new_values, expected);
    return;
  end if;
  v_place := 1 + coalesce((
    select max(r.place) from agentdb.change_row as r
    where r.change_id = v_change.change_id), 0);
  if v_place > v_change.max_rows then
    raise exception 'a change of this agent may have at most % rows', v_change.max_rows
      using errcode = 'ZA005',
            detail = 'See policy.max_change_rows.',
            hint = 'Check the WHERE clause.  If all these rows are meant, stage them '
              'in several changes, or have a person do it: select * from '
              'agentdb.ask_human(question => ''…'');';
  end if;
  insert into agentdb.change_row values (
    v_change.change_id, v_place, target, operation, key, new_values, expected,
    v_row.change_id,
    case
      when v_row.change_id is null then null
      when operation = 'update' then coalesce(v_row.net_operation, v_row.operation)
      else operation end,
    case
      when v_row.change_id is null then null
      when operation = 'update'
        then coalesce(v_row.net_values, v_row.new_values) || new_values
      else new_values end
  );
end;
$$;



COMMENT ON FUNCTION agentdb._stage_row(target integer, operation text, key jsonb, new_values jsonb, expected jsonb) IS 'Adds a row to the session''s open change; what an earlier change of its own did to the row comes first.';



CREATE FUNCTION agentdb._stage_view_sql(target integer, view_name text) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT format('
 create or replace view agentdb_stage.%1$I %2$s as
with staged as materialized (select * from agentdb.staged_rows(%5$s))
select %3$s from %4$s as t
where %9$s not exists (select from staged as i where i.row_key = %6$s)
union all
select %7$s from staged as i
join %4$s as t on %8$s
where %9$s i.operation = ''update''
union all
select %10$s from staged as i
where i.operation = ''insert'''::text, _stage_view_sql.view_name, CASE WHEN ((current_setting('server_version_num'::text))::integer >= 150000) THEN 'with (security_invoker = true)'::text ELSE ''::text END, string_agg(format('t.%I'::text, c.column_name), ', '::text ORDER BY c.place), (CASE WHEN ((SELECT r.relkind FROM pg_class r WHERE (r.oid = t.table_oid)) = 'p'::"char") THEN ''::text ELSE 'only '::text END || (t.table_oid)::regclass), _stage_view_sql.target, agentdb._key_sql(_stage_view_sql.target, 't'::text), string_agg(CASE WHEN ((c.key_place IS NOT NULL) OR c.hidden OR c.generated) THEN format('t.%I'::text, c.column_name) ELSE format('case when i.new_values ? %1$L then (i.new_values ->> %1$L)::%2$s else t.%3$I end as %3$I'::text, (c.column_name)::text, c.full_type, c.column_name) END, ', '::text ORDER BY c.place), string_agg(format('t.%I = (i.row_key ->> %L)::%s'::text, c.column_name, (c.column_name)::text, c.type_name), ' and '::text ORDER BY c.key_place) FILTER (WHERE (c.key_place IS NOT NULL)), CASE WHEN ((current_setting('server_version_num'::text))::integer >= 150000) THEN ''::text ELSE format('has_table_privilege(session_user, %L::regclass, ''select'') and '::text, (t.table_oid)::regclass) END, string_agg(format('(i.new_values ->> %L)::%s as %I'::text, (c.column_name)::text, c.full_type, c.column_name), ', '::text ORDER BY c.place)) AS format FROM (agentdb.audit_target t JOIN (SELECT k.audit_target_id, k.place, k.column_name, k.type_name, k.base_type, k.form, k.exact, k.key_place, k.hidden, k.generated, k.default_expression, format_type(a.atttypid, a.atttypmod) AS full_type FROM ((agentdb.change_column k JOIN agentdb.audit_target o ON ((o.audit_target_id = k.audit_target_id))) JOIN pg_attribute a ON (((a.attrelid = o.table_oid) AND (a.attnum = k.place))))) c ON ((c.audit_target_id = t.audit_target_id))) WHERE (t.audit_target_id = _stage_view_sql.target) GROUP BY t.table_oid);



COMMENT ON FUNCTION agentdb._stage_view_sql(target integer, view_name text) IS 'SQL text: a staging view.';



CREATE FUNCTION agentdb._statement_write_sql(target integer) RETURNS text
    LANGUAGE sql STABLE
    RETURN format('
  if not v_same then
    execute agentdb._capture_sql(%1$s, tg_op,
        ''$1, $2, session_user, $3, $4, $5, $6, $7'')
      using v_now, v_statement, v_agent_id, v_run_id, v_change_id, v_application,
        v_address;
  elsif tg_op = ''INSERT'' then
    %2$s;
  elsif tg_op = ''DELETE'' then
    %3$s;%5$s
  else
    %4$s;
  end if;'::text, target, agentdb._capture_sql(target, 'INSERT'::text, agentdb._context_sql()), agentdb._capture_sql(target, 'DELETE'::text, agentdb._context_sql()), agentdb._capture_sql(target, 'UPDATE'::text, agentdb._context_sql()), CASE WHEN (agentdb._key_sql(target, 'n'::text) <> 'null::jsonb'::text) THEN format('
  elsif v_many is null then
    -- To compare it here is cheaper than to start a wide plan.
    %s'::text, agentdb._one_row_sql(target)) ELSE ''::text END);



COMMENT ON FUNCTION agentdb._statement_write_sql(target integer) IS 'PL/pgSQL text: writes what a statement changed.';



CREATE FUNCTION agentdb._stop_agent(agent bigint, kind text, reason text) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  insert into agentdb.agent_stop as s (agent_id, kind, reason)
  values (agent, kind, agentdb._clean_text(reason, 500))
  on conflict on constraint agent_stop_pkey do update
  set kind = excluded.kind,
      reason = excluded.reason,
      stopped_at = excluded.stopped_at,
      stopped_by = excluded.stopped_by
  where s.kind <> 'killed' or excluded.kind = 'killed';
$$;



COMMENT ON FUNCTION agentdb._stop_agent(agent bigint, kind text, reason text) IS 'Keeps an agent from starting runs; a kill is not softened to a pause.';



CREATE FUNCTION agentdb._stop_seen(last_stop bigint, pooled boolean) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if pooled or exists (
    select from agentdb.run as r
    where r.role_name = session_user and not r.pooled and r.ended_at is null
  ) then
    return null;
  end if;
  return last_stop;
end;
$$;



COMMENT ON FUNCTION agentdb._stop_seen(last_stop bigint, pooled boolean) IS 'What a run that starts now knows of stops: the last one, NULL where its role has other open runs.';



CREATE FUNCTION agentdb._submit(change bigint) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_state text;
  v_count bigint;
  v_basis bigint[];
  v_end record;
  v_again record;
begin
  select c.state into v_state
  from agentdb.change as c where c.change_id = change for no key update;
  select count(*) into v_count
  from agentdb.change_row as r where r.change_id = change;
  if v_state <> 'open' then
    return;
  elsif v_count = 0 then
    perform agentdb._close_change(change, 'withdrawn');
    return;
  end if;
  perform agentdb._note_tables(change);
  v_basis := agentdb._basis(change);
  select a.* into v_end
  from agentdb._attempt(change, v_basis, true, false, null) as a;
  if v_end.problem ->> 'sqlstate' = '23503' then
    -- The row that is referred to may be staged by an earlier change.
    v_basis := agentdb._earlier_changes(change);
    select a.* into v_again
    from agentdb._attempt(change, v_basis, true, false, null) as a;
    if v_again.problem is null then
      v_end := v_again;
    end if;
  end if;
  if v_end.problem is not null then
    perform agentdb._refuse_change(change, v_end.problem);
  end if;
  perform agentdb._end_submit(change, v_count, v_end.effects, v_basis);
end;
$$;



COMMENT ON FUNCTION agentdb._submit(change bigint) IS 'Tries an open change and makes it pending, or applies it where nobody needs to approve it.';



CREATE FUNCTION agentdb._submit_at_commit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
begin
  perform agentdb._submit(new.change_id);
  return null;
end;
$$;



COMMENT ON FUNCTION agentdb._submit_at_commit() IS 'Trigger function: a change that was staged without open_change() ends with its transaction.';



CREATE FUNCTION agentdb._table_fault(table_oid oid) RETURNS text
    LANGUAGE sql STABLE
    RETURN (SELECT CASE WHEN (c.relnamespace = ANY (ARRAY[('agentdb'::regnamespace)::oid, ('pg_catalog'::regnamespace)::oid, ('information_schema'::regnamespace)::oid])) THEN 'it belongs to the system'::text WHEN (c.relpersistence = 't'::"char") THEN 'a temporary table ends with its session'::text WHEN (c.relpersistence = 'u'::"char") THEN 'an unlogged table loses its rows in a crash, the log does not'::text WHEN (c.relkind = ANY (ARRAY['v'::"char", 'm'::"char"])) THEN 'it is a view; audit the tables under it'::text WHEN (c.relkind = 'f'::"char") THEN 'it is a foreign table; audit it where its rows are'::text WHEN (c.relkind <> ALL (ARRAY['r'::"char", 'p'::"char"])) THEN 'it is no table'::text WHEN (EXISTS (SELECT FROM agentdb.audit_target t WHERE ((t.unaudited_at IS NULL) AND (t.table_oid IN (SELECT a.relid FROM pg_partition_ancestors((c.oid)::regclass) a(relid))) AND (t.table_oid <> c.oid)))) THEN 'a table that it is a partition of is audited, and its rows with it'::text WHEN ((c.relkind = 'p'::"char") AND (EXISTS (SELECT FROM agentdb.audit_target t WHERE ((t.unaudited_at IS NULL) AND (t.table_oid IN (SELECT p.relid FROM pg_partition_tree((c.oid)::regclass) p(relid, parentrelid, isleaf, level))) AND (t.table_oid <> c.oid))))) THEN 'a partition of it is audited by itself; unaudit that first'::text ELSE NULL::text END AS "case" FROM pg_class c WHERE (c.oid = _table_fault.table_oid));



COMMENT ON FUNCTION agentdb._table_fault(table_oid oid) IS 'Says why a table cannot be audited; NULL where nothing speaks against it.';



CREATE FUNCTION agentdb._take_back_capture(target integer, owner name) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  execute format('revoke all on function agentdb.%I from %I',
    '_capture_' || target, owner);
  execute format('revoke all on function agentdb._capture_truncate, '
    'agentdb._capture_blast from %I', owner);
end;
$$;



COMMENT ON FUNCTION agentdb._take_back_capture(target integer, owner name) IS 'Ends what _lend_capture() began: triggers fire without the right to call their function.';



CREATE FUNCTION agentdb._take_lock(name text, first_slot integer, last_slot integer, run_id bigint, agent_id bigint, ttl interval, max_hold interval, OUT fence bigint, OUT expires_at timestamp with time zone, OUT slot integer, OUT outcome text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now timestamptz := clock_timestamp();
  v_former bigint;
begin
  update agentdb.lock as l
  set fence = agentdb._next_fence(l.fence, l.slot, v_now),
      agent_id = _take_lock.agent_id,
      former_agent_id = l.agent_id,
      run_id = _take_lock.run_id,
      acquired_at = clock_timestamp(),
      renewed_at = v_now,
      expires_at = v_now + least(agentdb._exact_span(ttl), max_hold),
      hold_until = coalesce(v_now + max_hold, 'infinity'),
      renewals = 0,
      depth = 1,
      role_name = null,
      outcome = case when l.run_id is null then 'acquired' else 'taken_over' end,
      reason = null
  where l.ctid = (
    select f.ctid
    from agentdb.lock as f
    where f.lock_name = _take_lock.name
      and f.slot between first_slot and last_slot
      and not agentdb._is_live(f.expires_at, f.renewed_at, v_now)
    order by f.slot
    limit 1
    for no key update skip locked
  )
  returning l.fence, l.expires_at, l.slot, l.outcome, l.former_agent_id
    into _take_lock.fence, _take_lock.expires_at, _take_lock.slot, _take_lock.outcome,
      v_former;
  if found and (
    v_former is distinct from _take_lock.agent_id
    or agentdb._is_counted(_take_lock.fence)
  ) then
    perform agentdb._check_locks(_take_lock.agent_id);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._take_lock(name text, first_slot integer, last_slot integer, run_id bigint, agent_id bigint, ttl interval, max_hold interval, OUT fence bigint, OUT expires_at timestamp with time zone, OUT slot integer, OUT outcome text) IS 'Takes the first free or expired slot of a name, or returns NULL; raises ZA005.';



CREATE FUNCTION agentdb._take_otherwise(name text, first_slot integer, last_slot integer, given bigint, run_id bigint, agent_id bigint, ttl interval, max_hold interval, OUT fence bigint, OUT expires_at timestamp with time zone, OUT slot integer, OUT outcome text, OUT holder text) RETURNS record
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_now timestamptz := clock_timestamp();
begin
  if given is not null then
    select e.* into _take_otherwise.fence, _take_otherwise.expires_at,
      _take_otherwise.slot, _take_otherwise.outcome
    from agentdb._reenter_lock(name, given, run_id) as e;
    if _take_otherwise.fence is not null then
      return;
    end if;
  end if;
  select case when l.run_id is null then 'cooling' else 'held' end,
    r.label, l.expires_at
    into _take_otherwise.outcome, _take_otherwise.holder, _take_otherwise.expires_at
  from agentdb.lock as l
  left join agentdb.run as r on r.run_id = l.run_id
  where l.lock_name = _take_otherwise.name
    and l.slot between first_slot and last_slot
    and agentdb._is_live(l.expires_at, l.renewed_at, v_now)
  order by l.expires_at
  limit 1;
  if not found and agentdb._make_lock(name, first_slot, last_slot) > 0 then
    select t.* into _take_otherwise.fence, _take_otherwise.expires_at,
      _take_otherwise.slot, _take_otherwise.outcome
    from agentdb._take_lock(
      name, first_slot, last_slot, run_id, agent_id, ttl, max_hold) as t;
  end if;
  if _take_otherwise.fence is null then
    _take_otherwise.outcome := coalesce(_take_otherwise.outcome, 'busy');
    perform agentdb._count_denial(name, run_id, agent_id);
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._take_otherwise(name text, first_slot integer, last_slot integer, given bigint, run_id bigint, agent_id bigint, ttl interval, max_hold interval, OUT fence bigint, OUT expires_at timestamp with time zone, OUT slot integer, OUT outcome text, OUT holder text) IS 'Re-enters a lock, takes one whose name is new, or says what is in the way and counts the denial.';



CREATE FUNCTION agentdb._tell_groups(groups bigint[]) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_at timestamptz := clock_timestamp();
  v_made bigint;
begin
  perform from agentdb.notification as n
  where n.alert_group_id = any (groups)
    and n.state = 'queued' and n.attempt = 0
  for update;
  perform agentdb._look(groups, v_at);
  perform agentdb._withdraw_messages(groups, v_at);
  v_made := agentdb._write_messages(groups, v_at);
  perform agentdb._settle_members(groups, v_at);
  -- Only runners listen, and no agent can call this.
  if v_made > 0 then
    perform pg_notify('agentdb_notification', '');
  end if;
  return v_made;
end;
$$;



COMMENT ON FUNCTION agentdb._tell_groups(groups bigint[]) IS 'Tells the receivers of locked groups what changed, and returns how many messages that made.';



CREATE FUNCTION agentdb._tellable(group_id bigint, kind text) RETURNS TABLE(alert_id bigint, reason text)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT m.alert_id,
     m.reason
    FROM agentdb.group_alert m
   WHERE ((m.alert_group_id = _tellable.group_id) AND
         CASE _tellable.kind
             WHEN 'firing'::text THEN ((m.state = 'firing'::text) OR ((m.state = 'gone'::text) AND (NOT (EXISTS ( SELECT
                FROM agentdb.group_alert o
               WHERE ((o.alert_group_id = _tellable.group_id) AND (o.state = 'firing'::text)))))))
             WHEN 'resolved'::text THEN (m.state = ANY (ARRAY['resolved'::text, 'gone'::text]))
             ELSE (m.state = _tellable.kind)
         END);
END;



COMMENT ON FUNCTION agentdb._tellable(group_id bigint, kind text) IS 'The alerts of a group that a message of a kind is about.';



CREATE FUNCTION agentdb._tenure(as_of timestamp with time zone) RETURNS TABLE(lock_name text, slot integer, fence bigint, agent_id bigint, run_id bigint, acquired_at timestamp with time zone, expires_at timestamp with time zone, renewals integer)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT l.lock_name,
     l.slot,
     l.fence,
     l.agent_id,
     l.run_id,
     l.acquired_at,
     l.expires_at,
     l.renewals
    FROM agentdb.lock l
   WHERE ((l.run_id IS NOT NULL) AND (l.acquired_at <= _tenure.as_of))
 UNION ALL
  SELECT h.lock_name,
     h.slot,
     h.fence,
     h.agent_id,
     h.run_id,
     h.acquired_at,
     h.expires_at,
     h.renewals
    FROM agentdb.lock_log h
   WHERE ((h.acquired_at <= _tenure.as_of) AND (h.recorded_at > _tenure.as_of));
END;



COMMENT ON FUNCTION agentdb._tenure(as_of timestamp with time zone) IS 'The locks that were held, or expired and not released, at a moment.';



CREATE FUNCTION agentdb._texts_in(args jsonb) RETURNS text[]
    LANGUAGE sql IMMUTABLE
    RETURN ARRAY(SELECT (v.value #>> '{}'::text[]) FROM jsonb_path_query(_texts_in.args, '$.**'::jsonpath) WITH ORDINALITY v(value, place) WHERE ((jsonb_typeof(v.value) = 'string'::text) AND ((length((v.value #>> '{}'::text[])) >= 6) AND (length((v.value #>> '{}'::text[])) <= 20000)) AND ((v.value #>> '{}'::text[]) ~ '[[:space:]]'::text)) ORDER BY v.place LIMIT 5);



COMMENT ON FUNCTION agentdb._texts_in(args jsonb) IS 'Up to five texts of several words in the arguments of a call.';



CREATE FUNCTION agentdb._weight(input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, cached_weight double precision, output_weight double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (((input_tokens)::double precision + (cached_weight * (cached_input_tokens)::double precision)) + (output_weight * (output_tokens)::double precision));



COMMENT ON FUNCTION agentdb._weight(input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, cached_weight double precision, output_weight double precision) IS 'Tokens as they are paid for, in uncached input tokens.';



CREATE FUNCTION agentdb._token_use(as_of timestamp with time zone, literal boolean) RETURNS TABLE(agent_id bigint, tokens_per_hour double precision, tokens_in_window double precision, input_in_window bigint)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 WITH agent AS MATERIALIZED (
          SELECT a.agent_id,
             p.token_rate_window,
             p.cached_input_weight,
             p.output_weight
            FROM (agentdb.agent a
              JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
           WHERE ((NOT _token_use.literal) OR (p.token_rate_factor IS NOT NULL))
         )
  SELECT t.agent_id,
     sum(t.tokens) FILTER (WHERE (t.recorded_at > (_token_use.as_of - '01:00:00'::interval))) AS sum,
     COALESCE(sum(t.tokens) FILTER (WHERE (t.recorded_at > (_token_use.as_of - t.token_rate_window))), (0)::double precision) AS "coalesce",
     COALESCE(sum(t.input) FILTER (WHERE (t.recorded_at > (_token_use.as_of - t.token_rate_window))), (0)::numeric) AS "coalesce"
    FROM ( SELECT l.agent_id,
             l.recorded_at,
             a.token_rate_window,
             (l.input_tokens + l.cached_input_tokens) AS input,
             agentdb._weight(l.input_tokens, l.cached_input_tokens, l.output_tokens, a.cached_input_weight, a.output_weight) AS tokens
            FROM (agentdb.token_log l
              JOIN agent a ON ((a.agent_id = l.agent_id)))
           WHERE ((l.recorded_at <= _token_use.as_of) AND (l.recorded_at > (_token_use.as_of - ( SELECT GREATEST(max(w.token_rate_window), '01:00:00'::interval) AS "greatest"
                    FROM agentdb.policy w))))) t
   GROUP BY t.agent_id;
END;



COMMENT ON FUNCTION agentdb._token_use(as_of timestamp with time zone, literal boolean) IS 'The weighted tokens of each agent, or only of those with a token_rate_factor, in the hour and in the policy window before a moment, and its input in the window.';



CREATE FUNCTION agentdb._told_summary(alert agentdb.alert, kind text) RETURNS text
    LANGUAGE sql STABLE
    RETURN CASE kind WHEN 'resolved'::text THEN concat((alert).rule_name, ' is over', (' after '::text || agentdb._span(agentdb._lasted(alert))), (': '::text || (alert).end_reason)) ELSE COALESCE(((alert).annotations ->> 'summary'::text), (alert).rule_name) END;



COMMENT ON FUNCTION agentdb._told_summary(alert agentdb.alert, kind text) IS 'One sentence about an alert: what is wrong or, once it is over, what ended it.';



CREATE FUNCTION agentdb._touch_alerts(rule_name text, instances jsonb, at timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with instance as materialized (
    select i.*
    from agentdb._instance(_touch_alerts.rule_name, _touch_alerts.instances) as i
  ),
  known as (
    update agentdb.alert as a
    set annotations = i.annotations,
        value = i.value,
        severity = i.severity,
        seen_at = _touch_alerts.at,
        -- One that got worse is told to those who hear of nothing milder.
        flush = a.flush or a.state = 'firing' and agentdb._severity_rank(i.severity)
          > agentdb._severity_rank(a.severity),
        state = case when a.state = 'resolved' and not agentdb._is_dismissed(
          a.state, a.dismissed_severity, i.severity) then 'pending' else a.state end,
        episode = a.episode + (a.state = 'resolved' and not agentdb._is_dismissed(
          a.state, a.dismissed_severity, i.severity))::integer,
        active_at = case when a.state = 'resolved' and not agentdb._is_dismissed(
          a.state, a.dismissed_severity, i.severity)
          then _touch_alerts.at else a.active_at end,
        firing_at = case when a.state <> 'resolved' or agentdb._is_dismissed(
          a.state, a.dismissed_severity, i.severity) then a.firing_at end,
        resolved_at = case when agentdb._is_dismissed(
          a.state, a.dismissed_severity, i.severity) then a.resolved_at end,
        dismissed_severity = case when agentdb._is_dismissed(
          a.state, a.dismissed_severity, i.severity) then a.dismissed_severity end
    from instance as i
    where a.rule_name = _touch_alerts.rule_name
      and a.fingerprint = i.fingerprint
    returning a.fingerprint
  )
  insert into agentdb.alert (
    rule_name, fingerprint, labels, annotations, value, severity, state, active_at,
    seen_at
  )
  select
    _touch_alerts.rule_name, i.fingerprint, i.labels, i.annotations, i.value,
    i.severity, 'pending', _touch_alerts.at, _touch_alerts.at
  from instance as i
  where i.fingerprint not in (select k.fingerprint from known as k);
$$;



COMMENT ON FUNCTION agentdb._touch_alerts(rule_name text, instances jsonb, at timestamp with time zone) IS 'Marks the alerts of a rule as seen now; new ones and resolved ones begin an episode as pending.';



CREATE FUNCTION agentdb._truncate_sql(target integer, table_oid oid) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
  select replace(
    agentdb._capture_sql(target, 'DELETE', '$1, $2, session_user, $3, $4, $5, $6, $7',
      format('only %s', table_oid::regclass)),
    '''delete'', ', '''truncate'', ');
$_$;



COMMENT ON FUNCTION agentdb._truncate_sql(target integer, table_oid oid) IS 'SQL text: records all rows of a table as removed.';



CREATE FUNCTION agentdb._try(change bigint, as_applier boolean) RETURNS TABLE(effects jsonb, problem jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if as_applier then
    return query select * from agentdb._try_as_applier(change);
  else
    return query
      select a.effects, a.problem
      from agentdb._attempt(change, '{}', false, false, null) as a;
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._try(change bigint, as_applier boolean) IS 'Tries a change and rolls back, as agentdb_applier or with the rights of the caller.';



CREATE FUNCTION agentdb._try_as_applier(change bigint) RETURNS TABLE(effects jsonb, problem jsonb)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return query
    select a.effects, a.problem
    from agentdb._attempt(change, '{}', true, false, null) as a;
end;
$$;



COMMENT ON FUNCTION agentdb._try_as_applier(change bigint) IS 'Tries a change on guarded tables.';



CREATE FUNCTION agentdb._types_of(table_oid oid) RETURNS SETOF oid
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 WITH RECURSIVE part(oid) AS (
          SELECT a.atttypid
            FROM pg_attribute a
           WHERE ((a.attrelid = _types_of.table_oid) AND (a.attnum > 0) AND (NOT a.attisdropped))
         UNION
          SELECT s.oid
            FROM ((part p_1
              JOIN pg_type t ON ((t.oid = p_1.oid)))
              CROSS JOIN LATERAL ( SELECT t.typbasetype
                 UNION ALL
                  SELECT t.typelem
                 UNION ALL
                  SELECT a.atttypid
                    FROM pg_attribute a
                   WHERE ((a.attrelid = t.typrelid) AND (a.attnum > 0) AND (NOT a.attisdropped))
                 UNION ALL
                  SELECT r.rngsubtype
                    FROM pg_range r
                   WHERE ((t.oid = r.rngtypid) OR (t.oid = r.rngmultitypid))) s(oid))
           WHERE (s.oid <> (0)::oid)
         )
  SELECT p.oid
    FROM part p;
END;



COMMENT ON FUNCTION agentdb._types_of(table_oid oid) IS 'All types that the values of a table are made of.';



CREATE FUNCTION agentdb._unacknowledge(alerts bigint[]) RETURNS bigint[]
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_alerts bigint[];
begin
  perform from agentdb.alert as a
  where a.alert_id = any (alerts) order by a.alert_id for no key update;
  with given_back as (
    update agentdb.alert as a
    set acknowledged_at = null,
        acknowledged_by = null,
        acknowledged_until = null,
        acknowledge_comment = null
    where a.alert_id = any (alerts)
      and a.acknowledged_at is not null
    returning a.*
  ),
  logged as (
    insert into agentdb.alert_log (
      alert_id, rule_name, from_state, to_state, episode, value
    )
    select a.alert_id, a.rule_name, 'acknowledged', a.state, a.episode, a.value
    from given_back as a
  )
  select coalesce(array_agg(a.alert_id), '{}') into v_alerts from given_back as a;
  perform agentdb._wake_groups(v_alerts, clock_timestamp());
  return v_alerts;
end;
$$;



COMMENT ON FUNCTION agentdb._unacknowledge(alerts bigint[]) IS 'Takes acknowledgements back and returns the alerts that had one.';



CREATE FUNCTION agentdb._unapplied(run bigint, relation text) RETURNS jsonb
    LANGUAGE sql STABLE
    RETURN (SELECT jsonb_object_agg(c.change_id, concat_ws(': '::text, c.state, (c.problem ->> 'message'::text))) AS jsonb_object_agg FROM (agentdb.change c JOIN agentdb.change_table t ON (((t.change_id = c.change_id) AND (t.table_name = _unapplied.relation)))) WHERE ((c.run_id = _unapplied.run) AND (c.kind = 'stage'::text) AND (c.state = ANY (ARRAY['rejected'::text, 'withdrawn'::text, 'expired'::text, 'conflict'::text]))));



COMMENT ON FUNCTION agentdb._unapplied(run bigint, relation text) IS 'The changes of a run to a table that came to nothing, and why.';



CREATE FUNCTION agentdb._undo(scope text, id text, reason text, on_conflict text) RETURNS TABLE(change_id bigint, state text, row_count integer, effects jsonb, conflicts jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
declare
  v_guarded boolean;
  v_end record;
begin
  if on_conflict is null or on_conflict not in ('refuse', 'skip', 'override')
    or id is null then
    perform agentdb._refuse('on_conflict is refuse, skip or override, and what to undo '
      'is named', 'select * from agentdb.undo_run(12, on_conflict => ''skip'');');
  end if;
  change_id := agentdb._plan_undo(scope, id, reason);
  v_guarded := agentdb._all_guarded(change_id);
  select a.* into v_end from agentdb._try(change_id, v_guarded) as a;
  if v_end.problem ->> 'sqlstate' ~ '^(ZA052|23...)$' then
    conflicts := agentdb._resolve(change_id, on_conflict, v_guarded);
    if conflicts = '[]' then
      select a.* into v_end from agentdb._try(change_id, v_guarded) as a;
    end if;
  end if;
  if v_end.problem is null and on_conflict <> 'override'
    and agentdb._is_wider(change_id, v_end.effects) then
    v_end.problem := jsonb_build_object('conflict', 'it would delete rows that others '
      'have added since', 'effects', v_end.effects);
    conflicts := jsonb_build_array(v_end.problem);
  end if;
  conflicts := nullif(conflicts, '[]');
  if v_end.problem is not null and conflicts is null then
    conflicts := jsonb_build_array(v_end.problem);
  end if;
  if conflicts is null then
    perform agentdb._finish_undo(change_id, v_end.effects);
  else
    perform agentdb.withdraw_change(change_id);
  end if;
  return query
    select s.change_id, case when _undo.conflicts is null then s.state else 'conflict'
      end, s.row_count, s.effects, _undo.conflicts
    from agentdb.show_change(_undo.change_id) as s;
end;
$_$;



COMMENT ON FUNCTION agentdb._undo(scope text, id text, reason text, on_conflict text) IS 'Makes and tries the change that takes something back.';



CREATE FUNCTION agentdb._undo_fault(change bigint) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with used as materialized (
    select distinct r.audit_target_id, r.operation, k.name
    from agentdb.change_row as r
    cross join lateral jsonb_object_keys(coalesce(r.new_values, r.expected)) as k (name)
    where r.change_id = change
  )
  select string_agg(distinct f.fault, '; ')
  from (
    select format('column %I of %s is not there any more', u.name, t.table_name)
      as fault
    from used as u
    join agentdb.audit_target as t on t.audit_target_id = u.audit_target_id
    where not exists (
      select from agentdb.change_column as c
      where c.audit_target_id = u.audit_target_id and c.column_name = u.name)
    union all
    select format('what %I of %s was is not recorded', c.column_name, t.table_name)
    from used as u
    join agentdb.audit_target as t on t.audit_target_id = u.audit_target_id
    join agentdb.change_column as c
      on c.audit_target_id = u.audit_target_id and c.hidden
    where u.operation = 'insert' or u.operation = 'update' and u.name = c.column_name
  ) as f;
$$;



COMMENT ON FUNCTION agentdb._undo_fault(change bigint) IS 'Why what was recorded does not suffice to take it back; NULL where it does.';



CREATE FUNCTION agentdb._undone(scope text, id text) RETURNS TABLE(audit_log_id bigint, recorded_at timestamp with time zone)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  if scope = 'audit' then
    return query
      select l.audit_log_id, l.recorded_at
      from agentdb.audit_log as l where l.audit_log_id = id::bigint;
  elsif scope = 'xid' then
    return query
      select l.audit_log_id, l.recorded_at
      from agentdb.audit_log as l where l.xid = id::xid8;
  elsif scope = 'run' then
    return query
      select l.audit_log_id, l.recorded_at
      from agentdb.audit_log as l where l.run_id = id::bigint;
  elsif scope = 'change' then
    return query
      select l.audit_log_id, l.recorded_at
      from agentdb.audit_log as l where l.change_id = id::bigint;
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb._undone(scope text, id text) IS 'The rows of the audit that an undo takes back.';



CREATE FUNCTION agentdb._used_columns(change bigint, target integer) RETURNS TABLE(column_name text)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select k.name
  from agentdb.change_row as r
  cross join lateral jsonb_object_keys(
    r.row_key || coalesce(r.new_values, '{}') || coalesce(r.expected, '{}'))
    as k (name)
  where r.change_id = change and r.audit_target_id = target
  union
  -- A key that has grown is another one.
  select c.column_name from agentdb.change_column as c
  where c.audit_target_id = target and c.key_place is not null
  union
  select k.name
  from agentdb.change_table as t
  cross join lateral (
    select jsonb_object_keys(t.columns)
    union all
    select c.column_name from agentdb.change_column as c
    where c.audit_target_id = target and c.default_expression is not null
  ) as k (name)
  where t.change_id = change
    and t.audit_target_id = target
    and exists (
      select from agentdb.change_row as r
      where r.change_id = change
        and r.audit_target_id = target
        and r.operation = 'insert');
$$;



COMMENT ON FUNCTION agentdb._used_columns(change bigint, target integer) IS 'The columns of a table that have a part in what a change does to it.';



CREATE FUNCTION agentdb._utc(at timestamp with time zone) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN (to_char((at AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD HH24:MI:SS'::text) || ' UTC'::text);



COMMENT ON FUNCTION agentdb._utc(at timestamp with time zone) IS 'A moment as people read it, whatever the time zone of the session.';



CREATE FUNCTION agentdb._verify_rows(run bigint) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  perform agentdb._give_verdict(c.claim_id, v.verdict, v.evidence)
  from (
    select o.claim_id from agentdb.claim as o
    where o.state = 'pending' and o.kind = 'rows'
      and o.run_id = _verify_rows.run
      and not agentdb._awaits_decision(
        o.run_id, o.target, o.claimed_at, clock_timestamp())
    order by o.claim_id
    limit 1000
    for no key update skip locked
  ) as c
  join agentdb._row_verdicts(_verify_rows.run) as v on v.claim_id = c.claim_id;
  return (
    select count(*) from agentdb.claim as c
    where c.run_id = _verify_rows.run and c.state = 'pending'
  );
end;
$$;



COMMENT ON FUNCTION agentdb._verify_rows(run bigint) IS 'Decides the pending claims of a run about rows, but for those that wait for a change to be decided; returns how many claims are left.';



CREATE FUNCTION agentdb._waiters(name text) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  return (
    select count(*) from agentdb.lock_waiter as w
    where w.lock_name = name and w.until_at > clock_timestamp()
  );
end;
$$;



COMMENT ON FUNCTION agentdb._waiters(name text) IS 'How many runs wait for a lock.';



CREATE SEQUENCE agentdb.lock_wait_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;



COMMENT ON SEQUENCE agentdb.lock_wait_seq IS 'Until when a run can wait that last began to wait for any lock, as a fence.';



CREATE FUNCTION agentdb._waiting(name text, fence bigint) RETURNS bigint
    LANGUAGE sql
    RETURN CASE WHEN (pg_sequence_last_value('agentdb.lock_wait_seq'::regclass) > fence) THEN agentdb._waiters(name) ELSE (0)::bigint END;



COMMENT ON FUNCTION agentdb._waiting(name text, fence bigint) IS 'How many runs wait for a lock that was held under a fence; inlined into what asks.';



CREATE FUNCTION agentdb._wake_groups(alerts bigint[], at timestamp with time zone) RETURNS bigint[]
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with mine as (
    select g.alert_group_id
    from agentdb.alert_group as g
    where g.alert_group_id in (
      select m.alert_group_id from agentdb.group_alert as m
      where m.alert_id = any (alerts))
    order by g.alert_group_id
    for update
  ),
  woken as (
    update agentdb.alert_group as g
    set look_at = least(g.look_at, greatest(g.open_at, _wake_groups.at))
    from mine as m
    where g.alert_group_id = m.alert_group_id
    returning g.alert_group_id
  )
  select coalesce(array_agg(g.alert_group_id order by g.alert_group_id), '{}')
  from woken as w
  join agentdb.alert_group as g on g.alert_group_id = w.alert_group_id
  join agentdb.receiver as r on r.receiver_name = g.receiver_name and r.enabled;
$$;



COMMENT ON FUNCTION agentdb._wake_groups(alerts bigint[], at timestamp with time zone) IS 'Has the groups of alerts looked at as soon as they are open to changes and locks them; returns those of enabled receivers.';



CREATE FUNCTION agentdb._withdraw_changes(agent bigint, run bigint) RETURNS bigint
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_count bigint;
begin
  update agentdb.change as c
  set state = 'withdrawn',
      closed_at = clock_timestamp(),
      problem = jsonb_build_object('message', 'its run was killed')
  where c.change_id in (
    select o.change_id from agentdb.change as o
    where o.state in ('open', 'pending', 'approved')
      and o.agent_id = agent
      and (run is null or o.run_id = run)
    for no key update skip locked
  );
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;



COMMENT ON FUNCTION agentdb._withdraw_changes(agent bigint, run bigint) IS 'Withdraws the undecided changes of a run, or of all runs of an agent, and returns how many.';



CREATE FUNCTION agentdb._withdraw_messages(groups bigint[], at timestamp with time zone) RETURNS void
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with needless as materialized (
    select c.alert_group_id, n.notification_id, n.former
    from agentdb._group_count(groups) as c
    join agentdb.notification as n on n.notification_id = c.waiting
    where c.firing = 0
      and c.gone = 0
      and c.acknowledged + c.silenced > 0
  ),
  cancelled as (
    update agentdb.notification as n
    set state = 'cancelled',
        finished_at = _withdraw_messages.at
    from needless as d
    where n.notification_id = d.notification_id
  ),
  former as (
    update agentdb.alert_group as g
    set told = d.former
    from needless as d
    where g.alert_group_id = d.alert_group_id
  )
  update agentdb.group_alert as m
  set told = null
  from needless as d
  where m.alert_group_id = d.alert_group_id
    and coalesce(d.former, 'resolved') = 'resolved';
$$;



COMMENT ON FUNCTION agentdb._withdraw_messages(groups bigint[], at timestamp with time zone) IS 'Cancels what nobody has begun to send of groups that are acknowledged or silenced.';



CREATE FUNCTION agentdb._within(first_at timestamp with time zone, last_at timestamp with time zone) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN ((last_at - first_at) < '00:00:01'::interval) THEN 'less than 1 s'::text ELSE agentdb._span((last_at - first_at)) END;



COMMENT ON FUNCTION agentdb._within(first_at timestamp with time zone, last_at timestamp with time zone) IS 'How long it was from the first event to the last, as people say it.';



CREATE FUNCTION agentdb._worst(group_id bigint, kind text) RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
  select jsonb_agg(jsonb_build_object(
    'alert', w.alert_id,
    'rule', w.rule_name,
    'severity', w.severity,
    'labels', agentdb._bounded_json(w.labels, 500),
    'summary', left(agentdb._told_summary(p.alert, kind), 200),
    'since', to_char(
      coalesce(w.firing_at, w.active_at), 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
  ) order by p.place)
  from (
    select a as alert, row_number() over (
      order by agentdb._severity_rank(a.severity) desc, a.value desc nulls last,
        a.alert_id) as place
    from agentdb._tellable(group_id, kind) as t
    join agentdb.alert as a on a.alert_id = t.alert_id
    order by place
    limit 5
  ) as p
  cross join lateral (select (p.alert).*) as w;
$$;



COMMENT ON FUNCTION agentdb._worst(group_id bigint, kind text) IS 'The five worst alerts of a group, in short.';



CREATE FUNCTION agentdb._write_messages(groups bigint[], at timestamp with time zone) RETURNS bigint
    LANGUAGE sql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with change as materialized (
    select c.* from agentdb._group_change(groups, _write_messages.at) as c
  ),
  rewritten as (
    update agentdb.notification as n
    set payload = agentdb._group_payload(g, 'firing')
    from change as c
    join agentdb.alert_group as g on g.alert_group_id = c.alert_group_id
    where n.notification_id = c.waiting
      and c.kinds = '{firing}'
    returning 1
  ),
  made as (
    insert into agentdb.notification (
      alert_group_id, alert_id, generation, kind, former, receiver_name, payload
    )
    select g.alert_group_id, g.alert_id, g.generation + k.place, k.kind,
      coalesce(c.kinds[k.place - 1], g.told), g.receiver_name,
      agentdb._group_payload(g, k.kind)
    from change as c
    join agentdb.alert_group as g on g.alert_group_id = c.alert_group_id
    join agentdb.receiver as e on e.receiver_name = g.receiver_name
    cross join lateral unnest(c.kinds) with ordinality as k (kind, place)
    where (k.kind <> 'resolved' or e.send_resolved)
      and (c.waiting is null or c.kinds <> '{firing}')
    order by g.alert_group_id, k.place
    returning 1
  ),
  told as (
    update agentdb.alert_group as g
    set told = coalesce(c.kinds[cardinality(c.kinds)], g.told),
        told_at = case c.kinds when '{}' then g.told_at else _write_messages.at end,
        generation = g.generation + cardinality(c.kinds),
        open_at = case when c.kinds && '{firing, resolved}'
          then _write_messages.at + c.group_interval else g.open_at end,
        look_at = c.look_at
    from change as c
    where g.alert_group_id = c.alert_group_id
  )
  select (select count(*) from made) + (select count(*) from rewritten);
$$;



COMMENT ON FUNCTION agentdb._write_messages(groups bigint[], at timestamp with time zone) IS 'Puts what has to be told of groups into the outbox, or into the message that waits there; returns how many.';



CREATE FUNCTION agentdb._writer(OUT agent_id bigint, OUT run_id bigint, OUT change_id bigint) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_bound bigint;
begin
  if current_setting('agentdb.applying', true) <> '' then
    select c.agent_id, c.run_id, c.change_id
      into _writer.agent_id, _writer.run_id, _writer.change_id
    from agentdb._applied_change() as c;
    if change_id is not null then
      return;
    end if;
  end if;
  if current_setting('agentdb.run_token', true) <> '' then
    v_bound := agentdb._bound_run();
    select case when r.ended_at is null then r.run_id end, r.agent_id
      into _writer.run_id, _writer.agent_id
    from agentdb.run as r
    where r.run_id = v_bound and r.role_name = session_user;
    if found then
      perform agentdb._check_write(v_bound, _writer.agent_id);
      return;
    end if;
  end if;
  select min(a.agent_id), case when count(r.run_id) = 1 then min(r.run_id) end
    into _writer.agent_id, _writer.run_id
  from agentdb.agent as a
  left join agentdb.run as r
    on r.role_name = session_user
    and r.agent_id = a.agent_id
    and r.ended_at is null
  where a.role_name = session_user and not a.pooled;
  perform agentdb._check_write(_writer.run_id, _writer.agent_id);
end;
$$;



COMMENT ON FUNCTION agentdb._writer(OUT agent_id bigint, OUT run_id bigint, OUT change_id bigint) IS 'Who writes: the proposer of the change that is being applied, else the session''s agent, and its run by the bound token or because it is the only open one; refuses a stopped run, see _check_write().';



CREATE FUNCTION agentdb._writes(writes jsonb, relation text, operation text) RETURNS boolean
    LANGUAGE sql IMMUTABLE
    RETURN (EXISTS (SELECT FROM jsonb_array_elements(_writes.writes) w(item) WHERE (((w.item ->> 'table'::text) = ANY (ARRAY[_writes.relation, split_part(_writes.relation, '.'::text, 2)])) AND (COALESCE((w.item ->> 'operation'::text), _writes.operation) = _writes.operation))));



COMMENT ON FUNCTION agentdb._writes(writes jsonb, relation text, operation text) IS 'Tells whether a tool is registered as doing this to a table.';



CREATE FUNCTION agentdb._written() RETURNS jsonb
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select coalesce(jsonb_object_agg(w.what, w.count), '{}')
  from (
    select format('%s %s', agentdb._table_name(coalesce(pg_partition_root(c.oid),
        c.oid)), o.operation) as what, sum(o.count) as count
    from pg_class as c
    cross join lateral (values
      ('inserted', pg_stat_get_xact_tuples_inserted(c.oid)),
      ('updated', pg_stat_get_xact_tuples_updated(c.oid)),
      ('deleted', pg_stat_get_xact_tuples_deleted(c.oid))
    ) as o (operation, count)
    where c.relkind = 'r'
      and c.relnamespace not in ('agentdb'::regnamespace, 'pg_catalog'::regnamespace)
      and o.count > 0
    group by 1
  ) as w;
$$;



COMMENT ON FUNCTION agentdb._written() IS 'How many rows of which tables the transaction has written so far.';



CREATE FUNCTION agentdb.acknowledge_alert(alert bigint, comment text, lasts interval DEFAULT NULL::interval) RETURNS TABLE(alert_id bigint, acknowledged_until timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '5s'
    AS $$
begin
  if agentdb._acknowledge(array[alert], comment, lasts) = '{}' then
    perform agentdb._refuse_alert('alert A-' || coalesce(alert::text, 'NULL'),
      agentdb._how_ended(alert));
  end if;
  return query
    select a.alert_id, a.acknowledged_until
    from agentdb.alert as a where a.alert_id = alert;
end;
$$;



COMMENT ON FUNCTION agentdb.acknowledge_alert(alert bigint, comment text, lasts interval) IS 'Says that the caller sees to an alert: nobody is told again or escalated to until it is resolved, or for so long; raises ZA004 or ZA075.';



CREATE FUNCTION agentdb.acknowledge_group(alert_group bigint, comment text, lasts interval DEFAULT NULL::interval) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '5s'
    AS $$
declare
  v_alerts bigint[] := agentdb._acknowledge(
    agentdb._members(alert_group), comment, lasts);
begin
  if v_alerts = '{}' then
    perform agentdb._refuse_alert(
      'group G-' || coalesce(alert_group::text, 'NULL'), null);
  end if;
  return cardinality(v_alerts);
end;
$$;



COMMENT ON FUNCTION agentdb.acknowledge_group(alert_group bigint, comment text, lasts interval) IS 'Acknowledges all alerts of a group that fire now and returns how many; raises ZA004 or ZA075.';



CREATE FUNCTION agentdb.acquire_lock(name text, ttl interval DEFAULT '00:15:00'::interval, max_hold interval DEFAULT NULL::interval, fence bigint DEFAULT NULL::bigint, run bigint DEFAULT NULL::bigint) RETURNS agentdb.acquired_lock
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_now timestamptz := clock_timestamp();
  v_run_id bigint;
  v_agent_id bigint;
  v_stop_seen bigint;
  v_label text;
  v_max_ttl interval;
  v_strict boolean;
  v_lock agentdb.acquired_lock;
begin
  select n.run_id, n.agent_id, n.stop_seen, n.label, n.lock_max_ttl,
    n.renew_needs_progress
    into v_run_id, v_agent_id, v_stop_seen, v_label, v_max_ttl, v_strict
  from agentdb._newest_run() as n;
  if run is null and max_hold is null and ttl > '0' and ttl <= v_max_ttl then
    update agentdb.lock as l
    set fence = agentdb._next_fence(l.fence, 0, v_now), run_id = v_run_id,
        role_name = session_user, stop_seen = v_stop_seen,
        acquired_at = clock_timestamp(), renewed_at = v_now,
        expires_at = v_now + agentdb._exact_span(ttl), hold_until = 'infinity',
        renewals = 0, depth = 1, reason = null, outcome = 'acquired'
    where l.lock_name = name
      and l.slot = 0
      and l.run_id is null
      and l.agent_id is not distinct from v_agent_id
      and l.expires_at <= v_now
      and l.xmax = 0
      and agentdb._is_unstopped(v_stop_seen)
    returning true, l.fence, l.expires_at, ceil(date_part('epoch', ttl) * 1000),
      v_label, l.outcome
      into v_lock;
    if not agentdb._is_counted(v_lock.fence) then
      return v_lock;
    elsif found then
      perform agentdb._check_locks(v_agent_id);
      return v_lock;
    end if;
  end if;
  return agentdb._acquire_otherwise(name, ttl, max_hold, acquire_lock.fence, run);
end;
$$;



COMMENT ON FUNCTION agentdb.acquire_lock(name text, ttl interval, max_hold interval, fence bigint, run bigint) IS 'Takes a lock for the run, or says who holds it; fence => re-enters the run''s own; raises ZA001, ZA003, ZA004 or ZA005, never for a held lock.';



CREATE FUNCTION agentdb.acquire_slot(OUT acquired boolean, OUT slot integer, name text, slots integer, ttl interval DEFAULT '00:15:00'::interval, max_hold interval DEFAULT NULL::interval, INOUT fence bigint DEFAULT NULL::bigint, run bigint DEFAULT NULL::bigint, OUT expires_at timestamp with time zone, OUT ttl_ms bigint, OUT holder text, OUT outcome text) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
begin
  perform agentdb._check_slots(name, slots);
  select a.acquired, a.slot, a.fence, a.expires_at, a.ttl_ms, a.holder, a.outcome
    into acquire_slot.acquired, acquire_slot.slot, acquire_slot.fence,
      acquire_slot.expires_at, acquire_slot.ttl_ms, acquire_slot.holder,
      acquire_slot.outcome
  from agentdb._acquire(
    acquire_slot.name, 1, acquire_slot.slots, acquire_slot.ttl, acquire_slot.max_hold,
    acquire_slot.fence, acquire_slot.run) as a;
end;
$$;



COMMENT ON FUNCTION agentdb.acquire_slot(OUT acquired boolean, OUT slot integer, name text, slots integer, ttl interval, max_hold interval, INOUT fence bigint, run bigint, OUT expires_at timestamp with time zone, OUT ttl_ms bigint, OUT holder text, OUT outcome text) IS 'Takes one of the slots of a semaphore for the run; renew_lock and release_lock work on it as on a lock; raises ZA001, ZA003, ZA004 or ZA005.';



CREATE FUNCTION agentdb.advance_changes() RETURNS TABLE(change_id bigint, state text, problem text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  return query
    update agentdb.change as c
    set state = 'expired', closed_at = clock_timestamp()
    where c.change_id in (
      select o.change_id from agentdb.change as o
      where o.state in ('open', 'pending', 'approved')
        and o.expires_at <= clock_timestamp()
      for no key update skip locked
    )
    returning c.change_id, c.state, null::text;
  for advance_changes.change_id in
    select c.change_id
    from agentdb.change as c
    where c.state = 'approved'
      and c.apply <> 'hand'
      and not exists (
        select from agentdb.change as o
        where o.change_id = any (c.builds_on)
          and o.state in ('open', 'pending', 'approved'))
      and not exists (select from agentdb.run_stop as s where s.run_id = c.run_id)
    order by c.problem is not null, c.change_id
    limit 100
    for no key update skip locked
  loop
    -- All are committed together, before the runner's statement_timeout.
    exit when clock_timestamp() > statement_timestamp() + interval '10 seconds';
    problem := null;
    begin
      perform agentdb._apply(advance_changes.change_id);
    exception when others or query_canceled then
      problem := sqlerrm;
      update agentdb.change as c
      set problem = jsonb_build_object('sqlstate', sqlstate, 'message', sqlerrm)
      where c.change_id = advance_changes.change_id;
    end;
    select c.state, coalesce(advance_changes.problem, c.problem ->> 'message')
      into advance_changes.state, advance_changes.problem
    from agentdb.change as c where c.change_id = advance_changes.change_id;
    return next;
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb.advance_changes() IS 'Ends changes that have expired and applies approved ones that wait for the runner, which calls it.';



CREATE FUNCTION agentdb.answer_of(question bigint, run bigint DEFAULT NULL::bigint) RETURNS TABLE(question_id bigint, state text, answer text, comment text, answered_by name, answered_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent bigint;
begin
  select c.agent_id into v_agent from agentdb._current_run(run) as c;
  return query
    select q.question_id, s.state, q.answer, q.comment, q.answered_by, q.answered_at
    from agentdb.question as q
    join agentdb.run as r on r.run_id = q.run_id
    cross join lateral (
      select case
        when q.answer is not null then 'answered'
        when r.ended_at is not null then 'closed'
        else 'open'
      end as state
    ) as s
    where q.question_id = answer_of.question
      and q.agent_id = v_agent;
  if not found then
    raise exception 'there is no question % of this agent',
        coalesce(question::text, 'NULL')
      using errcode = 'ZA006', hint = 'Use the question_id that ask_human() returned.';
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb.answer_of(question bigint, run bigint) IS 'The state of a question of the agent (open, answered, or closed with its run) and the answer; raises ZA001, ZA003 or ZA006.';



CREATE FUNCTION agentdb.answer_question(question bigint, answer text, comment text DEFAULT NULL::text) RETURNS TABLE(question_id bigint, run_id bigint, agent_name text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_question agentdb.question;
  v_ended timestamptz;
begin
  if agentdb._is_agent() then
    raise exception 'an agent does not answer questions'
      using errcode = 'ZA055', hint = 'A person answers, as agentdb_operator or '
        'agentdb_reviewer.';
  end if;
  perform agentdb._check_said(answer, 'answer');
  if comment is not null then
    perform agentdb._check_said(comment, 'comment');
  end if;
  select q.* into v_question
  from agentdb.question as q
  where q.question_id = answer_question.question for update;
  if not found then
    raise exception 'there is no question Q-%',
        coalesce(answer_question.question::text, 'NULL')
      using errcode = 'ZA006', hint = 'agentdb questions lists those that are open.';
  end if;
  select r.ended_at into v_ended
  from agentdb.run as r where r.run_id = v_question.run_id;
  if v_question.answer is not null or v_ended is not null then
    raise exception 'question Q-% is closed', v_question.question_id
      using errcode = 'ZA077',
            detail = coalesce(format('%s answered: %s', v_question.answered_by,
              v_question.answer), 'The run that asked has ended.'),
            hint = 'agentdb questions lists those that are open.';
  elsif answer <> all (v_question.options) then
    perform agentdb._refuse('the answer is none of the options',
      format('Choose one of: %s.', array_to_string(v_question.options, ', ')));
  end if;
  update agentdb.question as q
  set answer = answer_question.answer,
      comment = answer_question.comment,
      answered_by = session_user,
      answered_at = clock_timestamp()
  where q.question_id = v_question.question_id;
  return query
    select v_question.question_id, v_question.run_id, a.agent_name
    from agentdb.agent as a where a.agent_id = v_question.agent_id;
end;
$$;



COMMENT ON FUNCTION agentdb.answer_question(question bigint, answer text, comment text) IS 'Answers an agent''s question, once; raises ZA004, ZA006, ZA055 or ZA077.';



CREATE FUNCTION agentdb.apply_change(change bigint) RETURNS TABLE(change_id bigint, state text, effects jsonb, problem jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
begin
  if agentdb._all_guarded(change) then
    perform agentdb._apply(change);
  else
    perform agentdb._apply_as_caller(change);
  end if;
  return query
    select s.change_id, s.state, s.effects, s.problem
    from agentdb.show_change(change) as s;
end;
$$;



COMMENT ON FUNCTION agentdb.apply_change(change bigint) IS 'Applies an approved change: state applied, conflict with what is in the way, or approved where it waits for another; raises ZA006, ZA040, ZA041, ZA053 or ZA054.';



CREATE FUNCTION agentdb.approve_change(change bigint, digest text, comment text DEFAULT NULL::text) RETURNS TABLE(change_id bigint, state text, approvals_missing integer, effects jsonb, problem jsonb)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_apply text;
begin
  if agentdb._begin_decision(change, 'approve', digest, comment) then
    update agentdb.change as c
    set state = 'approved'
    where c.change_id = change
      and c.approvals <= (
        select count(*) from agentdb.change_decision as d
        where d.change_id = change
          and d.decision = 'approve'
          and d.digest = c.digest)
    returning c.apply into v_apply;
    if v_apply = 'approval' then
      perform agentdb._apply(change);
    end if;
  end if;
  return query
    select s.change_id, s.state, s.approvals_missing, s.effects, s.problem
    from agentdb.change_summary as s where s.change_id = change;
end;
$$;



COMMENT ON FUNCTION agentdb.approve_change(change bigint, digest text, comment text) IS 'Approves a change as it was seen, and applies it where that was the last approval: state pending, approved, applied, expired or conflict; raises ZA006, ZA040, ZA041, ZA053, ZA054 or ZA055.';



CREATE FUNCTION agentdb.ask_human(question text, options jsonb DEFAULT NULL::jsonb, urgency text DEFAULT 'normal'::text, run bigint DEFAULT NULL::bigint) RETURNS TABLE(question_id bigint, run_id bigint, hint text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_options text[];
  v_agent bigint;
begin
  select c.run_id, c.agent_id into ask_human.run_id, v_agent
  from agentdb._current_run(run) as c;
  perform agentdb._check_said(question, 'question');
  v_options := agentdb._check_options(options);
  if urgency is null or urgency not in ('low', 'normal', 'high') then
    perform agentdb._refuse(
      format('urgency must be low, normal or high, got %s',
        coalesce(quote_literal(agentdb._clean_text(urgency, 20)), 'NULL')),
      'high wakes somebody up; leave it out where an answer in working hours will do.');
  end if;
  perform agentdb._check_questions(v_agent);
  insert into agentdb.question as q (run_id, agent_id, question, options, urgency)
  values (ask_human.run_id, v_agent, ask_human.question, v_options, ask_human.urgency)
  returning q.question_id into ask_human.question_id;
  hint := format('People are told.  Do something else, or look in a minute: select '
    '* from agentdb.answer_of(question => %s);', ask_human.question_id);
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.ask_human(question text, options jsonb, urgency text, run bigint) IS 'Asks people, who are told through the receivers; answer_of() reads the answer; a run that waits is not taken for stuck for policy.max_question_wait; raises ZA001, ZA003, ZA004, ZA005, ZA040 or ZA041.';



CREATE FUNCTION agentdb.audit_table(relation regclass, exclude text[] DEFAULT '{}'::text[], redact text[] DEFAULT '{}'::text[], level text DEFAULT NULL::text, refuse_blast boolean DEFAULT false) RETURNS TABLE(table_name text, fires text, row_key text[])
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
declare
  v_target integer;
  v_child regclass;
begin
  perform agentdb._drop_triggers(relation);
  select r.target, r.chosen into v_target, audit_table.fires
  from agentdb._register_audit(
    relation, exclude, redact, audit_table.level, refuse_blast) as r;
  perform agentdb._create_triggers(relation, v_target, fires, refuse_blast);
  perform agentdb._grant_usage(relation);
  perform agentdb._end_audit(relation, false);
  select t.table_name, t.row_key into audit_table.table_name, audit_table.row_key
  from agentdb.audited_table as t where t.table_oid = relation::oid;
  return next;
  -- Each table of an inheritance tree holds rows of its own.
  for v_child in
    select i.inhrelid from pg_inherits as i
    join pg_class as c on c.oid = i.inhparent and c.relkind = 'r'
    where i.inhparent = relation::oid
  loop
    return query select *
      from agentdb.audit_table(v_child, exclude, redact, 'row', refuse_blast);
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb.audit_table(relation regclass, exclude text[], redact text[], level text, refuse_blast boolean) IS 'Records every change of a table from now on, without some columns or only that they changed; raises ZA004 or ZA030.';



CREATE FUNCTION agentdb.beat(runner_name text, loop text, host text, pid integer, version text, revision text DEFAULT NULL::text) RETURNS text
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
  insert into agentdb.runner as r (
    runner_name, host, pid, version, revision, evaluated_at, flushed_at, sent_at,
    listened_at, verified_at
  )
  values (
    beat.runner_name, beat.host, beat.pid, beat.version, beat.revision,
    case beat.loop when 'evaluate' then clock_timestamp() end,
    case beat.loop when 'flush' then clock_timestamp() end,
    case beat.loop when 'send' then clock_timestamp() end,
    case beat.loop when 'listen' then clock_timestamp() end,
    case beat.loop when 'verify' then clock_timestamp() end
  )
  on conflict on constraint runner_pkey do update
  set host = excluded.host,
      pid = excluded.pid,
      version = excluded.version,
      revision = excluded.revision,
      started_at = case when r.pid = excluded.pid and r.host = excluded.host
        then r.started_at else excluded.started_at end,
      evaluated_at = coalesce(excluded.evaluated_at, r.evaluated_at),
      flushed_at = coalesce(excluded.flushed_at, r.flushed_at),
      sent_at = coalesce(excluded.sent_at, r.sent_at),
      listened_at = coalesce(excluded.listened_at, r.listened_at),
      verified_at = coalesce(excluded.verified_at, r.verified_at);
  select a.version_num::text from agentdb.alembic_version as a;
$$;



COMMENT ON FUNCTION agentdb.beat(runner_name text, loop text, host text, pid integer, version text, revision text) IS 'Records a successful lap of a runner''s loop: evaluate, flush, send, verify or listen; returns the revision the database is at, which may be a later one than the runner knows.';



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



CREATE FUNCTION agentdb.begin_wait(name text, at_most interval DEFAULT '00:01:00'::interval, run bigint DEFAULT NULL::bigint) RETURNS TABLE(until_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_run_id bigint;
  v_agent_id bigint;
begin
  if not agentdb._is_clean_name(name, 200) then
    perform agentdb._refuse('this is no name for a lock',
      'Use 1 to 200 visible characters on one line.');
  elsif at_most is null or at_most <= '0' or at_most > '1 day' then
    perform agentdb._refuse(
      format('at_most must be between 0 and 1 day, got %s',
        coalesce(at_most::text, 'NULL')),
      'Give the longest time that you will wait.'
    );
  end if;
  select c.run_id, c.agent_id into v_run_id, v_agent_id
  from agentdb._current_run(begin_wait.run) as c;
  if (
    select count(*) from agentdb.lock_waiter as w where w.run_id = v_run_id
  ) >= 1000 then
    -- Who died while it waited never said so.
    delete from agentdb.lock_waiter as w
    where w.run_id = v_run_id and w.until_at < clock_timestamp();
    if not found then
      raise exception 'run % waits for 1000 locks already', v_run_id
        using errcode = 'ZA005',
              hint = format('select agentdb.end_wait(name => %L, run => %s);', (
                select min(w.lock_name) from agentdb.lock_waiter as w
                where w.run_id = v_run_id), v_run_id);
    end if;
  end if;
  perform setval('agentdb.lock_wait_seq',
    agentdb._next_fence(0, 0, clock_timestamp() + interval '1 day'));
  insert into agentdb.lock_waiter as w (lock_name, run_id, agent_id, until_at)
  values (begin_wait.name, v_run_id, v_agent_id, clock_timestamp() + at_most)
  on conflict on constraint lock_waiter_pkey do update
  set until_at = excluded.until_at
  returning w.until_at into begin_wait.until_at;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.begin_wait(name text, at_most interval, run bigint) IS 'Says that the run waits for a lock; wait_for_lock of the Python client does it; raises ZA001, ZA003, ZA004 or ZA005.';



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



CREATE FUNCTION agentdb.claim_command(name text, args jsonb DEFAULT '{}'::jsonb, within_time interval DEFAULT NULL::interval, run bigint DEFAULT NULL::bigint) RETURNS TABLE(claim_id bigint, state text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  return query
    select c.claim_id, c.state
    from agentdb._add_claim('command', name, args, within_time, run) as c;
end;
$$;



COMMENT ON FUNCTION agentdb.claim_command(name text, args jsonb, within_time interval, run bigint) IS 'Claims that a command which the operator registered succeeds; raises ZA001, ZA003, ZA004 or ZA005.';



CREATE FUNCTION agentdb.claim_custom(kind text, target text, expectation jsonb DEFAULT '{}'::jsonb, within_time interval DEFAULT NULL::interval, run bigint DEFAULT NULL::bigint) RETURNS TABLE(claim_id bigint, state text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $_$
begin
  if coalesce(kind, '') !~ '^[a-z][a-z0-9_-]{0,30}$'
    or kind in ('rows', 'file', 'http', 'message', 'command') then
    perform agentdb._refuse(
      format('%L is no kind for a claim of your own', agentdb._clean_text(kind, 100)),
      'Use the name of an installed verifier, or the call of its kind: claim_file, '
        'claim_rows, claim_http, claim_message, claim_command.');
  end if;
  return query
    select c.claim_id, c.state
    from agentdb._add_claim(kind, target, expectation, within_time, run) as c;
end;
$_$;



COMMENT ON FUNCTION agentdb.claim_custom(kind text, target text, expectation jsonb, within_time interval, run bigint) IS 'Claims what a verifier of the operator''s can look up; raises ZA001, ZA003, ZA004 or ZA005.';



CREATE FUNCTION agentdb.claim_file(path text, min_size bigint DEFAULT 1, sha256 text DEFAULT NULL::text, within_time interval DEFAULT NULL::interval, run bigint DEFAULT NULL::bigint) RETURNS TABLE(claim_id bigint, state text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $_$
begin
  if path !~ '^/' then
    perform agentdb._refuse(
      format('%L is not an absolute path', agentdb._clean_text(path, 200)),
      'Give the whole path, beginning with /.');
  elsif min_size < 0 then
    perform agentdb._refuse(
      'min_size must not be negative', 'Give the least size in bytes.');
  elsif sha256 !~* '^[0-9a-f]{64}$' then
    perform agentdb._refuse(
      'sha256 is not 64 hexadecimal digits', 'Leave it out, or run sha256sum.');
  end if;
  return query
    select c.claim_id, c.state
    from agentdb._add_claim('file', path, jsonb_strip_nulls(jsonb_build_object(
      'min_size', min_size, 'sha256', lower(sha256))), within_time, run) as c;
end;
$_$;



COMMENT ON FUNCTION agentdb.claim_file(path text, min_size bigint, sha256 text, within_time interval, run bigint) IS 'Claims that the run wrote a file of at least min_size bytes; raises ZA001, ZA003, ZA004 or ZA005.';



CREATE FUNCTION agentdb.claim_http(url text, status integer DEFAULT 200, has_text text DEFAULT NULL::text, method text DEFAULT 'GET'::text, within_time interval DEFAULT NULL::interval, run bigint DEFAULT NULL::bigint) RETURNS TABLE(claim_id bigint, state text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  if url !~* '^https?://[^/[:space:]]' then
    perform agentdb._refuse(
      format('%L is not an http or https address', agentdb._clean_text(url, 200)),
      'Give the whole address, beginning with https://.');
  elsif status not between 100 and 599 then
    perform agentdb._refuse(
      format('%s is no HTTP status', status), 'Give a number from 100 to 599.');
  elsif method is null or method not in ('GET', 'HEAD') then
    perform agentdb._refuse(
      format('%L is no method of a look', agentdb._clean_text(method, 50)),
      'Say GET or HEAD: a look changes nothing.');
  elsif method = 'HEAD' and has_text is not null then
    perform agentdb._refuse(
      'the answer to HEAD has no text', 'Leave out has_text, or say GET.');
  end if;
  return query
    select c.claim_id, c.state
    from agentdb._add_claim('http', url, jsonb_strip_nulls(jsonb_build_object(
      'method', method, 'status', status, 'has_text', has_text)), within_time, run)
      as c;
end;
$$;



COMMENT ON FUNCTION agentdb.claim_http(url text, status integer, has_text text, method text, within_time interval, run bigint) IS 'Claims that an address answers GET or HEAD with a status, and GET with a text in its first 64 kB; raises ZA001, ZA003, ZA004 or ZA005.';



CREATE FUNCTION agentdb.claim_message(channel text, recipient text, has_text text DEFAULT NULL::text, within_time interval DEFAULT '00:05:00'::interval, run bigint DEFAULT NULL::bigint) RETURNS TABLE(claim_id bigint, state text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_keeps_text boolean;
begin
  select m.text_column is not null into v_keeps_text
  from agentdb.message_channel as m where m.channel_name = channel;
  if not found then
    raise exception 'there is no channel %',
        coalesce(agentdb._clean_text(channel, 100), 'NULL')
      using errcode = 'ZA006',
            detail = 'There are: ' || coalesce(
              (select string_agg(m.channel_name, ', ' order by m.channel_name)
                from agentdb.message_channel as m), 'none'),
            hint = 'Use one of these, or have the channel registered: select * from '
              'agentdb.ask_human(question => ''…'');';
  elsif has_text is not null and not v_keeps_text then
    perform agentdb._refuse(
      format('channel %s keeps no text', channel), 'Leave out has_text.');
  end if;
  return query
    select c.claim_id, c.state
    from agentdb._add_claim('message', recipient, jsonb_strip_nulls(jsonb_build_object(
      'channel', channel, 'has_text', has_text)), within_time, run) as c;
end;
$$;



COMMENT ON FUNCTION agentdb.claim_message(channel text, recipient text, has_text text, within_time interval, run bigint) IS 'Claims that a message reached the record of a channel''s transport since the run began; raises ZA001, ZA003, ZA004, ZA005 or ZA006.';



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
          where e.alert_group_id = c.alert_group_id
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
    c.idempotency_key, c.kind,
    format('agentdb/%s/%s', current_database(), case
      when c.alert_id is not null then 'A-' || c.alert_id
      when c.alert_group_id is not null then 'G-' || c.alert_group_id
      else 'test-' || c.notification_id end),
    c.payload
  from claimed as c
  join agentdb.receiver as r on r.receiver_name = c.receiver_name
  order by c.notification_id;
$$;



COMMENT ON FUNCTION agentdb.claim_notification(runner_name text, max_notifications integer, lease interval, skip text[]) IS 'Leases queued notifications to a runner, none of the receivers named in skip; an unmarked one is free again after the lease.';



CREATE FUNCTION agentdb.claim_rows(relation text, operation text, keys jsonb DEFAULT NULL::jsonb, count bigint DEFAULT NULL::bigint, run bigint DEFAULT NULL::bigint) RETURNS TABLE(claim_id bigint, state text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_name text := agentdb._audited_name(relation);
  v_keys jsonb := case jsonb_typeof(keys) when 'array' then nullif(keys, '[]')
    when 'null' then null else '[]'::jsonb || keys end;
begin
  if operation is null or operation not in ('insert', 'update', 'delete') then
    perform agentdb._refuse(
      format('%L is no operation', agentdb._clean_text(operation, 50)),
      'Say insert, update or delete.');
  elsif v_keys is null and count is null then
    perform agentdb._refuse(
      'neither keys nor count is given',
      'Say which rows, keys => ''[{"id": 7}]'', or how many, count => 7.');
  elsif count < 0 or jsonb_array_length(v_keys) > 1000 then
    perform agentdb._refuse(
      'count must not be negative, and keys be at most 1000',
      'Claim in several calls, or say only how many rows: count => 7.');
  end if;
  select jsonb_agg(agentdb._canonical_key(t.table_oid::regclass, k.key)
      order by k.place)
    into v_keys
  from jsonb_array_elements(v_keys) with ordinality as k (key, place)
  join agentdb.audit_target as t
    on t.table_name = v_name and t.unaudited_at is null;
  return query
    select c.claim_id, c.state
    from agentdb._add_claim('rows', v_name, jsonb_strip_nulls(jsonb_build_object(
      'operation', operation, 'keys', v_keys, 'count', count)), null, run) as c;
end;
$$;



COMMENT ON FUNCTION agentdb.claim_rows(relation text, operation text, keys jsonb, count bigint, run bigint) IS 'Claims that the run inserted, updated or deleted rows of an audited table, by key or by count; raises ZA001, ZA003, ZA004, ZA005, ZA006 or ZA033.';



CREATE FUNCTION agentdb.claim_rule() RETURNS TABLE(rule_name text, query text, evaluation bigint, timeout_ms integer, max_alerts integer, next_due_ms integer)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
  update agentdb.alert_rule as r
  set next_evaluation_at = case
        when r.next_evaluation_at <= clock_timestamp()
          and r.next_evaluation_at + r.evaluate_every > clock_timestamp()
          then r.next_evaluation_at + r.evaluate_every
        else clock_timestamp() + r.evaluate_every
      end,
      evaluation = r.evaluation + 1
  where r.rule_name = (
    select c.rule_name
    from agentdb.alert_rule as c
    where c.enabled
      -- Nothing is put off for longer: the clock of the server went back.
      and (c.next_evaluation_at <= clock_timestamp()
        or c.next_evaluation_at
          > clock_timestamp() + greatest(c.evaluate_every, '5 minutes'))
    order by c.next_evaluation_at
    limit 1
    for update skip locked
  )
  returning
    r.rule_name, agentdb._rule_query(r.view_name, r.max_alerts), r.evaluation,
    (extract(epoch from r.timeout) * 1000)::integer, r.max_alerts,
    agentdb._ms_until(least(r.next_evaluation_at, (
      -- Here its own row is still the former one.
      select min(o.next_evaluation_at)
      from agentdb.alert_rule as o
      where o.enabled
        and o.rule_name <> r.rule_name
    )));
$$;



COMMENT ON FUNCTION agentdb.claim_rule() IS 'Takes the rule that is due longest and returns the query to run for it, and when another is due; no row when none is.';



CREATE FUNCTION agentdb.complete_run(summary text DEFAULT NULL::text, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, state text, claims bigint, verified bigint, refuted bigint, pending bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  select c.run_id into complete_run.run_id
  from agentdb._current_run(complete_run.run) as c;
  perform agentdb._verify_rows(complete_run.run_id);
  perform agentdb.end_run(
    outcome => 'succeeded', summary => complete_run.summary,
    run => complete_run.run_id);
  return query
    select r.run_id, agentdb._run_state(r.run_id, r.outcome), count(c.claim_id),
      count(*) filter (where c.state = 'verified'),
      count(*) filter (where c.state = 'refuted'),
      count(*) filter (where c.state = 'pending')
    from agentdb.run as r
    left join agentdb.claim as c on c.run_id = r.run_id
    where r.run_id = complete_run.run_id
    group by r.run_id;
end;
$$;



COMMENT ON FUNCTION agentdb.complete_run(summary text, run bigint) IS 'Ends the run as done and says what is proven: succeeded only when every claim is verified, else unverified; raises ZA001 or ZA003.';



CREATE FUNCTION agentdb.declare_path(agent text, path text, want text DEFAULT 'read'::text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint := agentdb._agent_of(agent);
begin
  if path is null or path !~ '^/' or path <> agentdb._clean_text(path, 4096) then
    perform agentdb._refuse(
      format('%L is not an absolute path', agentdb._clean_text(path, 200)),
      'Give the whole path, beginning with /.');
  elsif want is null or want not in ('read', 'write') then
    perform agentdb._refuse(
      format('%L is no use of a path', agentdb._clean_text(want, 50)),
      'Say read or write.');
  end if;
  insert into agentdb.agent_path as p (agent_id, path, want)
  values (v_agent_id, declare_path.path, declare_path.want)
  on conflict on constraint agent_path_pkey do update set want = excluded.want;
end;
$$;



COMMENT ON FUNCTION agentdb.declare_path(agent text, path text, want text) IS 'Says that an agent needs to read or write a path, for agentdb doctor to look; raises ZA004 or ZA006.';



CREATE FUNCTION agentdb.drain_agent(agent text DEFAULT NULL::text, patience interval DEFAULT '00:00:10'::interval) RETURNS TABLE(agent_name text, drained boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
declare
  v_agent_id bigint;
begin
  perform agentdb._be_patient(patience);
  for v_agent_id, agent_name in
    select a.agent_id, a.agent_name
    from agentdb.agent as a
    join agentdb.agent_stop as s on s.agent_id = a.agent_id
    where drain_agent.agent is null or a.agent_name = drain_agent.agent
    order by a.agent_id
  loop
    begin
      perform from agentdb.agent_gate as g where g.agent_id = v_agent_id for update;
      drained := true;
    exception when lock_not_available or deadlock_detected then
      drained := false;
    end;
    return next;
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb.drain_agent(agent text, patience interval) IS 'Waits until a stopped agent, or each, has no writer outside its runs in flight: drained true, and nothing of it commits to an audited table any more; raises ZA004.';



CREATE FUNCTION agentdb.drain_run(run bigint, patience interval DEFAULT '00:00:10'::interval) RETURNS TABLE(run_id bigint, drained boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
begin
  run_id := run;
  perform agentdb._be_patient(patience);
  begin
    perform from agentdb.run_gate as g where g.run_id = run for update;
    -- Writes of no run went by the gate of their agent.
    perform from agentdb.agent_gate as g
    where g.agent_id = (select r.agent_id from agentdb.run as r where r.run_id = run)
    for update;
    -- The kill left a row alone that the run itself was changing.
    perform from agentdb.run as r where r.run_id = run for no key update;
    drained := true;
    perform agentdb._end_killed(run);
    -- What a transaction held that has ended now.
    perform agentdb._withdraw_changes(r.agent_id, r.run_id)
    from agentdb.run as r where r.run_id = run;
    update agentdb.run_stop as s
    set drained_at = clock_timestamp()
    where s.run_id = run;
  exception when lock_not_available or deadlock_detected then
    drained := false;
  end;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.drain_run(run bigint, patience interval) IS 'Waits until no writer of a stopped run is in flight: drained true, and nothing of it commits to an audited table any more; false when its transactions outlast the patience; raises ZA004.';



CREATE FUNCTION agentdb.drain_stopped() RETURNS TABLE(run_id bigint, drained boolean)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select d.run_id, d.drained
  from agentdb.run_stop as s
  cross join lateral agentdb.drain_run(s.run_id, '100 milliseconds') as d
  where s.kind = 'killed'
    and s.drained_at is null;
$$;



COMMENT ON FUNCTION agentdb.drain_stopped() IS 'Drains killed runs that nobody has drained yet; the runner calls it after a rule killed.';



CREATE FUNCTION agentdb.drop_notification(notification bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  update agentdb.notification as n
  set state = 'cancelled',
      finished_at = clock_timestamp(),
      error = concat_ws('; ', 'dropped by ' || session_user, n.error)
  where n.notification_id = notification
    and (n.state = 'dead' or n.state = 'queued'
      and (n.claimed_by is null or n.visible_at <= clock_timestamp()));
  if not found then
    perform agentdb._refuse_message(notification, 'is being sent, is done, or is none');
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb.drop_notification(notification bigint) IS 'Drops a message that waits or was given up; raises ZA076.';



CREATE FUNCTION agentdb.drop_staging_view(relation regclass) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
declare
  v_view text;
begin
  perform agentdb._check_audit(relation, '{}', '{}');
  select g.view_name into v_view
  from agentdb.guarded_table as g where g.table_oid = relation::oid;
  if not found then
    perform agentdb._refuse_unguarded(relation);
  end if;
  execute format('drop view if exists agentdb_stage.%I', v_view);
end;
$$;



COMMENT ON FUNCTION agentdb.drop_staging_view(relation regclass) IS 'Takes the staging view out of the way of a migration of a guarded table, which stays guarded; maintain_tables() makes it again, in the same transaction at best; raises ZA006 or ZA030.';



CREATE FUNCTION agentdb.end_run(outcome text DEFAULT 'succeeded'::text, summary text DEFAULT NULL::text, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, ended_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint;
begin
  if outcome is null or outcome not in ('succeeded', 'failed', 'cancelled') then
    perform agentdb._refuse(
      format('%L is no outcome of a run', agentdb._clean_text(outcome, 50)),
      'Say succeeded, failed or cancelled.'
    );
  end if;
  select c.run_id, c.agent_id into end_run.run_id, v_agent_id
  from agentdb._current_run(end_run.run) as c;
  update agentdb.run as r
  set ended_at = clock_timestamp(),
      outcome = end_run.outcome,
      summary = agentdb._clean_text(end_run.summary, 4000),
      -- Whoever has ended waits for nothing any more.
      held_until_at = case
        when r.held_until_at > clock_timestamp() then clock_timestamp()
        else r.held_until_at
      end
  where r.run_id = end_run.run_id and r.ended_at is null
  returning r.ended_at into end_run.ended_at;
  if not found then
    perform agentdb._refuse_closed_run(end_run.run_id);
  end if;
  perform agentdb._release_locks(end_run.run_id, v_agent_id, 'run_ended');
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.end_run(outcome text, summary text, run bigint) IS 'Ends the run with an outcome: succeeded, failed or cancelled; what it says is a claim; raises ZA001, ZA003 or ZA004.';



CREATE FUNCTION agentdb.end_sessions(run bigint) RETURNS TABLE(pid integer, ended boolean, problem text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  for pid in
    select s.pid
    from agentdb.run as r
    join pg_stat_activity as s
      on s.usename = r.role_name
      and s.datname = current_database()
      and s.pid <> pg_backend_pid()
    where r.run_id = end_sessions.run
      -- A shared role's sessions are other agents' too.
      and not r.pooled
      and not exists (
        select from agentdb.run as o
        where o.role_name = r.role_name
          and o.ended_at is null
          and o.run_id <> r.run_id
          and not exists (select from agentdb.run_stop as t where t.run_id = o.run_id)
      )
  loop
    begin
      ended := pg_terminate_backend(pid);
      problem := null;
    exception when insufficient_privilege then
      ended := false;
      problem := format('%s may not end sessions; grant pg_signal_backend to it',
        current_user);
    end;
    return next;
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb.end_sessions(run bigint) IS 'Ends the sessions of a stopped run''s login role, where they are its alone and the caller may; says what became of each.';



CREATE FUNCTION agentdb.end_silence(silence bigint) RETURNS TABLE(silence_id bigint, alerts bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '5s'
    AS $$
begin
  lock table agentdb.silence in exclusive mode;
  update agentdb.silence as s
  set ends_at = clock_timestamp(),
      ended_by = session_user
  where s.silence_id = silence
    and s.ends_at > clock_timestamp()
  returning s.silence_id into end_silence.silence_id;
  if not found then
    raise exception 'there is no silence S-% in force', silence
      using errcode = 'ZA006', hint = 'agentdb silences lists those that are.';
  end if;
  alerts := agentdb._apply_silence(silence, false);
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.end_silence(silence bigint) IS 'Ends a silence before its time; alerts that still fire are told again; raises ZA006.';



CREATE FUNCTION agentdb.end_tool_call(call_id text, ok boolean DEFAULT true, error text DEFAULT NULL::text, result_size bigint DEFAULT NULL::bigint, result text DEFAULT NULL::text, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, repeated boolean, duration interval)
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
      end_tool_call.duration, end_tool_call.call_id, end_tool_call.result
    );
  elsif not exists (
    select from agentdb.tool_call as c
    where c.run_id = end_tool_call.run_id and c.call_id = end_tool_call.call_id
  ) then
    raise exception 'run % began no tool call %', end_tool_call.run_id,
        agentdb._clean_text(call_id, 100)
      using errcode = 'ZA006',
            hint = 'Use the id that begin_tool_call() returned, or record the whole '
              'call at once with log_tool_call().';
  end if;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.end_tool_call(call_id text, ok boolean, error text, result_size bigint, result text, run bigint) IS 'Records how a begun tool call ended, timed by the database; a second end changes nothing; raises ZA001, ZA003, ZA004 or ZA006.';



CREATE FUNCTION agentdb.end_wait(name text, run bigint DEFAULT NULL::bigint) RETURNS TABLE(waited boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_run_id bigint;
begin
  select c.run_id into v_run_id from agentdb._current_run(end_wait.run) as c;
  delete from agentdb.lock_waiter as w
  where w.lock_name = name and w.run_id = v_run_id;
  waited := found;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.end_wait(name text, run bigint) IS 'Says that the run waits no longer for a lock; raises ZA001 or ZA003.';



CREATE FUNCTION agentdb.evidence_query(alert bigint) RETURNS text
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    AS $$
  select replace(
    replace(
      replace(
        coalesce(r.evidence_query, format('select * from %s', r.view_name)),
        ':calls', quote_literal(agentdb._calls_of(a.annotations)) || '::bigint[]'
      ),
      ':at', quote_literal(a.seen_at) || '::timestamptz'
    ),
    ':labels', quote_literal(a.labels) || '::jsonb'
  )
  from agentdb.alert as a
  join agentdb.alert_rule as r on r.rule_name = a.rule_name
  where a.alert_id = evidence_query.alert;
$$;



COMMENT ON FUNCTION agentdb.evidence_query(alert bigint) IS 'The statement that shows the rows which tripped an alert''s rule, as they were when it was last seen.';



CREATE FUNCTION agentdb.explain_access(relation text, privilege text DEFAULT 'select'::text, role text DEFAULT NULL::text) RETURNS TABLE(verdict text, detail text, mend text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_role name := coalesce(explain_access.role, session_user);
  v_parts text[];
  v_oid oid;
begin
  if privilege is null
    or lower(privilege) not in ('select', 'insert', 'update', 'delete') then
    perform agentdb._refuse(
      format('%L is no privilege', agentdb._clean_text(privilege, 50)),
      'Say select, insert, update or delete.');
  elsif not exists (select from pg_roles as r where r.rolname = v_role) then
    raise exception 'there is no role %', agentdb._clean_text(v_role::text, 100)
      using errcode = 'ZA006', hint = 'select rolname from pg_roles;';
  end if;
  begin
    v_parts := parse_ident(relation);
  exception when invalid_parameter_value then
    v_parts := null;
  end;
  if v_parts is null or cardinality(v_parts) > 2 then
    perform agentdb._refuse(
      format('%L is no name of a table', agentdb._clean_text(relation, 200)),
      'Give it as schema.table.');
  end if;
  v_oid := agentdb._relation_of(v_parts, v_role);
  if v_oid is null then
    return query select f.verdict, f.detail, f.mend
      from agentdb._missing_relation(v_parts) as f;
    return;
  end if;
  -- Nobody is to be talked into a right on these, least of all by what an agent tried.
  return query
    select f.verdict,
      concat(f.detail, case when s.internal then '; it is not for agents to have' end),
      case when not s.internal then f.mend end
    from agentdb._access_faults(v_oid, lower(privilege), v_role) as f
    cross join (
      select n.nspname in ('agentdb', 'pg_catalog', 'information_schema') as internal
      from pg_class as c
      join pg_namespace as n on n.oid = c.relnamespace
      where c.oid = v_oid
    ) as s;
  if not found then
    return query select 'ok',
      format('%s may %s %s', v_role, privilege, v_oid::regclass), null::text;
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb.explain_access(relation text, privilege text, role text) IS 'Says what keeps a role (default the session''s) from a table, a row an obstacle, with the statement that removes it; ok where nothing does; raises ZA004 or ZA006.';



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
        + least(r.evaluate_every * power(2, least(r.failures, 10)), '5 minutes')
  where r.rule_name = fail_rule.rule_name
    and r.evaluation = fail_rule.evaluation;
  return found;
end;
$$;



COMMENT ON FUNCTION agentdb.fail_rule(rule_name text, evaluation bigint, error text) IS 'Records that an evaluation failed and puts the next one off, doubling up to 5 minutes; false when another came between.';



CREATE FUNCTION agentdb.fence_table(table_name text, lock_name text) RETURNS TABLE(fenced_table text, lock text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '5s'
    AS $$
declare
  v_table regclass := agentdb._fence_target(table_name);
  v_part regclass;
begin
  if not agentdb._is_clean_name(lock_name, 200) then
    perform agentdb._refuse(
      format('%L is no name for a lock', agentdb._clean_text(lock_name, 100)),
      'Use 1 to 200 visible characters on one line.'
    );
  end if;
  perform agentdb.unfence_table(table_name);
  for v_part in
    select p.relid from pg_partition_tree(v_table) as p order by p.level
  loop
    perform agentdb._add_fence(v_part, v_part = v_table, lock_name);
  end loop;
  if not exists (select from pg_partition_tree(v_table)) then
    perform agentdb._add_fence(v_table, true, lock_name);
  end if;
  return query select v_table::text, fence_table.lock_name;
end;
$$;



COMMENT ON FUNCTION agentdb.fence_table(table_name text, lock_name text) IS 'Lets only the run that holds a lock write a table; called by the table''s owner; raises ZA004, ZA006, and ZA020 at the writes it refuses.';



CREATE FUNCTION agentdb.flush(max_alerts integer DEFAULT 500) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_alerts bigint[];
  v_escalated bigint[];
  v_groups bigint[];
begin
  perform agentdb._bury_notifications();
  -- Waits for a silence that is being made; other runners do not get in its way.
  lock table agentdb.silence in row share mode;
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
    returning a.alert_id
  )
  select coalesce(array_agg(f.alert_id), '{}') into v_alerts from flushed as f;
  v_escalated := agentdb._escalate(max_alerts, clock_timestamp());
  if v_alerts || v_escalated <> '{}' then
    perform agentdb._wake_groups(v_alerts, clock_timestamp());
    perform agentdb._join_groups(v_alerts || v_escalated, clock_timestamp());
  end if;
  if cardinality(v_alerts) >= max_alerts or cardinality(v_escalated) >= max_alerts then
    return max_alerts;
  end if;
  v_groups := array(
    select g.alert_group_id
    from agentdb.alert_group as g
    join agentdb.receiver as r on r.receiver_name = g.receiver_name
    where g.look_at <= clock_timestamp()
      and r.enabled
    order by g.look_at, g.alert_group_id
    limit max_alerts
    for update of g skip locked
  );
  if v_groups <> '{}' then
    perform agentdb._tell_groups(v_groups);
  end if;
  return greatest(cardinality(v_alerts), cardinality(v_groups));
end;
$$;



COMMENT ON FUNCTION agentdb.flush(max_alerts integer) IS 'Routes alerts that began to fire or were resolved, writes what their groups have to be told and wakes the runners; returns how many it took on, to be called again where that is max_alerts.';



CREATE FUNCTION agentdb.follow_alter_table() RETURNS event_trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  if exists (
    select from pg_event_trigger_ddl_commands() as d
    join agentdb.audit_target as t on t.table_oid = d.objid and t.unaudited_at is null
    where d.classid = 'pg_class'::regclass
  ) then
    perform agentdb._maintain_audit();
    perform agentdb._maintain_guards();
  end if;
exception when lock_not_available then
  raise notice 'another session adapts altered tables; the runner sees to this one';
end;
$$;



COMMENT ON FUNCTION agentdb.follow_alter_table() IS 'For an event trigger on ddl_command_end: adapts the audit and the staging view to ALTER TABLE in its own transaction.';



CREATE FUNCTION agentdb.force_release_lock(name text, reason text, slot integer DEFAULT NULL::integer) RETURNS TABLE(fence bigint, holder text, held_for interval, was text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_now timestamptz := clock_timestamp();
begin
  if reason is null or reason !~ '[^[:space:]]' then
    perform agentdb._refuse('a reason is required',
      'Say why the holder must lose the lock: it is kept in the log.');
  end if;
  return query
    update agentdb.lock as l
    set run_id = null,
        outcome = 'forced',
        reason = agentdb._clean_text(force_release_lock.reason, 1000),
        expires_at = '-infinity'
    from agentdb.lock_status as s
    where l.lock_name = force_release_lock.name
      and (force_release_lock.slot is null or l.slot = force_release_lock.slot)
      and s.lock_name = l.lock_name
      and s.slot = l.slot
      and s.state <> 'free'
    returning l.fence, s.holder, v_now - l.acquired_at, s.state;
  if not found and not exists (
    select from agentdb.lock as l where l.lock_name = force_release_lock.name
  ) then
    raise exception 'there is no lock %',
        coalesce(agentdb._clean_text(name, 200), 'NULL')
      using errcode = 'ZA006', hint = 'select * from agentdb.lock_status;';
  end if;
exception when lock_not_available then
  raise exception 'lock % is being changed in a transaction that is still open', name
    using errcode = 'ZA021',
          hint = format('End that session: select k.pid, pg_terminate_backend(k.pid) '
            'from agentdb.lock as l join pg_locks as k on k.transactionid = l.xmax '
            'where l.lock_name = %L and k.granted;', name);
end;
$$;



COMMENT ON FUNCTION agentdb.force_release_lock(name text, reason text, slot integer) IS 'Takes a lock, or one slot of a semaphore, from its holder; the reason is logged; raises ZA004, ZA006 or ZA021.';



CREATE FUNCTION agentdb.give_verdict(claim bigint, attempt integer, verdict text, evidence jsonb DEFAULT '{}'::jsonb) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  if verdict is null
    or verdict not in ('verified', 'refuted', 'unreachable', 'refused') then
    perform agentdb._refuse(
      format('%L is no verdict', agentdb._clean_text(verdict, 50)),
      'Say verified, refuted, unreachable or refused.');
  end if;
  perform from agentdb.claim as c
  where c.claim_id = claim and c.attempt = give_verdict.attempt
    and c.leased_until is not null
  for no key update;
  if not found then
    return 'late';
  end if;
  return agentdb._give_verdict(claim, verdict, evidence);
end;
$$;



COMMENT ON FUNCTION agentdb.give_verdict(claim bigint, attempt integer, verdict text, evidence jsonb) IS 'Records what was seen of a claim that was taken; late where another has taken it since; raises ZA004.';



CREATE FUNCTION agentdb.guard_table(relation regclass, columns text[] DEFAULT NULL::text[], approvals integer DEFAULT NULL::integer, expires interval DEFAULT NULL::interval, auto_approve jsonb DEFAULT NULL::jsonb, apply text DEFAULT NULL::text, validators text[] DEFAULT NULL::text[], context text[] DEFAULT NULL::text[], everybody boolean DEFAULT NULL::boolean) RETURNS TABLE(table_name text, staging_view text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
declare
  v_how record;
  v_child regclass;
begin
  if not exists (
    select from agentdb.audit_target as t
    where t.table_oid = relation::oid and t.unaudited_at is null
  ) then
    perform agentdb.audit_table(relation);
  end if;
  select a.* into v_how
  from agentdb._guard_arguments(relation, columns, approvals, expires, auto_approve,
    apply, validators, context, everybody) as a;
  perform agentdb._lend_table(relation);
  staging_view := format('agentdb_stage.%I', agentdb._register_guard(relation,
    v_how.columns, v_how.context, v_how.approvals, v_how.expires, v_how.apply,
    v_how.validators, v_how.everybody, v_how.auto_approve));
  perform agentdb._place_guard(relation, v_how.everybody,
    v_how.auto_approve ->> 'condition');
  guard_table.table_name := relation::text;
  return next;
  -- Each table of an inheritance tree holds rows of its own.
  for v_child in
    select i.inhrelid from pg_inherits as i
    join pg_class as c on c.oid = i.inhparent and c.relkind = 'r'
    where i.inhparent = relation::oid
  loop
    return query select * from agentdb.guard_table(v_child, columns, approvals, expires,
      auto_approve, apply, validators, context, everybody);
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb.guard_table(relation regclass, columns text[], approvals integer, expires interval, auto_approve jsonb, apply text, validators text[], context text[], everybody boolean) IS 'Lets agents write a table only through changes that somebody else approves; audits it where it is not; what is not given is as it was guarded last; raises ZA004, ZA030 or ZA051.';



CREATE FUNCTION agentdb.hold_run(until timestamp with time zone, reason text, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, held_until timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_max interval;
begin
  perform agentdb._check_reason(reason);
  select c.run_id, p.max_hold into hold_run.run_id, v_max
  from agentdb._current_run(hold_run.run) as c
  join agentdb.agent as a on a.agent_id = c.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name;
  if until is null or until <= clock_timestamp()
    or until > clock_timestamp() + v_max then
    perform agentdb._refuse(
      format('until must be within the next %s, got %s', agentdb._span(v_max),
        coalesce(until::text, 'NULL')),
      'Hold for less, and hold again if the waiting is not over: select * from '
        'agentdb.hold_run(until => now() + interval ''30 min'', reason => ''CI runs'');'
    );
  end if;
  update agentdb.run as r
  set held_until_at = until,
      hold_reason = agentdb._clean_text(hold_run.reason, 500)
  where r.run_id = hold_run.run_id
  returning r.held_until_at into hold_run.held_until;
  perform agentdb._log_stop(r.agent_id, r.run_id, 'hold', hold_run.reason,
    jsonb_build_object('until', until))
  from agentdb.run as r where r.run_id = hold_run.run_id;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.hold_run(until timestamp with time zone, reason text, run bigint) IS 'Says that the run waits on purpose until a moment, at most policy.max_hold away: it is not taken for stuck until then; raises ZA001, ZA003 or ZA004.';



CREATE FUNCTION agentdb.ingest(rule_name text, evaluation bigint, instances jsonb, truncated boolean DEFAULT false, duration_ms double precision DEFAULT NULL::double precision) RETURNS TABLE(pending integer, firing integer, resolved integer)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_now timestamptz := clock_timestamp();
begin
  perform agentdb._check_instances(instances);
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
  perform agentdb._touch_alerts(ingest.rule_name, instances, v_now);
  if not ingest.truncated then
    perform agentdb._forget_dismissals(ingest.rule_name, v_now);
  end if;
  return query
    select
      count(*) filter (where a.to_state = 'pending')::integer,
      count(*) filter (where a.to_state = 'firing')::integer,
      count(*) filter (where a.to_state = 'resolved')::integer
    from agentdb._advance_alerts(ingest.rule_name, v_now, ingest.truncated) as a;
  perform agentdb._act_on(ingest.rule_name, v_now);
end;
$$;



COMMENT ON FUNCTION agentdb.ingest(rule_name text, evaluation bigint, instances jsonb, truncated boolean, duration_ms double precision) IS 'Turns the rows of one evaluation into alerts and says how many changed; no row when the evaluation is out of date; raises ZA004.';



CREATE FUNCTION agentdb.kill_agent(agent text, reason text) RETURNS TABLE(run_id bigint, agent_name text, locks_freed bigint, reservations_cancelled bigint, changes_withdrawn bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint := agentdb._agent_of(agent);
begin
  perform agentdb._check_reason(reason);
  perform agentdb._note_stop();
  perform agentdb._stop_agent(v_agent_id, 'killed', kill_agent.reason);
  perform agentdb._end_alerts(null, v_agent_id);
  perform agentdb._log_stop(v_agent_id, null, 'kill', kill_agent.reason, null);
  return query
    select r.run_id, kill_agent.agent, k.locks_freed, k.reservations_cancelled,
      k.changes_withdrawn
    from agentdb.run as r
    cross join lateral agentdb._kill_run(r.run_id, v_agent_id, kill_agent.reason) as k
    where r.agent_id = v_agent_id
      and r.ended_at is null;
  -- What its earlier runs proposed goes too.
  perform agentdb._withdraw_changes(v_agent_id, null);
end;
$$;



COMMENT ON FUNCTION agentdb.kill_agent(agent text, reason text) IS 'Kills all open runs of an agent and lets it start none until resume_agent; commit, then drain_run each and drain_agent; raises ZA004 or ZA006.';



CREATE FUNCTION agentdb.kill_all(reason text) RETURNS TABLE(run_id bigint, agent_name text, locks_freed bigint, reservations_cancelled bigint, changes_withdrawn bigint)
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
  select k.run_id, k.agent_name, k.locks_freed, k.reservations_cancelled,
    k.changes_withdrawn
  from agentdb.agent as a
  cross join lateral agentdb.kill_agent(a.agent_name, kill_all.reason) as k;
$$;



COMMENT ON FUNCTION agentdb.kill_all(reason text) IS 'Kills every agent: commit, then drain_run each run and drain_agent; raises ZA004.';



CREATE FUNCTION agentdb.kill_run(run bigint, reason text) RETURNS TABLE(run_id bigint, agent_name text, locks_freed bigint, reservations_cancelled bigint, changes_withdrawn bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint;
  v_outcome text;
begin
  perform agentdb._check_reason(reason);
  select r.run_id, r.agent_id, a.agent_name, r.outcome
    into kill_run.run_id, v_agent_id, kill_run.agent_name, v_outcome
  from agentdb.run as r
  join agentdb.agent as a on a.agent_id = r.agent_id
  where r.run_id = kill_run.run;
  if not found then
    raise exception 'there is no run %', coalesce(run::text, 'NULL')
      using errcode = 'ZA006',
            hint = 'select run_id, agent_name from agentdb.run_summary '
              'where state = ''running'';';
  elsif v_outcome <> 'killed' then
    raise exception 'run % has ended', run
      using errcode = 'ZA003',
            detail = format('It %s by itself.', v_outcome),
            hint = format('What its agent does outside of any run ends with: '
              'select * from agentdb.kill_agent(%L, %L);', agent_name, reason);
  end if;
  perform agentdb._note_stop();
  select k.locks_freed, k.reservations_cancelled, k.changes_withdrawn
    into kill_run.locks_freed, kill_run.reservations_cancelled,
      kill_run.changes_withdrawn
  from agentdb._kill_run(kill_run.run, v_agent_id, kill_run.reason) as k;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.kill_run(run bigint, reason text) IS 'Kills an open run: commit, then call drain_run to be sure that nothing of it commits any more; killing again is harmless; raises ZA003, ZA004 or ZA006.';



CREATE FUNCTION agentdb.log_progress(step text, details jsonb DEFAULT NULL::jsonb, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, recorded_at timestamp with time zone, alerting_silent_for interval)
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
      'Name what was reached, for example: '
        'select * from agentdb.log_progress(''fetched page 3'');'
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
  if not exists (
    select from agentdb.runner as r
    where agentdb._is_watching(
      r.evaluated_at, r.flushed_at, r.sent_at, r.verified_at)
  ) then
    alerting_silent_for := agentdb._alerting_silent_for();
  end if;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.log_progress(step text, details jsonb, run bigint) IS 'Records that the run reached a step; a step is evidence only while it is new; says for how long nobody has been watching, if so; raises ZA001, ZA003 or ZA004.';



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
    'Token counts are whole numbers and cost is a number; nothing of this call was '
      'recorded.'
  );
end;
$$;



COMMENT ON FUNCTION agentdb.log_tokens_many(usages jsonb, run bigint) IS 'Records a JSON array of {input, output, cached_input, reasoning, model, cost}, all or none; raises ZA001, ZA003 or ZA004.';



CREATE FUNCTION agentdb.log_tool_call(tool text, args jsonb DEFAULT NULL::jsonb, ok boolean DEFAULT true, error text DEFAULT NULL::text, result_size bigint DEFAULT NULL::bigint, duration interval DEFAULT NULL::interval, call_id text DEFAULT NULL::text, result text DEFAULT NULL::text, violation text DEFAULT NULL::text, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, repeated boolean, recorded_at timestamp with time zone, fault text, hint text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint;
begin
  perform agentdb._check_tool(tool, call_id);
  if ok is null then
    perform agentdb._refuse(
      'ok must not be NULL', 'Say true or false: did the call do what it should?'
    );
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
    -- One that was begun ends here.
    on conflict on constraint tool_call_pkey do update
    set ended_at = excluded.ended_at,
        args = null
    where tool_call.ended_at is null;
    repeated := not found;
  end if;
  if not repeated then
    select i.recorded_at, i.fault, i.hint
      into log_tool_call.recorded_at, log_tool_call.fault, log_tool_call.hint
    from agentdb._insert_tool_call(
      log_tool_call.run_id, v_agent_id, tool, args, ok, error, result_size, duration,
      call_id, result, violation
    ) as i;
  end if;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.log_tool_call(tool text, args jsonb, ok boolean, error text, result_size bigint, duration interval, call_id text, result text, violation text, run bigint) IS 'Records a finished tool call, once per call_id; result_size is in characters or bytes; of result only a hash is kept, to tell whether it changes; a tool that the agent does not have, or arguments in which the caller found a violation of its schema, are recorded as well and answered with fault and hint; raises ZA001, ZA003 or ZA004.';



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
      result => v_call ->> 'result',
      violation => agentdb._json_text(v_call, 'violation'),
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



COMMENT ON FUNCTION agentdb.log_tool_call_many(calls jsonb, run bigint) IS 'Records a JSON array of {tool, args, ok, error, result_size, duration, call_id, result, violation}, all or none; raises ZA001, ZA003 or ZA004.';



CREATE FUNCTION agentdb.look_for_message(claim bigint) RETURNS TABLE(verdict text, evidence jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET "TimeZone" TO 'UTC'
    SET lock_timeout TO '2s'
    AS $_$
declare
  v_query text;
  v_recipient text;
  v_since timestamptz;
  v_text text;
  v_count bigint;
  v_last timestamptz;
begin
  select format(
      'select count(*), max(m.%3$I)::timestamptz from %1$s as m
       where m.%2$I::text = $1 and m.%3$I >= $2 and ($3 is null or %4$s)',
      m.relation_name, m.recipient_column, m.sent_at_column,
      coalesce('position($3 in m.' || quote_ident(m.text_column) || '::text) > 0',
        'true')),
    c.target, r.started_at, c.expectation ->> 'has_text'
    into v_query, v_recipient, v_since, v_text
  from agentdb.claim as c
  join agentdb.run as r on r.run_id = c.run_id
  join agentdb.message_channel as m
    on m.channel_name = c.expectation ->> 'channel'
  where c.claim_id = claim and c.kind = 'message'
    and (m.text_column is not null or c.expectation ->> 'has_text' is null);
  if v_query is null then
    return query select 'unreachable',
      '{"problem": "the channel is gone, or keeps no text"}'::jsonb;
    return;
  end if;
  execute v_query into v_count, v_last using v_recipient, v_since, v_text;
  return query select
    case when v_count > 0 then 'verified' else 'refuted' end,
    jsonb_strip_nulls(jsonb_build_object(
      'messages', v_count, 'since', v_since, 'last', v_last));
exception when others then
  return query select 'unreachable', jsonb_build_object('problem', sqlerrm);
end;
$_$;



COMMENT ON FUNCTION agentdb.look_for_message(claim bigint) IS 'Looks for the message that a claim tells of, with the rights of the caller; unreachable where it may not look.';



CREATE FUNCTION agentdb.maintain(days_ahead integer DEFAULT 3) RETURNS TABLE(action text, object text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    SET "TimeZone" TO 'UTC'
    AS $$
declare
  v_today date := (clock_timestamp() at time zone 'UTC')::date;
  v_keep interval := (select max(p.log_retention) from agentdb.policy as p);
  v_keep_audit interval := (select max(p.audit_retention) from agentdb.policy as p);
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
    select p.partition_name
    from agentdb.log_partition as p
    where p.day < v_today
      - case p.log_name when 'audit_log' then v_keep_audit else v_keep end
  loop
    return query select agentdb._drop_partition(v_object), v_object;
  end loop;
  return query
    select 'abandoned', format('run %s', r.run_id)
    from agentdb._abandon_runs(null) as r;
  return query
    select 'forgot', format('%s %s', f.count, f.what)
    from (
      values
        (agentdb._forget_runs(greatest(v_keep, v_keep_audit)), 'runs'),
        (agentdb._forget_alerts(v_keep), 'alerts'),
        (agentdb._forget_changes(greatest(v_keep, v_keep_audit)), 'changes')
    ) as f (count, what)
    where f.count > 0;
  return query select * from agentdb._prune_locks(v_keep);
  return query select * from agentdb.maintain_tables();
end;
$$;



COMMENT ON FUNCTION agentdb.maintain(days_ahead integer) IS 'Adds log partitions ahead, drops those past their retention, ends abandoned runs, adapts the audit to altered tables; says what it did.';



CREATE FUNCTION agentdb.maintain_tables() RETURNS TABLE(action text, object text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    SET "TimeZone" TO 'UTC'
    AS $$
begin
  return query select * from agentdb._maintain_audit();
  return query select * from agentdb._maintain_guards();
  return query select * from agentdb._retry_changes();
end;
$$;



COMMENT ON FUNCTION agentdb.maintain_tables() IS 'Adapts the audit, staging views and undecided changes to tables that were altered, renamed or dropped, and says what it did; the runner calls it every half minute.';



CREATE FUNCTION agentdb.mark_failed(notification_id bigint, attempt integer, status integer DEFAULT NULL::integer, error text DEFAULT NULL::text, permanent boolean DEFAULT false, retry_after interval DEFAULT NULL::interval) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_state text;
  v_wish interval := least(coalesce(retry_after, '0'), '1 hour');
  -- Exponential back-off with jitter, so that many failures do not return as one wave.
  v_delay interval := (0.5 + random() / 2)
    * least('10 minutes', interval '0.5 seconds' * power(2, least(attempt, 12)));
begin
  update agentdb.notification as n
  set state = case
        when mark_failed.permanent or n.attempt >= n.max_attempts then 'dead'
        else 'queued'
      end,
      finished_at = case
        when mark_failed.permanent or n.attempt >= n.max_attempts then clock_timestamp()
      end,
      visible_at = clock_timestamp() + greatest(v_delay, v_wish),
      claimed_by = null,
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



CREATE FUNCTION agentdb.my_changes(undecided boolean DEFAULT false) RETURNS TABLE(change_id bigint, state text, reason text, row_count integer, effects jsonb, expires_at timestamp with time zone, problem jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint := (select w.agent_id from agentdb._known_writer() as w);
begin
  return query
    select c.change_id, c.state, c.reason, c.row_count, c.effects, c.expires_at,
      c.problem
    from (
      select o.* from agentdb.change as o
      where o.state in ('open', 'pending', 'approved')
      union all
      select o.* from agentdb.change as o
      where not undecided
        and o.state not in ('open', 'pending', 'approved')
        and o.closed_at > statement_timestamp() - interval '1 day'
    ) as c
    where c.proposed_by = session_user
      and c.agent_id is not distinct from v_agent_id
    order by c.change_id;
end;
$$;



COMMENT ON FUNCTION agentdb.my_changes(undecided boolean) IS 'The changes the session proposed and what became of them, until a day after.';



CREATE FUNCTION agentdb.next_evaluation_ms() RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select agentdb._ms_until(min(r.next_evaluation_at))
  from agentdb.alert_rule as r
  where r.enabled;
$$;



COMMENT ON FUNCTION agentdb.next_evaluation_ms() IS 'Milliseconds until a rule is due, at most 60000.';



CREATE FUNCTION agentdb.note_diagnosis(run bigint, call bigint, diagnosis jsonb) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  insert into agentdb.tool_diagnosis (run_id, tool_call_log_id, diagnosis)
  select r.run_id, call, agentdb._bounded_json(note_diagnosis.diagnosis, 65536)
  from agentdb.run as r where r.run_id = run
  on conflict on constraint tool_diagnosis_pkey do nothing;
end;
$$;



COMMENT ON FUNCTION agentdb.note_diagnosis(run bigint, call bigint, diagnosis jsonb) IS 'Writes beside a failed call what was found.';



CREATE FUNCTION agentdb.note_faults(faults jsonb, horizon text) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_count integer;
begin
  insert into agentdb.tool_fault (run_id, tool_call_log_id, fault, detail)
  select (f.item ->> 'run')::bigint, (f.item ->> 'call')::bigint, 'invalid_args',
    agentdb._clean_text(f.item ->> 'detail', 1000)
  from jsonb_array_elements(faults) as f (item)
  where exists (
    select from agentdb.run as r where r.run_id = (f.item ->> 'run')::bigint
  )
  -- The agent may have said something else of its call.
  on conflict on constraint tool_fault_pkey do update set detail = excluded.detail;
  get diagnostics v_count = row_count;
  update agentdb.tool_check_state as s
  set horizon = greatest(s.horizon, note_faults.horizon::xid8);
  return v_count;
end;
$$;



COMMENT ON FUNCTION agentdb.note_faults(faults jsonb, horizon text) IS 'Records which calls break the schema of their tool, and how far was looked.';



CREATE FUNCTION agentdb.open_change(reason text) RETURNS TABLE(change_id bigint, expires_at timestamp with time zone)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_proposer record;
  v_open bigint;
begin
  select p.* into v_proposer from agentdb._proposer() as p;
  -- Behind its lock on the agent nobody else opens one.
  open_change.change_id := agentdb._add_change(v_proposer.agent_id, v_proposer.run_id,
    open_change.reason, false);
  select c.change_id into v_open
  from agentdb.change as c
  where c.proposed_by = session_user
    and c.state = 'open'
    and c.run_id is not distinct from v_proposer.run_id
    and c.expires_at > clock_timestamp()
    and c.change_id <> open_change.change_id;
  if v_open is not null then
    perform agentdb._refuse(format('change %s is open already', v_open),
      format('Finish it first: select * from agentdb.submit_change(); or select * '
        'from agentdb.withdraw_change(change => %s);', v_open));
  end if;
  select c.expires_at into open_change.expires_at
  from agentdb.change as c where c.change_id = open_change.change_id;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.open_change(reason text) IS 'Opens a change that takes everything the run stages until submit_change(), also over several transactions; raises ZA001, ZA004 or ZA005.';



CREATE FUNCTION agentdb.pause_agent(agent text, reason text) RETURNS TABLE(agent_name text, runs_paused bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint := agentdb._agent_of(agent);
begin
  perform agentdb._check_reason(reason);
  perform agentdb._note_stop();
  perform agentdb._stop_agent(v_agent_id, 'paused', pause_agent.reason);
  perform agentdb._log_stop(v_agent_id, null, 'pause', pause_agent.reason, null);
  insert into agentdb.run_stop (run_id, kind, reason)
  select r.run_id, 'paused', agentdb._clean_text(pause_agent.reason, 500)
  from agentdb.run as r
  where r.agent_id = v_agent_id
    and r.ended_at is null
  on conflict on constraint run_stop_pkey do nothing;
  get diagnostics runs_paused = row_count;
  agent_name := agent;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.pause_agent(agent text, reason text) IS 'Refuses every call and every audited write of an agent until resume_agent; raises ZA004 or ZA006.';



CREATE FUNCTION agentdb.reap_transactions() RETURNS TABLE(pid integer, role_name name, age interval, ended boolean, problem text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
begin
  for pid, role_name, age in
    select s.pid, s.usename, clock_timestamp() - s.xact_start
    from pg_stat_activity as s
    join (
      select a.role_name, max(p.max_transaction) as max_transaction
      from agentdb.agent as a
      join agentdb.policy as p on p.policy_name = a.policy_name
      group by a.role_name
    ) as a on a.role_name = s.usename
    where s.xact_start < clock_timestamp() - a.max_transaction
      -- In another database it holds back the roll-up only once it has written.
      and (s.datname = current_database() or s.backend_xid is not null)
  loop
    begin
      ended := pg_terminate_backend(pid);
      problem := null;
      perform agentdb._note_reaped(pid, role_name, age);
    exception when insufficient_privilege then
      ended := false;
      problem := format('%s may not end sessions; grant pg_signal_backend to it',
        current_user);
    end;
    return next;
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb.reap_transactions() IS 'Ends sessions of agents whose transaction is older than policy.max_transaction, where the caller may see and signal them (pg_read_all_stats, pg_signal_backend).';



CREATE FUNCTION agentdb.refresh_normal() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_at timestamptz := clock_timestamp();
  v_count bigint;
begin
  insert into agentdb.token_normal as n (
    agent_id, refreshed_at, active_days, bound, hours
  )
  select a.agent_id, v_at, t.active_days, t.bound, t.hours
  from agentdb.agent as a
  cross join lateral agentdb._token_normal(a.agent_id, v_at) as t
  on conflict (agent_id) do update
  set refreshed_at = excluded.refreshed_at,
      active_days = excluded.active_days,
      bound = excluded.bound,
      hours = excluded.hours;
  get diagnostics v_count = row_count;
  delete from agentdb.token_normal as n where n.refreshed_at < v_at;
  return v_count;
end;
$$;



COMMENT ON FUNCTION agentdb.refresh_normal() IS 'Learns anew what is normal for each agent, for the rules to read; a runner calls it every hour; returns for how many agents.';



CREATE FUNCTION agentdb.register_agent(name text, role_name text, policy text DEFAULT 'default'::text, pooled boolean DEFAULT false) RETURNS TABLE(agent_id bigint, secret text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $_$
begin
  -- Who types 12, r-12 or a-12 on the command line means a run or an alert.
  if not agentdb._is_clean_name(name, 63) or name !~ '^[a-z0-9][a-z0-9_.-]*$'
    or name ~ '^([ar]-)?[0-9]+$' then
    perform agentdb._refuse(
      format('%L is no name for an agent', agentdb._clean_text(name, 100)),
      'Use 1 to 63 of a-z, 0-9, dot, dash and underscore, a letter or digit first, '
        'and not a number only, as runs and alerts have: 12, r-12, a-12.'
    );
  elsif role_name is null or pooled is null or policy is null then
    perform agentdb._refuse(
      'role_name, policy and pooled must not be NULL',
      'select * from agentdb.register_agent('
        'name => ''billing'', role_name => ''billing_agent'');'
    );
  elsif not exists (
    select from agentdb.policy as p where p.policy_name = register_agent.policy
  ) then
    raise exception 'there is no policy %', policy
      using errcode = 'ZA006', hint = 'select policy_name from agentdb.policy;';
  end if;
  perform agentdb._check_agent_role(register_agent.role_name::name);
  -- Without a secret a shared role could speak for the agent that needs none.
  if exists (
    select from agentdb.agent as a
    where a.role_name = register_agent.role_name and a.pooled <> register_agent.pooled
  ) then
    raise unique_violation;
  end if;
  insert into agentdb.agent as a (agent_name, role_name, pooled, policy_name)
  values (register_agent.name, register_agent.role_name, pooled, policy)
  returning a.agent_id into register_agent.agent_id;
  insert into agentdb.agent_gate (agent_id) values (register_agent.agent_id);
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



CREATE FUNCTION agentdb.register_message_channel(name text, relation regclass, recipient_column text, sent_at_column text, text_column text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_missing text;
begin
  if not agentdb._is_clean_name(name, 63) then
    perform agentdb._refuse(
      format('%L is no name for a channel', agentdb._clean_text(name, 100)),
      'Use 1 to 63 visible characters on one line, such as email.');
  end if;
  select string_agg(n.column_name, ', ') into v_missing
  from unnest(array[recipient_column, sent_at_column, text_column])
    as n (column_name)
  where n.column_name is not null
    and not exists (
      select from pg_attribute as a
      where a.attrelid = relation and a.attname = n.column_name
        and a.attnum > 0 and not a.attisdropped
    );
  if v_missing is not null or recipient_column is null or sent_at_column is null then
    perform agentdb._refuse(
      format('%s has no column %s', relation, coalesce(v_missing, 'NULL')),
      'Name the column that holds the recipient, the one that holds when it was sent '
        '(timestamptz), and, if it is kept, the text.');
  end if;
  insert into agentdb.message_channel (
    channel_name, relation_name, recipient_column, sent_at_column, text_column
  )
  values (
    name, agentdb._table_name(relation), recipient_column, sent_at_column, text_column
  );
end;
$$;



COMMENT ON FUNCTION agentdb.register_message_channel(name text, relation regclass, recipient_column text, sent_at_column text, text_column text) IS 'Names the table in which a transport records what it sent, so that claims of messages can be looked up; grant the runner select on it; raises ZA004.';



CREATE FUNCTION agentdb.register_tool(name text, input_schema jsonb DEFAULT NULL::jsonb, server text DEFAULT NULL::text, writes jsonb DEFAULT NULL::jsonb, effect boolean DEFAULT NULL::boolean, poll boolean DEFAULT NULL::boolean, longest interval DEFAULT NULL::interval, agent text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  perform agentdb._check_tool_definition(name, input_schema, writes);
  insert into agentdb.tool as t (
    tool_name, input_schema, server, writes, effect, poll, longest
  )
  values (
    name, input_schema, agentdb._clean_text(register_tool.server, 200),
    register_tool.writes, coalesce(effect, false), coalesce(poll, false), longest
  )
  on conflict on constraint tool_pkey do update
  set input_schema = coalesce(excluded.input_schema, t.input_schema),
      server = coalesce(excluded.server, t.server),
      writes = coalesce(excluded.writes, t.writes),
      effect = coalesce(register_tool.effect, t.effect),
      poll = coalesce(register_tool.poll, t.poll),
      longest = coalesce(excluded.longest, t.longest);
  if agent is not null then
    insert into agentdb.agent_tool (agent_id, tool_name)
    values (agentdb._agent_of(agent), name)
    on conflict on constraint agent_tool_pkey do nothing;
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb.register_tool(name text, input_schema jsonb, server text, writes jsonb, effect boolean, poll boolean, longest interval, agent text) IS 'Makes a tool known, and an agent''s; what is left out stays as it is; raises ZA004 or ZA006.';



CREATE FUNCTION agentdb.register_tools(tools jsonb, agent text DEFAULT NULL::text, server text DEFAULT NULL::text) RETURNS TABLE(tool_name text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_tools jsonb := coalesce(
    tools #> '{result,tools}', tools -> 'tools', tools);
  v_tool jsonb;
begin
  if jsonb_typeof(v_tools) is distinct from 'array' or jsonb_array_length(v_tools) = 0
  then
    perform agentdb._refuse(
      'no array of tools was found',
      'Send the answer to MCP''s tools/list, or the tools array of a model request.');
  end if;
  for v_tool in
    select coalesce(nullif(t.item -> 'function', 'null'), t.item) || case
        when t.item ? 'annotations'
          then jsonb_build_object('annotations', t.item -> 'annotations')
        else '{}' end
    from jsonb_array_elements(v_tools) as t (item)
  loop
    tool_name := agentdb._json_text(v_tool, 'name');
    perform agentdb.register_tool(
      name => tool_name,
      input_schema => coalesce(v_tool -> 'inputSchema', v_tool -> 'input_schema',
        v_tool -> 'parameters'),
      server => register_tools.server,
      agent => register_tools.agent,
      effect => case v_tool #> '{annotations,readOnlyHint}'
        when 'true' then false
        when 'false' then not coalesce(
          v_tool #> '{annotations,idempotentHint}' = 'true', false)
      end);
    return next;
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb.register_tools(tools jsonb, agent text, server text) IS 'Makes known the tools of an MCP tools/list answer or of OpenAI or Anthropic function definitions, all or none, and returns their names; raises ZA004 or ZA006.';



CREATE FUNCTION agentdb.reject_change(change bigint, comment text) RETURNS TABLE(change_id bigint, state text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  perform agentdb._check_said(comment, 'comment');
  if agentdb._begin_decision(change, 'reject', null, comment) then
    perform agentdb._close_change(change, 'rejected',
      jsonb_build_object('message', comment));
  end if;
  return query
    select c.change_id, c.state from agentdb.change as c where c.change_id = change;
end;
$$;



COMMENT ON FUNCTION agentdb.reject_change(change bigint, comment text) IS 'Rejects a pending change and tells the proposer why; raises ZA004, ZA006, ZA053 or ZA055.';



CREATE FUNCTION agentdb.release_lock(name text, fence bigint, at_least interval DEFAULT NULL::interval, run bigint DEFAULT NULL::bigint) RETURNS agentdb.released_lock
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_lock agentdb.released_lock;
begin
  update agentdb.lock as l
  set depth = 0,
      run_id = null,
      outcome = 'released',
      expires_at = '-infinity'
  where l.lock_name = name
    and l.slot = 0
    and l.fence = release_lock.fence
    and l.run_id is not null
    and l.depth = 1
    and l.role_name = session_user
    and agentdb._is_unstopped(
      case when at_least is null and run is null then l.stop_seen end)
  returning true, l.outcome, clock_timestamp() - l.acquired_at, null,
    agentdb._waiting(name, l.fence)
    into v_lock;
  if found then
    return v_lock;
  end if;
  return agentdb._release_otherwise(name, fence, at_least, run);
end;
$$;



COMMENT ON FUNCTION agentdb.release_lock(name text, fence bigint, at_least interval, run bigint) IS 'Gives a lock of the run back; at_least => keeps it from being taken until so long after it was acquired; raises ZA001, ZA003 or ZA004.';



CREATE FUNCTION agentdb.remaining_budget(run bigint DEFAULT NULL::bigint) RETURNS TABLE(scope text, max_tokens bigint, spent bigint, reserved bigint, tokens_left bigint, max_cost double precision, cost double precision)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  return query
    select b.scope, b.max_tokens, b.spent, b.reserved, b.tokens_left, b.max_cost,
      b.cost::double precision
    from agentdb._current_run(remaining_budget.run) as c
    join agentdb.run as r on r.run_id = c.run_id
    cross join lateral agentdb._budget(c.run_id, c.agent_id, r.conversation) as b
    order by b.scope;
end;
$$;



COMMENT ON FUNCTION agentdb.remaining_budget(run bigint) IS 'Says for each budget of the run what is spent, reserved and left; NULL left is no limit; raises ZA001 or ZA003.';



CREATE FUNCTION agentdb.rename_tool(name text, new_name text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  perform agentdb._check_tool_definition(new_name, null, null);
  update agentdb.tool as t set tool_name = new_name where t.tool_name = name;
  if not found then
    raise exception 'there is no tool %',
        coalesce(agentdb._clean_text(name, 100), 'NULL')
      using errcode = 'ZA006', hint = 'select tool_name from agentdb.tool;';
  end if;
  update agentdb.tool_alias as a set tool_name = new_name where a.tool_name = name;
  delete from agentdb.tool_alias as a where a.alias = new_name;
  insert into agentdb.tool_alias (alias, tool_name) values (name, new_name);
exception when unique_violation then
  raise exception 'there is a tool % already', new_name
    using errcode = 'ZA007', hint = 'Choose another name, or remove that tool first.';
end;
$$;



COMMENT ON FUNCTION agentdb.rename_tool(name text, new_name text) IS 'Renames a tool and keeps its former name as an alias, so that calls under it are not taken for made up; raises ZA004, ZA006 or ZA007.';



CREATE FUNCTION agentdb.renew_lock(name text, fence bigint, ttl interval DEFAULT '00:15:00'::interval, needs_progress boolean DEFAULT false, run bigint DEFAULT NULL::bigint) RETURNS agentdb.renewed_lock
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    SET enable_bitmapscan TO 'off'
    AS $$
declare
  v_now timestamptz := clock_timestamp();
  v_run_id bigint;
  v_agent_id bigint;
  v_stop_seen bigint;
  v_label text;
  v_max_ttl interval;
  v_strict boolean;
  v_lock agentdb.renewed_lock;
begin
  select n.run_id, n.agent_id, n.stop_seen, n.label, n.lock_max_ttl,
    n.renew_needs_progress
    into v_run_id, v_agent_id, v_stop_seen, v_label, v_max_ttl, v_strict
  from agentdb._newest_run() as n;
  if run is null and not v_strict and needs_progress is not true
    and ttl > '0' and ttl <= v_max_ttl then
    update agentdb.lock as l
    set expires_at = least(v_now + agentdb._exact_span(ttl), l.hold_until),
        renewed_at = v_now,
        renewals = l.renewals + 1
    where l.lock_name = name
      and l.fence = renew_lock.fence
      and l.run_id = v_run_id
      and l.hold_until > v_now
      and agentdb._is_unstopped(v_stop_seen)
    returning true, l.expires_at,
      ceil(date_part('epoch', l.expires_at - v_now) * 1000), 'renewed'
      into v_lock;
    if found then
      return v_lock;
    end if;
  end if;
  return agentdb._renew_otherwise(name, fence, ttl, needs_progress, run);
end;
$$;



COMMENT ON FUNCTION agentdb.renew_lock(name text, fence bigint, ttl interval, needs_progress boolean, run bigint) IS 'Prolongs a lock of the run and tells the milliseconds left, or why not: lost, max_hold or no_progress; raises ZA001, ZA003 or ZA004.';



CREATE FUNCTION agentdb.reserve_tokens(estimate bigint, max_output bigint DEFAULT 0, run bigint DEFAULT NULL::bigint) RETURNS TABLE(granted boolean, reservation bigint, expires_at timestamp with time zone, scope text, tokens_left bigint, advice text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_run_id bigint;
  v_agent_id bigint;
  v_conversation text;
  v_ttl interval;
begin
  perform agentdb._check_reservation(estimate, max_output);
  select c.run_id, c.agent_id, r.conversation, p.reservation_ttl
    into v_run_id, v_agent_id, v_conversation, v_ttl
  from agentdb._current_run(reserve_tokens.run) as c
  join agentdb.run as r on r.run_id = c.run_id
  join agentdb.agent as a on a.agent_id = c.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name;
  perform agentdb._pass_gate(v_agent_id);
  -- The scope that has the least left; a cost that is used up leaves nothing.
  select b.scope, case when b.cost >= b.max_cost then 0 else b.tokens_left end
    into reserve_tokens.scope, reserve_tokens.tokens_left
  from agentdb._budget(v_run_id, v_agent_id, v_conversation) as b
  where b.max_tokens is not null or b.cost >= b.max_cost
  order by 2
  limit 1;
  granted := coalesce(estimate + max_output <= tokens_left, true);
  if granted then
    insert into agentdb.token_reservation as v (
      run_id, agent_id, conversation, tokens, prompt_tokens, expires_at
    )
    values (
      v_run_id, v_agent_id, v_conversation, estimate + max_output, estimate,
      clock_timestamp() + v_ttl
    )
    returning v.token_reservation_id, v.expires_at
      into reserve_tokens.reservation, reserve_tokens.expires_at;
    tokens_left := tokens_left - estimate - max_output;
  else
    advice := agentdb._budget_advice(scope);
  end if;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.reserve_tokens(estimate bigint, max_output bigint, run bigint) IS 'Sets tokens aside before a prompt, or says in which scope (agent_day, conversation, run) too few are left and what to do; never lets spent and reserved exceed a budget; raises ZA001, ZA003 or ZA004.';



CREATE FUNCTION agentdb.resolve_alert(alert bigint, reason text) RETURNS TABLE(alert_id bigint, rule_name text, lasted interval)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '5s'
    AS $$
begin
  perform agentdb._check_comment(reason, 'a reason');
  if agentdb._dismiss(array[alert], reason) = '{}' then
    if not exists (select from agentdb.alert as a where a.alert_id = alert) then
      raise exception 'there is no alert A-%', coalesce(alert::text, 'NULL')
        using errcode = 'ZA006', hint = 'agentdb alerts lists what fires.';
    end if;
    perform agentdb._refuse_alert('alert A-' || alert, agentdb._how_ended(alert));
  end if;
  return query
    select a.alert_id, a.rule_name, a.resolved_at - a.firing_at
    from agentdb.alert as a where a.alert_id = alert;
end;
$$;



COMMENT ON FUNCTION agentdb.resolve_alert(alert bigint, reason text) IS 'Ends an alert by a person''s decision, until its rule has seen it gone or it gets more severe; raises ZA004, ZA006 or ZA075.';



CREATE FUNCTION agentdb.resolve_group(alert_group bigint, reason text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '5s'
    AS $$
declare
  v_alerts bigint[];
begin
  perform agentdb._check_comment(reason, 'a reason');
  v_alerts := agentdb._dismiss(agentdb._members(alert_group), reason);
  if v_alerts = '{}' then
    perform agentdb._refuse_alert(
      'group G-' || coalesce(alert_group::text, 'NULL'), null);
  end if;
  return cardinality(v_alerts);
end;
$$;



COMMENT ON FUNCTION agentdb.resolve_group(alert_group bigint, reason text) IS 'Ends all alerts of a group that fire now, by a person''s decision, and returns how many; raises ZA004 or ZA075.';



CREATE FUNCTION agentdb.resume_agent(agent text, reason text) RETURNS TABLE(agent_name text, runs_resumed bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint := agentdb._agent_of(agent);
begin
  perform agentdb._check_reason(reason);
  perform agentdb._log_stop(v_agent_id, null, 'resume', resume_agent.reason, null);
  delete from agentdb.agent_stop as s where s.agent_id = v_agent_id;
  if found then
    perform agentdb._end_pause(v_agent_id);
  end if;
  delete from agentdb.run_stop as s
  using agentdb.run as r
  where r.run_id = s.run_id
    and r.agent_id = v_agent_id
    and s.kind = 'paused';
  get diagnostics runs_resumed = row_count;
  agent_name := agent;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.resume_agent(agent text, reason text) IS 'Lets an agent go on that was paused, or start again that was killed; killed runs stay dead; raises ZA004 or ZA006.';



CREATE FUNCTION agentdb.retire_runner(runner_name text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
  delete from agentdb.runner as r where r.runner_name = retire_runner.runner_name;
$$;



COMMENT ON FUNCTION agentdb.retire_runner(runner_name text) IS 'Removes a runner that ends on purpose; one that died stays visible.';



CREATE FUNCTION agentdb.retry_notification(notification bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_state text;
  v_group bigint;
begin
  select n.state, n.alert_group_id into v_state, v_group
  from agentdb.notification as n
  where n.notification_id = notification for update;
  if v_state is distinct from 'dead' then
    perform agentdb._refuse_message(notification,
      coalesce('is not dead but ' || v_state, 'does not exist'));
  elsif exists (
    select from agentdb.notification as n
    where n.alert_group_id = v_group
      and n.notification_id > notification
      and n.state in ('queued', 'sent')
  ) then
    -- A late "firing" after "resolved" would open the incident again.
    perform agentdb._refuse_message(notification, 'is overtaken by a later one');
  end if;
  update agentdb.notification as n
  set state = 'queued',
      attempt = 0,
      claimed_by = null,
      visible_at = clock_timestamp(),
      finished_at = null
  where n.notification_id = notification;
  perform pg_notify('agentdb_notification', '');
end;
$$;



COMMENT ON FUNCTION agentdb.retry_notification(notification bigint) IS 'Sends a message that was given up again, unless a later one tells of the same; raises ZA076.';



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
    -- Bounded, so that a long pause is caught up with in steps that all succeed.
    v_high := least(
      pg_snapshot_xmin(pg_current_snapshot()),
      (v_low::text::bigint + 500000)::text::xid8
    );
    -- Where a transaction that stays open holds it up, its age shows.
    if v_high > v_low then
      perform agentdb._roll_up_progress(v_low, v_high);
      perform agentdb._roll_up_evidence(v_low, v_high);
      perform agentdb._roll_up_tool_calls(v_low, v_high);
      perform agentdb._roll_up_tokens(v_low, v_high);
      update agentdb.roll_up_state as s
      set horizon = v_high,
          rolled_at = clock_timestamp();
    end if;
    -- Last, because whoever ends a run waits for it.
    perform agentdb._pass_limits(null);
    perform agentdb._pass_stop();
  end if;
  return (
    select clock_timestamp() - nullif(s.rolled_at, '-infinity')
    from agentdb.roll_up_state as s
  );
end;
$$;



COMMENT ON FUNCTION agentdb.roll_up() IS 'Advances the roll-ups to the newest settled transaction and returns their age; a second caller leaves at once.';



CREATE FUNCTION agentdb.row_as_of(relation regclass, key jsonb, at timestamp with time zone) RETURNS jsonb
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET extra_float_digits TO '1'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'postgres'
    SET bytea_output TO 'hex'
    SET lc_monetary TO 'C'
    AS $$
declare
  v_row jsonb;
begin
  perform agentdb._check_past(relation, at);
  execute format('select p.row_values from (%s) as p',
      agentdb._past_sql(relation, true))
    into v_row using at, agentdb._canonical_key(relation, key);
  return v_row;
end;
$$;



COMMENT ON FUNCTION agentdb.row_as_of(relation regclass, key jsonb, at timestamp with time zone) IS 'A row as it was at a moment, NULL where it did not exist; raises ZA004, ZA006 or ZA033.';



CREATE FUNCTION agentdb.row_diff(run bigint) RETURNS TABLE(table_name text, operation text, row_key jsonb, finding text)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_nestloop TO 'off'
    AS $$
begin
  return query
    with deed as materialized (
      select d.table_name, d.row_key, d.operation, d.operations
      from agentdb._deeds(run) as d
    ),
    claimed as materialized (
      select distinct k.table_name, k.operation, k.row_key
      from agentdb._claimed_keys(run) as k
    )
    select d.table_name, d.operation, d.row_key, 'not claimed'
    from deed as d
    where d.operation <> 'none'
      and not exists (
        select from claimed as c
        where c.table_name = d.table_name and c.row_key is null
          and agentdb._did(d.operation, d.operations, c.operation)
      )
      and not exists (
        select from claimed as c
        where c.table_name = d.table_name and c.row_key = d.row_key
          and agentdb._did(d.operation, d.operations, c.operation)
      )
    union all
    select c.table_name, c.operation, c.row_key,
      coalesce('done otherwise: ' || nullif(d.operation, 'none'), 'not done')
    from claimed as c
    left join deed as d on d.table_name = c.table_name and d.row_key = c.row_key
    where c.row_key is not null
      and agentdb._did(d.operation, d.operations, c.operation) is not true;
end;
$$;



COMMENT ON FUNCTION agentdb.row_diff(run bigint) IS 'Rows that a run changed and did not claim, and rows that it claimed and did not change or changed otherwise.';



CREATE FUNCTION agentdb.row_history(relation regclass, key jsonb) RETURNS TABLE(recorded_at timestamp with time zone, operation text, old_values jsonb, new_values jsonb, agent_name text, run_id bigint, change_id bigint, approved_by text, session_role text, statement bigint, audit_log_id bigint)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
declare
  v_key jsonb := agentdb._canonical_key(relation, key);
begin
  return query
    select l.recorded_at, l.operation, l.old_values, l.new_values, a.agent_name,
      l.run_id, l.change_id, agentdb._approved_by(l.change_id), l.session_role,
      l.statement, l.audit_log_id
    from agentdb.audit_log as l
    left join agentdb.agent as a on a.agent_id = l.agent_id
    where l.audit_target_id in (
        select t.audit_target_id from agentdb.audit_target as t
        where t.table_oid = relation::oid)
      and jsonb_hash_extended(l.row_key, 0) = jsonb_hash_extended(v_key, 0)
      and l.row_key = v_key
    order by l.audit_log_id;
end;
$$;



COMMENT ON FUNCTION agentdb.row_history(relation regclass, key jsonb) IS 'Everything that happened to a row, the oldest first; the key as JSON, or its bare value; raises ZA004, ZA006 or ZA033.';



CREATE VIEW agentdb.audit_fault AS
 SELECT t.audit_target_id,
    t.table_name,
    f.fault
   FROM ((agentdb.audit_target t
     LEFT JOIN pg_class c ON ((c.oid = t.table_oid)))
     CROSS JOIN LATERAL ( SELECT 'the table is gone'::text AS fault
          WHERE (c.oid IS NULL)
        UNION ALL
         SELECT 'its capture function is gone'::text
          WHERE (NOT (EXISTS ( SELECT
                   FROM pg_proc p
                  WHERE ((p.pronamespace = ('agentdb'::regnamespace)::oid) AND (p.proname = ('_capture_'::text || t.audit_target_id))))))
        UNION ALL
         SELECT ('it needs level row now: '::text || agentdb._needs_rows(t.table_oid))
          WHERE ((t.level = 'statement'::text) AND (agentdb._needs_rows(t.table_oid) IS NOT NULL))
        UNION ALL
         SELECT format('trigger %s on %s is %s'::text, w.tgname, (w.table_oid)::regclass,
                CASE
                    WHEN (g.oid IS NULL) THEN 'missing'::text
                    WHEN (g.tgenabled <> 'A'::"char") THEN 'disabled'::text
                    ELSE 'replaced'::text
                END) AS format
           FROM ((( SELECT t.table_oid,
                    n.tgname
                   FROM unnest(
                        CASE t.level
                            WHEN 'row'::text THEN ARRAY['00_agentdb_audit'::text]
                            ELSE ARRAY['agentdb_audit_insert'::text, 'agentdb_audit_update'::text, 'agentdb_audit_delete'::text]
                        END) n(tgname)
                  WHERE (c.oid IS NOT NULL)
                UNION ALL
                 SELECT p_1.relid,
                    x.tgname
                   FROM (pg_partition_tree((t.table_oid)::regclass) p_1(relid, parentrelid, isleaf, level)
                     CROSS JOIN ( VALUES ('00_agentdb_audit'::text), ('agentdb_audit_truncate'::text)) x(tgname))
                  WHERE ((p_1.relid)::oid <> t.table_oid)
                UNION ALL
                 SELECT t.table_oid,
                    'agentdb_audit_truncate'::text
                  WHERE (c.oid IS NOT NULL)) w(table_oid, tgname)
             LEFT JOIN pg_trigger g ON (((g.tgrelid = w.table_oid) AND (g.tgname = w.tgname))))
             LEFT JOIN pg_proc p ON (((p.oid = g.tgfoid) AND (p.pronamespace = ('agentdb'::regnamespace)::oid))))
          WHERE ((g.tgenabled IS DISTINCT FROM 'A'::"char") OR (g.tgqual IS NOT NULL) OR (g.tgattr <> ''::int2vector) OR (p.proname IS NULL) OR (p.proname <> ALL (ARRAY[(('_capture_'::text || t.audit_target_id))::name, '_capture_truncate'::name])) OR ((p.proname = '_capture_truncate'::name) AND (g.tgargs <> (convert_to((t.audit_target_id)::text, 'UTF8'::name) || '\x00'::bytea))))) f)
  WHERE (t.unaudited_at IS NULL);



COMMENT ON VIEW agentdb.audit_fault IS 'What keeps the audit from recording a table as it should; empty where all is well.';



COMMENT ON COLUMN agentdb.audit_fault.audit_target_id IS 'The attachment.';



COMMENT ON COLUMN agentdb.audit_fault.table_name IS 'The table.';



COMMENT ON COLUMN agentdb.audit_fault.fault IS 'What is wrong.';



CREATE FUNCTION agentdb.rule_audit_gap(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('table', f.table_name) AS jsonb_build_object,
     (count(*))::double precision AS count,
     jsonb_build_object('summary', format('the audit of %s has a gap: %s'::text, f.table_name, "left"(string_agg(f.fault, '; '::text ORDER BY f.fault), 500)), 'threshold', 0) AS jsonb_build_object
    FROM (agentdb.audit_fault f
      JOIN agentdb.audit_target t ON ((t.audit_target_id = f.audit_target_id)))
   WHERE (t.audited_at <= rule_audit_gap.as_of)
   GROUP BY f.table_name;
END;



COMMENT ON FUNCTION agentdb.rule_audit_gap(as_of timestamp with time zone) IS 'Audited tables whose triggers are missing, disabled or replaced, or whose layout has changed.';



CREATE FUNCTION agentdb.rule_blast_radius(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'run', (w.run_id)::text, 'table', t.table_name) AS jsonb_build_object,
     (max(w.changed))::double precision AS max,
     jsonb_build_object('summary', format('a %s of %s changed %s rows of %s; the limit is %s'::text,
         CASE t.level
             WHEN 'row'::text THEN 'transaction'::text
             ELSE 'statement'::text
         END, a.agent_name, max(w.changed), t.table_name, p.blast_radius_rows), 'policy', p.policy_name, 'setting', 'blast_radius_rows', 'threshold', p.blast_radius_rows) AS jsonb_build_object
    FROM (((( SELECT l.agent_id,
             l.run_id,
             l.audit_target_id,
             count(*) AS changed,
             max(l.recorded_at) AS recorded_at
            FROM (agentdb.audit_log l
              JOIN agentdb.audit_target t_1 ON ((t_1.audit_target_id = l.audit_target_id)))
           WHERE ((l.agent_id IS NOT NULL) AND (l.change_id IS NULL) AND (l.recorded_at > (rule_blast_radius.as_of - '1 day'::interval)) AND (l.recorded_at <= rule_blast_radius.as_of))
           GROUP BY l.agent_id, l.run_id, l.audit_target_id, l.xid, l.operation,
                 CASE t_1.level
                     WHEN 'statement'::text THEN l.statement
                     ELSE NULL::bigint
                 END) w
      JOIN agentdb.agent a ON ((a.agent_id = w.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      JOIN agentdb.audit_target t ON ((t.audit_target_id = w.audit_target_id)))
   WHERE ((w.changed > p.blast_radius_rows) AND (w.recorded_at > (rule_blast_radius.as_of - p.blast_radius_window)))
   GROUP BY a.agent_name, w.run_id, t.table_name, t.level, p.policy_name, p.blast_radius_rows;
END;



COMMENT ON FUNCTION agentdb.rule_blast_radius(as_of timestamp with time zone) IS 'Statements of agents that changed more rows of an audited table than policy.blast_radius_rows.';



CREATE FUNCTION agentdb.rule_budget_low(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_strip_nulls(jsonb_build_object('agent', a.agent_name, 'scope', r.scope, 'conversation', r.conversation, 'run', (r.run_id)::text)) AS jsonb_strip_nulls,
     u.share,
     jsonb_build_object('summary', format('%s has used %s%% of its %s budget:%s%s'::text, a.agent_name, round((u.share * (100)::double precision)), r.scope, ((((' '::text || b.spent) || ' of '::text) || b.max_tokens) || ' tokens'::text), (((' cost '::text || round(b.cost, 2)) || ' of '::text) || b.max_cost)), 'policy', p.policy_name, 'setting', 'budget_low_share', 'threshold', p.budget_low_share, 'severity',
         CASE
             WHEN (u.share >= (1)::double precision) THEN 'critical'::text
             ELSE 'warning'::text
         END) AS jsonb_build_object
    FROM ((((((agentdb._budget_in_use(rule_budget_low.as_of) r(agent_id, scope, conversation, run_id)
      JOIN agentdb.agent a ON ((a.agent_id = r.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      CROSS JOIN LATERAL agentdb._budget_limit(r.agent_id) l(scope, max_tokens, max_cost))
      LEFT JOIN agentdb._conversation_use(rule_budget_low.as_of) c(agent_id, conversation, last_run_id, input_tokens, cached_input_tokens, output_tokens) ON (((c.agent_id = r.agent_id) AND (c.conversation = r.conversation))))
      CROSS JOIN LATERAL agentdb._budget(r.run_id, r.agent_id, r.conversation) b(scope, max_tokens, spent, reserved, tokens_left, max_cost, cost))
      CROSS JOIN LATERAL ( SELECT GREATEST(((b.spent)::double precision / (NULLIF(b.max_tokens, 0))::double precision), ((b.cost)::double precision / NULLIF(b.max_cost, (0)::double precision))) AS share) u)
   WHERE ((l.scope = r.scope) AND (b.scope = r.scope) AND ((l.max_cost IS NOT NULL) OR ((l.max_tokens IS NOT NULL) AND (r.scope = 'agent_day'::text)) OR ((((c.input_tokens + c.cached_input_tokens) + c.output_tokens))::double precision >= (p.budget_low_share * (l.max_tokens)::double precision))) AND (u.share >= p.budget_low_share));
END;



COMMENT ON FUNCTION agentdb.rule_budget_low(as_of timestamp with time zone) IS 'Budgets of runs recent at a moment of which policy.budget_low_share is spent, counted as they stand now.';



CREATE FUNCTION agentdb.rule_change_conflict(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT agentdb._change_labels(c.change_id) AS _change_labels,
     (jsonb_array_length(COALESCE((c.problem -> 'conflicts'::text), '[]'::jsonb)))::double precision AS jsonb_array_length,
     jsonb_build_object('summary', "left"(format('change %s by %s was approved and could not be applied: %s'::text, c.change_id, c.proposed_by, COALESCE(agentdb._conflict_text((c.problem -> 'conflicts'::text)), (c.problem ->> 'message'::text))), 500), 'policy', p.policy_name, 'threshold', 0) AS jsonb_build_object
    FROM (agentdb.change c
      CROSS JOIN LATERAL agentdb._change_policy(c.change_id) p(policy_name, description, max_open_runs, abandon_after, cached_input_weight, output_weight, token_rate_margin, token_rate_per_hour, token_rate_quantile, token_rate_margin_few, token_rate_floor, token_rate_warm_up_days, token_rate_warm_up_cap, token_rate_unusual_hour, token_rate_regular_hours, token_rate_clear, token_rate_factor, token_rate_window, token_rate_baseline, token_rate_min_history, no_progress_after, max_long_call, silent_loop_same, silent_loop_same_critical, silent_loop_window, silent_loop_calls, silent_loop_poll, silent_loop_poll_critical, silent_loop_failures, silent_loop_failures_critical, silent_loop_results, silent_loop_result_size, silent_loop_cosmetic, silent_loop_laps, silent_loop_diversity_calls, silent_loop_diversity, silent_loop_model_calls, repeated_tool_call_count, repeated_tool_call_window, tool_errors_count, tool_errors_share, tool_errors_sigma, tool_errors_window, tool_errors_baseline, conversation_budget_tokens, conversation_budget_cost, run_budget_tokens, run_budget_cost, agent_day_budget_tokens, agent_day_budget_cost, budget_low_share, reservation_ttl, context_jump_factor, context_jump_tokens, context_jump_growth, context_jump_floor, context_jump_window, large_tool_result_size, large_tool_result_window, hung_tool_call_after, missed_tick_grace, long_tick_after, max_hold, max_questions, max_questions_day, unanswered_question_after, max_question_wait, max_transaction, lock_max_ttl, max_locks, renew_needs_progress, lock_held_too_long_after, lock_contention_count, lock_contention_window, schedule_blocked_count, unattributed_write_window, blast_radius_rows, blast_radius_window, max_pending_changes, max_change_rows, change_waiting_after, change_expiring_before, change_conflict_window, tool_diff_window, unknown_tool_critical, unknown_tool_window, max_claims, verify_within, claim_window, log_retention, audit_retention))
   WHERE ((c.state = 'conflict'::text) AND (c.closed_at <= rule_change_conflict.as_of) AND (c.closed_at > (rule_change_conflict.as_of - p.change_conflict_window)));
END;



COMMENT ON FUNCTION agentdb.rule_change_conflict(as_of timestamp with time zone) IS 'Changes that ended in a conflict within policy.change_conflict_window.';



CREATE FUNCTION agentdb.rule_change_expiring(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT agentdb._change_labels(c.change_id) AS _change_labels,
     (EXTRACT(epoch FROM (c.expires_at - rule_change_expiring.as_of)))::double precision AS "extract",
     jsonb_build_object('summary', format('change %s by %s expires in %s: %s'::text, c.change_id, c.proposed_by, agentdb._span((c.expires_at - rule_change_expiring.as_of)), "left"(c.reason, 200)), 'policy', p.policy_name, 'threshold', EXTRACT(epoch FROM p.change_expiring_before)) AS jsonb_build_object
    FROM (agentdb.change c
      CROSS JOIN LATERAL agentdb._change_policy(c.change_id) p(policy_name, description, max_open_runs, abandon_after, cached_input_weight, output_weight, token_rate_margin, token_rate_per_hour, token_rate_quantile, token_rate_margin_few, token_rate_floor, token_rate_warm_up_days, token_rate_warm_up_cap, token_rate_unusual_hour, token_rate_regular_hours, token_rate_clear, token_rate_factor, token_rate_window, token_rate_baseline, token_rate_min_history, no_progress_after, max_long_call, silent_loop_same, silent_loop_same_critical, silent_loop_window, silent_loop_calls, silent_loop_poll, silent_loop_poll_critical, silent_loop_failures, silent_loop_failures_critical, silent_loop_results, silent_loop_result_size, silent_loop_cosmetic, silent_loop_laps, silent_loop_diversity_calls, silent_loop_diversity, silent_loop_model_calls, repeated_tool_call_count, repeated_tool_call_window, tool_errors_count, tool_errors_share, tool_errors_sigma, tool_errors_window, tool_errors_baseline, conversation_budget_tokens, conversation_budget_cost, run_budget_tokens, run_budget_cost, agent_day_budget_tokens, agent_day_budget_cost, budget_low_share, reservation_ttl, context_jump_factor, context_jump_tokens, context_jump_growth, context_jump_floor, context_jump_window, large_tool_result_size, large_tool_result_window, hung_tool_call_after, missed_tick_grace, long_tick_after, max_hold, max_questions, max_questions_day, unanswered_question_after, max_question_wait, max_transaction, lock_max_ttl, max_locks, renew_needs_progress, lock_held_too_long_after, lock_contention_count, lock_contention_window, schedule_blocked_count, unattributed_write_window, blast_radius_rows, blast_radius_window, max_pending_changes, max_change_rows, change_waiting_after, change_expiring_before, change_conflict_window, tool_diff_window, unknown_tool_critical, unknown_tool_window, max_claims, verify_within, claim_window, log_retention, audit_retention))
   WHERE ((c.submitted_at <= rule_change_expiring.as_of) AND (c.expires_at > rule_change_expiring.as_of) AND ((c.expires_at - rule_change_expiring.as_of) < LEAST(p.change_expiring_before, ((c.expires_at - c.submitted_at) / (2)::double precision))) AND ((c.state = ANY (ARRAY['pending'::text, 'approved'::text])) OR (c.closed_at > rule_change_expiring.as_of)));
END;



COMMENT ON FUNCTION agentdb.rule_change_expiring(as_of timestamp with time zone) IS 'Changes that end undecided within policy.change_expiring_before.';



CREATE FUNCTION agentdb.rule_change_waiting(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT agentdb._change_labels(c.change_id) AS _change_labels,
     (EXTRACT(epoch FROM (rule_change_waiting.as_of - c.submitted_at)))::double precision AS "extract",
     jsonb_build_object('summary', format('change %s by %s of %s rows has waited for %s: %s'::text, c.change_id, c.proposed_by, c.row_count, agentdb._span((rule_change_waiting.as_of - c.submitted_at)), "left"(c.reason, 200)), 'policy', p.policy_name, 'threshold', EXTRACT(epoch FROM p.change_waiting_after)) AS jsonb_build_object
    FROM (agentdb.change c
      CROSS JOIN LATERAL agentdb._change_policy(c.change_id) p(policy_name, description, max_open_runs, abandon_after, cached_input_weight, output_weight, token_rate_margin, token_rate_per_hour, token_rate_quantile, token_rate_margin_few, token_rate_floor, token_rate_warm_up_days, token_rate_warm_up_cap, token_rate_unusual_hour, token_rate_regular_hours, token_rate_clear, token_rate_factor, token_rate_window, token_rate_baseline, token_rate_min_history, no_progress_after, max_long_call, silent_loop_same, silent_loop_same_critical, silent_loop_window, silent_loop_calls, silent_loop_poll, silent_loop_poll_critical, silent_loop_failures, silent_loop_failures_critical, silent_loop_results, silent_loop_result_size, silent_loop_cosmetic, silent_loop_laps, silent_loop_diversity_calls, silent_loop_diversity, silent_loop_model_calls, repeated_tool_call_count, repeated_tool_call_window, tool_errors_count, tool_errors_share, tool_errors_sigma, tool_errors_window, tool_errors_baseline, conversation_budget_tokens, conversation_budget_cost, run_budget_tokens, run_budget_cost, agent_day_budget_tokens, agent_day_budget_cost, budget_low_share, reservation_ttl, context_jump_factor, context_jump_tokens, context_jump_growth, context_jump_floor, context_jump_window, large_tool_result_size, large_tool_result_window, hung_tool_call_after, missed_tick_grace, long_tick_after, max_hold, max_questions, max_questions_day, unanswered_question_after, max_question_wait, max_transaction, lock_max_ttl, max_locks, renew_needs_progress, lock_held_too_long_after, lock_contention_count, lock_contention_window, schedule_blocked_count, unattributed_write_window, blast_radius_rows, blast_radius_window, max_pending_changes, max_change_rows, change_waiting_after, change_expiring_before, change_conflict_window, tool_diff_window, unknown_tool_critical, unknown_tool_window, max_claims, verify_within, claim_window, log_retention, audit_retention))
   WHERE ((c.submitted_at < (rule_change_waiting.as_of - p.change_waiting_after)) AND (c.expires_at > rule_change_waiting.as_of) AND ((c.state = ANY (ARRAY['pending'::text, 'approved'::text])) OR (c.closed_at > rule_change_waiting.as_of)));
END;



COMMENT ON FUNCTION agentdb.rule_change_waiting(as_of timestamp with time zone) IS 'Changes that are not decided, or approved and not applied, after policy.change_waiting_after.';



CREATE FUNCTION agentdb.rule_context_jump(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 WITH prompt AS (
          SELECT q_1.agent_id,
             q_1.run_id,
             q_1.at,
             q_1.tokens,
             q_1.sent,
             lag(q_1.tokens) OVER (PARTITION BY q_1.run_id ORDER BY q_1.at) AS former
            FROM agentdb._prompt((rule_context_jump.as_of - ( SELECT max(w.context_jump_window) AS max
                    FROM agentdb.policy w)), rule_context_jump.as_of) q_1(agent_id, run_id, at, tokens, sent)
         )
  SELECT DISTINCT ON (q.run_id) jsonb_build_object('agent', a.agent_name, 'run', (q.run_id)::text) AS jsonb_build_object,
     (q.tokens)::double precision AS tokens,
     jsonb_build_object('summary', format('a prompt of run %s of %s jumped from %s to %s tokens%s'::text, q.run_id, a.agent_name, f.former, q.tokens,
         CASE
             WHEN q.sent THEN ''::text
             ELSE '; it is reserved and not sent yet'::text
         END), 'policy', p.policy_name, 'setting', 'context_jump_factor', 'threshold', p.context_jump_factor) AS jsonb_build_object
    FROM (((prompt q
      JOIN agentdb.agent a ON ((a.agent_id = q.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      CROSS JOIN LATERAL ( SELECT COALESCE(q.former, ( SELECT (t.input_tokens + t.cached_input_tokens)
                    FROM agentdb.token_log t
                   WHERE ((t.run_id = q.run_id) AND (t.recorded_at < q.at) AND (t.recorded_at > (q.at - '1 day'::interval)))
                   ORDER BY t.token_log_id DESC
                  LIMIT 1)) AS former) f)
   WHERE ((q.at > (rule_context_jump.as_of - p.context_jump_window)) AND (q.tokens > p.context_jump_floor) AND (((q.tokens)::double precision > (p.context_jump_factor * (f.former)::double precision)) OR ((q.tokens > (f.former + p.context_jump_tokens)) AND ((q.tokens)::double precision > (p.context_jump_growth * (f.former)::double precision)))))
   ORDER BY q.run_id, q.tokens DESC;
END;



COMMENT ON FUNCTION agentdb.rule_context_jump(as_of timestamp with time zone) IS 'Runs with a prompt more than policy.context_jump_factor times the one before it, or larger by context_jump_tokens, sent or reserved.';



CREATE FUNCTION agentdb.rule_conversation_budget(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'conversation', u.conversation, 'run', (u.last_run_id)::text) AS jsonb_build_object,
     (t.tokens)::double precision AS tokens,
     jsonb_build_object('summary', format('conversation %s of %s has used %s tokens; its budget is %s'::text, u.conversation, a.agent_name, t.tokens, p.conversation_budget_tokens), 'policy', p.policy_name, 'setting', 'conversation_budget_tokens', 'threshold', p.conversation_budget_tokens, 'input_tokens', u.input_tokens, 'cached_input_tokens', u.cached_input_tokens, 'output_tokens', u.output_tokens) AS jsonb_build_object
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
 SELECT jsonb_build_object('agent', a.agent_name, 'run', (r.run_id)::text, 'tool', c.tool, 'call', c.call_id) AS jsonb_build_object,
     (EXTRACT(epoch FROM (rule_hung_tool_call.as_of - c.began_at)))::double precision AS "extract",
     jsonb_build_object('summary', format('%s has waited %3$s for %2$s; the limit is %4$s'::text, a.agent_name, c.tool, agentdb._span((rule_hung_tool_call.as_of - c.began_at)), agentdb._span(COALESCE(t.longest, p.hung_tool_call_after))), 'policy', p.policy_name, 'setting', 'hung_tool_call_after', 'threshold', EXTRACT(epoch FROM COALESCE(t.longest, p.hung_tool_call_after))) AS jsonb_build_object
    FROM ((((agentdb._call_in_flight(rule_hung_tool_call.as_of) c(run_id, call_id, tool, began_at)
      JOIN agentdb._open_run(rule_hung_tool_call.as_of) r(run_id, agent_id, conversation, tick_interval, started_at, held_until_at, hold_reason) ON ((r.run_id = c.run_id)))
      JOIN agentdb.agent a ON ((a.agent_id = r.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      LEFT JOIN agentdb.tool t ON ((t.tool_name = c.tool)))
   WHERE ((c.began_at < (rule_hung_tool_call.as_of - COALESCE(t.longest, p.hung_tool_call_after))) AND (NOT agentdb._is_paused(r.run_id, rule_hung_tool_call.as_of)));
END;



COMMENT ON FUNCTION agentdb.rule_hung_tool_call(as_of timestamp with time zone) IS 'Tool calls of open runs in flight for longer than tool.longest, else policy.hung_tool_call_after.';



CREATE TABLE agentdb.lock_denial (
    lock_name text NOT NULL,
    run_id bigint NOT NULL,
    agent_id bigint NOT NULL,
    first_at timestamp with time zone NOT NULL,
    last_at timestamp with time zone NOT NULL,
    denials bigint DEFAULT 1 NOT NULL
)
WITH (fillfactor='70');



COMMENT ON TABLE agentdb.lock_denial IS 'Denied attempts at locks, counted once a second and run, a row a minute.';



CREATE FUNCTION agentdb.rule_lock_contention(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('lock', d.lock_name) AS jsonb_build_object,
     (sum(d.denials))::double precision AS sum,
     jsonb_build_object('summary', format('%s attempts of %s runs were denied lock %s in %s'::text, sum(d.denials), count(DISTINCT d.run_id), d.lock_name, agentdb._within(min(d.first_at), max(d.last_at))), 'policy', min(p.policy_name), 'setting', 'lock_contention_count', 'threshold', min(p.lock_contention_count)) AS jsonb_build_object
    FROM ((agentdb.lock_denial d
      JOIN agentdb.agent a ON ((a.agent_id = d.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((d.first_at <= rule_lock_contention.as_of) AND (d.first_at > (rule_lock_contention.as_of - p.lock_contention_window)) AND (d.first_at > (rule_lock_contention.as_of - ( SELECT max(w.lock_contention_window) AS max
            FROM agentdb.policy w))))
   GROUP BY d.lock_name
  HAVING (sum(d.denials) >= (min(p.lock_contention_count))::numeric);
END;



COMMENT ON FUNCTION agentdb.rule_lock_contention(as_of timestamp with time zone) IS 'Locks that were denied at least policy.lock_contention_count times in the window.';



CREATE FUNCTION agentdb.rule_lock_held_too_long(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('lock', t.lock_name, 'slot', t.slot, 'agent', a.agent_name, 'run', (t.run_id)::text) AS jsonb_build_object,
     (EXTRACT(epoch FROM (rule_lock_held_too_long.as_of - t.acquired_at)))::double precision AS "extract",
     jsonb_build_object('summary', format('run %s of %s has held lock %s since %s and renewed it %s times; the limit is %s'::text, t.run_id, a.agent_name, t.lock_name, agentdb._utc(t.acquired_at), t.renewals, agentdb._span(p.lock_held_too_long_after)), 'policy', p.policy_name, 'setting', 'lock_held_too_long_after', 'threshold', EXTRACT(epoch FROM p.lock_held_too_long_after), 'fence', t.fence) AS jsonb_build_object
    FROM ((agentdb._tenure(rule_lock_held_too_long.as_of) t(lock_name, slot, fence, agent_id, run_id, acquired_at, expires_at, renewals)
      JOIN agentdb.agent a ON ((a.agent_id = t.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE (t.acquired_at < (rule_lock_held_too_long.as_of - p.lock_held_too_long_after));
END;



COMMENT ON FUNCTION agentdb.rule_lock_held_too_long(as_of timestamp with time zone) IS 'Locks held for longer than policy.lock_held_too_long_after, renewals included.';



CREATE FUNCTION agentdb.rule_long_tick(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'run', (r.run_id)::text) AS jsonb_build_object,
     (EXTRACT(epoch FROM (rule_long_tick.as_of - r.started_at)))::double precision AS "extract",
     jsonb_build_object('summary', format('tick %s of %s has run for %s; the limit is %s'::text, r.run_id, a.agent_name, agentdb._span((rule_long_tick.as_of - r.started_at)), agentdb._span(p.long_tick_after)), 'policy', p.policy_name, 'setting', 'long_tick_after', 'threshold', EXTRACT(epoch FROM p.long_tick_after)) AS jsonb_build_object
    FROM ((agentdb._open_run(rule_long_tick.as_of) r(run_id, agent_id, conversation, tick_interval, started_at, held_until_at, hold_reason)
      JOIN agentdb.agent a ON ((a.agent_id = r.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((r.tick_interval IS NOT NULL) AND (NOT agentdb._is_paused(r.run_id, rule_long_tick.as_of)) AND (r.started_at < (rule_long_tick.as_of - p.long_tick_after)));
END;



COMMENT ON FUNCTION agentdb.rule_long_tick(as_of timestamp with time zone) IS 'Runs with a tick interval that are open for longer than policy.long_tick_after.';



CREATE FUNCTION agentdb.rule_missed_tick(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name) AS jsonb_build_object,
     (EXTRACT(epoch FROM (rule_missed_tick.as_of - e.due_at)))::double precision AS "extract",
     jsonb_build_object('summary',
         CASE
             WHEN (e.error IS NOT NULL) THEN format('the schedule of %s cannot be read, so nobody waits for it: %s'::text, a.agent_name, e.error)
             ELSE format('the tick of %s is %s late, %s of grace included; %s'::text, a.agent_name, agentdb._span((rule_missed_tick.as_of - e.due_at)), agentdb._span(COALESCE(s.grace, p.missed_tick_grace)), e.rhythm)
         END, 'policy', p.policy_name, 'setting', 'missed_tick_grace', 'threshold', EXTRACT(epoch FROM COALESCE(s.grace, p.missed_tick_grace)), 'since', e.due_at, 'run', e.run_id) AS jsonb_build_object
    FROM (((agentdb._expected_start(rule_missed_tick.as_of) e(agent_id, due_at, rhythm, run_id, error)
      JOIN agentdb.agent a ON ((a.agent_id = e.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      LEFT JOIN agentdb.schedule s ON ((s.agent_id = a.agent_id)))
   WHERE (((e.error IS NOT NULL) OR ((e.due_at + COALESCE(s.grace, p.missed_tick_grace)) < rule_missed_tick.as_of)) AND (NOT (EXISTS ( SELECT
            FROM agentdb.agent_stop t
           WHERE ((t.agent_id = a.agent_id) AND (t.stopped_at <= rule_missed_tick.as_of))))));
END;



COMMENT ON FUNCTION agentdb.rule_missed_tick(as_of timestamp with time zone) IS 'Agents that have not started within the grace of their schedule, or of the tick_interval that their last run promised.';



CREATE FUNCTION agentdb.rule_no_progress(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'run', (r.run_id)::text) AS jsonb_build_object,
     (EXTRACT(epoch FROM (rule_no_progress.as_of - GREATEST(r.since, c.until))))::double precision AS "extract",
     jsonb_build_object('summary', format('run %s of %s has shown no progress for %s (no new step, no audited write); the limit is %s'::text, r.run_id, a.agent_name, agentdb._span((rule_no_progress.as_of - GREATEST(r.since, c.until))), agentdb._span(l.after)), 'policy', p.policy_name, 'setting', 'no_progress_after', 'threshold', EXTRACT(epoch FROM l.after), 'since', GREATEST(r.since, c.until)) AS jsonb_build_object
    FROM (((((agentdb._working_run(rule_no_progress.as_of) r(run_id, agent_id, since)
      JOIN agentdb.agent a ON ((a.agent_id = r.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      LEFT JOIN agentdb.schedule s ON ((s.agent_id = a.agent_id)))
      CROSS JOIN LATERAL ( SELECT COALESCE(s.no_progress_after, p.no_progress_after) AS after) l)
      CROSS JOIN LATERAL ( SELECT
                 CASE
                     WHEN (r.since < (rule_no_progress.as_of - l.after)) THEN agentdb._long_call_until(r.run_id, p.max_long_call, rule_no_progress.as_of)
                     ELSE NULL::timestamp with time zone
                 END AS until) c)
   WHERE ((r.since < (rule_no_progress.as_of - l.after)) AND COALESCE((c.until < (rule_no_progress.as_of - l.after)), true));
END;



COMMENT ON FUNCTION agentdb.rule_no_progress(as_of timestamp with time zone) IS 'Open runs without evidence of progress for policy.no_progress_after, that of their agent''s schedule first; a call of a tool with tool.longest is waited for.';



CREATE FUNCTION agentdb.rule_overdue_hold(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'run', (r.run_id)::text) AS jsonb_build_object,
     (EXTRACT(epoch FROM (rule_overdue_hold.as_of - r.held_until_at)))::double precision AS "extract",
     jsonb_build_object('summary', format('run %s of %s was to wait until %s ago (%s) and has done nothing since'::text, r.run_id, a.agent_name, agentdb._span((rule_overdue_hold.as_of - r.held_until_at)), r.hold_reason), 'policy', p.policy_name, 'setting', 'missed_tick_grace', 'threshold', EXTRACT(epoch FROM p.missed_tick_grace)) AS jsonb_build_object
    FROM ((agentdb._open_run(rule_overdue_hold.as_of) r(run_id, agent_id, conversation, tick_interval, started_at, held_until_at, hold_reason)
      JOIN agentdb.agent a ON ((a.agent_id = r.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((r.held_until_at < rule_overdue_hold.as_of) AND (r.held_until_at < (rule_overdue_hold.as_of - p.missed_tick_grace)) AND (NOT agentdb._is_paused(r.run_id, rule_overdue_hold.as_of)) AND (agentdb._last_event_at(r.run_id, r.started_at) < r.held_until_at));
END;



COMMENT ON FUNCTION agentdb.rule_overdue_hold(as_of timestamp with time zone) IS 'Runs whose hold is over by policy.missed_tick_grace and that have logged nothing since.';



CREATE FUNCTION agentdb.rule_question_asked(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT agentdb._question_labels(q.*) AS _question_labels,
     (EXTRACT(epoch FROM (rule_question_asked.as_of - q.asked_at)))::double precision AS "extract",
     jsonb_strip_nulls(jsonb_build_object('summary', format('run %s asks: %s'::text, q.run_id, q.question), 'severity',
         CASE q.urgency
             WHEN 'high'::text THEN 'critical'::text
             WHEN 'normal'::text THEN 'warning'::text
             ELSE 'info'::text
         END, 'options', q.options, 'next', jsonb_build_array(format('agentdb answer Q-%s …'::text, q.question_id)))) AS jsonb_strip_nulls
    FROM agentdb._open_at(rule_question_asked.as_of) q(question_id, run_id, agent_id, question, options, urgency, asked_at, answer, comment, answered_by, answered_at);
END;



COMMENT ON FUNCTION agentdb.rule_question_asked(as_of timestamp with time zone) IS 'Questions that wait for an answer.';



CREATE TABLE agentdb.verdict (
    verdict_id bigint NOT NULL,
    claim_id bigint NOT NULL,
    verdict text NOT NULL,
    evidence jsonb,
    given_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    given_by name DEFAULT SESSION_USER NOT NULL,
    CONSTRAINT verdict_verdict_check CHECK ((verdict = ANY (ARRAY['verified'::text, 'refuted'::text, 'unreachable'::text, 'refused'::text])))
);



COMMENT ON TABLE agentdb.verdict IS 'What was seen at each look at a claim.';



CREATE FUNCTION agentdb.rule_refuted_claim(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'run', (c.run_id)::text, 'claim', (c.claim_id)::text) AS jsonb_build_object,
     (1)::double precision AS float8,
     jsonb_build_object('summary', format('%s claims %s %s, and it is not so: %s'::text, a.agent_name, c.kind, "left"(c.target, 200), "left"((v.evidence)::text, 300)), 'verdict', v.verdict, 'policy', p.policy_name) AS jsonb_build_object
    FROM (((agentdb.claim c
      JOIN agentdb.agent a ON ((a.agent_id = c.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      JOIN LATERAL ( SELECT l.verdict,
             l.evidence
            FROM agentdb.verdict l
           WHERE ((l.claim_id = c.claim_id) AND (l.given_at <= rule_refuted_claim.as_of))
           ORDER BY l.verdict_id DESC
          LIMIT 1) v ON ((v.verdict = ANY (ARRAY['refuted'::text, 'refused'::text]))))
   WHERE ((c.state = ANY (ARRAY['refuted'::text, 'refused'::text])) AND (c.checked_at <= rule_refuted_claim.as_of) AND (c.checked_at > (rule_refuted_claim.as_of - p.claim_window)) AND (c.checked_at > (rule_refuted_claim.as_of - ( SELECT max(w.claim_window) AS max
            FROM agentdb.policy w))));
END;



COMMENT ON FUNCTION agentdb.rule_refuted_claim(as_of timestamp with time zone) IS 'Claims that were found untrue, or that nobody may look up, within policy.claim_window.';



CREATE FUNCTION agentdb.rule_schedule_blocked(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'lock', d.lock_name) AS jsonb_build_object,
     (count(DISTINCT d.run_id))::double precision AS count,
     jsonb_build_object('summary', format('%s runs of %s in a row did not get lock %s, the first at %s'::text, count(DISTINCT d.run_id), a.agent_name, d.lock_name, agentdb._utc(min(d.first_at))), 'policy', p.policy_name, 'setting', 'schedule_blocked_count', 'threshold', p.schedule_blocked_count) AS jsonb_build_object
    FROM ((agentdb.lock_denial d
      JOIN agentdb.agent a ON ((a.agent_id = d.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((d.first_at <= rule_schedule_blocked.as_of) AND (d.first_at > (rule_schedule_blocked.as_of - '1 day'::interval)) AND (NOT (EXISTS ( SELECT
            FROM agentdb.lock l
           WHERE ((l.lock_name = d.lock_name) AND (l.agent_id = d.agent_id) AND (l.acquired_at >= d.first_at) AND (l.acquired_at <= rule_schedule_blocked.as_of))))) AND (NOT (EXISTS ( SELECT
            FROM agentdb.lock_log h
           WHERE ((h.lock_name = d.lock_name) AND (h.agent_id = d.agent_id) AND (h.acquired_at >= d.first_at) AND (h.acquired_at <= rule_schedule_blocked.as_of) AND (h.recorded_at >= d.first_at) AND (h.recorded_at > (rule_schedule_blocked.as_of - '1 day'::interval)))))))
   GROUP BY a.agent_name, d.lock_name, p.policy_name, p.schedule_blocked_count
  HAVING (count(DISTINCT d.run_id) >= p.schedule_blocked_count);
END;



COMMENT ON FUNCTION agentdb.rule_schedule_blocked(as_of timestamp with time zone) IS 'Agents of which policy.schedule_blocked_count runs were denied a lock, and none has got it since.';



CREATE FUNCTION agentdb.rule_stale_lock(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('lock', t.lock_name, 'slot', t.slot, 'agent', a.agent_name, 'run', (t.run_id)::text) AS jsonb_build_object,
     (EXTRACT(epoch FROM (rule_stale_lock.as_of - t.expires_at)))::double precision AS "extract",
     jsonb_build_object('summary', format('lock %s expired at %s and run %s of %s has not released it'::text, t.lock_name, agentdb._utc(t.expires_at), t.run_id, a.agent_name), 'policy', p.policy_name, 'threshold', 0, 'fence', t.fence) AS jsonb_build_object
    FROM ((agentdb._tenure(rule_stale_lock.as_of) t(lock_name, slot, fence, agent_id, run_id, acquired_at, expires_at, renewals)
      JOIN agentdb.agent a ON ((a.agent_id = t.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE (t.expires_at <= rule_stale_lock.as_of);
END;



COMMENT ON FUNCTION agentdb.rule_stale_lock(as_of timestamp with time zone) IS 'Locks whose holder neither released nor renewed them in time.';



CREATE FUNCTION agentdb.rule_unannounced_write(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', d.agent_name, 'run', (d.run_id)::text, 'what', d.what) AS jsonb_build_object,
     (d.count)::double precision AS count,
     jsonb_build_object('summary', format('%s rows by %s: %s, %s'::text, d.count, d.agent_name, d.what, d.finding), 'policy', d.policy_name) AS jsonb_build_object
    FROM agentdb._recent_diff(rule_unannounced_write.as_of) d(agent_name, policy_name, run_id, finding, what, count, calls)
   WHERE (d.finding <> 'nothing written'::text);
END;



COMMENT ON FUNCTION agentdb.rule_unannounced_write(as_of timestamp with time zone) IS 'Rows within policy.tool_diff_window that no successful call of a writing tool accounts for.';



CREATE FUNCTION agentdb.rule_unanswered_question(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT agentdb._question_labels(q.*) AS _question_labels,
     (EXTRACT(epoch FROM (rule_unanswered_question.as_of - q.asked_at)))::double precision AS "extract",
     jsonb_build_object('summary', format('nobody has answered run %s for %s; the limit is %s; it asks: %s'::text, q.run_id, agentdb._span((rule_unanswered_question.as_of - q.asked_at)), agentdb._span(l.after), q.question), 'policy', p.policy_name, 'setting', 'unanswered_question_after', 'threshold', EXTRACT(epoch FROM l.after), 'next', jsonb_build_array(format('agentdb answer Q-%s …'::text, q.question_id))) AS jsonb_build_object
    FROM (((agentdb._open_at(rule_unanswered_question.as_of) q(question_id, run_id, agent_id, question, options, urgency, asked_at, answer, comment, answered_by, answered_at)
      JOIN agentdb.agent a ON ((a.agent_id = q.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      CROSS JOIN LATERAL ( SELECT (p.unanswered_question_after / (
                 CASE q.urgency
                     WHEN 'high'::text THEN 4
                     ELSE 1
                 END)::double precision) AS after) l)
   WHERE (q.asked_at < (rule_unanswered_question.as_of - l.after));
END;



COMMENT ON FUNCTION agentdb.rule_unanswered_question(as_of timestamp with time zone) IS 'Questions that nobody has answered for policy.unanswered_question_after, or a quarter of it where they are urgent.';



CREATE FUNCTION agentdb.rule_unattributed_write(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('role', l.session_role, 'table', t.table_name) AS jsonb_build_object,
     (count(*))::double precision AS count,
     jsonb_build_object('summary', format('role %s changed %s rows of %s outside any run within %s'::text, l.session_role, count(*), t.table_name, agentdb._within(min(l.recorded_at), max(l.recorded_at))), 'policy', p.policy_name, 'threshold', 0) AS jsonb_build_object
    FROM ((( SELECT DISTINCT ON (a.role_name) a.role_name,
             p_1.policy_name,
             p_1.unattributed_write_window
            FROM (agentdb.agent a
              JOIN agentdb.policy p_1 ON ((p_1.policy_name = a.policy_name)))
           ORDER BY a.role_name, p_1.unattributed_write_window DESC) p
      JOIN agentdb.audit_log l ON (((l.session_role = p.role_name) AND (l.run_id IS NULL) AND (l.change_id IS NULL) AND (l.recorded_at > (rule_unattributed_write.as_of - p.unattributed_write_window)) AND (l.recorded_at <= rule_unattributed_write.as_of))))
      JOIN agentdb.audit_target t ON ((t.audit_target_id = l.audit_target_id)))
   WHERE ((l.recorded_at > (rule_unattributed_write.as_of - '1 day'::interval)) AND (l.recorded_at <= rule_unattributed_write.as_of))
   GROUP BY l.session_role, t.table_name, p.policy_name, p.unattributed_write_window;
END;



COMMENT ON FUNCTION agentdb.rule_unattributed_write(as_of timestamp with time zone) IS 'Writes to audited tables by an agent''s role that belong to no run.';



CREATE FUNCTION agentdb.rule_unbacked_tool_call(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', d.agent_name, 'run', (d.run_id)::text, 'tool', d.what) AS jsonb_build_object,
     (d.count)::double precision AS count,
     jsonb_build_object('summary', format('%s calls of %s by %s said ok and wrote nothing'::text, d.count, d.what, d.agent_name), 'policy', d.policy_name, 'calls', to_jsonb(d.calls)) AS jsonb_build_object
    FROM agentdb._recent_diff(rule_unbacked_tool_call.as_of) d(agent_name, policy_name, run_id, finding, what, count, calls)
   WHERE (d.finding = 'nothing written'::text);
END;



COMMENT ON FUNCTION agentdb.rule_unbacked_tool_call(as_of timestamp with time zone) IS 'Calls of writing tools within policy.tool_diff_window that returned ok without an audited row.';



CREATE TABLE agentdb.tool_fault (
    run_id bigint NOT NULL,
    tool_call_log_id bigint NOT NULL,
    fault text NOT NULL,
    detail text,
    found_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT tool_fault_fault_check CHECK ((fault = ANY (ARRAY['unknown'::text, 'invalid_args'::text])))
);



COMMENT ON TABLE agentdb.tool_fault IS 'What is wrong with single calls: made up, or with arguments that break the schema.';



CREATE FUNCTION agentdb.rule_unknown_tool(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'run', (f.run_id)::text) AS jsonb_build_object,
     (count(*))::double precision AS count,
     jsonb_build_object('summary', format('%s made up %s calls: %s'::text, a.agent_name, count(*), "left"(string_agg(DISTINCT l.tool, ', '::text), 200)), 'severity',
         CASE
             WHEN (count(*) >= p.unknown_tool_critical) THEN 'critical'::text
             ELSE 'warning'::text
         END, 'policy', p.policy_name, 'threshold', p.unknown_tool_critical, 'calls', to_jsonb((array_agg(l.tool_call_log_id ORDER BY l.tool_call_log_id DESC))[1:10])) AS jsonb_build_object
    FROM (((agentdb.tool_fault f
      JOIN agentdb.tool_call_log l ON (((l.run_id = f.run_id) AND (l.tool_call_log_id = f.tool_call_log_id))))
      JOIN agentdb.agent a ON ((a.agent_id = l.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((f.fault = 'unknown'::text) AND (f.found_at <= rule_unknown_tool.as_of) AND (f.found_at > (rule_unknown_tool.as_of - p.unknown_tool_window)) AND (f.found_at > (rule_unknown_tool.as_of - ( SELECT max(w.unknown_tool_window) AS max
            FROM agentdb.policy w))))
   GROUP BY a.agent_name, f.run_id, p.policy_name, p.unknown_tool_critical;
END;



COMMENT ON FUNCTION agentdb.rule_unknown_tool(as_of timestamp with time zone) IS 'Runs that called tools which their agent does not have, within policy.unknown_tool_window; critical from policy.unknown_tool_critical on.';



CREATE FUNCTION agentdb.rule_unverified_claim(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'kind', c.kind) AS jsonb_build_object,
     (count(*))::double precision AS count,
     jsonb_build_object('summary', format('%s claims of kind %s by %s could not be verified for %s; the oldest: %s'::text, count(*), c.kind, a.agent_name, agentdb._span((rule_unverified_claim.as_of - min(c.claimed_at))), "left"((array_agg(c.target ORDER BY c.claimed_at))[1], 200)), 'policy', p.policy_name, 'threshold', EXTRACT(epoch FROM p.verify_within)) AS jsonb_build_object
    FROM ((agentdb.claim c
      JOIN agentdb.agent a ON ((a.agent_id = c.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((c.state = ANY (ARRAY['pending'::text, 'unreachable'::text])) AND (c.due_at <= (rule_unverified_claim.as_of - p.verify_within)) AND (c.due_at > ((rule_unverified_claim.as_of - p.verify_within) - p.claim_window)) AND (NOT ((c.kind = 'rows'::text) AND agentdb._awaits_decision(c.run_id, c.target, c.claimed_at, rule_unverified_claim.as_of))) AND (c.claimed_at > ((rule_unverified_claim.as_of - '25:00:00'::interval) - ( SELECT max((w.verify_within + w.claim_window)) AS max
            FROM agentdb.policy w))))
   GROUP BY a.agent_name, c.kind, p.policy_name, p.verify_within;
END;



COMMENT ON FUNCTION agentdb.rule_unverified_claim(as_of timestamp with time zone) IS 'Claims that nobody could verify within policy.verify_within.';



CREATE FUNCTION agentdb.run_changes(run bigint) RETURNS TABLE(recorded_at timestamp with time zone, table_name text, operation text, row_key jsonb, old_values jsonb, new_values jsonb, change_id bigint, approved_by text, statement bigint, audit_log_id bigint)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT l.recorded_at,
     t.table_name,
     l.operation,
     l.row_key,
     l.old_values,
     l.new_values,
     l.change_id,
     agentdb._approved_by(l.change_id) AS _approved_by,
     l.statement,
     l.audit_log_id
    FROM (agentdb.audit_log l
      JOIN agentdb.audit_target t ON ((t.audit_target_id = l.audit_target_id)))
   WHERE (l.run_id = run_changes.run)
   ORDER BY l.audit_log_id;
END;



COMMENT ON FUNCTION agentdb.run_changes(run bigint) IS 'Every row that a run changed, itself or by a change of its that was applied, in order.';



CREATE FUNCTION agentdb.seal_audit() RETURNS TABLE(seal_id bigint, rows bigint, root text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    SET "TimeZone" TO 'UTC'
    AS $$
declare
  v_part record;
  v_after pg_snapshot;
  v_upto pg_snapshot;
  v_root bytea;
begin
  -- Before any statement that reads: its snapshot must be newer than the last seal's.
  lock table agentdb.seal in share row exclusive mode;
  select s.seal_id, s.snapshot, s.root into seal_audit.seal_id, v_after, v_root
  from agentdb.seal as s
  order by s.seal_id desc, s.day desc
  limit 1;
  if pg_snapshot_xmax(pg_current_snapshot()) < pg_snapshot_xmax(v_after) then
    raise exception 'this server is at transaction %, the last seal at %',
        pg_snapshot_xmax(pg_current_snapshot()), pg_snapshot_xmax(v_after)
      using errcode = '55000',
            hint = 'A dump was restored here, whose rows look newer than new ones.  '
              'Raise the counter of this server past it, with pg_resetwal '
              '--next-transaction-id; the seals go on from there.';
  end if;
  seal_audit.seal_id := coalesce(seal_audit.seal_id, 0) + 1;
  rows := 0;
  for v_part in
    select pg_current_snapshot() as snapshot, d.*
    from agentdb._sealed_rows(v_after, pg_current_snapshot()) as d
    order by d.day
  loop
    v_root := agentdb._root(
      v_root, v_part.day, v_part.snapshot, v_part.rows, v_part.digest);
    rows := rows + v_part.rows;
    insert into agentdb.seal (seal_id, day, snapshot, rows, digest, root)
    values (seal_audit.seal_id, v_part.day, v_part.snapshot, v_part.rows,
      v_part.digest, v_root);
  end loop;
  root := encode(v_root, 'hex');
  if rows > 0 then
    return next;
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb.seal_audit() IS 'Seals what became visible in audit_log since the last seal; no row where there is nothing new.';



CREATE FUNCTION agentdb.set_due(agent_id bigint, cron text, time_zone text, due_at timestamp with time zone, met_at timestamp with time zone, error text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  -- Whoever has changed the expression meanwhile wants another answer.
  update agentdb.schedule as s
  set due_at = set_due.due_at,
      met_at = set_due.met_at,
      error = agentdb._clean_text(set_due.error, 500)
  where s.agent_id = set_due.agent_id
    and s.cron = set_due.cron
    and s.time_zone = set_due.time_zone;
  return found;
end;
$$;



COMMENT ON FUNCTION agentdb.set_due(agent_id bigint, cron text, time_zone text, due_at timestamp with time zone, met_at timestamp with time zone, error text) IS 'Stores the next start of a schedule, or why its expression cannot be read; false where the schedule has changed meanwhile.';



CREATE FUNCTION agentdb.set_inhibition(name text, source text, target text, equal_labels text[], linger interval DEFAULT '00:00:00'::interval) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  if equal_labels is null or cardinality(equal_labels) > 10
    or array_position(equal_labels, null) is not null or btrim(source) = ''
    or btrim(target) = '' then
    perform agentdb._refuse('source, target and at most 10 equal_labels are required',
      'An alert that matches source keeps those that match target from being told '
        'while it fires: set_inhibition(''looping'', ''rule=silent_loop'', '
        '''rule=repeated_tool_call'', ''{agent,run}'').');
  end if;
  insert into agentdb.inhibition as i (
    inhibition_name, source, target, equal_labels, linger
  )
  values (
    name, agentdb._parse_matchers(source), agentdb._parse_matchers(target),
    set_inhibition.equal_labels, set_inhibition.linger
  )
  on conflict on constraint inhibition_pkey do update
  set source = excluded.source,
      target = excluded.target,
      equal_labels = excluded.equal_labels,
      linger = excluded.linger;
end;
$$;



COMMENT ON FUNCTION agentdb.set_inhibition(name text, source text, target text, equal_labels text[], linger interval) IS 'While an alert that matches source fires, and for linger after, nobody is notified of those that match target, are no more severe and have the same values in all equal_labels; raises ZA004.';



CREATE FUNCTION agentdb.set_os_user(agent text, os_user text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $_$
declare
  v_agent_id bigint := agentdb._agent_of(agent);
begin
  if os_user !~ '^[a-z_][a-z0-9_.-]{0,31}[$]?$' then
    perform agentdb._refuse(
      format('%L is no name of a user', agentdb._clean_text(os_user, 100)),
      'Give the user of the operating system that the agent runs as, or NULL.');
  end if;
  update agentdb.agent as a set os_user = set_os_user.os_user
  where a.agent_id = v_agent_id;
end;
$_$;



COMMENT ON FUNCTION agentdb.set_os_user(agent text, os_user text) IS 'Says which operating system user an agent runs as; raises ZA004 or ZA006.';



CREATE FUNCTION agentdb.set_route(name text, receiver text, matchers text DEFAULT ''::text, group_by text[] DEFAULT '{alert}'::text[], group_wait interval DEFAULT '00:00:00'::interval, group_interval interval DEFAULT '00:00:00'::interval, repeat_interval interval DEFAULT NULL::interval) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $_$
declare
  v_labels text[] := array(select distinct l from unnest(group_by) as l order by l);
begin
  if group_by is null or cardinality(group_by) > 10
    or exists (select from unnest(v_labels) as l (label)
      where coalesce(l.label !~ '^[A-Za-z_][A-Za-z0-9_.-]{0,62}$', true)) then
    perform agentdb._refuse('group_by must name at most 10 labels',
      'Name labels such as {rule,agent}; {} is one group, {alert} each by itself.');
  end if;
  insert into agentdb.route as r (
    route_name, receiver_name, matchers, group_by, group_wait, group_interval,
    repeat_interval
  )
  values (
    name, receiver, agentdb._parse_matchers(matchers), v_labels,
    set_route.group_wait, set_route.group_interval, set_route.repeat_interval
  )
  on conflict on constraint route_pkey do update
  set receiver_name = excluded.receiver_name,
      matchers = excluded.matchers,
      group_by = excluded.group_by,
      group_wait = excluded.group_wait,
      group_interval = excluded.group_interval,
      repeat_interval = excluded.repeat_interval;
end;
$_$;



COMMENT ON FUNCTION agentdb.set_route(name text, receiver text, matchers text, group_by text[], group_wait interval, group_interval interval, repeat_interval interval) IS 'Sends alerts that match to a receiver, those with equal group_by labels as one message; replaces a route of that name; raises ZA004.';



CREATE FUNCTION agentdb.settle_tokens(reservation bigint, input bigint, output bigint, cached_input bigint DEFAULT 0, reasoning bigint DEFAULT 0, model text DEFAULT NULL::text, cost double precision DEFAULT 0, run bigint DEFAULT NULL::bigint) RETURNS TABLE(run_id bigint, repeated boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  perform agentdb._check_tokens(input, output, cached_input, reasoning, cost);
  select c.run_id into settle_tokens.run_id
  from agentdb._current_run(settle_tokens.run) as c;
  update agentdb.token_reservation as v
  set settled_at = clock_timestamp()
  where v.token_reservation_id = reservation
    and v.run_id = settle_tokens.run_id
    and v.settled_at is null;
  repeated := not found;
  if not repeated then
    perform agentdb.log_tokens(
      input, output, cached_input, reasoning, model, cost, settle_tokens.run_id);
  elsif not exists (
    select from agentdb.token_reservation as v
    where v.token_reservation_id = reservation and v.run_id = settle_tokens.run_id
  ) then
    raise exception 'run % has no reservation %', settle_tokens.run_id,
        coalesce(reservation::text, 'NULL')
      using errcode = 'ZA006',
            hint = 'Use the number that reserve_tokens() returned to this run, or '
              'record the usage without one: '
              'select * from agentdb.log_tokens(input, output);';
  end if;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.settle_tokens(reservation bigint, input bigint, output bigint, cached_input bigint, reasoning bigint, model text, cost double precision, run bigint) IS 'Records what a reserved prompt really used and frees the rest; a cancelled one settles to its input; a second time changes nothing; raises ZA001, ZA003, ZA004 or ZA006.';



CREATE VIEW agentdb.change_summary AS
 SELECT c.change_id,
    c.state,
    c.kind,
    a.agent_name,
    c.run_id,
    c.proposed_by,
    c.reason,
    ( SELECT string_agg(t.table_name, ', '::text ORDER BY t.table_name) AS string_agg
           FROM agentdb.change_table t
          WHERE (t.change_id = c.change_id)) AS tables,
    c.row_count,
    c.effects,
    c.builds_on,
    c.undoes,
    (GREATEST((0)::bigint, (c.approvals - ( SELECT count(*) AS count
           FROM agentdb.change_decision d
          WHERE ((d.change_id = c.change_id) AND (d.decision = 'approve'::text))))))::integer AS approvals_missing,
    ( SELECT string_agg(format('%s: %s'::text, d.reviewer, d.decision), ', '::text ORDER BY d.decided_at) AS string_agg
           FROM agentdb.change_decision d
          WHERE (d.change_id = c.change_id)) AS decisions,
    c.apply,
    c.digest,
    c.opened_at,
    c.submitted_at,
    c.expires_at,
    c.closed_at,
    c.applied_by,
    c.applied_xid,
    c.problem
   FROM (agentdb.change c
     LEFT JOIN agentdb.agent a ON ((a.agent_id = c.agent_id)));



COMMENT ON VIEW agentdb.change_summary IS 'Changes, a row each: who proposes what, why, and how far it has come.';



COMMENT ON COLUMN agentdb.change_summary.change_id IS 'Its number.';



COMMENT ON COLUMN agentdb.change_summary.state IS 'open, pending, approved, applied, rejected, withdrawn, expired or conflict.';



COMMENT ON COLUMN agentdb.change_summary.kind IS 'stage, or undo of what was written before.';



COMMENT ON COLUMN agentdb.change_summary.agent_name IS 'The agent that proposes it; NULL for a person.';



COMMENT ON COLUMN agentdb.change_summary.run_id IS 'The run that proposes it.';



COMMENT ON COLUMN agentdb.change_summary.proposed_by IS 'The role that logged in.';



COMMENT ON COLUMN agentdb.change_summary.reason IS 'Why, in the words of the proposer: a claim.';



COMMENT ON COLUMN agentdb.change_summary.tables IS 'The tables it writes.';



COMMENT ON COLUMN agentdb.change_summary.row_count IS 'How many rows it names.';



COMMENT ON COLUMN agentdb.change_summary.effects IS 'How many rows of each table it wrote when it was tried or applied, side effects of triggers and cascades included.';



COMMENT ON COLUMN agentdb.change_summary.builds_on IS 'Changes that must be applied before.';



COMMENT ON COLUMN agentdb.change_summary.undoes IS 'What it takes back.';



COMMENT ON COLUMN agentdb.change_summary.approvals_missing IS 'How many approvals it still needs.';



COMMENT ON COLUMN agentdb.change_summary.decisions IS 'Who decided what.';



COMMENT ON COLUMN agentdb.change_summary.apply IS 'When it is applied once approved: approval, runner or hand.';



COMMENT ON COLUMN agentdb.change_summary.digest IS 'What an approval repeats: the hash of its content.';



COMMENT ON COLUMN agentdb.change_summary.opened_at IS 'When its first row was staged.';



COMMENT ON COLUMN agentdb.change_summary.submitted_at IS 'When it was handed to the reviewers.';



COMMENT ON COLUMN agentdb.change_summary.expires_at IS 'When it ends if nobody decides.';



COMMENT ON COLUMN agentdb.change_summary.closed_at IS 'When it ended.';



COMMENT ON COLUMN agentdb.change_summary.applied_by IS 'The role in whose session it was applied.';



COMMENT ON COLUMN agentdb.change_summary.applied_xid IS 'The transaction that applied it.';



COMMENT ON COLUMN agentdb.change_summary.problem IS 'Why it could not be applied.';



CREATE FUNCTION agentdb.show_change(change bigint) RETURNS SETOF agentdb.change_summary
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  perform agentdb._check_seen(change);
  return query
    select s.* from agentdb.change_summary as s where s.change_id = change;
end;
$$;



COMMENT ON FUNCTION agentdb.show_change(change bigint) IS 'One change, for its proposer and its reviewers; raises ZA006.';



CREATE FUNCTION agentdb.show_change_rows(change bigint, most integer DEFAULT 1000) RETURNS TABLE(place integer, table_name text, operation text, row_key jsonb, context jsonb, old_values jsonb, new_values jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  perform agentdb._check_seen(change);
  return query
    with context as materialized (
      select k.place, k.context from agentdb._context_of(change) as k
    )
    select r.place, t.table_name, r.operation, r.row_key,
      -- What the row itself shows is not said twice.
      nullif(k.context - array(select jsonb_object_keys(
        coalesce(r.new_values, r.expected))), '{}'),
      r.expected, r.new_values
    from agentdb.change_row as r
    join agentdb.audit_target as t on t.audit_target_id = r.audit_target_id
    left join context as k on k.place = r.place
    where r.change_id = change
    order by r.place
    limit most;
end;
$$;



COMMENT ON FUNCTION agentdb.show_change_rows(change bigint, most integer) IS 'The rows of a change, of an update only what differs; for its proposer and its reviewers; raises ZA006.';



CREATE FUNCTION agentdb.silence_alerts(matchers text, lasts interval, comment text) RETURNS TABLE(silence_id bigint, ends_at timestamp with time zone, alerts bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '5s'
    AS $$
declare
  v_matchers jsonb := agentdb._parse_matchers(matchers);
begin
  perform agentdb._check_comment(comment, 'a comment');
  perform agentdb._check_lasting(lasts, '30 days', 'a silence');
  -- As with Alertmanager: one that matches what has no label at all names nothing.
  if agentdb._matches(v_matchers, '{}') then
    perform agentdb._refuse('a silence of everything is refused',
      'Name a label that alerts must have: agent=billing, or rule~loop.');
  end if;
  lock table agentdb.silence in exclusive mode;
  insert into agentdb.silence as s (matchers, comment, ends_at)
  values (v_matchers, silence_alerts.comment, clock_timestamp() + lasts)
  returning s.silence_id, s.ends_at into silence_alerts.silence_id,
    silence_alerts.ends_at;
  alerts := agentdb._apply_silence(silence_alerts.silence_id, true);
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.silence_alerts(matchers text, lasts interval, comment text) IS 'Has nobody told of alerts that match for a time, at most 30 days; what has not been sent yet is taken back; raises ZA004.';



CREATE FUNCTION agentdb.stage_change(relation regclass, operation text, key jsonb DEFAULT NULL::jsonb, new_values jsonb DEFAULT NULL::jsonb, reason text DEFAULT NULL::text) RETURNS TABLE(change_id bigint)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_reason text := current_setting('agentdb.change_reason', true);
  v_count bigint;
begin
  if reason is not null then
    -- An empty setting would say that none was given.
    perform set_config('agentdb.change_reason', coalesce(nullif(reason, ''), ' '),
      true);
  end if;
  execute agentdb.staging_statement(relation, operation, key, new_values)
    using key, new_values;
  get diagnostics v_count = row_count;
  perform set_config('agentdb.change_reason', coalesce(v_reason, ''), true);
  if v_count = 0 then
    raise exception 'there is no row % in %', key, relation
      using errcode = 'ZA006',
            hint = format('Look for it: select * from %s;',
              agentdb.staging_view(relation));
  end if;
  return query
    select max(m.change_id)
    from agentdb.my_changes(undecided => true) as m where m.state = 'open';
end;
$$;



COMMENT ON FUNCTION agentdb.stage_change(relation regclass, operation text, key jsonb, new_values jsonb, reason text) IS 'Stages one row (insert, update or delete) of a guarded table; submitted when the transaction commits, or with the open change; raises ZA004 or ZA006.';



CREATE FUNCTION agentdb.staged_rows(target integer) RETURNS TABLE(operation text, row_key jsonb, new_values jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 10
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint;
begin
  if not exists (
    select from agentdb.change as c
    where c.proposed_by = session_user and c.state in ('open', 'pending', 'approved')
  ) then
    return;
  end if;
  if agentdb._is_agent() then
    select w.agent_id into v_agent_id from agentdb._known_writer() as w;
  end if;
  return query
    select distinct on (r.row_key, k.nameless)
      coalesce(r.net_operation, r.operation), r.row_key,
      coalesce(r.net_values, r.new_values)
    from agentdb.change as c
    join agentdb.change_row as r on r.change_id = c.change_id
    cross join lateral (
      select case when jsonb_strip_nulls(r.row_key) <> r.row_key
        then concat_ws(' ', r.change_id, r.place) end as nameless
    ) as k
    where c.proposed_by = session_user
      and c.state in ('open', 'pending', 'approved')
      and c.agent_id is not distinct from v_agent_id
      and r.audit_target_id = target
    order by r.row_key, k.nameless, r.change_id desc;
end;
$$;



COMMENT ON FUNCTION agentdb.staged_rows(target integer) IS 'What the session itself has staged of a table and is not applied yet; staging views lay it over the table.';



CREATE FUNCTION agentdb.staging_statement(relation regclass, operation text, key jsonb, new_values jsonb) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $_$
declare
  v_view text := agentdb.staging_view(relation);
  v_target integer := agentdb._target_of(relation);
  v_where text;
begin
  if operation is null or operation not in ('insert', 'update', 'delete') then
    perform agentdb._refuse(format('%L is no operation', left(operation, 50)),
      'Say insert, update or delete.');
  end if;
  perform agentdb._check_names(v_target, new_values, operation = 'delete');
  if operation = 'insert' then
    return (
      select format('insert into %s (%s) select %s', v_view,
        string_agg(format('%I', c.column_name), ', ' order by c.place),
        string_agg(agentdb._typed_sql('$2', c.column_name, c.type_name),
          ', ' order by c.place))
      from agentdb.change_column as c
      where c.audit_target_id = v_target and new_values ? c.column_name);
  end if;
  perform agentdb._check_names(v_target, key, false);
  select string_agg(format('s.%I = %s', c.column_name,
      agentdb._typed_sql('$1', c.column_name, c.type_name)), ' and ')
    into v_where
  from agentdb.change_column as c
  where c.audit_target_id = v_target and c.key_place is not null
  having bool_and(key ? c.column_name) and count(*) = (
    select count(*) from jsonb_object_keys(key));
  if v_where is null then
    perform agentdb._refuse(format('%s is not the primary key of %s', key, relation),
      'Give all columns of the key and no other: {"id": 1}.');
  elsif operation = 'delete' then
    return format('delete from %s as s where %s', v_view, v_where);
  end if;
  return (
    select format('update %s as s set %s where %s', v_view,
      string_agg(format('%I = %s', c.column_name,
        agentdb._typed_sql('$2', c.column_name, c.type_name)), ', '), v_where)
    from agentdb.change_column as c
    where c.audit_target_id = v_target and new_values ? c.column_name);
end;
$_$;



COMMENT ON FUNCTION agentdb.staging_statement(relation regclass, operation text, key jsonb, new_values jsonb) IS 'SQL text: what stage_change() executes, key as $1 and values as $2; raises ZA004 or ZA006.';



CREATE FUNCTION agentdb.staging_view(relation regclass) RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_view text := (
    select format('agentdb_stage.%I', g.view_name)
    from agentdb.guarded_table as g where g.table_oid = relation::oid
  );
begin
  if v_view is null then
    raise exception '% is not guarded', coalesce(relation::text, 'NULL')
      using errcode = 'ZA006', hint = 'Write to it directly.';
  end if;
  return v_view;
end;
$$;



COMMENT ON FUNCTION agentdb.staging_view(relation regclass) IS 'The view that takes ordinary SQL for a guarded table; raises ZA006.';



CREATE FUNCTION agentdb.start_run(agent text DEFAULT NULL::text, conversation text DEFAULT NULL::text, tick_interval interval DEFAULT NULL::interval, purpose text DEFAULT NULL::text, secret text DEFAULT NULL::text) RETURNS TABLE(run_id bigint, token text, conversation_name text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint;
  v_pooled boolean;
  v_policy_name text;
  v_last_stop bigint;
begin
  if conversation is not null and not agentdb._is_clean_name(conversation, 200) then
    perform agentdb._refuse(
      format('%L is no name for a conversation',
        agentdb._clean_text(conversation, 100)),
      'Use 1 to 200 visible characters on one line, or leave it out.'
    );
  elsif tick_interval <= '0' or tick_interval > '1 year' then
    perform agentdb._refuse(
      format('tick_interval must be between 0 and 1 year, got %s', tick_interval),
      'Give the time from one start to the next, such as tick_interval => ''15 min''.'
    );
  end if;
  select s.agent_id, s.pooled, s.policy_name into v_agent_id, v_pooled, v_policy_name
  from agentdb._session_agent(start_run.agent, start_run.secret) as s;
  perform agentdb._check_open_runs(v_agent_id, v_policy_name);
  -- Whoever stops the agent now waits for what this transaction goes on to write.
  perform from agentdb.agent_gate as g where g.agent_id = v_agent_id for share;
  v_last_stop := agentdb._last_stop();
  perform agentdb._check_stop(null, v_agent_id);
  start_run.run_id := nextval('agentdb.run_run_id_seq');
  -- A run without a conversation is one of its own.
  conversation_name := coalesce(conversation, format('run-%s', start_run.run_id));
  insert into agentdb.run (
    run_id, agent_id, role_name, pooled, conversation, purpose, tick_interval,
    stop_seen, label, lock_max_ttl, renew_needs_progress
  )
  overriding system value
  select
    start_run.run_id, v_agent_id, session_user, v_pooled, conversation_name,
    agentdb._clean_text(start_run.purpose, 500), start_run.tick_interval,
    agentdb._stop_seen(v_last_stop, v_pooled),
    agentdb._run_label(start_run.run_id, p.agent_name), p.max_ttl, p.needs_progress
  from agentdb._lock_limit(v_agent_id) as p;
  token := agentdb._new_secret();
  insert into agentdb.run_token (token_hash, run_id)
  values (agentdb._hash_secret(start_run.token), start_run.run_id);
  insert into agentdb.run_gate (run_id) values (start_run.run_id);
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.start_run(agent text, conversation text, tick_interval interval, purpose text, secret text) IS 'Opens a run for the session''s agent and returns its number and its token; raises ZA002, ZA004 or ZA005.';



CREATE FUNCTION agentdb.submit_change() RETURNS TABLE(change_id bigint, state text, row_count integer, effects jsonb)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_proposer record;
begin
  select p.* into v_proposer from agentdb._proposer() as p;
  select c.change_id into submit_change.change_id
  from agentdb.change as c
  where c.proposed_by = session_user
    and c.state = 'open'
    and c.run_id is not distinct from v_proposer.run_id
    and c.expires_at > clock_timestamp();
  if not found then
    perform agentdb._refuse('no change is open',
      'Open one: select * from agentdb.open_change(reason => ''…''); what is staged '
      'without one is submitted when its transaction commits.');
  end if;
  perform agentdb._submit(submit_change.change_id);
  return query
    select c.change_id, c.state, c.row_count, c.effects
    from agentdb.change as c where c.change_id = submit_change.change_id;
end;
$$;



COMMENT ON FUNCTION agentdb.submit_change() IS 'Tries the open change and hands it to the reviewers; raises what the change itself would raise, ZA001, ZA004 or ZA052.';



CREATE FUNCTION agentdb.table_as_of(relation regclass, at timestamp with time zone) RETURNS TABLE(row_key jsonb, row_values jsonb)
    LANGUAGE plpgsql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET extra_float_digits TO '1'
    SET "TimeZone" TO 'UTC'
    SET "DateStyle" TO 'ISO, YMD'
    SET "IntervalStyle" TO 'postgres'
    SET bytea_output TO 'hex'
    SET lc_monetary TO 'C'
    AS $$
begin
  perform agentdb._check_past(relation, at);
  if agentdb._key_sql(agentdb._target_of(relation), 'o') = 'null::jsonb' then
    perform agentdb._refuse_history(relation,
      'it has no primary key, so its rows have no names',
      'Give it a primary key.');
  end if;
  return query execute agentdb._past_sql(relation, false) using at;
end;
$$;



COMMENT ON FUNCTION agentdb.table_as_of(relation regclass, at timestamp with time zone) IS 'All rows of a table as they were at a moment; (row_values ->> column)::type gives a value back; raises ZA006 or ZA033.';



CREATE FUNCTION agentdb.take_claim(kinds text[], lease interval DEFAULT '00:01:00'::interval, run bigint DEFAULT NULL::bigint) RETURNS TABLE(claim_id bigint, attempt integer, kind text, target text, expectation jsonb, run_id bigint, run_started_at timestamp with time zone, agent_name text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
#variable_conflict use_column
begin
  if lease is null or lease not between '1 second' and '1 hour' then
    perform agentdb._refuse(
      'lease must be between 1 second and 1 hour', 'Give the longest a look can take.');
  end if;
  return query
    update agentdb.claim as c
    set attempt = c.attempt + 1,
        leased_until = clock_timestamp() + lease
    from agentdb.run as r
    join agentdb.agent as a on a.agent_id = r.agent_id
    where r.run_id = c.run_id
      and c.claim_id = (
        select o.claim_id from agentdb.claim as o
        where o.state = 'pending'
          and o.next_check_at <= clock_timestamp()
          and o.kind = any (kinds)
          and coalesce(o.leased_until < clock_timestamp(), true)
          and (take_claim.run is null or o.run_id = take_claim.run)
        order by o.next_check_at
        limit 1
        for no key update skip locked
      )
    returning c.claim_id, c.attempt, c.kind, c.target, c.expectation, c.run_id,
      r.started_at, a.agent_name;
end;
$$;



COMMENT ON FUNCTION agentdb.take_claim(kinds text[], lease interval, run bigint) IS 'Takes the next pending claim of some kinds to be looked at; after the lease it is anybody''s again; no row where nothing is due; raises ZA004.';



CREATE FUNCTION agentdb.take_failed_calls(max_calls integer DEFAULT 20) RETURNS TABLE(run_id bigint, tool_call_log_id bigint, role_name name, os_user text, paths text[], relation text, schema_name text, texts text[])
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  return query
    select l.run_id, l.tool_call_log_id, a.role_name, a.os_user,
      agentdb._paths_in(l.args, l.error), agentdb._relation_in(l.error),
      agentdb._schema_in(l.error), agentdb._texts_in(l.args)
    from agentdb.tool_call_log as l
    join agentdb.agent as a on a.agent_id = l.agent_id
    where l.recorded_at > clock_timestamp() - interval '10 minutes'
      and not l.ok
      and agentdb._error_class(l.error) in ('not found', 'permission denied')
      and not exists (
        select from agentdb.tool_diagnosis as d
        where d.run_id = l.run_id and d.tool_call_log_id = l.tool_call_log_id
      )
    order by l.tool_call_log_id desc
    limit max_calls;
end;
$$;



COMMENT ON FUNCTION agentdb.take_failed_calls(max_calls integer) IS 'Failed calls of the last minutes for want of a file or a right, that nobody has looked into, the newest first.';



CREATE FUNCTION agentdb.take_unchecked_calls(max_calls integer DEFAULT 200) RETURNS TABLE(run_id bigint, tool_call_log_id bigint, args jsonb, input_schema jsonb, horizon text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_low xid8 := (select s.horizon from agentdb.tool_check_state as s);
  v_high xid8 := pg_snapshot_xmin(pg_current_snapshot());
begin
  return query
    select l.run_id, l.tool_call_log_id, l.args, t.input_schema,
      -- All calls of the last transaction are taken, however many they are; PostgreSQL
      -- 14 has no max(xid8).
      (last_value(l.xid) over (order by l.xid
        range between unbounded preceding and unbounded following))::text
    from (
      select c.* from agentdb.tool_call_log as c
      where c.xid > v_low and c.xid < v_high
      order by c.xid
      fetch first (max_calls) rows with ties
    ) as l
    left join agentdb.tool_alias as n on n.alias = l.tool
    join agentdb.tool as t on t.tool_name = coalesce(n.tool_name, l.tool)
    where t.input_schema is not null
      -- Of what was too large or deep only the head is there to be compared.
      and not coalesce(l.args ?& '{truncated,bytes,md5,head}', false);
  if not found then
    return query select null::bigint, null::bigint, null::jsonb, null::jsonb,
      coalesce(
        (select c.xid from (
          select o.xid from agentdb.tool_call_log as o
          where o.xid > v_low and o.xid < v_high
          order by o.xid
          fetch first (max_calls) rows with ties) as c
        order by c.xid desc
        limit 1), v_low)::text;
  end if;
end;
$$;



COMMENT ON FUNCTION agentdb.take_unchecked_calls(max_calls integer) IS 'Calls whose arguments nobody has compared with the schema of their tool, and how far that goes; a row without a call where there is none.';



CREATE FUNCTION agentdb.test_receiver(receiver text) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    SET "TimeZone" TO 'UTC'
    AS $$
declare
  v_number bigint;
begin
  insert into agentdb.notification (kind, receiver_name, max_attempts, payload)
  select 'test', r.receiver_name, 1, jsonb_build_object(
    'version', 1,
    'kind', 'test',
    'rule', 'test',
    'severity', 'info',
    'labels', jsonb_build_object('receiver', r.receiver_name),
    'summary', format('%s tries out receiver %s of database %s: nothing is wrong',
      session_user, r.receiver_name, current_database()),
    'since', to_char(clock_timestamp(), 'YYYY-MM-DD"T"HH24:MI:SS"Z"'),
    'next', jsonb_build_array('agentdb status'))
  from agentdb.receiver as r
  where r.receiver_name = receiver
  returning notification_id into v_number;
  if v_number is null then
    raise exception 'there is no receiver %', coalesce(receiver, 'NULL')
      using errcode = 'ZA006', hint = 'select receiver_name from agentdb.receiver;';
  end if;
  perform pg_notify('agentdb_notification', '');
  return v_number;
end;
$$;



COMMENT ON FUNCTION agentdb.test_receiver(receiver text) IS 'Sends a receiver a message that says it is a test, once, and returns its number; raises ZA006.';



CREATE FUNCTION agentdb.timeline(run bigint) RETURNS TABLE(at timestamp with time zone, kind text, what text, ok boolean, tokens bigint, details jsonb)
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  with span as (
    select r.run_id, r.started_at, r.ended_at, r.summary, r.purpose,
      agentdb._run_state(r.run_id, r.outcome) as state
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
    select c.at, c.place, 'tool call', c.what, c.ok, null, c.details
    from span as s
    cross join lateral agentdb._call_told(s.run_id, s.started_at) as c
    union all
    select c.began_at, 0, 'in flight', c.tool, null, null, c.args
    from span as s
    join agentdb.tool_call as c on c.run_id = s.run_id and c.ended_at is null
    union all
    select t.recorded_at, t.token_log_id, 'tokens',
      coalesce(t.model, 'model call'), null,
      t.input_tokens + t.cached_input_tokens + t.output_tokens,
      jsonb_build_object('input', t.input_tokens, 'cached_input', t.cached_input_tokens,
        'output', t.output_tokens)
    from span as s
    join agentdb.token_log as t
      on t.run_id = s.run_id and t.recorded_at >= s.started_at
    union all
    select d.at, d.place, d.kind, d.what, d.ok, null, d.details
    from span as s
    cross join lateral agentdb._deed(s.run_id, s.started_at) as d
    union all
    select l.recorded_at, l.alert_log_id, 'alert',
      concat(format('A-%s %s %s', a.alert_id, a.rule_name, l.to_state),
        ': ' || l.comment), null, null, a.labels
    from span as s
    join agentdb.alert as a on a.labels ->> 'run' = s.run_id::text
    join agentdb.alert_log as l
      on l.alert_id = a.alert_id and l.recorded_at >= s.started_at
    union all
    select s.ended_at, 9223372036854775807, 'end',
      concat_ws(': ', s.state, s.summary), s.state = 'succeeded', null, null
    from span as s
    where s.ended_at is not null
  )
  select e.at, e.kind, e.what, e.ok, e.tokens, e.details
  from event as e
  order by e.at, e.place;
$$;



COMMENT ON FUNCTION agentdb.timeline(run bigint) IS 'Everything a run did, in order: steps, tool calls, calls in flight, tokens, audited writes, alerts, stops, its end.';



CREATE FUNCTION agentdb.tool_schema(tool text, run bigint DEFAULT NULL::bigint) RETURNS jsonb
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint;
begin
  select c.agent_id into v_agent_id from agentdb._current_run(run) as c;
  return (
    select t.input_schema
    from agentdb.agent_tool as a
    join agentdb.tool as t on t.tool_name = a.tool_name
    left join agentdb.tool_alias as n
      on n.tool_name = a.tool_name and n.alias = tool
    where a.agent_id = v_agent_id and tool in (a.tool_name, n.alias)
  );
end;
$$;



COMMENT ON FUNCTION agentdb.tool_schema(tool text, run bigint) IS 'The JSON Schema of the arguments of a tool of the agent, also under a former name; NULL where there is none; raises ZA001 or ZA003.';



CREATE FUNCTION agentdb.unacknowledge_alert(alert bigint) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '5s'
    AS $$
begin
  return agentdb._unacknowledge(array[alert]) <> '{}';
end;
$$;



COMMENT ON FUNCTION agentdb.unacknowledge_alert(alert bigint) IS 'Takes an acknowledgement back, so that the alert is told again; false where there is none.';



CREATE FUNCTION agentdb.unacknowledge_group(alert_group bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '5s'
    AS $$
begin
  return cardinality(agentdb._unacknowledge(agentdb._members(alert_group)));
end;
$$;



COMMENT ON FUNCTION agentdb.unacknowledge_group(alert_group bigint) IS 'Takes the acknowledgements of a group''s alerts back and returns how many.';



CREATE FUNCTION agentdb.unaudit_table(relation regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
declare
  v_part regclass;
begin
  perform agentdb._drop_triggers(relation);
  perform agentdb._end_audit(relation, true);
  for v_part in
    select coalesce(p.relid, relation) from (select) as one
    left join pg_partition_tree(relation) as p on true
  loop
    execute format('revoke select on %s from agentdb_capture', v_part);
  end loop;
end;
$$;



COMMENT ON FUNCTION agentdb.unaudit_table(relation regclass) IS 'Records a table no more; what was recorded stays until its retention ends; raises ZA006 or ZA030.';



CREATE FUNCTION agentdb.undo_change(change bigint, reason text DEFAULT NULL::text, on_conflict text DEFAULT 'refuse'::text) RETURNS TABLE(change_id bigint, state text, row_count integer, effects jsonb, conflicts jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
begin
  return query select * from agentdb._undo('change', change::text, reason, on_conflict);
end;
$$;



COMMENT ON FUNCTION agentdb.undo_change(change bigint, reason text, on_conflict text) IS 'The same for an applied change; of an undo it is the redo.';



CREATE FUNCTION agentdb.undo_row(audit_log_id bigint, reason text DEFAULT NULL::text, on_conflict text DEFAULT 'refuse'::text) RETURNS TABLE(change_id bigint, state text, row_count integer, effects jsonb, conflicts jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
begin
  return query
    select * from agentdb._undo('audit', audit_log_id::text, reason, on_conflict);
end;
$$;



COMMENT ON FUNCTION agentdb.undo_row(audit_log_id bigint, reason text, on_conflict text) IS 'Makes a change that takes one recorded change of a row back: state pending, approved where nobody needs to be asked, or conflict; on_conflict skip or override decides about rows that others changed since; raises ZA004, ZA051 or ZA056.';



CREATE FUNCTION agentdb.undo_run(run bigint, reason text DEFAULT NULL::text, on_conflict text DEFAULT 'refuse'::text) RETURNS TABLE(change_id bigint, state text, row_count integer, effects jsonb, conflicts jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
begin
  return query select * from agentdb._undo('run', run::text, reason, on_conflict);
end;
$$;



COMMENT ON FUNCTION agentdb.undo_run(run bigint, reason text, on_conflict text) IS 'The same for everything that a run wrote, itself or by its approved changes.';



CREATE FUNCTION agentdb.undo_transaction(xid xid8, reason text DEFAULT NULL::text, on_conflict text DEFAULT 'refuse'::text) RETURNS TABLE(change_id bigint, state text, row_count integer, effects jsonb, conflicts jsonb)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
begin
  return query select * from agentdb._undo('xid', xid::text, reason, on_conflict);
end;
$$;



COMMENT ON FUNCTION agentdb.undo_transaction(xid xid8, reason text, on_conflict text) IS 'The same for everything that a transaction wrote to audited tables.';



CREATE FUNCTION agentdb.unfence_table(table_name text) RETURNS TABLE(unfenced_table text, lock text)
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '5s'
    AS $$
declare
  v_table regclass := agentdb._fence_target(table_name);
  v_part regclass;
begin
  select f.table_name, f.lock_name into unfenced_table, lock
  from agentdb.fenced_table as f
  join pg_class as c on c.oid = v_table
  join pg_namespace as n on n.oid = c.relnamespace
  where f.table_name = format('%I.%I', n.nspname, c.relname);
  if not found then
    return;
  end if;
  for v_part in select p.relid from pg_partition_tree(v_table) as p loop
    execute format('drop trigger if exists agentdb_fence_truncate on %s', v_part);
  end loop;
  execute format('drop trigger agentdb_fence on %s', v_table);
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.unfence_table(table_name text) IS 'Takes the fence off a table; called by the table''s owner; no row where there was none; raises ZA004 or ZA006.';



CREATE FUNCTION agentdb.unguard_table(relation regclass) RETURNS void
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '10s'
    AS $$
begin
  perform agentdb._end_guard(relation);
  perform agentdb._drop_guard(relation);
  execute format('revoke all on %s from agentdb_applier', relation);
end;
$$;



COMMENT ON FUNCTION agentdb.unguard_table(relation regclass) IS 'Ends the guard of a table; its undecided changes cannot be applied any more; raises ZA006 or ZA030.';



CREATE FUNCTION agentdb.unset_inhibition(name text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  delete from agentdb.inhibition as i where i.inhibition_name = name;
  return found;
end;
$$;



COMMENT ON FUNCTION agentdb.unset_inhibition(name text) IS 'Removes an inhibition; false where there is none of that name.';



CREATE FUNCTION agentdb.unset_route(name text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  delete from agentdb.route as r where r.route_name = name;
  return found;
end;
$$;



COMMENT ON FUNCTION agentdb.unset_route(name text) IS 'Removes a route; false where there is none of that name.';



CREATE FUNCTION agentdb.unset_schedule() RETURNS TABLE(agent_id bigint, cron text, time_zone text, after_at timestamp with time zone, met_at timestamp with time zone)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  select s.agent_id, s.cron, s.time_zone,
    case
      when m.at is not null then greatest(m.at, s.due_at)
      else clock_timestamp()
    end,
    coalesce(m.at, s.met_at)
  from agentdb.schedule as s
  join agentdb.agent as a on a.agent_id = s.agent_id
  join agentdb.policy as p on p.policy_name = a.policy_name
  cross join lateral agentdb._meeting_start(s.agent_id, s.due_at, s.met_at,
    coalesce(s.grace, p.missed_tick_grace), clock_timestamp()) as m (at)
  where s.cron is not null
    and (
      (s.due_at is null and s.error is null)
      or m.at is not null
      or (s.due_at < clock_timestamp() and exists (
        select from agentdb.agent_stop as t where t.agent_id = s.agent_id))
    );
$$;



COMMENT ON FUNCTION agentdb.unset_schedule() IS 'Schedules whose next start a runner has to reckon, and the moment after which.';



CREATE FUNCTION agentdb.verify_audit(root text DEFAULT NULL::text) RETURNS TABLE(intact boolean, seals bigint, rows bigint, expired bigint, unsealed bigint, broken_seal bigint, day date, sealed_at timestamp with time zone, problem text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  select count(distinct s.seal_id), coalesce(sum(s.rows), 0),
         count(*) filter (where agentdb._is_expired(s.day))
    into seals, verify_audit.rows, expired
  from agentdb.seal as s;
  select count(*) into unsealed
  from agentdb.audit_log as l
  where not coalesce(pg_visible_in_snapshot(l.xid, (
    select s.snapshot from agentdb.seal as s order by s.seal_id desc limit 1)), false);
  select b.seal_id, b.day, b.sealed_at, b.problem
    into broken_seal, verify_audit.day, verify_audit.sealed_at, verify_audit.problem
  from agentdb._broken_seal() as b
  limit 1;
  if problem is null and verify_audit.root is not null and not exists (
    select from agentdb.seal as s where encode(s.root, 'hex') = verify_audit.root
  ) then
    problem := 'the root is not that of any seal: the chain was rewritten since';
  end if;
  intact := problem is null;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.verify_audit(root text) IS 'Hashes audit_log again and names the first seal whose rows, or which itself, was changed; give a root from outside to know that the chain is the same.';



CREATE FUNCTION agentdb.verify_rows() RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  -- Whoever waits for us has more to do.
  v_until timestamptz := clock_timestamp() + interval '2 seconds';
  v_run_id bigint;
  v_count bigint := 0;
begin
  for v_run_id in
    select distinct c.run_id
    from agentdb.claim as c
    join agentdb.run as r on r.run_id = c.run_id
    where c.state = 'pending' and c.kind = 'rows'
      and (r.ended_at is not null
        or c.claimed_at < clock_timestamp() - interval '1 minute')
      and not agentdb._awaits_decision(
        c.run_id, c.target, c.claimed_at, clock_timestamp())
  loop
    perform agentdb._verify_rows(v_run_id);
    v_count := v_count + 1;
    exit when clock_timestamp() > v_until;
  end loop;
  return v_count;
end;
$$;



COMMENT ON FUNCTION agentdb.verify_rows() IS 'Decides claims about rows of runs that have ended, and those a minute old, for two seconds at a time; returns of how many runs.';



CREATE FUNCTION agentdb.waiting_changes() RETURNS SETOF agentdb.change_summary
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_agent_id bigint;
  v_is_agent boolean := agentdb._is_agent();
begin
  if v_is_agent then
    v_agent_id := (select w.agent_id from agentdb._known_writer() as w);
  end if;
  return query
    select s.*
    from agentdb.change_summary as s
    where s.change_id in (
        select c.change_id from agentdb.change as c
        where c.state = 'pending' and c.expires_at > clock_timestamp())
      and case when v_is_agent
        then s.proposed_by <> session_user
          and agentdb._is_validator(s.change_id, v_agent_id)
        else pg_has_role(session_user, 'agentdb_reviewer', 'usage')
          or pg_has_role(session_user, 'agentdb_operator', 'usage') end
    order by s.change_id;
end;
$$;



COMMENT ON FUNCTION agentdb.waiting_changes() IS 'The changes that wait for a decision which the session may see, the oldest first.';



CREATE FUNCTION agentdb.wake_waiters(name text, run bigint DEFAULT NULL::bigint) RETURNS TABLE(woken bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
begin
  perform from agentdb._current_run(wake_waiters.run);
  woken := agentdb._waiters(name);
  if woken > 0 then
    perform pg_notify('agentdb_lock', name);
  end if;
  return next;
end;
$$;



COMMENT ON FUNCTION agentdb.wake_waiters(name text, run bigint) IS 'Tells those who wait for a lock to try again, in a transaction of its own after a release; raises ZA001 or ZA003.';



CREATE FUNCTION agentdb.withdraw_change(change bigint) RETURNS TABLE(change_id bigint, state text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET lock_timeout TO '2s'
    AS $$
declare
  v_state text;
begin
  select c.state into v_state
  from agentdb.change as c
  where c.change_id = change
    and (c.proposed_by = session_user
        and c.agent_id is not distinct from (
          select w.agent_id from agentdb._known_writer() as w)
      or pg_has_role(session_user, 'agentdb_operator', 'usage'))
  for no key update;
  if v_state is null or v_state not in ('open', 'pending', 'approved') then
    perform agentdb._refuse_state(change, v_state, 'undecided');
  end if;
  perform agentdb._close_change(change, 'withdrawn');
  return query select withdraw_change.change, 'withdrawn';
end;
$$;



COMMENT ON FUNCTION agentdb.withdraw_change(change bigint) IS 'Takes back a change of one''s own that is not applied yet, or as an operator any; raises ZA006 or ZA053.';



CREATE TABLE agentdb.silence (
    silence_id bigint NOT NULL,
    matchers jsonb NOT NULL,
    comment text NOT NULL,
    created_by name DEFAULT SESSION_USER NOT NULL,
    created_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ends_at timestamp with time zone NOT NULL,
    ended_by name
);



COMMENT ON TABLE agentdb.silence IS 'What nobody is told of for a time: by whom, why and until when.';



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
    annotations,
        CASE
            WHEN (acknowledged_until > clock_timestamp()) THEN acknowledged_by
            ELSE NULL::name
        END AS acknowledged_by,
    ( SELECT min(s.silence_id) AS min
           FROM agentdb.silence s
          WHERE ((s.ends_at > clock_timestamp()) AND (a.rule_name <> 'silence_ending'::text) AND agentdb._matches(s.matchers, agentdb._matchable(a.alert_id, a.rule_name, a.severity, a.labels)))) AS silence_id
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



COMMENT ON COLUMN agentdb.active_alert.acknowledged_by IS 'Who sees to it.';



COMMENT ON COLUMN agentdb.active_alert.silence_id IS 'The silence under which it fires.';



CREATE VIEW agentdb.active_silence AS
 SELECT silence_id,
    agentdb._matchers_text(matchers) AS matchers,
    created_by,
    created_at,
    ends_at,
    comment,
    ( SELECT count(*) AS count
           FROM agentdb.alert a
          WHERE ((a.state = 'firing'::text) AND (a.rule_name <> 'silence_ending'::text) AND agentdb._matches(s.matchers, agentdb._matchable(a.alert_id, a.rule_name, a.severity, a.labels)))) AS alerts
   FROM agentdb.silence s
  WHERE (ends_at > clock_timestamp());



COMMENT ON VIEW agentdb.active_silence IS 'Silences in force, with how many alerts fire under each.';



COMMENT ON COLUMN agentdb.active_silence.silence_id IS 'The number, shown as S-3.';



COMMENT ON COLUMN agentdb.active_silence.matchers IS 'Which alerts it is about.';



COMMENT ON COLUMN agentdb.active_silence.created_by IS 'Who made it.';



COMMENT ON COLUMN agentdb.active_silence.created_at IS 'When.';



COMMENT ON COLUMN agentdb.active_silence.ends_at IS 'When it ends by itself.';



COMMENT ON COLUMN agentdb.active_silence.comment IS 'Why.';



COMMENT ON COLUMN agentdb.active_silence.alerts IS 'How many alerts fire under it now.';



ALTER TABLE agentdb.agent ALTER COLUMN agent_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.agent_agent_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE TABLE agentdb.agent_gate (
    agent_id bigint NOT NULL
);



COMMENT ON TABLE agentdb.agent_gate IS 'A row an agent that it shares while it writes outside of any run; never updated.';



CREATE VIEW agentdb.agent_health AS
 SELECT a.agent_name,
    s.state,
    s.since,
    (s.why ||
        CASE
            WHEN (n.more > 0) THEN format('; and %s alerts more'::text, n.more)
            ELSE ''::text
        END) AS why
   FROM ((agentdb.agent a
     CROSS JOIN LATERAL ( SELECT h.rank,
            h.state,
            h.since,
            h.why
           FROM agentdb._health_sign(a.agent_id) h(rank, state, since, why)
          ORDER BY h.rank, h.since DESC
         LIMIT 1) s)
     CROSS JOIN LATERAL ( SELECT (count(*) -
                CASE
                    WHEN (s.rank = ANY (ARRAY[1, 2, 6])) THEN 1
                    ELSE 0
                END) AS more
           FROM agentdb.alert l
          WHERE (((l.labels ->> 'agent'::text) = a.agent_name) AND (l.state = 'firing'::text))) n);



COMMENT ON VIEW agentdb.agent_health IS 'One row an agent: how it is in one word, since when, and why; the worst first that can be said of it.';



COMMENT ON COLUMN agentdb.agent_health.agent_name IS 'The agent.';



COMMENT ON COLUMN agentdb.agent_health.state IS 'killed, paused; a rule''s word such as looping, burning, stuck; unwatched, waiting, working, idle.';



COMMENT ON COLUMN agentdb.agent_health.since IS 'Since when it is so.';



COMMENT ON COLUMN agentdb.agent_health.why IS 'What makes it so, in a sentence.';



CREATE TABLE agentdb.agent_path (
    agent_id bigint NOT NULL,
    path text NOT NULL,
    want text NOT NULL,
    declared_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    declared_by name DEFAULT SESSION_USER NOT NULL,
    CONSTRAINT agent_path_want_check CHECK ((want = ANY (ARRAY['read'::text, 'write'::text])))
);



COMMENT ON TABLE agentdb.agent_path IS 'Paths that agents need, for agentdb doctor to look at.';



CREATE TABLE agentdb.agent_secret (
    agent_id bigint NOT NULL,
    secret_hash bytea NOT NULL
);



COMMENT ON TABLE agentdb.agent_secret IS 'SHA-256 of the secret of each agent behind a shared role.';



CREATE TABLE agentdb.agent_tool (
    agent_id bigint NOT NULL,
    tool_name text NOT NULL
);



COMMENT ON TABLE agentdb.agent_tool IS 'The tools that an agent has; an agent without any is not judged by it.';



ALTER TABLE agentdb.alert ALTER COLUMN alert_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.alert_alert_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



ALTER TABLE agentdb.alert_group ALTER COLUMN alert_group_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.alert_group_alert_group_id_seq
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
    value double precision,
    recorded_by name DEFAULT SESSION_USER NOT NULL,
    comment text
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
    value double precision,
    recorded_by name DEFAULT SESSION_USER CONSTRAINT alert_log_recorded_by_not_null NOT NULL,
    comment text
);



CREATE VIEW agentdb.alert_remedy AS
 SELECT alert_id,
    agentdb._diagnosis(a.*) AS diagnosis,
    agentdb._remedy(a.*) AS remedy,
    agentdb._ends_when(a.*) AS ends_when
   FROM agentdb.alert a;



COMMENT ON VIEW agentdb.alert_remedy IS 'What was found out about each alert, what to do about it, and what ends it.';



COMMENT ON COLUMN agentdb.alert_remedy.alert_id IS 'The alert.';



COMMENT ON COLUMN agentdb.alert_remedy.diagnosis IS 'What was found when somebody looked into its failed calls, with the fixes.';



COMMENT ON COLUMN agentdb.alert_remedy.remedy IS 'What to do, a line a step, with the names filled in.';



COMMENT ON COLUMN agentdb.alert_remedy.ends_when IS 'What ends it.';



CREATE VIEW agentdb.altered_table AS
 SELECT t.audit_target_id,
    t.table_name,
    'capture function'::text AS part
   FROM (agentdb.audit_target t
     JOIN pg_class c ON ((c.oid = t.table_oid)))
  WHERE ((t.unaudited_at IS NULL) AND ((t.layout <> agentdb._layout_now(t.table_oid)) OR (t.table_name <> agentdb._table_name(t.table_oid))))
UNION ALL
 SELECT g.audit_target_id,
    g.table_name,
    'staging view'::text AS part
   FROM (agentdb.guarded_table g
     JOIN pg_class c ON ((c.oid = g.table_oid)))
  WHERE ((g.layout <> agentdb._stage_layout(g.audit_target_id)) OR (to_regclass(format('agentdb_stage.%I'::text, g.view_name)) IS NULL));



COMMENT ON VIEW agentdb.altered_table IS 'Audited and guarded tables that were altered, until maintain_tables() or the runner has adapted to it; every write is recorded meanwhile.';



COMMENT ON COLUMN agentdb.altered_table.audit_target_id IS 'The attachment of the audit.';



COMMENT ON COLUMN agentdb.altered_table.table_name IS 'The table.';



COMMENT ON COLUMN agentdb.altered_table.part IS 'What is made anew: its capture function, or its staging view.';



CREATE VIEW agentdb.audit AS
 SELECT l.recorded_at,
    t.table_name,
    l.operation,
    l.row_key,
    l.old_values,
    l.new_values,
    a.agent_name,
    l.run_id,
    l.change_id,
    agentdb._approved_by(l.change_id) AS approved_by,
    l.session_role,
    l.application_name,
    l.client_addr,
    l.transaction_at,
    l.xid,
    l.statement,
    l.audit_log_id
   FROM ((agentdb.audit_log l
     JOIN agentdb.audit_target t ON ((t.audit_target_id = l.audit_target_id)))
     LEFT JOIN agentdb.agent a ON ((a.agent_id = l.agent_id)))
  ORDER BY l.audit_log_id DESC;



COMMENT ON VIEW agentdb.audit IS 'Every recorded change of a row, the newest first.';



COMMENT ON COLUMN agentdb.audit.recorded_at IS 'When the statement ended, by the clock of the server.';



COMMENT ON COLUMN agentdb.audit.table_name IS 'The table.';



COMMENT ON COLUMN agentdb.audit.operation IS 'insert, update, delete or truncate; a changed primary key is a delete and an insert.';



COMMENT ON COLUMN agentdb.audit.row_key IS 'The primary key of the row.';



COMMENT ON COLUMN agentdb.audit.old_values IS 'What the row was: of an update only the changed columns.';



COMMENT ON COLUMN agentdb.audit.new_values IS 'What it became.';



COMMENT ON COLUMN agentdb.audit.agent_name IS 'The agent that wrote it, or proposed the change that did.';



COMMENT ON COLUMN agentdb.audit.run_id IS 'The run that wrote or proposed it, where it is known.';



COMMENT ON COLUMN agentdb.audit.change_id IS 'The change that wrote it; NULL for a direct write.';



COMMENT ON COLUMN agentdb.audit.approved_by IS 'The login roles that approved the change.';



COMMENT ON COLUMN agentdb.audit.session_role IS 'The role that logged in: of a change, the one in whose session it was applied.';



COMMENT ON COLUMN agentdb.audit.application_name IS 'What the client called itself: a claim.';



COMMENT ON COLUMN agentdb.audit.client_addr IS 'Where the client connected from; NULL for a socket.';



COMMENT ON COLUMN agentdb.audit.transaction_at IS 'When the transaction began.';



COMMENT ON COLUMN agentdb.audit.xid IS 'The transaction.';



COMMENT ON COLUMN agentdb.audit.statement IS 'The statement: rows with the same number changed together, where triggers fire by statement.';



COMMENT ON COLUMN agentdb.audit.audit_log_id IS 'Orders the changes.';



CREATE VIEW agentdb.audit_gap AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_audit_gap(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.audit_gap IS 'Rule: audited tables that are not recorded as they should be.';



COMMENT ON COLUMN agentdb.audit_gap.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.audit_gap.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.audit_gap.annotations IS 'What a person reads: summary, policy, threshold.';



ALTER TABLE agentdb.audit_log ALTER COLUMN audit_log_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.audit_log_audit_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE TABLE agentdb.audit_log_default (
    audit_log_id bigint CONSTRAINT audit_log_audit_log_id_not_null NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() CONSTRAINT audit_log_recorded_at_not_null NOT NULL,
    transaction_at timestamp with time zone DEFAULT transaction_timestamp() CONSTRAINT audit_log_transaction_at_not_null NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() CONSTRAINT audit_log_xid_not_null NOT NULL,
    statement bigint CONSTRAINT audit_log_statement_not_null NOT NULL,
    audit_target_id integer CONSTRAINT audit_log_audit_target_id_not_null NOT NULL,
    operation text CONSTRAINT audit_log_operation_not_null NOT NULL,
    row_key jsonb,
    old_values jsonb,
    new_values jsonb,
    session_role text CONSTRAINT audit_log_session_role_not_null NOT NULL,
    agent_id bigint,
    run_id bigint,
    change_id bigint,
    application_name text,
    client_addr inet,
    CONSTRAINT audit_log_operation_check CHECK ((operation = ANY (ARRAY['insert'::text, 'update'::text, 'delete'::text, 'truncate'::text])))
);



CREATE SEQUENCE agentdb.audit_statement_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;



ALTER TABLE agentdb.audit_target ALTER COLUMN audit_target_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.audit_target_audit_target_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE VIEW agentdb.audited_table AS
 SELECT table_name,
    table_oid,
    level,
    ( SELECT array_agg((c.column_name)::text ORDER BY c.key_place) AS array_agg
           FROM agentdb.audit_column c
          WHERE ((c.audit_target_id = t.audit_target_id) AND (c.key_place IS NOT NULL))) AS row_key,
    excluded,
    redacted,
    refuse_blast,
    audited_at,
    audited_by,
    ( SELECT string_agg(f.fault, '; '::text ORDER BY f.fault) AS string_agg
           FROM agentdb.audit_fault f
          WHERE (f.audit_target_id = t.audit_target_id)) AS fault
   FROM agentdb.audit_target t
  WHERE (unaudited_at IS NULL);



COMMENT ON VIEW agentdb.audited_table IS 'The tables that are audited, how, since when, and what is wrong with it.';



COMMENT ON COLUMN agentdb.audited_table.table_name IS 'The table.';



COMMENT ON COLUMN agentdb.audited_table.table_oid IS 'Its number in this database.';



COMMENT ON COLUMN agentdb.audited_table.level IS 'Whether its triggers fire once a statement, which is faster, or once a row.';



COMMENT ON COLUMN agentdb.audited_table.row_key IS 'Its primary key; NULL where rows have no name.';



COMMENT ON COLUMN agentdb.audited_table.excluded IS 'Columns that are not recorded.';



COMMENT ON COLUMN agentdb.audited_table.redacted IS 'Columns of which only a change is recorded, not the value.';



COMMENT ON COLUMN agentdb.audited_table.refuse_blast IS 'Whether a statement of an agent over policy.blast_radius_rows is refused.';



COMMENT ON COLUMN agentdb.audited_table.audited_at IS 'Since when it is audited.';



COMMENT ON COLUMN agentdb.audited_table.audited_by IS 'Who attached the audit.';



COMMENT ON COLUMN agentdb.audited_table.fault IS 'What keeps the audit from working; NULL where all is well.';



CREATE VIEW agentdb.blast_radius AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_blast_radius(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.blast_radius IS 'Rule: statements of agents that changed too many rows.';



COMMENT ON COLUMN agentdb.blast_radius.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.blast_radius.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.blast_radius.annotations IS 'What a person reads: summary, policy, threshold.';



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



CREATE VIEW agentdb.budget AS
 SELECT a.agent_name,
    r.conversation,
    r.run_id,
    b.scope,
    b.max_tokens,
    b.spent,
    b.reserved,
    b.tokens_left,
    b.max_cost,
    b.cost
   FROM ((agentdb._recent_run(statement_timestamp()) r(run_id, agent_id, conversation)
     JOIN agentdb.agent a ON ((a.agent_id = r.agent_id)))
     CROSS JOIN LATERAL agentdb._budget(r.run_id, r.agent_id, r.conversation) b(scope, max_tokens, spent, reserved, tokens_left, max_cost, cost));



COMMENT ON VIEW agentdb.budget IS 'The budgets of each run that is open or ended within the hour.';



COMMENT ON COLUMN agentdb.budget.agent_name IS 'Whose budget it is.';



COMMENT ON COLUMN agentdb.budget.conversation IS 'The conversation of the run.';



COMMENT ON COLUMN agentdb.budget.run_id IS 'The run.';



COMMENT ON COLUMN agentdb.budget.scope IS 'What the budget is for: agent_day, conversation or run.';



COMMENT ON COLUMN agentdb.budget.max_tokens IS 'The limit; NULL is none.';



COMMENT ON COLUMN agentdb.budget.spent IS 'Tokens that the logs say were used.';



COMMENT ON COLUMN agentdb.budget.reserved IS 'Tokens set aside for prompts on their way.';



COMMENT ON COLUMN agentdb.budget.tokens_left IS 'What can still be reserved; NULL without a limit.';



COMMENT ON COLUMN agentdb.budget.max_cost IS 'The limit of the cost; NULL is none.';



COMMENT ON COLUMN agentdb.budget.cost IS 'What it has cost.';



CREATE TABLE agentdb.budget_gate (
    agent_id bigint NOT NULL,
    passed bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');



COMMENT ON TABLE agentdb.budget_gate IS 'A row an agent that its reservations pass one after another.';



CREATE VIEW agentdb.budget_low AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_budget_low(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.budget_low IS 'Rule: budgets that run low, of a conversation, a run, or an agent''s day.';



COMMENT ON COLUMN agentdb.budget_low.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.budget_low.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.budget_low.annotations IS 'What a person reads: summary, policy, threshold.';



ALTER TABLE agentdb.change ALTER COLUMN change_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.change_change_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE VIEW agentdb.change_conflict AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_change_conflict(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.change_conflict IS 'Rule: approved changes that did not fit their rows any more.';



COMMENT ON COLUMN agentdb.change_conflict.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.change_conflict.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.change_conflict.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.change_expiring AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_change_expiring(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.change_expiring IS 'Rule: changes that expire soon.';



COMMENT ON COLUMN agentdb.change_expiring.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.change_expiring.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.change_expiring.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE TABLE agentdb.change_pass (
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    change_id bigint NOT NULL,
    opens_guard boolean DEFAULT true NOT NULL
);



COMMENT ON TABLE agentdb.change_pass IS 'Transactions that are applying a change: the guard lets them write.';



CREATE VIEW agentdb.change_volume AS
 SELECT l.run_id,
    a.agent_name,
    l.session_role,
    t.table_name,
    count(*) FILTER (WHERE (l.operation = 'insert'::text)) AS inserted,
    count(*) FILTER (WHERE (l.operation = 'update'::text)) AS updated,
    count(*) FILTER (WHERE (l.operation = ANY (ARRAY['delete'::text, 'truncate'::text]))) AS removed,
    count(DISTINCT l.statement) AS statements,
    min(l.recorded_at) AS first_at,
    max(l.recorded_at) AS last_at
   FROM ((agentdb.audit_log l
     JOIN agentdb.audit_target t ON ((t.audit_target_id = l.audit_target_id)))
     LEFT JOIN agentdb.agent a ON ((a.agent_id = l.agent_id)))
  GROUP BY l.run_id, a.agent_name, l.session_role, t.table_name;



COMMENT ON VIEW agentdb.change_volume IS 'How many rows each run changed in each table.';



COMMENT ON COLUMN agentdb.change_volume.run_id IS 'The run; NULL for what no run did.';



COMMENT ON COLUMN agentdb.change_volume.agent_name IS 'Its agent.';



COMMENT ON COLUMN agentdb.change_volume.session_role IS 'The role that logged in.';



COMMENT ON COLUMN agentdb.change_volume.table_name IS 'The table.';



COMMENT ON COLUMN agentdb.change_volume.inserted IS 'Rows inserted.';



COMMENT ON COLUMN agentdb.change_volume.updated IS 'Rows updated.';



COMMENT ON COLUMN agentdb.change_volume.removed IS 'Rows deleted or truncated.';



COMMENT ON COLUMN agentdb.change_volume.statements IS 'Statements; by row where triggers fire by row.';



COMMENT ON COLUMN agentdb.change_volume.first_at IS 'When the first was recorded.';



COMMENT ON COLUMN agentdb.change_volume.last_at IS 'When the last was recorded.';



CREATE VIEW agentdb.change_waiting AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_change_waiting(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.change_waiting IS 'Rule: changes that wait too long for somebody to decide.';



COMMENT ON COLUMN agentdb.change_waiting.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.change_waiting.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.change_waiting.annotations IS 'What a person reads: summary, policy, threshold.';



ALTER TABLE agentdb.claim ALTER COLUMN claim_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.claim_claim_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE VIEW agentdb.claim_status AS
 SELECT c.claim_id,
    a.agent_name,
    c.run_id,
    c.kind,
    c.target,
    c.state,
    c.expectation,
    v.evidence,
    c.claimed_at,
    c.checked_at,
    c.attempt AS attempts
   FROM ((agentdb.claim c
     JOIN agentdb.agent a ON ((a.agent_id = c.agent_id)))
     LEFT JOIN LATERAL ( SELECT l.evidence
           FROM agentdb.verdict l
          WHERE (l.claim_id = c.claim_id)
          ORDER BY l.verdict_id DESC
         LIMIT 1) v ON (true))
  ORDER BY c.claim_id DESC;



COMMENT ON VIEW agentdb.claim_status IS 'What agents say they have done, and what was seen of it from outside.';



COMMENT ON COLUMN agentdb.claim_status.claim_id IS 'The number of the claim.';



COMMENT ON COLUMN agentdb.claim_status.agent_name IS 'Who claims it.';



COMMENT ON COLUMN agentdb.claim_status.run_id IS 'In which run.';



COMMENT ON COLUMN agentdb.claim_status.kind IS 'rows, file, http, message, command, or the name of a verifier.';



COMMENT ON COLUMN agentdb.claim_status.target IS 'What to look at: a table, a path, an address, a recipient.';



COMMENT ON COLUMN agentdb.claim_status.state IS 'pending, verified, refuted, unreachable (nobody could look) or refused (nobody may).';



COMMENT ON COLUMN agentdb.claim_status.expectation IS 'What is said of it.';



COMMENT ON COLUMN agentdb.claim_status.evidence IS 'What was seen at the last look.';



COMMENT ON COLUMN agentdb.claim_status.claimed_at IS 'When it was claimed.';



COMMENT ON COLUMN agentdb.claim_status.checked_at IS 'When it was last looked at.';



COMMENT ON COLUMN agentdb.claim_status.attempts IS 'How often somebody set out to look.';



CREATE VIEW agentdb.code_finding AS
 SELECT 'functions'::text AS check_name,
    'critical'::text AS state,
    format('function agentdb.%s %s'::text, p.proname, f.fault) AS detail,
    'agentdb install --check tells what differs; agentdb install puts it back.'::text AS mend
   FROM (pg_proc p
     CROSS JOIN LATERAL ( SELECT 'does not pin its search_path'::text AS fault
          WHERE ((p.prosqlbody IS NULL) AND (NOT (COALESCE(array_to_string(p.proconfig, ','::text), ''::text) ~ 'search_path='::text)))
        UNION ALL
         SELECT 'may be executed by PUBLIC'::text
          WHERE ((p.proacl IS NULL) OR (EXISTS ( SELECT
                   FROM aclexplode(p.proacl) x(grantor, grantee, privilege_type, is_grantable)
                  WHERE (x.grantee = (0)::oid))))) f)
  WHERE (p.pronamespace = ('agentdb'::regnamespace)::oid)
UNION ALL
 SELECT 'triggers'::text AS check_name,
    'critical'::text AS state,
    format('%s: %s'::text, u.table_name, u.fault) AS detail,
    'select * from agentdb.maintain(); or audit the table again.'::text AS mend
   FROM agentdb.audit_fault u;



COMMENT ON VIEW agentdb.code_finding IS 'Functions and triggers of agentdb that are not as they were installed.';



COMMENT ON COLUMN agentdb.code_finding.check_name IS 'What was looked at.';



COMMENT ON COLUMN agentdb.code_finding.state IS 'critical.';



COMMENT ON COLUMN agentdb.code_finding.detail IS 'What was seen.';



COMMENT ON COLUMN agentdb.code_finding.mend IS 'What to do.';



CREATE VIEW agentdb.context_jump AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_context_jump(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.context_jump IS 'Rule: prompts that grew at a bound, the sign of a context bomb.';



COMMENT ON COLUMN agentdb.context_jump.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.context_jump.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.context_jump.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.conversation_budget AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_conversation_budget(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.conversation_budget IS 'Rule: conversations that have used more tokens than their budget.';



COMMENT ON COLUMN agentdb.conversation_budget.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.conversation_budget.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.conversation_budget.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.cost_by_agent_day AS
 SELECT a.agent_name,
    ((h.half_hour_at AT TIME ZONE 'UTC'::text))::date AS day,
    (sum(h.input_tokens))::bigint AS input_tokens,
    (sum(h.cached_input_tokens))::bigint AS cached_input_tokens,
    (sum(h.output_tokens))::bigint AS output_tokens,
    sum(h.cost) AS cost
   FROM (agentdb.token_half_hour h
     JOIN agentdb.agent a ON ((a.agent_id = h.agent_id)))
  GROUP BY a.agent_name, (((h.half_hour_at AT TIME ZONE 'UTC'::text))::date);



COMMENT ON VIEW agentdb.cost_by_agent_day IS 'What each agent used and cost a UTC day, as of the last roll-up.';



COMMENT ON COLUMN agentdb.cost_by_agent_day.agent_name IS 'The agent.';



COMMENT ON COLUMN agentdb.cost_by_agent_day.day IS 'The UTC day.';



COMMENT ON COLUMN agentdb.cost_by_agent_day.input_tokens IS 'Input tokens that did not come from a cache.';



COMMENT ON COLUMN agentdb.cost_by_agent_day.cached_input_tokens IS 'Input tokens from the provider''s cache.';



COMMENT ON COLUMN agentdb.cost_by_agent_day.output_tokens IS 'Output tokens, reasoning included.';



COMMENT ON COLUMN agentdb.cost_by_agent_day.cost IS 'What they cost, in the currency of the callers.';



CREATE VIEW agentdb.dead_letter AS
 SELECT jsonb_build_object('receiver', r.receiver_name) AS labels,
    (d.letters)::double precision AS value,
    jsonb_build_object('summary', format('%s messages to %s were given up, the last %s ago: %s'::text, d.letters, r.receiver_name, agentdb._span((clock_timestamp() - d.last_at)), "left"(d.error, 200)), 'next', jsonb_build_array('agentdb outbox --dead', ('agentdb notify test '::text || r.receiver_name))) AS annotations
   FROM (agentdb.receiver r
     CROSS JOIN LATERAL ( SELECT count(*) AS letters,
            max(n.finished_at) AS last_at,
            (array_agg(n.error ORDER BY n.finished_at DESC))[1] AS error
           FROM agentdb.notification n
          WHERE ((n.receiver_name = r.receiver_name) AND (n.state = 'dead'::text) AND (n.finished_at > (clock_timestamp() - '7 days'::interval)))) d)
  WHERE (r.enabled AND (d.letters > 0) AND ((d.last_at > (clock_timestamp() - '01:00:00'::interval)) OR (NOT (EXISTS ( SELECT
           FROM agentdb.notification n
          WHERE ((n.receiver_name = r.receiver_name) AND (n.state = 'sent'::text) AND (n.finished_at > d.last_at)))))));



COMMENT ON VIEW agentdb.dead_letter IS 'Rule: receivers to which messages could not be delivered; told to all others.';



COMMENT ON COLUMN agentdb.dead_letter.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.dead_letter.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.dead_letter.annotations IS 'What a person reads: summary, policy, threshold.';



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



CREATE VIEW agentdb.health_check AS
 SELECT 'runner'::text AS check_name,
        CASE
            WHEN (count(*) FILTER (WHERE h.healthy) = 0) THEN 'critical'::text
            WHEN (count(*) FILTER (WHERE (h.healthy AND h.outdated)) > 0) THEN 'warning'::text
            ELSE 'ok'::text
        END AS state,
        CASE
            WHEN (count(*) = 0) THEN 'no runner has ever reported: nobody is alerted; start agentdb run'::text
            WHEN (count(*) FILTER (WHERE h.healthy) = 0) THEN format('no runner works: the last was heard %s ago; start agentdb run'::text, agentdb._span(min(h.silent_for)))
            ELSE concat(format('%s of %s runners work'::text, count(*) FILTER (WHERE h.healthy), count(*)), (('; upgrade '::text || string_agg(h.runner_name, ', '::text ORDER BY h.runner_name) FILTER (WHERE (h.healthy AND h.outdated))) || ': the database is of a later release'::text))
        END AS detail
   FROM agentdb.runner_health h
UNION ALL
 SELECT 'rules'::text AS check_name,
        CASE
            WHEN (count(*) FILTER (WHERE (r.failures > 0)) > 0) THEN 'critical'::text
            WHEN COALESCE(bool_or((COALESCE(r.evaluated_at, r.next_evaluation_at) < ((clock_timestamp() - ((3)::double precision * r.evaluate_every)) - '00:00:30'::interval))), true) THEN 'critical'::text
            ELSE 'ok'::text
        END AS state,
    COALESCE(('failing: '::text || string_agg(r.rule_name, ', '::text ORDER BY r.rule_name) FILTER (WHERE (r.failures > 0))), format('%s rules; the oldest answer is %s old'::text, count(*), COALESCE(agentdb._span((clock_timestamp() - min(r.evaluated_at))), 'unknown'::text))) AS detail
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
        CASE s.rolled_at
            WHEN '-infinity'::timestamp with time zone THEN 'the totals of runs were never made'::text
            ELSE format('the totals of runs are %s old'::text, agentdb._span((clock_timestamp() - s.rolled_at)))
        END AS detail
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



CREATE VIEW agentdb.role_finding AS
 SELECT f.check_name,
    f.state,
    f.detail,
    f.mend
   FROM ((agentdb.agent a
     LEFT JOIN pg_roles r ON ((r.rolname = a.role_name)))
     CROSS JOIN LATERAL ( SELECT ('role of '::text || a.agent_name) AS check_name,
            'critical'::text AS state,
            format('role %s of agent %s: %s'::text, a.role_name, a.agent_name, COALESCE(NULLIF(agentdb._role_fault(a.role_name), ''::text), 'there is no such role'::text)) AS detail,
            format('create role %I login in role agentdb_agent; and register the agent under it'::text, ((a.role_name)::text || '_agent'::text)) AS mend
          WHERE (agentdb._role_fault(a.role_name) IS DISTINCT FROM ''::text)
        UNION ALL
         SELECT ('tables of '::text || a.agent_name),
            'critical'::text,
            format('role %s of agent %s owns audited %s and can switch its triggers off'::text, a.role_name, a.agent_name, string_agg(t.table_name, ', '::text)) AS format,
            format('alter table %s owner to somebody_else;'::text, min(t.table_name)) AS format
           FROM (agentdb.audit_target t
             JOIN pg_class c ON ((c.oid = t.table_oid)))
          WHERE ((t.unaudited_at IS NULL) AND pg_has_role(r.oid, c.relowner, 'member'::text))
         HAVING (count(*) > 0)
        UNION ALL
         SELECT ('role of '::text || a.agent_name),
            'warning'::text,
            format('agents %s share role %s: the database tells them apart only by token'::text, string_agg(o.agent_name, ', '::text), a.role_name) AS format,
            'Give each agent a login role of its own where you can.'::text
           FROM agentdb.agent o
          WHERE (o.role_name = a.role_name)
         HAVING ((count(*) > 1) AND (min(o.agent_name) = a.agent_name))) f)
UNION ALL
 SELECT 'owners'::text AS check_name,
    'critical'::text AS state,
    format('%s is a member of %s and can undo every protection'::text, m.rolname, g.rolname) AS detail,
    format('revoke %I from %s;'::text, g.rolname, (x.member)::regrole) AS mend
   FROM ((pg_auth_members x
     JOIN pg_roles g ON ((g.oid = x.roleid)))
     JOIN pg_roles m ON (pg_has_role(m.oid, x.member, 'member'::text)))
  WHERE ((g.rolname = ANY (ARRAY['agentdb_owner'::name, 'agentdb_capture'::name, 'agentdb_applier'::name])) AND m.rolcanlogin AND (NOT m.rolsuper) AND (NOT (x.admin_option AND COALESCE((NOT ((to_jsonb(x.*) ->> 'set_option'::text))::boolean), false))));



COMMENT ON VIEW agentdb.role_finding IS 'Login roles that can do more than an agent must be able to.';



COMMENT ON COLUMN agentdb.role_finding.check_name IS 'What was looked at.';



COMMENT ON COLUMN agentdb.role_finding.state IS 'warning or critical.';



COMMENT ON COLUMN agentdb.role_finding.detail IS 'What was seen.';



COMMENT ON COLUMN agentdb.role_finding.mend IS 'What to do.';



CREATE VIEW agentdb.server_finding AS
 SELECT f.check_name,
    f.state,
    f.detail,
    f.mend
   FROM (( SELECT (current_setting('server_version_num'::text))::integer AS version,
            current_setting('server_version'::text) AS version_text) s
     CROSS JOIN LATERAL ( VALUES ('server'::text,
                CASE
                    WHEN (s.version < 140000) THEN 'critical'::text
                    WHEN ((s.version >= 140000) AND (s.version <= 140003)) THEN 'critical'::text
                    WHEN (agentdb._end_of_life((s.version / 10000)) < CURRENT_DATE) THEN 'warning'::text
                    ELSE 'ok'::text
                END,(('PostgreSQL '::text || s.version_text) || COALESCE((' is mended until '::text || agentdb._end_of_life((s.version / 10000))), ''::text)),'Upgrade to a version that is still mended, and to its newest minor.'::text), ('durability'::text,
                CASE
                    WHEN ((current_setting('fsync'::text))::boolean AND (current_setting('full_page_writes'::text))::boolean) THEN 'ok'::text
                    ELSE 'critical'::text
                END,format('fsync is %s, full_page_writes is %s'::text, current_setting('fsync'::text), current_setting('full_page_writes'::text)),'Set fsync and full_page_writes to on: after a power cut nothing could be believed.'::text), ('prepared transactions'::text,
                CASE
                    WHEN ((current_setting('max_prepared_transactions'::text))::integer = 0) THEN 'ok'::text
                    ELSE 'warning'::text
                END,('max_prepared_transactions is '::text || current_setting('max_prepared_transactions'::text)),'Set it to 0 unless a coordinator needs it: a prepared transaction holds locks, and a drain, until somebody ends it.'::text)) f(check_name, state, detail, mend));



COMMENT ON VIEW agentdb.server_finding IS 'What the server''s version and settings mean for what agentdb promises.';



COMMENT ON COLUMN agentdb.server_finding.check_name IS 'What was looked at.';



COMMENT ON COLUMN agentdb.server_finding.state IS 'ok, warning or critical.';



COMMENT ON COLUMN agentdb.server_finding.detail IS 'What was seen.';



COMMENT ON COLUMN agentdb.server_finding.mend IS 'What to do where it is not ok.';



CREATE VIEW agentdb.doctor AS
 SELECT check_name,
    state,
    detail,
        CASE
            WHEN (state <> 'ok'::text) THEN mend
            ELSE NULL::text
        END AS mend
   FROM ( SELECT s.check_name,
            s.state,
            s.detail,
            s.mend
           FROM agentdb.server_finding s
        UNION ALL
         SELECT r.check_name,
            r.state,
            r.detail,
            r.mend
           FROM agentdb.role_finding r
        UNION ALL
         SELECT 'roles'::text,
            'ok'::text,
            'no agent''s role can do more than it must'::text,
            NULL::text
          WHERE (NOT (EXISTS ( SELECT
                   FROM agentdb.role_finding)))
        UNION ALL
         SELECT c.check_name,
            c.state,
            c.detail,
            c.mend
           FROM agentdb.code_finding c
        UNION ALL
         SELECT 'code'::text,
            'ok'::text,
            'functions are pinned and triggers are in place'::text,
            NULL::text
          WHERE (NOT (EXISTS ( SELECT
                   FROM agentdb.code_finding)))
        UNION ALL
         SELECT 'tables'::text,
            'warning'::text,
            format('%s was altered: its %s is not adapted yet'::text, t.table_name, t.part) AS format,
            'agentdb run does it within a minute; agentdb maintain at once, and says what is in the way.'::text
           FROM agentdb.altered_table t
        UNION ALL
         SELECT h.check_name,
            h.state,
            h.detail,
            'agentdb status and agentdb alerts say more.'::text
           FROM agentdb.health_check h
          WHERE (h.check_name <> 'alerts'::text)) f;



COMMENT ON VIEW agentdb.doctor IS 'All that can be told from inside the database of whether agentdb can keep its promises; agentdb doctor adds what only the machine knows.';



COMMENT ON COLUMN agentdb.doctor.check_name IS 'What was looked at.';



COMMENT ON COLUMN agentdb.doctor.state IS 'ok, warning or critical.';



COMMENT ON COLUMN agentdb.doctor.detail IS 'What was seen.';



COMMENT ON COLUMN agentdb.doctor.mend IS 'What to do where it is not ok.';



CREATE VIEW agentdb.faulty_call AS
 SELECT l.recorded_at,
    a.agent_name,
    l.run_id,
    l.tool,
    f.fault,
    f.detail,
    l.args,
    l.tool_call_log_id
   FROM ((agentdb.tool_fault f
     JOIN agentdb.tool_call_log l ON (((l.run_id = f.run_id) AND (l.tool_call_log_id = f.tool_call_log_id))))
     JOIN agentdb.agent a ON ((a.agent_id = l.agent_id)))
UNION ALL
 SELECT c.began_at AS recorded_at,
    a.agent_name,
    c.run_id,
    c.tool,
    'not_executed'::text AS fault,
    'it was begun and its run ended without it'::text AS detail,
    c.args,
    NULL::bigint AS tool_call_log_id
   FROM ((agentdb.tool_call c
     JOIN agentdb.run r ON (((r.run_id = c.run_id) AND (r.ended_at IS NOT NULL))))
     JOIN agentdb.agent a ON ((a.agent_id = c.agent_id)))
  WHERE (c.ended_at IS NULL);



COMMENT ON VIEW agentdb.faulty_call IS 'Calls of tools that do not exist, with arguments that they do not take, or never made.';



COMMENT ON COLUMN agentdb.faulty_call.recorded_at IS 'When it was logged.';



COMMENT ON COLUMN agentdb.faulty_call.agent_name IS 'Whose call it was.';



COMMENT ON COLUMN agentdb.faulty_call.run_id IS 'In which run.';



COMMENT ON COLUMN agentdb.faulty_call.tool IS 'The tool, as the model wrote it.';



COMMENT ON COLUMN agentdb.faulty_call.fault IS 'unknown, invalid_args or not_executed.';



COMMENT ON COLUMN agentdb.faulty_call.detail IS 'The nearest tools, or the first violation of the schema.';



COMMENT ON COLUMN agentdb.faulty_call.args IS 'What it was called with.';



COMMENT ON COLUMN agentdb.faulty_call.tool_call_log_id IS 'The number of the call; NULL where it was never made.';



CREATE VIEW agentdb.fenced_table AS
 SELECT format('%I.%I'::text, n.nspname, c.relname) AS table_name,
    convert_from(SUBSTRING(t.tgargs FROM 1 FOR (octet_length(t.tgargs) - 1)), 'UTF8'::name) AS lock_name,
    (t.tgenabled = 'A'::"char") AS enabled
   FROM ((pg_trigger t
     JOIN pg_class c ON ((c.oid = t.tgrelid)))
     JOIN pg_namespace n ON ((n.oid = c.relnamespace)))
  WHERE ((t.tgfoid = ('agentdb._check_fence'::regproc)::oid) AND (t.tgname = 'agentdb_fence'::name) AND (t.tgparentid = (0)::oid));



COMMENT ON VIEW agentdb.fenced_table IS 'The tables that only the holder of a lock may write.';



COMMENT ON COLUMN agentdb.fenced_table.table_name IS 'The table, with its schema.';



COMMENT ON COLUMN agentdb.fenced_table.lock_name IS 'The lock that the writing run must hold.';



COMMENT ON COLUMN agentdb.fenced_table.enabled IS 'Whether the fence is in force for every session.';



CREATE UNLOGGED TABLE agentdb.fenced_write (
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    lock_name text NOT NULL,
    fence bigint NOT NULL,
    run_id bigint NOT NULL
);



COMMENT ON TABLE agentdb.fenced_write IS 'Transactions that wrote a fenced table and have not committed yet.';



CREATE VIEW agentdb.guard_fault AS
 SELECT g.table_name,
    f.fault
   FROM ((agentdb.guarded_table g
     LEFT JOIN pg_class c ON ((c.oid = g.table_oid)))
     CROSS JOIN LATERAL ( SELECT 'the table is gone'::text AS fault
          WHERE (c.oid IS NULL)
        UNION ALL
         SELECT 'it is not audited any more'::text
          WHERE (NOT (EXISTS ( SELECT
                   FROM agentdb.audit_target t
                  WHERE ((t.audit_target_id = g.audit_target_id) AND (t.unaudited_at IS NULL)))))
        UNION ALL
         SELECT 'it has no primary key any more, by which rows of a change are found'::text
           FROM agentdb.audit_column k
          WHERE (k.audit_target_id = g.audit_target_id)
         HAVING ((count(*) > 0) AND (count(k.key_place) = 0))
        UNION ALL
         SELECT format('it was guarded with column %I, which is not there any more'::text, n.name) AS format
           FROM (( SELECT unnest((g.columns || g.context)) AS unnest
                UNION
                 SELECT jsonb_array_elements_text((g.auto_approve -> 'columns'::text)) AS jsonb_array_elements_text) n(name)
             CROSS JOIN agentdb.audit_column k)
          WHERE (k.audit_target_id = g.audit_target_id)
          GROUP BY n.name
         HAVING bool_and((k.column_name <> n.name))
        UNION ALL
         SELECT format('trigger %s on %s is %s'::text, w.tgname, (w.table_oid)::regclass,
                CASE
                    WHEN (t.oid IS NULL) THEN 'missing'::text
                    ELSE 'disabled or replaced'::text
                END) AS format
           FROM (( SELECT c.oid AS table_oid,
                    n.tgname
                   FROM unnest(ARRAY['00_agentdb_guard'::text, '00_agentdb_guard_truncate'::text]) n(tgname)
                  WHERE (c.oid IS NOT NULL)
                UNION ALL
                 SELECT p.relid,
                    n.tgname
                   FROM (pg_partition_tree((c.oid)::regclass) p(relid, parentrelid, isleaf, level)
                     CROSS JOIN unnest(ARRAY['00_agentdb_guard'::text, '00_agentdb_guard_truncate'::text]) n(tgname))
                  WHERE ((p.relid)::oid <> c.oid)) w
             LEFT JOIN pg_trigger t ON (((t.tgrelid = w.table_oid) AND (t.tgname = w.tgname))))
          WHERE ((t.tgenabled IS DISTINCT FROM 'A'::"char") OR (t.tgqual IS NOT NULL) OR (t.tgfoid <> ('agentdb._guard'::regproc)::oid))) f);



COMMENT ON VIEW agentdb.guard_fault IS 'What keeps a guard from holding or its changes from being applied; empty where all is well.';



COMMENT ON COLUMN agentdb.guard_fault.table_name IS 'The table.';



COMMENT ON COLUMN agentdb.guard_fault.fault IS 'What is wrong.';



CREATE VIEW agentdb.hung_tool_call AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_hung_tool_call(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.hung_tool_call IS 'Rule: tool calls that began and have not ended in time.';



COMMENT ON COLUMN agentdb.hung_tool_call.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.hung_tool_call.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.hung_tool_call.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.input_spike AS
SELECT
    NULL::jsonb AS labels,
    NULL::double precision AS value,
    NULL::jsonb AS annotations;



COMMENT ON VIEW agentdb.input_spike IS 'Rule: agents whose prompts have grown, whatever they answer.';



COMMENT ON COLUMN agentdb.input_spike.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.input_spike.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.input_spike.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.large_tool_result AS
SELECT
    NULL::jsonb AS labels,
    NULL::double precision AS value,
    NULL::jsonb AS annotations;



COMMENT ON VIEW agentdb.large_tool_result IS 'Rule: tool results so large that they fill the context.';



COMMENT ON COLUMN agentdb.large_tool_result.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.large_tool_result.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.large_tool_result.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.lock_contention AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_lock_contention(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.lock_contention IS 'Rule: locks that many attempts do not get.';



COMMENT ON COLUMN agentdb.lock_contention.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.lock_contention.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.lock_contention.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.lock_held_too_long AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_lock_held_too_long(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.lock_held_too_long IS 'Rule: locks that one run keeps for too long.';



COMMENT ON COLUMN agentdb.lock_held_too_long.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.lock_held_too_long.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.lock_held_too_long.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.lock_history AS
 SELECT t.lock_name,
    t.slot,
    t.fence,
    a.agent_name,
    t.run_id,
    t.acquired_at,
    t.ended_at,
    (COALESCE(t.ended_at, clock_timestamp()) - t.acquired_at) AS held_for,
    t.expires_at,
    t.renewals,
    t.outcome,
    t.ended_by,
    t.reason
   FROM (( SELECT l.lock_name,
            l.slot,
            l.fence,
            l.agent_id,
            l.run_id,
            l.acquired_at,
            l.recorded_at AS ended_at,
            l.expires_at,
            l.renewals,
            l.outcome,
            l.ended_by,
            l.reason
           FROM agentdb.lock_log l
        UNION ALL
         SELECT l.lock_name,
            l.slot,
            l.fence,
            l.agent_id,
            l.run_id,
            l.acquired_at,
            NULL::timestamp with time zone,
            l.expires_at,
            l.renewals,
            NULL::text,
            NULL::name,
            NULL::text
           FROM agentdb.lock l
          WHERE (l.run_id IS NOT NULL)) t
     LEFT JOIN agentdb.agent a ON ((a.agent_id = t.agent_id)));



COMMENT ON VIEW agentdb.lock_history IS 'Each time a run held a lock: since when, until when, and how it ended.';



COMMENT ON COLUMN agentdb.lock_history.lock_name IS 'The lock.';



COMMENT ON COLUMN agentdb.lock_history.slot IS 'The slot of a semaphore, from 1; 0 for a lock.';



COMMENT ON COLUMN agentdb.lock_history.fence IS 'The number of this tenure; a later one has a greater.';



COMMENT ON COLUMN agentdb.lock_history.agent_name IS 'Who held it.';



COMMENT ON COLUMN agentdb.lock_history.run_id IS 'In which run.';



COMMENT ON COLUMN agentdb.lock_history.acquired_at IS 'Since when.';



COMMENT ON COLUMN agentdb.lock_history.ended_at IS 'Until when; NULL for the present holder.';



COMMENT ON COLUMN agentdb.lock_history.held_for IS 'How long.';



COMMENT ON COLUMN agentdb.lock_history.expires_at IS 'When its time was, or will be, up.';



COMMENT ON COLUMN agentdb.lock_history.renewals IS 'How often it was renewed.';



COMMENT ON COLUMN agentdb.lock_history.outcome IS 'released, taken_over, expired, run_ended, abandoned, forced; edited or deleted if a hand did it; NULL for the present holder.';



COMMENT ON COLUMN agentdb.lock_history.ended_by IS 'The login role that ended it.';



COMMENT ON COLUMN agentdb.lock_history.reason IS 'Why an operator ended it.';



CREATE TABLE agentdb.lock_log_default (
    lock_name text CONSTRAINT lock_log_lock_name_not_null NOT NULL,
    slot integer CONSTRAINT lock_log_slot_not_null NOT NULL,
    fence bigint CONSTRAINT lock_log_fence_not_null NOT NULL,
    agent_id bigint,
    run_id bigint CONSTRAINT lock_log_run_id_not_null NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() CONSTRAINT lock_log_recorded_at_not_null NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() CONSTRAINT lock_log_xid_not_null NOT NULL,
    acquired_at timestamp with time zone CONSTRAINT lock_log_acquired_at_not_null NOT NULL,
    expires_at timestamp with time zone CONSTRAINT lock_log_expires_at_not_null NOT NULL,
    renewals integer CONSTRAINT lock_log_renewals_not_null NOT NULL,
    outcome text CONSTRAINT lock_log_outcome_not_null NOT NULL,
    ended_by name CONSTRAINT lock_log_ended_by_not_null NOT NULL,
    reason text
);



CREATE TABLE agentdb.lock_waiter (
    lock_name text NOT NULL,
    run_id bigint NOT NULL,
    agent_id bigint NOT NULL,
    since_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    until_at timestamp with time zone NOT NULL
)
WITH (fillfactor='70');



COMMENT ON TABLE agentdb.lock_waiter IS 'Runs that wait for a lock.';



CREATE VIEW agentdb.lock_status AS
 SELECT l.lock_name,
    l.slot,
        CASE
            WHEN ((l.run_id IS NULL) AND v.live) THEN 'cooling'::text
            WHEN (l.run_id IS NULL) THEN 'free'::text
            WHEN v.live THEN 'held'::text
            ELSE 'stale'::text
        END AS state,
    r.label AS holder,
    l.run_id,
    l.fence,
        CASE
            WHEN (l.run_id IS NOT NULL) THEN l.acquired_at
            ELSE NULL::timestamp with time zone
        END AS acquired_at,
        CASE
            WHEN (l.run_id IS NOT NULL) THEN (v.now - l.acquired_at)
            ELSE NULL::interval
        END AS held_for,
        CASE
            WHEN ((l.run_id IS NOT NULL) OR v.live) THEN l.expires_at
            ELSE NULL::timestamp with time zone
        END AS expires_at,
        CASE
            WHEN ((l.run_id IS NOT NULL) OR v.live) THEN (l.expires_at - v.now)
            ELSE NULL::interval
        END AS time_left,
    l.renewals,
    ( SELECT count(*) AS count
           FROM agentdb.lock_waiter w
          WHERE ((w.lock_name = l.lock_name) AND (w.until_at > v.now))) AS waiting,
    ( SELECT (COALESCE(sum(d.denials), (0)::numeric))::bigint AS "coalesce"
           FROM agentdb.lock_denial d
          WHERE ((d.lock_name = l.lock_name) AND (d.last_at >= l.acquired_at))) AS denied_since
   FROM (((agentdb.lock l
     LEFT JOIN agentdb.run r ON ((r.run_id = l.run_id)))
     CROSS JOIN LATERAL ( SELECT clock_timestamp() AS now
         OFFSET 0) c)
     CROSS JOIN LATERAL ( SELECT c.now,
            agentdb._is_live(l.expires_at, l.renewed_at, c.now) AS live) v);



COMMENT ON VIEW agentdb.lock_status IS 'Each lock, and each slot of a semaphore: free, held, cooling or stale.';



COMMENT ON COLUMN agentdb.lock_status.lock_name IS 'The lock.';



COMMENT ON COLUMN agentdb.lock_status.slot IS 'The slot of a semaphore, from 1; 0 for a lock.';



COMMENT ON COLUMN agentdb.lock_status.state IS 'free, held, cooling (released, and kept from being taken), stale (expired and not released: anybody can take it).';



COMMENT ON COLUMN agentdb.lock_status.holder IS 'Who holds it, or held it when it expired.';



COMMENT ON COLUMN agentdb.lock_status.run_id IS 'The holder''s run.';



COMMENT ON COLUMN agentdb.lock_status.fence IS 'The number of the present or last tenure; it only grows.';



COMMENT ON COLUMN agentdb.lock_status.acquired_at IS 'When the holder took it.';



COMMENT ON COLUMN agentdb.lock_status.held_for IS 'How long ago that was.';



COMMENT ON COLUMN agentdb.lock_status.expires_at IS 'When it ends unless it is renewed.';



COMMENT ON COLUMN agentdb.lock_status.time_left IS 'How long until then; negative once it is stale.';



COMMENT ON COLUMN agentdb.lock_status.renewals IS 'How often the holder renewed it.';



COMMENT ON COLUMN agentdb.lock_status.waiting IS 'How many runs wait for it.';



COMMENT ON COLUMN agentdb.lock_status.denied_since IS 'Attempts that were denied since it was last acquired, at most one counted a second and run.';



CREATE VIEW agentdb.long_tick AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_long_tick(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.long_tick IS 'Rule: ticks that take too long and block or overlap the next.';



COMMENT ON COLUMN agentdb.long_tick.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.long_tick.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.long_tick.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE TABLE agentdb.message_channel (
    channel_name text NOT NULL,
    relation_name text NOT NULL,
    recipient_column text NOT NULL,
    sent_at_column text NOT NULL,
    text_column text,
    registered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    registered_by name DEFAULT SESSION_USER NOT NULL
);



COMMENT ON TABLE agentdb.message_channel IS 'Tables in which transports record what they sent, for claims of messages.';



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



COMMENT ON VIEW agentdb.no_progress IS 'Rule: open runs that show no evidence of progress for too long.';



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



CREATE VIEW agentdb.open_question AS
 SELECT q.question_id,
    a.agent_name,
    q.run_id,
    q.urgency,
    q.asked_at,
    (clock_timestamp() - q.asked_at) AS waited,
    q.options,
    q.question
   FROM ((agentdb.question q
     JOIN agentdb.agent a ON ((a.agent_id = q.agent_id)))
     JOIN agentdb.run r ON ((r.run_id = q.run_id)))
  WHERE ((q.answer IS NULL) AND (r.ended_at IS NULL));



COMMENT ON VIEW agentdb.open_question IS 'Questions of agents that wait for an answer.';



COMMENT ON COLUMN agentdb.open_question.question_id IS 'The number, shown as Q-5.';



COMMENT ON COLUMN agentdb.open_question.agent_name IS 'Who asks.';



COMMENT ON COLUMN agentdb.open_question.run_id IS 'In which run.';



COMMENT ON COLUMN agentdb.open_question.urgency IS 'low, normal or high, as the agent sees it.';



COMMENT ON COLUMN agentdb.open_question.asked_at IS 'When.';



COMMENT ON COLUMN agentdb.open_question.waited IS 'How long ago that was.';



COMMENT ON COLUMN agentdb.open_question.options IS 'The answers to choose from; NULL is any.';



COMMENT ON COLUMN agentdb.open_question.question IS 'What is asked.';



CREATE VIEW agentdb.overdue_hold AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_overdue_hold(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.overdue_hold IS 'Rule: runs that said they would wait and did not go on.';



COMMENT ON COLUMN agentdb.overdue_hold.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.overdue_hold.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.overdue_hold.annotations IS 'What a person reads: summary, policy, threshold.';



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



CREATE VIEW agentdb.question_asked AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_question_asked(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.question_asked IS 'Rule: agents that ask people something.';



COMMENT ON COLUMN agentdb.question_asked.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.question_asked.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.question_asked.annotations IS 'What a person reads: summary, policy, threshold.';



ALTER TABLE agentdb.question ALTER COLUMN question_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.question_question_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE VIEW agentdb.refuted_claim AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_refuted_claim(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.refuted_claim IS 'Rule: claims of agents that were looked up and are not so.';



COMMENT ON COLUMN agentdb.refuted_claim.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.refuted_claim.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.refuted_claim.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.repeated_tool_call AS
SELECT
    NULL::jsonb AS labels,
    NULL::double precision AS value,
    NULL::jsonb AS annotations;



COMMENT ON VIEW agentdb.repeated_tool_call IS 'Rule: runs that call the same tool over and over, whatever comes of it.';



COMMENT ON COLUMN agentdb.repeated_tool_call.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.repeated_tool_call.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.repeated_tool_call.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.rule_setting AS
 SELECT n.rule_name,
    (c.attname)::text AS setting,
    p.policy_name,
    (to_jsonb(p.*) ->> (c.attname)::text) AS value,
    m.parts[2] AS reason
   FROM (((pg_attribute c
     CROSS JOIN LATERAL regexp_match(col_description(c.attrelid, (c.attnum)::integer), '^Rules? ([a-z0-9_, ]+): (.*)$'::text) m(parts))
     CROSS JOIN LATERAL regexp_split_to_table(m.parts[1], ', | and '::text) n(rule_name))
     CROSS JOIN agentdb.policy p)
  WHERE ((c.attrelid = ('agentdb.policy'::regclass)::oid) AND (c.attnum > 0) AND (NOT c.attisdropped))
  ORDER BY n.rule_name, c.attnum, p.policy_name;



COMMENT ON VIEW agentdb.rule_setting IS 'Each threshold of each rule in each policy, with its reason.';



COMMENT ON COLUMN agentdb.rule_setting.rule_name IS 'The rule.';



COMMENT ON COLUMN agentdb.rule_setting.setting IS 'The column of agentdb.policy.';



COMMENT ON COLUMN agentdb.rule_setting.policy_name IS 'The policy.';



COMMENT ON COLUMN agentdb.rule_setting.value IS 'What the policy has there; NULL is off or no limit.';



COMMENT ON COLUMN agentdb.rule_setting.reason IS 'What it is and why it is as it is.';



CREATE TABLE agentdb.run_gate (
    run_id bigint NOT NULL
);



COMMENT ON TABLE agentdb.run_gate IS 'A row a run that its writers share and a stop waits for; never updated.';



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
    agentdb._run_state(r.run_id, r.outcome) AS state,
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



COMMENT ON COLUMN agentdb.run_summary.state IS 'running, or the outcome: succeeded, failed, cancelled, abandoned, killed; unverified for a success with a claim that is not verified.';



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



CREATE TABLE agentdb.run_token (
    token_hash bytea NOT NULL,
    run_id bigint NOT NULL
);



COMMENT ON TABLE agentdb.run_token IS 'SHA-256 of the token that binds a transaction to a run.';



CREATE VIEW agentdb.schedule_blocked AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_schedule_blocked(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.schedule_blocked IS 'Rule: agents whose ticks keep being denied a lock, so that nothing is done and nothing fails.';



COMMENT ON COLUMN agentdb.schedule_blocked.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.schedule_blocked.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.schedule_blocked.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.silence_ending AS
 SELECT jsonb_build_object('silence', ('S-'::text || silence_id)) AS labels,
    (alerts)::double precision AS value,
    jsonb_build_object('summary', format('silence S-%s of %s (%s: %s) ends at %s UTC; %s alerts fire under it and are reported again then'::text, silence_id, created_by, matchers, comment, to_char((ends_at AT TIME ZONE 'UTC'::text), 'YYYY-MM-DD HH24:MI'::text), alerts), 'next', jsonb_build_array(format('agentdb silence ''%s'' --for 2h -m …'::text, replace(matchers, ''''::text, '''\'''''::text)))) AS annotations
   FROM agentdb.active_silence s
  WHERE ((alerts > 0) AND ((ends_at - created_at) > '00:15:00'::interval) AND (ends_at < (clock_timestamp() + LEAST('00:15:00'::interval, ((ends_at - created_at) / (10)::double precision)))));



COMMENT ON VIEW agentdb.silence_ending IS 'Rule: silences that end soon; resolved when they have ended.';



COMMENT ON COLUMN agentdb.silence_ending.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.silence_ending.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.silence_ending.annotations IS 'What a person reads: summary, policy, threshold.';



ALTER TABLE agentdb.silence ALTER COLUMN silence_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.silence_silence_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE VIEW agentdb.silent_loop AS
SELECT
    NULL::jsonb AS labels,
    NULL::double precision AS value,
    NULL::jsonb AS annotations;



COMMENT ON VIEW agentdb.silent_loop IS 'Rule: runs that do the same again and again and reach nothing.';



COMMENT ON COLUMN agentdb.silent_loop.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.silent_loop.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.silent_loop.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.stale_lock AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_stale_lock(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.stale_lock IS 'Rule: locks that have expired and were not released, the sign of a crashed or hanging holder.';



COMMENT ON COLUMN agentdb.stale_lock.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.stale_lock.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.stale_lock.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE SEQUENCE agentdb.stop_former_seq
    START WITH 0
    INCREMENT BY 1
    MINVALUE 0
    NO MAXVALUE
    CACHE 1;



CREATE SEQUENCE agentdb.stop_last_seq
    START WITH 0
    INCREMENT BY 1
    MINVALUE 0
    NO MAXVALUE
    CACHE 1;



CREATE TABLE agentdb.stop_log_default (
    stop_log_id bigint CONSTRAINT stop_log_stop_log_id_not_null NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() CONSTRAINT stop_log_recorded_at_not_null NOT NULL,
    agent_id bigint,
    run_id bigint,
    action text CONSTRAINT stop_log_action_not_null NOT NULL,
    reason text CONSTRAINT stop_log_reason_not_null NOT NULL,
    stopped_by name DEFAULT SESSION_USER CONSTRAINT stop_log_stopped_by_not_null NOT NULL,
    details jsonb
);



ALTER TABLE agentdb.stop_log ALTER COLUMN stop_log_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.stop_log_stop_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



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
    CONSTRAINT token_log_amounts_check CHECK ((LEAST((input_tokens)::numeric, (cached_input_tokens)::numeric, (output_tokens)::numeric, (reasoning_tokens)::numeric, cost) >= (0)::numeric))
);



ALTER TABLE agentdb.token_log ALTER COLUMN token_log_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.token_log_token_log_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE TABLE agentdb.token_normal (
    agent_id bigint NOT NULL,
    refreshed_at timestamp with time zone NOT NULL,
    active_days integer NOT NULL,
    bound double precision NOT NULL,
    hours bigint NOT NULL
);



COMMENT ON TABLE agentdb.token_normal IS 'What is normal for each agent, refreshed every hour by a runner.';



COMMENT ON COLUMN agentdb.token_normal.bound IS 'Weighted tokens in half an hour beyond which its own busy half hours never came.';



COMMENT ON COLUMN agentdb.token_normal.hours IS 'A bit for each hour at which it was active: 0 to 23 on weekdays, 24 to 47 at weekends, UTC.';



CREATE VIEW agentdb.token_rate AS
SELECT
    NULL::jsonb AS labels,
    NULL::double precision AS value,
    NULL::jsonb AS annotations;



COMMENT ON VIEW agentdb.token_rate IS 'Rule: agents that burn tokens faster than their ceiling or than is normal for them.';



COMMENT ON COLUMN agentdb.token_rate.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.token_rate.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.token_rate.annotations IS 'What a person reads: summary, policy, threshold.';



ALTER TABLE agentdb.token_reservation ALTER COLUMN token_reservation_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.token_reservation_token_reservation_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



CREATE TABLE agentdb.tool_alias (
    alias text NOT NULL,
    tool_name text NOT NULL,
    renamed_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);



COMMENT ON TABLE agentdb.tool_alias IS 'Former names of tools, still known.';



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
    call_signature bigint,
    shape_signature bigint,
    result_signature bigint,
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



CREATE TABLE agentdb.tool_check_state (
    only_row boolean DEFAULT true NOT NULL,
    horizon xid8 NOT NULL,
    CONSTRAINT tool_check_state_only_row_check CHECK (only_row)
);



COMMENT ON TABLE agentdb.tool_check_state IS 'The transaction up to which arguments were compared with schemas.';



CREATE TABLE agentdb.tool_day (
    agent_id bigint NOT NULL,
    tool text NOT NULL,
    day_at timestamp with time zone NOT NULL,
    calls bigint NOT NULL,
    errors bigint NOT NULL
)
WITH (fillfactor='70');



COMMENT ON TABLE agentdb.tool_day IS 'Calls and failures of each agent''s tools a UTC day: what is normal for them.';



CREATE VIEW agentdb.tool_error AS
 SELECT l.recorded_at,
    a.agent_name,
    l.run_id,
    l.tool,
    agentdb._error_class(l.error) AS error_class,
    l.error,
    l.args,
    d.diagnosis,
    l.tool_call_log_id
   FROM ((agentdb.tool_call_log l
     JOIN agentdb.agent a ON ((a.agent_id = l.agent_id)))
     LEFT JOIN agentdb.tool_diagnosis d ON (((d.run_id = l.run_id) AND (d.tool_call_log_id = l.tool_call_log_id))))
  WHERE (NOT l.ok);



COMMENT ON VIEW agentdb.tool_error IS 'Every failed tool call with its class, and what was found where a file or a right was missing.';



COMMENT ON COLUMN agentdb.tool_error.recorded_at IS 'When it was logged.';



COMMENT ON COLUMN agentdb.tool_error.agent_name IS 'Whose call it was.';



COMMENT ON COLUMN agentdb.tool_error.run_id IS 'In which run.';



COMMENT ON COLUMN agentdb.tool_error.tool IS 'The tool, as the model wrote it.';



COMMENT ON COLUMN agentdb.tool_error.error_class IS 'unknown tool, bad arguments, not found, permission denied, timeout, rate limited, refused or failed.';



COMMENT ON COLUMN agentdb.tool_error.error IS 'What the tool said.';



COMMENT ON COLUMN agentdb.tool_error.args IS 'What it was called with.';



COMMENT ON COLUMN agentdb.tool_error.diagnosis IS 'What the runner found when it looked as the agent would.';



COMMENT ON COLUMN agentdb.tool_error.tool_call_log_id IS 'The number of the call.';



CREATE VIEW agentdb.tool_errors AS
SELECT
    NULL::jsonb AS labels,
    NULL::double precision AS value,
    NULL::jsonb AS annotations;



COMMENT ON VIEW agentdb.tool_errors IS 'Rule: tools that fail for an agent more than they normally do.';



COMMENT ON COLUMN agentdb.tool_errors.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.tool_errors.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.tool_errors.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.unannounced_write AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_unannounced_write(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.unannounced_write IS 'Rule: rows that an agent wrote and no tool call tells of.';



COMMENT ON COLUMN agentdb.unannounced_write.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.unannounced_write.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.unannounced_write.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.unanswered_question AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_unanswered_question(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.unanswered_question IS 'Rule: questions of agents that nobody answers.';



COMMENT ON COLUMN agentdb.unanswered_question.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.unanswered_question.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.unanswered_question.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.unattributed_write AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_unattributed_write(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.unattributed_write IS 'Rule: writes of agents that no run answers for.';



COMMENT ON COLUMN agentdb.unattributed_write.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.unattributed_write.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.unattributed_write.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.unbacked_tool_call AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_unbacked_tool_call(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.unbacked_tool_call IS 'Rule: tool calls that said ok and changed nothing.';



COMMENT ON COLUMN agentdb.unbacked_tool_call.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.unbacked_tool_call.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.unbacked_tool_call.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.unknown_tool AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_unknown_tool(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.unknown_tool IS 'Rule: calls of tools that do not exist.';



COMMENT ON COLUMN agentdb.unknown_tool.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.unknown_tool.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.unknown_tool.annotations IS 'What a person reads: summary, policy, threshold.';



CREATE VIEW agentdb.unverified_claim AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_unverified_claim(statement_timestamp()) r(labels, value, annotations);



COMMENT ON VIEW agentdb.unverified_claim IS 'Rule: claims that have waited too long for somebody to look.';



COMMENT ON COLUMN agentdb.unverified_claim.labels IS 'What tells one alert of the rule from another.';



COMMENT ON COLUMN agentdb.unverified_claim.value IS 'How bad it is: a count, or seconds.';



COMMENT ON COLUMN agentdb.unverified_claim.annotations IS 'What a person reads: summary, policy, threshold.';



ALTER TABLE agentdb.verdict ALTER COLUMN verdict_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME agentdb.verdict_verdict_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);



ALTER TABLE ONLY agentdb.alert_log ATTACH PARTITION agentdb.alert_log_default DEFAULT;



ALTER TABLE ONLY agentdb.audit_log ATTACH PARTITION agentdb.audit_log_default DEFAULT;



ALTER TABLE ONLY agentdb.lock_log ATTACH PARTITION agentdb.lock_log_default DEFAULT;



ALTER TABLE ONLY agentdb.progress_log ATTACH PARTITION agentdb.progress_log_default DEFAULT;



ALTER TABLE ONLY agentdb.stop_log ATTACH PARTITION agentdb.stop_log_default DEFAULT;



ALTER TABLE ONLY agentdb.token_log ATTACH PARTITION agentdb.token_log_default DEFAULT;



ALTER TABLE ONLY agentdb.tool_call_log ATTACH PARTITION agentdb.tool_call_log_default DEFAULT;



ALTER TABLE ONLY agentdb.policy
    ADD CONSTRAINT policy_pkey PRIMARY KEY (policy_name);



CREATE FUNCTION agentdb._failing_tool(as_of timestamp with time zone) RETURNS TABLE(agent_id bigint, policy_name text, tool text, calls bigint, errors bigint, last_error text, first_at timestamp with time zone, last_at timestamp with time zone, failed bigint[], only_run bigint)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT l.agent_id,
     p.policy_name,
     l.tool,
     count(*) AS count,
     count(*) FILTER (WHERE (NOT l.ok)) AS count,
     "left"((array_agg(l.error ORDER BY l.recorded_at DESC) FILTER (WHERE (NOT l.ok)))[1], 200) AS "left",
     min(l.recorded_at) AS min,
     max(l.recorded_at) AS max,
     (array_agg(l.tool_call_log_id ORDER BY l.recorded_at DESC) FILTER (WHERE (NOT l.ok)))[1:10] AS array_agg,
         CASE
             WHEN (min(l.run_id) FILTER (WHERE (NOT l.ok)) = max(l.run_id) FILTER (WHERE (NOT l.ok))) THEN min(l.run_id) FILTER (WHERE (NOT l.ok))
             ELSE NULL::bigint
         END AS "case"
    FROM ((agentdb.tool_call_log l
      JOIN agentdb.agent a ON ((a.agent_id = l.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((l.recorded_at <= _failing_tool.as_of) AND (l.recorded_at > (_failing_tool.as_of - p.tool_errors_window)) AND (l.recorded_at > (_failing_tool.as_of - ( SELECT max(w.tool_errors_window) AS max
            FROM agentdb.policy w))))
   GROUP BY l.agent_id, l.tool, p.policy_name
  HAVING ((count(*) FILTER (WHERE (NOT l.ok)) >= p.tool_errors_count) AND ((count(*) FILTER (WHERE (NOT l.ok)))::double precision >= (p.tool_errors_share * (count(*))::double precision)));
END;



COMMENT ON FUNCTION agentdb._failing_tool(as_of timestamp with time zone) IS 'Tools of which an agent''s calls failed at least policy.tool_errors_count times and tool_errors_share of the time.';



CREATE FUNCTION agentdb._loop_pattern(as_of timestamp with time zone) RETURNS TABLE(run_id bigint, pattern text, count bigint, tool text, critical boolean, threshold bigint, setting text, since timestamp with time zone, until timestamp with time zone, calls bigint[])
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 WITH call AS MATERIALIZED (
          SELECT c.run_id,
             c.policy_name,
             c.tool_call_log_id,
             c.place,
             c.tool,
             c.recorded_at,
             c.ok,
             c.call,
             c.shape,
             c.result,
             c.known,
             c.large,
             c.poll,
             c.effect,
             min(c.place) FILTER (WHERE c.ok) OVER (PARTITION BY c.run_id, c.tool) AS tool_ok,
             min(c.place) FILTER (WHERE c.ok) OVER (PARTITION BY c.run_id, c.call) AS call_ok
            FROM agentdb._call_since(_loop_pattern.as_of) c(run_id, policy_name, tool_call_log_id, place, tool, recorded_at, ok, call, shape, result, known, large, poll, effect)
         ), kind AS MATERIALIZED (
          SELECT c.run_id,
             c.policy_name,
             c.call,
             c.result,
             c.ok,
             min(c.tool) AS tool,
             min(c.shape) AS shape,
             count(*) AS count,
             bool_and(c.known) AS known,
             bool_and(c.large) AS large,
             bool_or(c.poll) AS poll,
             bool_or(c.effect) AS effect,
             min(c.recorded_at) AS since,
             max(c.recorded_at) AS until,
             (array_agg(c.tool_call_log_id))[1:10] AS calls,
             count(*) OVER (PARTITION BY c.run_id) AS kinds
            FROM call c
           GROUP BY c.run_id, c.policy_name, c.call, c.result, c.ok
         )
  SELECT k.run_id,
     'the same call with the same result'::text,
     k.count,
     k.tool,
     (k.count >=
         CASE
             WHEN k.poll THEN p.silent_loop_poll_critical
             ELSE p.silent_loop_same_critical
         END),
         CASE
             WHEN k.poll THEN p.silent_loop_poll
             ELSE p.silent_loop_same
         END AS silent_loop_same,
         CASE
             WHEN k.poll THEN 'silent_loop_poll'::text
             ELSE 'silent_loop_same'::text
         END AS "case",
     k.since,
     k.until,
     k.calls
    FROM (kind k
      JOIN agentdb.policy p ON ((p.policy_name = k.policy_name)))
   WHERE (k.count >=
         CASE
             WHEN k.poll THEN p.silent_loop_poll
             ELSE p.silent_loop_same
         END)
 UNION ALL
  SELECT c.run_id,
     'the same call failing'::text,
     count(*) AS count,
     min(c.tool) AS min,
     (count(*) >= p.silent_loop_failures_critical),
     p.silent_loop_failures,
     'silent_loop_failures'::text,
     min(c.recorded_at) AS min,
     max(c.recorded_at) AS max,
     (array_agg(c.tool_call_log_id ORDER BY c.place))[1:10] AS array_agg
    FROM (call c
      JOIN agentdb.policy p ON ((p.policy_name = c.policy_name)))
   WHERE ((NOT c.ok) AND COALESCE((c.place < c.call_ok), true))
   GROUP BY c.run_id, c.call, p.policy_name
  HAVING (count(*) >= p.silent_loop_failures)
 UNION ALL
  SELECT c.run_id,
     'a tool failing whatever the arguments'::text,
     count(*) AS count,
     c.tool,
     (count(*) >= p.silent_loop_failures_critical),
     p.silent_loop_failures,
     'silent_loop_failures'::text,
     min(c.recorded_at) AS min,
     max(c.recorded_at) AS max,
     (array_agg(c.tool_call_log_id ORDER BY c.place))[1:10] AS array_agg
    FROM (call c
      JOIN agentdb.policy p ON ((p.policy_name = c.policy_name)))
   WHERE ((NOT c.ok) AND COALESCE((c.place < c.tool_ok), true))
   GROUP BY c.run_id, c.tool, p.policy_name
  HAVING ((count(*) >= p.silent_loop_failures) AND (count(DISTINCT c.call) > 1))
 UNION ALL
  SELECT k.run_id,
     'the same result whatever the arguments'::text,
     (sum(k.count))::bigint AS sum,
     k.tool,
     false,
     p.silent_loop_results,
     'silent_loop_results'::text,
     min(k.since) AS min,
     max(k.until) AS max,
     array_agg(k.calls[1]) AS array_agg
    FROM (kind k
      JOIN agentdb.policy p ON ((p.policy_name = k.policy_name)))
   WHERE (k.known AND k.large AND (NOT k.poll) AND (NOT k.effect))
   GROUP BY k.run_id, k.tool, k.result, p.policy_name
  HAVING (count(*) >= p.silent_loop_results)
 UNION ALL
  SELECT k.run_id,
     'the same call but for numbers and ids'::text,
     (sum(k.count))::bigint AS sum,
     k.tool,
     false,
     p.silent_loop_cosmetic,
     'silent_loop_cosmetic'::text,
     min(k.since) AS min,
     max(k.until) AS max,
     array_agg(k.calls[1]) AS array_agg
    FROM (kind k
      JOIN agentdb.policy p ON ((p.policy_name = k.policy_name)))
   WHERE (k.known AND (NOT k.poll) AND (NOT k.effect))
   GROUP BY k.run_id, k.tool, k.shape, k.result, p.policy_name
  HAVING ((sum(k.count) >= (p.silent_loop_cosmetic)::numeric) AND (count(*) > 1) AND (((max(k.kinds) - count(*)))::double precision <= (p.silent_loop_diversity * (sum(k.count))::double precision)))
 UNION ALL
  SELECT k.run_id,
     'hardly a call that is new'::text,
     (sum(k.count))::bigint AS sum,
     string_agg(DISTINCT k.tool, ', '::text) AS string_agg,
     true,
     p.silent_loop_diversity_calls,
     'silent_loop_diversity_calls'::text,
     min(k.since) AS min,
     max(k.until) AS max,
     array_agg(k.calls[1]) AS array_agg
    FROM (kind k
      JOIN agentdb.policy p ON ((p.policy_name = k.policy_name)))
   WHERE (NOT k.poll)
   GROUP BY k.run_id, p.policy_name
  HAVING ((sum(k.count) >= (p.silent_loop_diversity_calls)::numeric) AND ((count(*))::double precision <= (p.silent_loop_diversity * (sum(k.count))::double precision)))
 UNION ALL
  SELECT c.run_id,
     format('a cycle of %s calls'::text, c.period) AS format,
     c.laps,
     string_agg(DISTINCT c.tool, ', '::text) AS string_agg,
     false,
     c.laps,
     'silent_loop_laps'::text,
     min(d.recorded_at) AS min,
     max(c.recorded_at) AS max,
     array_agg(c.tool_call_log_id ORDER BY c.place) AS array_agg
    FROM (( SELECT c_1.run_id,
             c_1.policy_name,
             c_1.tool_call_log_id,
             c_1.place,
             c_1.tool,
             c_1.recorded_at,
             c_1.ok,
             c_1.call,
             c_1.shape,
             c_1.result,
             c_1.known,
             c_1.large,
             c_1.poll,
             c_1.effect,
             c_1.tool_ok,
             c_1.call_ok,
             b.period,
             p.silent_loop_laps AS laps
            FROM ((call c_1
              JOIN agentdb.policy p ON ((p.policy_name = c_1.policy_name)))
              CROSS JOIN generate_series(2, 6) b(period))
           WHERE ((c_1.place <= (b.period * (p.silent_loop_laps - 1))) AND (c_1.run_id IN ( SELECT k.run_id
                    FROM kind k
                   WHERE (k.count >= 2))))
          OFFSET 0) c
      JOIN call d ON (((d.run_id = c.run_id) AND (d.place = (c.place + c.period)) AND ((d.call = c.call) AND (d.result = c.result) AND (d.ok = c.ok)))))
   GROUP BY c.run_id, c.period, c.laps
  HAVING ((count(*) = (c.period * (c.laps - 1))) AND (count(DISTINCT c.call) > 1) AND (NOT bool_and(c.poll)));
END;



COMMENT ON FUNCTION agentdb._loop_pattern(as_of timestamp with time zone) IS 'Patterns of repetition in the calls of working runs since their last evidence.';



CREATE FUNCTION agentdb._token_normal(agent bigint, as_of timestamp with time zone) RETURNS TABLE(active_days integer, bound double precision, hours bigint)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT (count(DISTINCT date_bin('1 day'::interval, h.half_hour_at, '1970-01-01 00:00:00+00'::timestamp with time zone)))::integer AS count,
         CASE
             WHEN (count(*) < 200) THEN (p.token_rate_margin_few * max(w.tokens))
             ELSE (p.token_rate_margin * percentile_disc(p.token_rate_quantile) WITHIN GROUP (ORDER BY w.tokens))
         END AS "case",
     bit_or(((1)::bigint << agentdb._hour_of_week(h.half_hour_at))) AS bit_or
    FROM (((agentdb.agent a
      JOIN agentdb.policy p ON (((p.policy_name = a.policy_name) AND (p.token_rate_quantile IS NOT NULL))))
      JOIN agentdb.token_half_hour h ON ((h.agent_id = a.agent_id)))
      CROSS JOIN LATERAL ( SELECT agentdb._weight(h.input_tokens, h.cached_input_tokens, h.output_tokens, p.cached_input_weight, p.output_weight) AS tokens) w)
   WHERE ((a.agent_id = _token_normal.agent) AND (h.half_hour_at >= ((_token_normal.as_of - p.token_rate_baseline) - '1 day'::interval)) AND (h.half_hour_at < (_token_normal.as_of - '1 day'::interval)) AND (w.tokens > (0)::double precision))
   GROUP BY p.policy_name;
END;



COMMENT ON FUNCTION agentdb._token_normal(agent bigint, as_of timestamp with time zone) IS 'What was normal for an agent at a moment; no row where nothing is known.';



CREATE FUNCTION agentdb._normal_at(agent bigint, as_of timestamp with time zone) RETURNS TABLE(active_days integer, bound double precision, hours bigint)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT n.active_days,
     n.bound,
     n.hours
    FROM agentdb.token_normal n
   WHERE ((n.agent_id = _normal_at.agent) AND (n.refreshed_at <= _normal_at.as_of))
 UNION ALL
  SELECT t.active_days,
     t.bound,
     t.hours
    FROM agentdb._token_normal(_normal_at.agent, _normal_at.as_of) t(active_days, bound, hours)
   WHERE (NOT (EXISTS ( SELECT
            FROM agentdb.token_normal n
           WHERE ((n.agent_id = _normal_at.agent) AND (n.refreshed_at <= _normal_at.as_of)))));
END;



COMMENT ON FUNCTION agentdb._normal_at(agent bigint, as_of timestamp with time zone) IS 'What is normal for an agent: as last refreshed, or reckoned for a moment before.';



CREATE FUNCTION agentdb._token_baseline(agent bigint, as_of timestamp with time zone) RETURNS TABLE(tokens_per_window double precision, input_per_window double precision)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT ((sum(agentdb._weight(h.input_tokens, h.cached_input_tokens, h.output_tokens, p.cached_input_weight, p.output_weight)) * (EXTRACT(epoch FROM p.token_rate_window))::double precision) / (EXTRACT(epoch FROM ((_token_baseline.as_of - p.token_rate_window) - min(h.half_hour_at))))::double precision),
     (((sum((h.input_tokens + h.cached_input_tokens)))::double precision * (EXTRACT(epoch FROM p.token_rate_window))::double precision) / (EXTRACT(epoch FROM ((_token_baseline.as_of - p.token_rate_window) - min(h.half_hour_at))))::double precision)
    FROM ((agentdb.agent a
      JOIN agentdb.policy p ON (((p.policy_name = a.policy_name) AND (p.token_rate_factor IS NOT NULL))))
      JOIN agentdb.token_half_hour h ON ((h.agent_id = a.agent_id)))
   WHERE ((a.agent_id = _token_baseline.agent) AND (h.half_hour_at >= (_token_baseline.as_of - p.token_rate_baseline)) AND ((h.half_hour_at + '00:30:00'::interval) <= (_token_baseline.as_of - p.token_rate_window)))
   GROUP BY p.policy_name
  HAVING ((_token_baseline.as_of - min(h.half_hour_at)) >= p.token_rate_min_history);
END;



COMMENT ON FUNCTION agentdb._token_baseline(agent bigint, as_of timestamp with time zone) IS 'The average tokens of an agent in a policy window over the baseline, if it has enough history.';



CREATE FUNCTION agentdb._token_excess(as_of timestamp with time zone) RETURNS TABLE(agent_id bigint, setting text, used double precision, threshold double precision, what text)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT u.agent_id,
     t.setting,
     t.used,
     t.threshold,
     t.what
    FROM ((((((agentdb._token_use(_token_excess.as_of, false) u(agent_id, tokens_per_hour, tokens_in_window, input_in_window)
      JOIN agentdb.agent a ON ((a.agent_id = u.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      LEFT JOIN LATERAL agentdb._token_baseline(
         CASE
             WHEN (p.token_rate_factor IS NOT NULL) THEN a.agent_id
             ELSE NULL::bigint
         END, _token_excess.as_of) b(tokens_per_window, input_per_window) ON (true))
      LEFT JOIN LATERAL agentdb._normal_at(a.agent_id, _token_excess.as_of) n(active_days, bound, hours) ON (true))
      CROSS JOIN LATERAL ( SELECT (COALESCE(n.active_days, 0) >= p.token_rate_warm_up_days) AS warm,
             agentdb._clear_share(a.agent_name, p.token_rate_clear, _token_excess.as_of) AS share) s)
      CROSS JOIN LATERAL ( VALUES ('token_rate_per_hour'::text,u.tokens_per_hour,p.token_rate_per_hour,'in an hour; the ceiling is'::text), ('token_rate_margin'::text,u.tokens_in_window,
                 CASE
                     WHEN s.warm THEN GREATEST((p.token_rate_floor)::double precision, n.bound)
                     ELSE NULL::double precision
                 END,'in 30 min; its own busy half hours stay below'::text), ('token_rate_warm_up_cap'::text,u.tokens_in_window,
                 CASE
                     WHEN ((NOT s.warm) AND (p.token_rate_quantile IS NOT NULL)) THEN p.token_rate_warm_up_cap
                     ELSE NULL::bigint
                 END,'in 30 min; a new agent may use'::text), ('token_rate_unusual_hour'::text,u.tokens_in_window,
                 CASE
                     WHEN (s.warm AND (NOT agentdb._is_usual_hour(n.hours, p.token_rate_regular_hours, _token_excess.as_of))) THEN p.token_rate_unusual_hour
                     ELSE NULL::bigint
                 END,'in 30 min at an hour at which it never worked; what may pass then is'::text), ('token_rate_factor'::text,u.tokens_in_window,GREATEST((p.token_rate_floor)::double precision, (p.token_rate_factor * b.tokens_per_window)),format('in %s; %s times its average is'::text, agentdb._span(p.token_rate_window), p.token_rate_factor))) t(setting, used, threshold, what))
   WHERE (((u.tokens_per_hour > (p.token_rate_clear * (p.token_rate_per_hour)::double precision)) OR (u.tokens_in_window > (p.token_rate_clear * (LEAST(p.token_rate_floor, p.token_rate_warm_up_cap, p.token_rate_unusual_hour))::double precision))) AND (t.used > (t.threshold * s.share)) AND ((t.setting <> 'token_rate_factor'::text) OR (b.tokens_per_window IS NOT NULL)));
END;



COMMENT ON FUNCTION agentdb._token_excess(as_of timestamp with time zone) IS 'Each threshold of policy.token_rate_* that an agent is over at a moment.';



CREATE FUNCTION agentdb.rule_input_spike(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name) AS jsonb_build_object,
     (u.input_in_window)::double precision AS input_in_window,
     jsonb_build_object('summary', format('%s sent %s input tokens in %s, %s times its average of %s'::text, a.agent_name, u.input_in_window, agentdb._span(p.token_rate_window), round((((u.input_in_window)::double precision / b.input_per_window))::numeric, 1), round(b.input_per_window)), 'policy', p.policy_name, 'setting', 'token_rate_factor', 'threshold', p.token_rate_factor, 'baseline', round(b.input_per_window)) AS jsonb_build_object
    FROM (((agentdb._token_use(rule_input_spike.as_of, true) u(agent_id, tokens_per_hour, tokens_in_window, input_in_window)
      JOIN agentdb.agent a ON ((a.agent_id = u.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
      CROSS JOIN LATERAL agentdb._token_baseline(
         CASE
             WHEN ((u.input_in_window > p.token_rate_floor) AND (p.token_rate_factor IS NOT NULL)) THEN a.agent_id
             ELSE NULL::bigint
         END, rule_input_spike.as_of) b(tokens_per_window, input_per_window))
   WHERE ((EXISTS ( SELECT
            FROM (agentdb.policy w
              JOIN agentdb.agent g ON ((g.policy_name = w.policy_name)))
           WHERE (w.token_rate_factor IS NOT NULL))) AND (u.input_in_window > p.token_rate_floor) AND ((u.input_in_window)::double precision > (p.token_rate_factor * b.input_per_window)));
END;



COMMENT ON FUNCTION agentdb.rule_input_spike(as_of timestamp with time zone) IS 'Agents whose input tokens are over policy.token_rate_factor times their own average, where the policy has one.';



CREATE FUNCTION agentdb.rule_large_tool_result(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'run', (l.run_id)::text, 'tool', l.tool) AS jsonb_build_object,
     (max(l.result_size))::double precision AS max,
     jsonb_build_object('summary', format('%s returned up to %s characters to %s, %s times over %s'::text, l.tool, max(l.result_size), a.agent_name, count(*), p.large_tool_result_size), 'policy', p.policy_name, 'setting', 'large_tool_result_size', 'threshold', p.large_tool_result_size) AS jsonb_build_object
    FROM ((agentdb.tool_call_log l
      JOIN agentdb.agent a ON ((a.agent_id = l.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((l.recorded_at <= rule_large_tool_result.as_of) AND (l.recorded_at > (rule_large_tool_result.as_of - p.large_tool_result_window)) AND (l.recorded_at > (rule_large_tool_result.as_of - ( SELECT max(w.large_tool_result_window) AS max
            FROM agentdb.policy w))) AND (l.result_size > p.large_tool_result_size))
   GROUP BY a.agent_name, l.run_id, l.tool, p.policy_name;
END;



COMMENT ON FUNCTION agentdb.rule_large_tool_result(as_of timestamp with time zone) IS 'Tools whose results were larger than policy.large_tool_result_size.';



CREATE FUNCTION agentdb.rule_repeated_tool_call(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'run', (l.run_id)::text, 'tool', l.tool) AS jsonb_build_object,
     (count(*))::double precision AS count,
     jsonb_build_object('summary', format('%s called %s %s times in %s with %s different arguments; %s calls failed'::text, a.agent_name, l.tool, count(*), agentdb._within(min(l.recorded_at), max(l.recorded_at)), count(DISTINCT l.args), count(*) FILTER (WHERE (NOT l.ok))), 'policy', p.policy_name, 'setting', 'repeated_tool_call_count', 'threshold', p.repeated_tool_call_count) AS jsonb_build_object
    FROM ((agentdb.tool_call_log l
      JOIN agentdb.agent a ON ((a.agent_id = l.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = a.policy_name)))
   WHERE ((p.repeated_tool_call_count IS NOT NULL) AND (EXISTS ( SELECT
            FROM agentdb.policy w
           WHERE (w.repeated_tool_call_count IS NOT NULL))) AND (l.recorded_at <= rule_repeated_tool_call.as_of) AND (l.recorded_at > (rule_repeated_tool_call.as_of - p.repeated_tool_call_window)) AND (l.recorded_at > (rule_repeated_tool_call.as_of - ( SELECT max(w.repeated_tool_call_window) AS max
            FROM agentdb.policy w))))
   GROUP BY a.agent_name, l.run_id, l.tool, p.policy_name
  HAVING (count(*) > p.repeated_tool_call_count);
END;



COMMENT ON FUNCTION agentdb.rule_repeated_tool_call(as_of timestamp with time zone) IS 'The playbook''s: runs that called one tool more than policy.repeated_tool_call_count times in the window.';



CREATE FUNCTION agentdb.rule_silent_loop(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT DISTINCT ON (f.run_id) jsonb_build_object('agent', a.agent_name, 'run', (r.run_id)::text) AS jsonb_build_object,
     (f.count)::double precision AS count,
     jsonb_build_object('summary', format('run %s of %s is stuck in a loop: %s, %s times in %s%s'::text, r.run_id, a.agent_name, f.pattern, f.count, agentdb._within(f.since, f.until), ((' ('::text || "left"(f.tool, 200)) || ')'::text)), 'severity',
         CASE
             WHEN bool_or(f.critical) OVER (PARTITION BY f.run_id) THEN 'critical'::text
             ELSE 'warning'::text
         END, 'pattern', f.pattern, 'policy', a.policy_name, 'setting', f.setting, 'threshold', f.threshold, 'since', f.since, 'calls', f.calls) AS jsonb_build_object
    FROM ((( SELECT _loop_pattern.run_id,
             _loop_pattern.pattern,
             _loop_pattern.count,
             _loop_pattern.tool,
             _loop_pattern.critical,
             _loop_pattern.threshold,
             _loop_pattern.setting,
             _loop_pattern.since,
             _loop_pattern.until,
             _loop_pattern.calls
            FROM agentdb._loop_pattern(rule_silent_loop.as_of) _loop_pattern(run_id, pattern, count, tool, critical, threshold, setting, since, until, calls)
         UNION ALL
          SELECT t.run_id,
             'model calls without a tool call'::text,
             t.count,
             NULL::text,
             false,
             p.silent_loop_model_calls,
             'silent_loop_model_calls'::text,
             t.since,
             t.until,
             NULL::bigint[]
            FROM (((agentdb._idle_thought(rule_silent_loop.as_of) t(run_id, count, since, until)
              JOIN agentdb.run r_1 ON ((r_1.run_id = t.run_id)))
              JOIN agentdb.agent a_1 ON ((a_1.agent_id = r_1.agent_id)))
              JOIN agentdb.policy p ON ((p.policy_name = a_1.policy_name)))) f
      JOIN agentdb.run r ON ((r.run_id = f.run_id)))
      JOIN agentdb.agent a ON ((a.agent_id = r.agent_id)))
   ORDER BY f.run_id, (f.setting = 'silent_loop_diversity_calls'::text), (f.setting <> 'silent_loop_laps'::text), f.critical DESC, f.count DESC, f.pattern;
END;



COMMENT ON FUNCTION agentdb.rule_silent_loop(as_of timestamp with time zone) IS 'Working runs whose calls since their last evidence repeat themselves, by the thresholds policy.silent_loop_*.';



CREATE FUNCTION agentdb.rule_token_rate(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT DISTINCT ON (e.agent_id) jsonb_build_object('agent', a.agent_name) AS jsonb_build_object,
     e.used,
     jsonb_build_object('summary', format('%s used %s tokens (as they are paid for) %s %s'::text, a.agent_name, round(e.used), e.what, round(e.threshold)), 'policy', a.policy_name, 'setting', e.setting, 'threshold', round(e.threshold)) AS jsonb_build_object
    FROM (agentdb._token_excess(rule_token_rate.as_of) e(agent_id, setting, used, threshold, what)
      JOIN agentdb.agent a ON ((a.agent_id = e.agent_id)))
   ORDER BY e.agent_id, (e.used / e.threshold) DESC;
END;



COMMENT ON FUNCTION agentdb.rule_token_rate(as_of timestamp with time zone) IS 'Agents over their ceiling, over what is normal for them, or busy at an hour at which they never were.';



CREATE FUNCTION agentdb.rule_tool_errors(as_of timestamp with time zone) RETURNS TABLE(labels jsonb, value double precision, annotations jsonb)
    LANGUAGE sql STABLE
    BEGIN ATOMIC
 SELECT jsonb_build_object('agent', a.agent_name, 'tool', f.tool) AS jsonb_build_object,
     (f.errors)::double precision AS errors,
     jsonb_build_object('summary', format('%s of %s calls of %s by %s failed in %s; last: %s'::text, f.errors, f.calls, f.tool, a.agent_name, agentdb._within(f.first_at, f.last_at), f.last_error), 'policy', p.policy_name, 'setting', 'tool_errors_count', 'threshold', p.tool_errors_count, 'normal_share', round((n.share)::numeric, 3), 'calls', f.failed, 'run', (f.only_run)::text) AS jsonb_build_object
    FROM (((agentdb._failing_tool(rule_tool_errors.as_of) f(agent_id, policy_name, tool, calls, errors, last_error, first_at, last_at, failed, only_run)
      JOIN agentdb.agent a ON ((a.agent_id = f.agent_id)))
      JOIN agentdb.policy p ON ((p.policy_name = f.policy_name)))
      CROSS JOIN LATERAL ( SELECT (((COALESCE(sum(d.errors), (0)::numeric) + (1)::numeric))::double precision / ((COALESCE(sum(d.calls), (0)::numeric) + (20)::numeric))::double precision) AS share
            FROM agentdb.tool_day d
           WHERE ((d.agent_id = f.agent_id) AND (d.tool = f.tool) AND (d.day_at >= (rule_tool_errors.as_of - p.tool_errors_baseline)) AND ((d.day_at + '1 day'::interval) <= rule_tool_errors.as_of))) n)
   WHERE ((p.tool_errors_sigma IS NULL) OR ((f.errors)::double precision > (((f.calls)::double precision * n.share) + (p.tool_errors_sigma * sqrt((((f.calls)::double precision * n.share) * ((1)::double precision - n.share)))))));
END;



COMMENT ON FUNCTION agentdb.rule_tool_errors(as_of timestamp with time zone) IS 'Tools that fail for an agent often, mostly, and by policy.tool_errors_sigma more than is normal for them.';



ALTER TABLE ONLY agentdb.agent
    ADD CONSTRAINT agent_agent_name_key UNIQUE (agent_name);



ALTER TABLE ONLY agentdb.agent_gate
    ADD CONSTRAINT agent_gate_pkey PRIMARY KEY (agent_id);



ALTER TABLE ONLY agentdb.agent_path
    ADD CONSTRAINT agent_path_pkey PRIMARY KEY (agent_id, path);



ALTER TABLE ONLY agentdb.agent
    ADD CONSTRAINT agent_pkey PRIMARY KEY (agent_id);



ALTER TABLE ONLY agentdb.agent_secret
    ADD CONSTRAINT agent_secret_pkey PRIMARY KEY (agent_id);



ALTER TABLE ONLY agentdb.agent_stop
    ADD CONSTRAINT agent_stop_pkey PRIMARY KEY (agent_id);



ALTER TABLE ONLY agentdb.agent_tool
    ADD CONSTRAINT agent_tool_pkey PRIMARY KEY (agent_id, tool_name);



ALTER TABLE ONLY agentdb.alembic_version
    ADD CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num);



ALTER TABLE ONLY agentdb.alert_group
    ADD CONSTRAINT alert_group_pkey PRIMARY KEY (alert_group_id);



ALTER TABLE ONLY agentdb.alert_group
    ADD CONSTRAINT alert_group_receiver_name_group_key_key UNIQUE (receiver_name, group_key);



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



ALTER TABLE ONLY agentdb.audit_log
    ADD CONSTRAINT audit_log_pkey PRIMARY KEY (audit_log_id, recorded_at);



ALTER TABLE ONLY agentdb.audit_log_default
    ADD CONSTRAINT audit_log_default_pkey PRIMARY KEY (audit_log_id, recorded_at);



ALTER TABLE ONLY agentdb.audit_target
    ADD CONSTRAINT audit_target_pkey PRIMARY KEY (audit_target_id);



ALTER TABLE ONLY agentdb.budget_gate
    ADD CONSTRAINT budget_gate_pkey PRIMARY KEY (agent_id);



ALTER TABLE ONLY agentdb.budget_override
    ADD CONSTRAINT budget_override_pkey PRIMARY KEY (agent_id, scope);



ALTER TABLE ONLY agentdb.change_decision
    ADD CONSTRAINT change_decision_pkey PRIMARY KEY (change_id, reviewer);



ALTER TABLE ONLY agentdb.change_pass
    ADD CONSTRAINT change_pass_pkey PRIMARY KEY (xid);



ALTER TABLE ONLY agentdb.change
    ADD CONSTRAINT change_pkey PRIMARY KEY (change_id);



ALTER TABLE ONLY agentdb.change_row
    ADD CONSTRAINT change_row_pkey PRIMARY KEY (change_id, place);



ALTER TABLE ONLY agentdb.change_table
    ADD CONSTRAINT change_table_pkey PRIMARY KEY (change_id, audit_target_id);



ALTER TABLE ONLY agentdb.claim
    ADD CONSTRAINT claim_pkey PRIMARY KEY (claim_id);



ALTER TABLE ONLY agentdb.fenced_write
    ADD CONSTRAINT fenced_write_pkey PRIMARY KEY (xid, lock_name, fence);



ALTER TABLE ONLY agentdb.group_alert
    ADD CONSTRAINT group_alert_pkey PRIMARY KEY (alert_group_id, alert_id);



ALTER TABLE ONLY agentdb.guarded_table
    ADD CONSTRAINT guarded_table_audit_target_id_key UNIQUE (audit_target_id);



ALTER TABLE ONLY agentdb.guarded_table
    ADD CONSTRAINT guarded_table_pkey PRIMARY KEY (table_oid);



ALTER TABLE ONLY agentdb.guarded_table
    ADD CONSTRAINT guarded_table_view_name_key UNIQUE (view_name);



ALTER TABLE ONLY agentdb.inhibition
    ADD CONSTRAINT inhibition_pkey PRIMARY KEY (inhibition_name);



ALTER TABLE ONLY agentdb.lock_denial
    ADD CONSTRAINT lock_denial_pkey PRIMARY KEY (lock_name, run_id, first_at);



ALTER TABLE ONLY agentdb.lock_log
    ADD CONSTRAINT lock_log_pkey PRIMARY KEY (lock_name, fence, recorded_at);



ALTER TABLE ONLY agentdb.lock_log_default
    ADD CONSTRAINT lock_log_default_pkey PRIMARY KEY (lock_name, fence, recorded_at);



ALTER TABLE ONLY agentdb.lock
    ADD CONSTRAINT lock_pkey PRIMARY KEY (lock_name, slot);



ALTER TABLE ONLY agentdb.lock_waiter
    ADD CONSTRAINT lock_waiter_pkey PRIMARY KEY (lock_name, run_id);



ALTER TABLE ONLY agentdb.message_channel
    ADD CONSTRAINT message_channel_pkey PRIMARY KEY (channel_name);



ALTER TABLE ONLY agentdb.notification
    ADD CONSTRAINT notification_alert_group_id_generation_key UNIQUE (alert_group_id, generation);



ALTER TABLE ONLY agentdb.notification
    ADD CONSTRAINT notification_pkey PRIMARY KEY (notification_id);



ALTER TABLE ONLY agentdb.progress_log
    ADD CONSTRAINT progress_log_pkey PRIMARY KEY (run_id, progress_log_id, recorded_at);



ALTER TABLE ONLY agentdb.progress_log_default
    ADD CONSTRAINT progress_log_default_pkey PRIMARY KEY (run_id, progress_log_id, recorded_at);



ALTER TABLE ONLY agentdb.question
    ADD CONSTRAINT question_pkey PRIMARY KEY (question_id);



ALTER TABLE ONLY agentdb.receiver
    ADD CONSTRAINT receiver_pkey PRIMARY KEY (receiver_name);



ALTER TABLE ONLY agentdb.roll_up_state
    ADD CONSTRAINT roll_up_state_pkey PRIMARY KEY (only_row);



ALTER TABLE ONLY agentdb.route
    ADD CONSTRAINT route_pkey PRIMARY KEY (route_name);



ALTER TABLE ONLY agentdb.run_activity
    ADD CONSTRAINT run_activity_pkey PRIMARY KEY (run_id);



ALTER TABLE ONLY agentdb.run_gate
    ADD CONSTRAINT run_gate_pkey PRIMARY KEY (run_id);



ALTER TABLE ONLY agentdb.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (run_id);



ALTER TABLE ONLY agentdb.run_step
    ADD CONSTRAINT run_step_pkey PRIMARY KEY (run_id, step_signature);



ALTER TABLE ONLY agentdb.run_stop
    ADD CONSTRAINT run_stop_pkey PRIMARY KEY (run_id);



ALTER TABLE ONLY agentdb.run_token
    ADD CONSTRAINT run_token_pkey PRIMARY KEY (token_hash);



ALTER TABLE ONLY agentdb.runner
    ADD CONSTRAINT runner_pkey PRIMARY KEY (runner_name);



ALTER TABLE ONLY agentdb.schedule
    ADD CONSTRAINT schedule_pkey PRIMARY KEY (agent_id);



ALTER TABLE ONLY agentdb.seal
    ADD CONSTRAINT seal_pkey PRIMARY KEY (seal_id, day);



ALTER TABLE ONLY agentdb.silence
    ADD CONSTRAINT silence_pkey PRIMARY KEY (silence_id);



ALTER TABLE ONLY agentdb.stop_log
    ADD CONSTRAINT stop_log_pkey PRIMARY KEY (stop_log_id, recorded_at);



ALTER TABLE ONLY agentdb.stop_log_default
    ADD CONSTRAINT stop_log_default_pkey PRIMARY KEY (stop_log_id, recorded_at);



ALTER TABLE ONLY agentdb.token_half_hour
    ADD CONSTRAINT token_half_hour_pkey PRIMARY KEY (agent_id, half_hour_at);



ALTER TABLE ONLY agentdb.token_log
    ADD CONSTRAINT token_log_pkey PRIMARY KEY (run_id, token_log_id, recorded_at);



ALTER TABLE ONLY agentdb.token_log_default
    ADD CONSTRAINT token_log_default_pkey PRIMARY KEY (run_id, token_log_id, recorded_at);



ALTER TABLE ONLY agentdb.token_normal
    ADD CONSTRAINT token_normal_pkey PRIMARY KEY (agent_id);



ALTER TABLE ONLY agentdb.token_reservation
    ADD CONSTRAINT token_reservation_pkey PRIMARY KEY (token_reservation_id);



ALTER TABLE ONLY agentdb.tool_alias
    ADD CONSTRAINT tool_alias_pkey PRIMARY KEY (alias);



ALTER TABLE ONLY agentdb.tool_call_log
    ADD CONSTRAINT tool_call_log_pkey PRIMARY KEY (run_id, tool_call_log_id, recorded_at);



ALTER TABLE ONLY agentdb.tool_call_log_default
    ADD CONSTRAINT tool_call_log_default_pkey PRIMARY KEY (run_id, tool_call_log_id, recorded_at);



ALTER TABLE ONLY agentdb.tool_call
    ADD CONSTRAINT tool_call_pkey PRIMARY KEY (run_id, call_id);



ALTER TABLE ONLY agentdb.tool_check_state
    ADD CONSTRAINT tool_check_state_pkey PRIMARY KEY (only_row);



ALTER TABLE ONLY agentdb.tool_day
    ADD CONSTRAINT tool_day_pkey PRIMARY KEY (agent_id, tool, day_at);



ALTER TABLE ONLY agentdb.tool_diagnosis
    ADD CONSTRAINT tool_diagnosis_pkey PRIMARY KEY (run_id, tool_call_log_id);



ALTER TABLE ONLY agentdb.tool_fault
    ADD CONSTRAINT tool_fault_pkey PRIMARY KEY (run_id, tool_call_log_id, fault);



ALTER TABLE ONLY agentdb.tool
    ADD CONSTRAINT tool_pkey PRIMARY KEY (tool_name);



ALTER TABLE ONLY agentdb.verdict
    ADD CONSTRAINT verdict_pkey PRIMARY KEY (verdict_id);



CREATE INDEX agent_role_name_idx ON agentdb.agent USING btree (role_name);



CREATE UNIQUE INDEX agent_role_name_key ON agentdb.agent USING btree (role_name) WHERE (NOT pooled);



CREATE INDEX alert_active_idx ON agentdb.alert USING btree (rule_name) WHERE (state <> 'resolved'::text);



CREATE INDEX alert_agent_idx ON agentdb.alert USING btree (((labels ->> 'agent'::text))) WHERE (state = 'firing'::text);



CREATE INDEX alert_dismissed_idx ON agentdb.alert USING btree (rule_name) WHERE (dismissed_severity IS NOT NULL);



CREATE INDEX alert_flush_idx ON agentdb.alert USING btree (alert_id) WHERE flush;



CREATE INDEX alert_group_alert_id_idx ON agentdb.alert_group USING btree (alert_id);



CREATE INDEX alert_group_look_at_idx ON agentdb.alert_group USING btree (look_at);



CREATE INDEX alert_log_recorded_at_idx ON ONLY agentdb.alert_log USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX alert_log_default_recorded_at_idx ON agentdb.alert_log_default USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX alert_resolved_at_idx ON agentdb.alert USING btree (resolved_at) WHERE (resolved_at IS NOT NULL);



CREATE INDEX audit_log_change_id_idx ON ONLY agentdb.audit_log USING btree (change_id) WHERE (change_id IS NOT NULL);



CREATE INDEX audit_log_row_key_idx ON ONLY agentdb.audit_log USING btree (audit_target_id, jsonb_hash_extended(row_key, (0)::bigint));



CREATE INDEX audit_log_default_audit_target_id_jsonb_hash_extended_idx ON agentdb.audit_log_default USING btree (audit_target_id, jsonb_hash_extended(row_key, (0)::bigint));



CREATE INDEX audit_log_default_change_id_idx ON agentdb.audit_log_default USING btree (change_id) WHERE (change_id IS NOT NULL);



CREATE INDEX audit_log_recorded_at_idx ON ONLY agentdb.audit_log USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX audit_log_default_recorded_at_idx ON agentdb.audit_log_default USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX audit_log_run_id_idx ON ONLY agentdb.audit_log USING btree (run_id) WHERE (run_id IS NOT NULL);



CREATE INDEX audit_log_default_run_id_idx ON agentdb.audit_log_default USING btree (run_id) WHERE (run_id IS NOT NULL);



CREATE INDEX audit_log_xid_idx ON ONLY agentdb.audit_log USING btree (xid);



CREATE INDEX audit_log_default_xid_idx ON agentdb.audit_log_default USING btree (xid);



CREATE UNIQUE INDEX audit_target_table_oid_key ON agentdb.audit_target USING btree (table_oid) WHERE (unaudited_at IS NULL);



CREATE INDEX change_closed_at_idx ON agentdb.change USING btree (closed_at);



CREATE INDEX change_conflict_idx ON agentdb.change USING btree (closed_at) WHERE (state = 'conflict'::text);



CREATE INDEX change_expires_at_idx ON agentdb.change USING btree (expires_at) WHERE (state = ANY (ARRAY['open'::text, 'pending'::text, 'approved'::text]));



CREATE INDEX change_proposed_by_idx ON agentdb.change USING btree (proposed_by, state) WHERE (state = ANY (ARRAY['open'::text, 'pending'::text, 'approved'::text]));



CREATE INDEX change_row_row_key_idx ON agentdb.change_row USING btree (change_id, audit_target_id, jsonb_hash_extended(row_key, (0)::bigint));



CREATE INDEX change_run_id_idx ON agentdb.change USING btree (run_id) WHERE (run_id IS NOT NULL);



CREATE INDEX claim_checked_at_idx ON agentdb.claim USING btree (checked_at) WHERE (state = ANY (ARRAY['refuted'::text, 'refused'::text]));



CREATE INDEX claim_claimed_at_idx ON agentdb.claim USING btree (claimed_at) WHERE (state = ANY (ARRAY['pending'::text, 'unreachable'::text]));



CREATE INDEX claim_next_check_at_idx ON agentdb.claim USING btree (next_check_at) WHERE (state = 'pending'::text);



CREATE INDEX claim_run_id_idx ON agentdb.claim USING btree (run_id);



CREATE INDEX group_alert_alert_id_idx ON agentdb.group_alert USING btree (alert_id);



CREATE INDEX group_alert_escalate_at_idx ON agentdb.group_alert USING btree (escalate_at) WHERE (escalate_at IS NOT NULL);



CREATE INDEX lock_agent_id_idx ON agentdb.lock USING btree (agent_id);



CREATE INDEX lock_denial_first_at_idx ON agentdb.lock_denial USING btree (first_at);



CREATE INDEX lock_log_recorded_at_idx ON ONLY agentdb.lock_log USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX lock_log_default_recorded_at_idx ON agentdb.lock_log_default USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX lock_waiter_run_id_idx ON agentdb.lock_waiter USING btree (run_id);



CREATE INDEX notification_alert_id_idx ON agentdb.notification USING btree (alert_id);



CREATE INDEX notification_dead_idx ON agentdb.notification USING btree (receiver_name, finished_at) WHERE (state = 'dead'::text);



CREATE INDEX notification_queued_idx ON agentdb.notification USING btree (alert_group_id) WHERE (state = 'queued'::text);



CREATE INDEX notification_visible_at_idx ON agentdb.notification USING btree (visible_at) WHERE (state = 'queued'::text);



CREATE INDEX progress_log_recorded_at_idx ON ONLY agentdb.progress_log USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX progress_log_default_recorded_at_idx ON agentdb.progress_log_default USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX progress_log_xid_idx ON ONLY agentdb.progress_log USING btree (xid);



CREATE INDEX progress_log_default_xid_idx ON agentdb.progress_log_default USING btree (xid);



CREATE INDEX question_agent_id_idx ON agentdb.question USING btree (agent_id, asked_at);



CREATE INDEX question_answered_at_idx ON agentdb.question USING btree (answered_at) WHERE (answered_at IS NOT NULL);



CREATE INDEX question_open_idx ON agentdb.question USING btree (asked_at) WHERE (answer IS NULL);



CREATE INDEX question_run_id_idx ON agentdb.question USING btree (run_id);



CREATE INDEX run_agent_id_idx ON agentdb.run USING btree (agent_id, started_at DESC);



CREATE INDEX run_conversation_idx ON agentdb.run USING btree (agent_id, conversation);



CREATE INDEX run_ended_at_idx ON agentdb.run USING btree (ended_at);



CREATE INDEX run_role_name_idx ON agentdb.run USING btree (role_name, pooled, run_id) WHERE (ended_at IS NULL);



CREATE INDEX run_stop_drained_at_idx ON agentdb.run_stop USING btree (run_id) WHERE ((kind = 'killed'::text) AND (drained_at IS NULL));



CREATE INDEX run_token_run_id_idx ON agentdb.run_token USING btree (run_id);



CREATE INDEX silence_ends_at_idx ON agentdb.silence USING btree (ends_at);



CREATE INDEX stop_log_recorded_at_idx ON ONLY agentdb.stop_log USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX stop_log_default_recorded_at_idx ON agentdb.stop_log_default USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX token_log_recorded_at_idx ON ONLY agentdb.token_log USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX token_log_default_recorded_at_idx ON agentdb.token_log_default USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX token_log_xid_idx ON ONLY agentdb.token_log USING btree (xid);



CREATE INDEX token_log_default_xid_idx ON agentdb.token_log_default USING btree (xid);



CREATE INDEX token_reservation_agent_id_idx ON agentdb.token_reservation USING btree (agent_id, expires_at) WHERE (settled_at IS NULL);



CREATE INDEX token_reservation_reserved_at_idx ON agentdb.token_reservation USING btree (reserved_at);



CREATE INDEX token_reservation_run_id_idx ON agentdb.token_reservation USING btree (run_id);



CREATE INDEX tool_call_log_recorded_at_idx ON ONLY agentdb.tool_call_log USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX tool_call_log_default_recorded_at_idx ON agentdb.tool_call_log_default USING brin (recorded_at) WITH (pages_per_range='32', autosummarize='on');



CREATE INDEX tool_call_log_xid_idx ON ONLY agentdb.tool_call_log USING btree (xid);



CREATE INDEX tool_call_log_default_xid_idx ON agentdb.tool_call_log_default USING btree (xid);



CREATE INDEX tool_call_run_id_began_at_idx ON agentdb.tool_call USING btree (run_id, began_at) WHERE (ended_at IS NULL);



CREATE INDEX tool_day_day_at_idx ON agentdb.tool_day USING btree (day_at);



CREATE INDEX tool_diagnosis_tool_call_log_id_idx ON agentdb.tool_diagnosis USING btree (tool_call_log_id);



CREATE INDEX tool_fault_found_at_idx ON agentdb.tool_fault USING btree (found_at);



CREATE INDEX verdict_claim_id_idx ON agentdb.verdict USING btree (claim_id, verdict_id);



ALTER INDEX agentdb.alert_log_pkey ATTACH PARTITION agentdb.alert_log_default_pkey;



ALTER INDEX agentdb.alert_log_recorded_at_idx ATTACH PARTITION agentdb.alert_log_default_recorded_at_idx;



ALTER INDEX agentdb.audit_log_row_key_idx ATTACH PARTITION agentdb.audit_log_default_audit_target_id_jsonb_hash_extended_idx;



ALTER INDEX agentdb.audit_log_change_id_idx ATTACH PARTITION agentdb.audit_log_default_change_id_idx;



ALTER INDEX agentdb.audit_log_pkey ATTACH PARTITION agentdb.audit_log_default_pkey;



ALTER INDEX agentdb.audit_log_recorded_at_idx ATTACH PARTITION agentdb.audit_log_default_recorded_at_idx;



ALTER INDEX agentdb.audit_log_run_id_idx ATTACH PARTITION agentdb.audit_log_default_run_id_idx;



ALTER INDEX agentdb.audit_log_xid_idx ATTACH PARTITION agentdb.audit_log_default_xid_idx;



ALTER INDEX agentdb.lock_log_pkey ATTACH PARTITION agentdb.lock_log_default_pkey;



ALTER INDEX agentdb.lock_log_recorded_at_idx ATTACH PARTITION agentdb.lock_log_default_recorded_at_idx;



ALTER INDEX agentdb.progress_log_pkey ATTACH PARTITION agentdb.progress_log_default_pkey;



ALTER INDEX agentdb.progress_log_recorded_at_idx ATTACH PARTITION agentdb.progress_log_default_recorded_at_idx;



ALTER INDEX agentdb.progress_log_xid_idx ATTACH PARTITION agentdb.progress_log_default_xid_idx;



ALTER INDEX agentdb.stop_log_pkey ATTACH PARTITION agentdb.stop_log_default_pkey;



ALTER INDEX agentdb.stop_log_recorded_at_idx ATTACH PARTITION agentdb.stop_log_default_recorded_at_idx;



ALTER INDEX agentdb.token_log_pkey ATTACH PARTITION agentdb.token_log_default_pkey;



ALTER INDEX agentdb.token_log_recorded_at_idx ATTACH PARTITION agentdb.token_log_default_recorded_at_idx;



ALTER INDEX agentdb.token_log_xid_idx ATTACH PARTITION agentdb.token_log_default_xid_idx;



ALTER INDEX agentdb.tool_call_log_pkey ATTACH PARTITION agentdb.tool_call_log_default_pkey;



ALTER INDEX agentdb.tool_call_log_recorded_at_idx ATTACH PARTITION agentdb.tool_call_log_default_recorded_at_idx;



ALTER INDEX agentdb.tool_call_log_xid_idx ATTACH PARTITION agentdb.tool_call_log_default_xid_idx;



CREATE OR REPLACE VIEW agentdb.input_spike AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_input_spike(statement_timestamp()) r(labels, value, annotations);



CREATE OR REPLACE VIEW agentdb.large_tool_result AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_large_tool_result(statement_timestamp()) r(labels, value, annotations);



CREATE OR REPLACE VIEW agentdb.repeated_tool_call AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_repeated_tool_call(statement_timestamp()) r(labels, value, annotations);



CREATE OR REPLACE VIEW agentdb.silent_loop AS
 SELECT labels,
    value,
    annotations
   FROM agentdb.rule_silent_loop(statement_timestamp()) r(labels, value, annotations);



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



CREATE TRIGGER agentdb_append_only BEFORE DELETE OR UPDATE ON agentdb.audit_log FOR EACH ROW EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_append_only BEFORE DELETE OR UPDATE ON agentdb.lock_log FOR EACH ROW EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_append_only BEFORE DELETE OR UPDATE ON agentdb.progress_log FOR EACH ROW EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_append_only BEFORE DELETE OR UPDATE ON agentdb.seal FOR EACH ROW EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_append_only BEFORE DELETE OR UPDATE ON agentdb.stop_log FOR EACH ROW EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_append_only BEFORE DELETE OR UPDATE ON agentdb.token_log FOR EACH ROW EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_append_only BEFORE DELETE OR UPDATE ON agentdb.tool_call_log FOR EACH ROW EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_delete_of_tenure AFTER DELETE ON agentdb.lock FOR EACH ROW WHEN ((old.run_id IS NOT NULL)) EXECUTE FUNCTION agentdb._record_deletion();



CREATE TRIGGER agentdb_end_of_tenure AFTER UPDATE OF run_id, fence ON agentdb.lock FOR EACH ROW WHEN ((old.run_id IS NOT NULL)) EXECUTE FUNCTION agentdb._record_tenure();



CREATE CONSTRAINT TRIGGER agentdb_fence_again AFTER INSERT ON agentdb.fenced_write DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION agentdb._check_fence_again();

ALTER TABLE agentdb.fenced_write ENABLE ALWAYS TRIGGER agentdb_fence_again;



CREATE TRIGGER agentdb_forget_due BEFORE UPDATE OF cron, time_zone ON agentdb.schedule FOR EACH ROW WHEN (((old.cron IS DISTINCT FROM new.cron) OR (old.time_zone IS DISTINCT FROM new.time_zone))) EXECUTE FUNCTION agentdb._forget_due();



CREATE CONSTRAINT TRIGGER agentdb_limit AFTER UPDATE OF agent_name, policy_name ON agentdb.agent DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION agentdb._pass_changed_limit();



CREATE CONSTRAINT TRIGGER agentdb_limit AFTER UPDATE OF lock_max_ttl, renew_needs_progress ON agentdb.policy DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION agentdb._pass_changed_limit();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.alert_log FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.alert_log_default FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.audit_log FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.audit_log_default FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.lock FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_truncate();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.lock_log FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.lock_log_default FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.progress_log FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.progress_log_default FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.seal FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.stop_log FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.stop_log_default FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.token_log FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.token_log_default FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.tool_call_log FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_no_truncate BEFORE TRUNCATE ON agentdb.tool_call_log_default FOR EACH STATEMENT EXECUTE FUNCTION agentdb._refuse_rewrite();



CREATE TRIGGER agentdb_note BEFORE INSERT OR UPDATE OF agent_id ON agentdb.agent_stop FOR EACH STATEMENT EXECUTE FUNCTION agentdb._note_any_stop();



CREATE TRIGGER agentdb_note BEFORE INSERT OR UPDATE OF run_id ON agentdb.run_stop FOR EACH STATEMENT EXECUTE FUNCTION agentdb._note_any_stop();



CREATE CONSTRAINT TRIGGER agentdb_submit AFTER INSERT ON agentdb.change DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (new.automatic) EXECUTE FUNCTION agentdb._submit_at_commit();

ALTER TABLE agentdb.change ENABLE ALWAYS TRIGGER agentdb_submit;



ALTER TABLE ONLY agentdb.agent_gate
    ADD CONSTRAINT agent_gate_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agentdb.agent(agent_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.agent_path
    ADD CONSTRAINT agent_path_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agentdb.agent(agent_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.agent
    ADD CONSTRAINT agent_policy_name_fkey FOREIGN KEY (policy_name) REFERENCES agentdb.policy(policy_name) ON UPDATE CASCADE;



ALTER TABLE ONLY agentdb.agent_secret
    ADD CONSTRAINT agent_secret_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agentdb.agent(agent_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.agent_stop
    ADD CONSTRAINT agent_stop_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agentdb.agent(agent_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.agent_tool
    ADD CONSTRAINT agent_tool_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agentdb.agent(agent_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.agent_tool
    ADD CONSTRAINT agent_tool_tool_name_fkey FOREIGN KEY (tool_name) REFERENCES agentdb.tool(tool_name) ON UPDATE CASCADE ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.alert_group
    ADD CONSTRAINT alert_group_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES agentdb.alert(alert_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.alert_group
    ADD CONSTRAINT alert_group_receiver_name_fkey FOREIGN KEY (receiver_name) REFERENCES agentdb.receiver(receiver_name) ON UPDATE CASCADE ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.alert_group
    ADD CONSTRAINT alert_group_route_name_fkey FOREIGN KEY (route_name) REFERENCES agentdb.route(route_name) ON UPDATE CASCADE ON DELETE SET NULL;



ALTER TABLE ONLY agentdb.alert
    ADD CONSTRAINT alert_rule_name_fkey FOREIGN KEY (rule_name) REFERENCES agentdb.alert_rule(rule_name) ON UPDATE CASCADE ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.budget_gate
    ADD CONSTRAINT budget_gate_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agentdb.agent(agent_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.budget_override
    ADD CONSTRAINT budget_override_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agentdb.agent(agent_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.change_decision
    ADD CONSTRAINT change_decision_change_id_fkey FOREIGN KEY (change_id) REFERENCES agentdb.change(change_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.change_table
    ADD CONSTRAINT change_table_change_id_fkey FOREIGN KEY (change_id) REFERENCES agentdb.change(change_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.claim
    ADD CONSTRAINT claim_run_id_fkey FOREIGN KEY (run_id) REFERENCES agentdb.run(run_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.group_alert
    ADD CONSTRAINT group_alert_alert_group_id_fkey FOREIGN KEY (alert_group_id) REFERENCES agentdb.alert_group(alert_group_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.group_alert
    ADD CONSTRAINT group_alert_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES agentdb.alert(alert_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.guarded_table
    ADD CONSTRAINT guarded_table_audit_target_id_fkey FOREIGN KEY (audit_target_id) REFERENCES agentdb.audit_target(audit_target_id);



ALTER TABLE ONLY agentdb.notification
    ADD CONSTRAINT notification_alert_group_id_fkey FOREIGN KEY (alert_group_id) REFERENCES agentdb.alert_group(alert_group_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.notification
    ADD CONSTRAINT notification_alert_id_fkey FOREIGN KEY (alert_id) REFERENCES agentdb.alert(alert_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.notification
    ADD CONSTRAINT notification_receiver_name_fkey FOREIGN KEY (receiver_name) REFERENCES agentdb.receiver(receiver_name) ON UPDATE CASCADE ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.question
    ADD CONSTRAINT question_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agentdb.agent(agent_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.question
    ADD CONSTRAINT question_run_id_fkey FOREIGN KEY (run_id) REFERENCES agentdb.run(run_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.receiver
    ADD CONSTRAINT receiver_escalate_to_fkey FOREIGN KEY (escalate_to) REFERENCES agentdb.receiver(receiver_name) ON UPDATE CASCADE;



ALTER TABLE ONLY agentdb.route
    ADD CONSTRAINT route_receiver_name_fkey FOREIGN KEY (receiver_name) REFERENCES agentdb.receiver(receiver_name) ON UPDATE CASCADE ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.run_activity
    ADD CONSTRAINT run_activity_run_id_fkey FOREIGN KEY (run_id) REFERENCES agentdb.run(run_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.run
    ADD CONSTRAINT run_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agentdb.agent(agent_id);



ALTER TABLE ONLY agentdb.run_gate
    ADD CONSTRAINT run_gate_run_id_fkey FOREIGN KEY (run_id) REFERENCES agentdb.run(run_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.run_step
    ADD CONSTRAINT run_step_run_id_fkey FOREIGN KEY (run_id) REFERENCES agentdb.run(run_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.run_stop
    ADD CONSTRAINT run_stop_run_id_fkey FOREIGN KEY (run_id) REFERENCES agentdb.run(run_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.run_token
    ADD CONSTRAINT run_token_run_id_fkey FOREIGN KEY (run_id) REFERENCES agentdb.run(run_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.schedule
    ADD CONSTRAINT schedule_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agentdb.agent(agent_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.token_normal
    ADD CONSTRAINT token_normal_agent_id_fkey FOREIGN KEY (agent_id) REFERENCES agentdb.agent(agent_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.token_reservation
    ADD CONSTRAINT token_reservation_run_id_fkey FOREIGN KEY (run_id) REFERENCES agentdb.run(run_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.tool_alias
    ADD CONSTRAINT tool_alias_tool_name_fkey FOREIGN KEY (tool_name) REFERENCES agentdb.tool(tool_name) ON UPDATE CASCADE ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.tool_call
    ADD CONSTRAINT tool_call_run_id_fkey FOREIGN KEY (run_id) REFERENCES agentdb.run(run_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.tool_diagnosis
    ADD CONSTRAINT tool_diagnosis_run_id_fkey FOREIGN KEY (run_id) REFERENCES agentdb.run(run_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.tool_fault
    ADD CONSTRAINT tool_fault_run_id_fkey FOREIGN KEY (run_id) REFERENCES agentdb.run(run_id) ON DELETE CASCADE;



ALTER TABLE ONLY agentdb.verdict
    ADD CONSTRAINT verdict_claim_id_fkey FOREIGN KEY (claim_id) REFERENCES agentdb.claim(claim_id) ON DELETE CASCADE;



GRANT USAGE ON SCHEMA agentdb TO agentdb_capture;
GRANT USAGE ON SCHEMA agentdb TO agentdb_applier;
GRANT USAGE ON SCHEMA agentdb TO agentdb_agent;
GRANT USAGE ON SCHEMA agentdb TO agentdb_reviewer;
GRANT USAGE ON SCHEMA agentdb TO agentdb_auditor;
GRANT USAGE ON SCHEMA agentdb TO agentdb_operator;



GRANT USAGE ON SCHEMA agentdb_stage TO agentdb_agent;
GRANT USAGE ON SCHEMA agentdb_stage TO agentdb_operator;
GRANT USAGE ON SCHEMA agentdb_stage TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._abandon_runs(agent bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._access_faults(relation oid, privilege text, role_name name) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._acknowledge(alerts bigint[], comment text, lasts interval) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._acquire(name text, first_slot integer, last_slot integer, ttl interval, max_hold interval, given bigint, run bigint, OUT acquired boolean, OUT fence bigint, OUT expires_at timestamp with time zone, OUT ttl_ms bigint, OUT holder text, OUT outcome text, OUT slot integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._acquire_otherwise(name text, ttl interval, max_hold interval, given bigint, run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._act_on(rule_name text, fired_at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._add_change(agent bigint, run bigint, reason text, automatic boolean) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._add_claim(kind text, target text, expectation jsonb, within_time interval, run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._add_fence(target regclass, root boolean, lock_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._add_fence(target regclass, root boolean, lock_name text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._add_partition(log_name text, day date) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._add_partitions(log_name text, days_ahead integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._add_undo_rows(change bigint, scope text, id text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._advance_alerts(rule_name text, at timestamp with time zone, truncated boolean) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.agent TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.agent TO agentdb_operator;



GRANT UPDATE(policy_name) ON TABLE agentdb.agent TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.agent_stop TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.agent_stop TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._agent_end(agent text, since timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._agent_of(agent text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._agents_roles() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._alerting_silent_for() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._all_guarded(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._all_guarded(change bigint) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._all_guarded(change bigint) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._applied_change(OUT agent_id bigint, OUT run_id bigint, OUT change_id bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._apply(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._apply(change bigint) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._apply(change bigint) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._apply_as_caller(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._apply_as_caller(change bigint) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._apply_as_caller(change bigint) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._apply_path(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._apply_path(change bigint) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._apply_path(change bigint) TO agentdb_reviewer;
GRANT ALL ON FUNCTION agentdb._apply_path(change bigint) TO agentdb_applier;



REVOKE ALL ON FUNCTION agentdb._apply_silence(silence bigint, fresh boolean) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.change_decision TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.change_decision TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._approved_by(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._approved_by(change bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._approved_by(change bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._attempt(change bigint, basis bigint[], as_applier boolean, keep boolean, allowed jsonb, OUT effects jsonb, OUT problem jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._attempt(change bigint, basis bigint[], as_applier boolean, keep boolean, allowed jsonb, OUT effects jsonb, OUT problem jsonb) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._attempt(change bigint, basis bigint[], as_applier boolean, keep boolean, allowed jsonb, OUT effects jsonb, OUT problem jsonb) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._audited_name(relation text) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.audit_target TO agentdb_reviewer;
GRANT SELECT ON TABLE agentdb.audit_target TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.audit_target TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.change TO agentdb_reviewer;
GRANT SELECT ON TABLE agentdb.change TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.change TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.change_row TO agentdb_reviewer;
GRANT SELECT ON TABLE agentdb.change_row TO agentdb_applier;
GRANT SELECT ON TABLE agentdb.change_row TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.change_row TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._awaits_decision(run bigint, relation text, claimed_at timestamp with time zone, as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._awaits_decision(run bigint, relation text, claimed_at timestamp with time zone, as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._awaits_decision(run bigint, relation text, claimed_at timestamp with time zone, as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._base_type(type oid) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._base_type(type oid) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._base_type(type oid) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._basis(change bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._be_patient(patience interval) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._begin_apply(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._begin_apply(change bigint) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._begin_apply(change bigint) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._begin_decision(change bigint, decision text, digest text, comment text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._begin_sql(target integer, level text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._blast_sql(target integer, level text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._bound_run() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._clean_text(value text, max_length integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._clean_text(value text, max_length integer) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._bounded_json(value jsonb, max_bytes integer) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.policy TO agentdb_auditor;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agentdb.policy TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._is_expired(day date) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._root(former bytea, day date, snapshot pg_snapshot, rows bigint, digest bytea) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._sealed_rows(after pg_snapshot, upto pg_snapshot) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.seal TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.seal TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._broken_seal() FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.budget_override TO agentdb_auditor;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agentdb.budget_override TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._budget_limit(agent bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._budget_limit(agent bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._budget_limit(agent bigint) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.roll_up_state TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.roll_up_state TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._horizon() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._horizon() TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._horizon() TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.token_reservation TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.token_reservation TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._reserved(run bigint, agent bigint, conversation text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._reserved(run bigint, agent bigint, conversation text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._reserved(run bigint, agent bigint, conversation text) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.run TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.run TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.run_activity TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.run_activity TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.token_half_hour TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.token_half_hour TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.token_log TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.token_log TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._spent(run bigint, agent bigint, conversation text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._spent(run bigint, agent bigint, conversation text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._spent(run bigint, agent bigint, conversation text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._budget(run bigint, agent bigint, conversation text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._budget(run bigint, agent bigint, conversation text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._budget(run bigint, agent bigint, conversation text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._budget_advice(scope text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._open_run(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._open_run(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._open_run(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._recent_run(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._recent_run(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._recent_run(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._budget_in_use(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._budget_in_use(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._budget_in_use(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._bury_notifications() FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.tool_call TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.tool_call TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._call_in_flight(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._call_in_flight(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._call_in_flight(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._signature(value text, volatile text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._signature(value text, volatile text[]) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._signature(value text, volatile text[]) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._call_signature(tool text, args jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._volatile() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._volatile() TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._volatile() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._step_signature(step text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._step_signature(step text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._step_signature(step text) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.audit_log TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.audit_log TO agentdb_operator;
GRANT INSERT ON TABLE agentdb.audit_log TO agentdb_capture;



GRANT SELECT ON TABLE agentdb.progress_log TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.progress_log TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._evidence_in_logs(run bigint, since timestamp with time zone, as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._evidence_in_logs(run bigint, since timestamp with time zone, as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._evidence_in_logs(run bigint, since timestamp with time zone, as_of timestamp with time zone) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.run_step TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.run_step TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._new_step(low xid8, high xid8, as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._new_step(low xid8, high xid8, as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._new_step(low xid8, high xid8, as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._evidence_tail(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._evidence_tail(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._evidence_tail(as_of timestamp with time zone) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.run_stop TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.run_stop TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._is_paused(run bigint, as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._is_paused(run bigint, as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._is_paused(run bigint, as_of timestamp with time zone) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.question TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.question TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._working_run(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._working_run(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._working_run(as_of timestamp with time zone) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.tool TO agentdb_auditor;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agentdb.tool TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.tool_call_log TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.tool_call_log TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._call_since(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._call_since(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._call_since(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._one_line(value text, max_length integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._one_line(value text, max_length integer) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._one_line(value text, max_length integer) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._is_typeable(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._is_typeable(value text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._is_typeable(value text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._diagnosis_lines(diagnosis jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._diagnosis_lines(diagnosis jsonb) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._diagnosis_lines(diagnosis jsonb) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._diagnosis_text(diagnosis jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._diagnosis_text(diagnosis jsonb) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._diagnosis_text(diagnosis jsonb) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.tool_diagnosis TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.tool_diagnosis TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._call_told(run bigint, since timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._call_told(run bigint, since timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._call_told(run bigint, since timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._calls_of(annotations jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._calls_of(annotations jsonb) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._calls_of(annotations jsonb) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._cancel_reservations(run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._canonical_key(relation regclass, key jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._canonical_key(relation regclass, key jsonb) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._canonical_key(relation regclass, key jsonb) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._capture_blast() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._capture_blast() TO agentdb_owner;



REVOKE ALL ON FUNCTION agentdb._capture_function(target integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._capture_sql(target integer, operation text, context text, old_rows text, new_rows text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._capture_sql(target integer, operation text, context text, old_rows text, new_rows text) TO agentdb_capture;



REVOKE ALL ON FUNCTION agentdb._capture_truncate() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._capture_truncate() TO agentdb_owner;



REVOKE ALL ON FUNCTION agentdb._change_digest(change bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._change_event(run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._change_event(run bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._change_event(run bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._change_fault(change bigint) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.change_table TO agentdb_reviewer;
GRANT SELECT ON TABLE agentdb.change_table TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.change_table TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._change_labels(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._change_labels(change bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._change_labels(change bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._change_policy(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._change_policy(change bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._change_policy(change bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._change_sql(change bigint, in_order boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._change_sql(change bigint, in_order boolean) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._change_sql(change bigint, in_order boolean) TO agentdb_reviewer;
GRANT ALL ON FUNCTION agentdb._change_sql(change bigint, in_order boolean) TO agentdb_applier;



REVOKE ALL ON FUNCTION agentdb._changed_sql(o text, n text, col name, exact boolean) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_agent_role(role_name name) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_audit(table_oid oid, exclude text[], redact text[]) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_claims(run bigint, agent bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_comment(comment text, what text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_fence() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._check_fence() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._check_fence_again() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_guard(relation regclass, target integer, named text[], auto_approve jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_idle_agent(agent bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_instances(instances jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_last_run(role_name name) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_lasting(lasts interval, longest interval, what text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_locks(agent_id bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_names(target integer, object jsonb, absent boolean) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_open_calls(run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_open_runs(agent_id bigint, policy_name text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_options(options jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_past(relation regclass, at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._check_past(relation regclass, at timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._check_past(relation regclass, at timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._check_pattern(pattern text, matchers text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_questions(agent bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_reason(reason text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_reservation(estimate bigint, max_output bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_rows(items jsonb, required_key text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_said(text text, what text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_seen(change bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_slots(name text, slots integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_snapshot() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_stage(target integer, operation text, new_values jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_stop(run bigint, agent bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_tables(change bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_tokens(input bigint, output bigint, cached_input bigint, reasoning bigint, cost double precision) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_tool(tool text, call_id text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_tool_definition(name text, input_schema jsonb, writes jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._check_write(run bigint, agent bigint) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.claim TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.claim TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._claimed_keys(run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._claimed_keys(run bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._claimed_keys(run bigint) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.alert TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.alert TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._clear_share(agent_name text, share double precision, as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._clear_share(agent_name text, share double precision, as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._clear_share(agent_name text, share double precision, as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._close_change(change bigint, state text, problem jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._column_uses(change bigint, target integer, operation text, expected boolean) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._columns_now(target integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._comparable(labels jsonb, annotations jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._condition_of(relation regclass, name text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._conflict_rows(change bigint, target integer, most integer, as_applier boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._conflict_rows(change bigint, target integer, most integer, as_applier boolean) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._conflict_rows(change bigint, target integer, most integer, as_applier boolean) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._conflict_text(conflicts jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._conflict_text(conflicts jsonb) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._conflict_text(conflicts jsonb) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._conflicts(change bigint, most integer, as_applier boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._conflicts(change bigint, most integer, as_applier boolean) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._conflicts(change bigint, most integer, as_applier boolean) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._conflicts_of(change bigint, target integer, found jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._conflicts_of(change bigint, target integer, found jsonb) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._conflicts_of(change bigint, target integer, found jsonb) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._context_of(change bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._context_sql() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._tokens_of_run(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._tokens_of_run(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._tokens_of_run(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._conversation_use(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._conversation_use(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._conversation_use(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._cooling_span(max_ttl interval, at_least interval) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._count_denial(name text, run_id bigint, agent_id bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._counts(group_id bigint, kind text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._create_blast_triggers(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._create_blast_triggers(relation regclass) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._create_guard(relation regclass, whom text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._create_guard(relation regclass, whom text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._create_triggers(relation regclass, target integer, level text, refuse_blast boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._create_triggers(relation regclass, target integer, level text, refuse_blast boolean) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._current_change(OUT change_id bigint, OUT agent_id bigint, OUT max_rows integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._current_run(run bigint, OUT run_id bigint, OUT agent_id bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._is_exact(type oid, typmod integer, collation_id oid) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._is_exact(type oid, typmod integer, collation_id oid) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._is_exact(type oid, typmod integer, collation_id oid) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._object_sql(parts text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._object_sql(parts text[]) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._object_sql(parts text[]) TO agentdb_reviewer;
GRANT ALL ON FUNCTION agentdb._object_sql(parts text[]) TO agentdb_auditor;



REVOKE ALL ON FUNCTION agentdb._table_name(table_oid oid) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._table_name(table_oid oid) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._table_name(table_oid oid) TO agentdb_reviewer;
GRANT ALL ON FUNCTION agentdb._table_name(table_oid oid) TO agentdb_applier;
GRANT ALL ON FUNCTION agentdb._table_name(table_oid oid) TO agentdb_auditor;



REVOKE ALL ON FUNCTION agentdb._typed_sql(source text, col text, type_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._typed_sql(source text, col text, type_name text) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._typed_sql(source text, col text, type_name text) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._value_sql(row_name text, col name, form text, redacted boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._value_sql(row_name text, col name, form text, redacted boolean) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._value_sql(row_name text, col name, form text, redacted boolean) TO agentdb_reviewer;
GRANT ALL ON FUNCTION agentdb._value_sql(row_name text, col name, form text, redacted boolean) TO agentdb_auditor;



GRANT SELECT ON TABLE agentdb.audit_column TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.audit_column TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.change_column TO agentdb_reviewer;
GRANT SELECT ON TABLE agentdb.change_column TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.change_column TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._current_sql(change bigint, target integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._current_sql(change bigint, target integer) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._current_sql(change bigint, target integer) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._decision(labels jsonb) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.stop_log TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.stop_log TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._deed(run bigint, since timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._deed(run bigint, since timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._deed(run bigint, since timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._deeds(run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._deeds(run bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._deeds(run bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._deferred() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._deferred() TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._deferred() TO agentdb_reviewer;
GRANT ALL ON FUNCTION agentdb._deferred() TO agentdb_applier;



REVOKE ALL ON FUNCTION agentdb._matchable(alert bigint, rule_name text, severity text, labels jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._matchable(alert bigint, rule_name text, severity text, labels jsonb) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._matchable(alert bigint, rule_name text, severity text, labels jsonb) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._matches(matchers jsonb, labels jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._matches(matchers jsonb, labels jsonb) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._matches(matchers jsonb, labels jsonb) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._severity_rank(severity text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._span(value interval) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._span(value interval) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._span(value interval) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.alert_group TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.alert_group TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.alert_rule TO agentdb_auditor;
GRANT SELECT,INSERT,DELETE ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(description) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(view_name) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(evidence_query) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(remedy) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(ends_when) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(ends_with_run) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(group_by) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(severity) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(health) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(action) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(enabled) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(evaluate_every) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(fire_after) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(keep_firing) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(max_alerts) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT UPDATE(timeout) ON TABLE agentdb.alert_rule TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.group_alert TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.group_alert TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.receiver TO agentdb_auditor;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agentdb.receiver TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.route TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.route TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._destination(alert agentdb.alert) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._diagnosis(alert agentdb.alert) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._diagnosis(alert agentdb.alert) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._diagnosis(alert agentdb.alert) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._did(deed text, operations text[], claimed text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._did(deed text, operations text[], claimed text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._did(deed text, operations text[], claimed text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._difference_sql(target integer, row_name text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._digest(group_id bigint, kind text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._dismiss(alerts bigint[], reason text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._drop_guard(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._drop_guard(relation regclass) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._drop_partition(partition_name text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._drop_rows(change bigint, places integer[]) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._drop_rows(change bigint, places integer[]) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._drop_rows(change bigint, places integer[]) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._drop_triggers(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._drop_triggers(relation regclass) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._earlier_changes(change bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._end_alerts(run bigint, agent bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._end_apply(change bigint, effects jsonb, problem jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._end_apply_as_caller(change bigint, effects jsonb, problem jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._end_apply_as_caller(change bigint, effects jsonb, problem jsonb) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._end_apply_as_caller(change bigint, effects jsonb, problem jsonb) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._end_audit(relation regclass, detach boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._end_audit(relation regclass, detach boolean) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._end_guard(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._end_guard(relation regclass) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._end_killed(run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._end_of_life(major integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._end_of_life(major integer) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._end_of_life(major integer) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._end_pause(agent bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._lasted(alert agentdb.alert) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._lasted(alert agentdb.alert) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._lasted(alert agentdb.alert) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._end_payload(alert agentdb.alert) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._has_unapplied(run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._has_unapplied(run bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._has_unapplied(run bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._labelled_run(labels jsonb) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.lock_log TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.lock_log TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._lock_end(alert agentdb.alert) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._next_start(alert agentdb.alert) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._run_state(run bigint, outcome text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._run_state(run bigint, outcome text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._run_state(run bigint, outcome text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._run_end(run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._end_reason(alert agentdb.alert) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._end_submit(change bigint, row_count bigint, effects jsonb, basis bigint[]) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._shell_word(value text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._shell_word(value text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._shell_word(value text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._fill(line text, given jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._fill(line text, given jsonb) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._fill(line text, given jsonb) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._given(alert agentdb.alert) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._given(alert agentdb.alert) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._given(alert agentdb.alert) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._ends_when(alert agentdb.alert) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._ends_when(alert agentdb.alert) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._ends_when(alert agentdb.alert) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._error_class(error text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._error_class(error text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._error_class(error text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._escalate(max_alerts integer, at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._exact_span(given interval) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._execute_in_order(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._execute_in_order(change bigint) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._execute_in_order(change bigint) TO agentdb_reviewer;
GRANT ALL ON FUNCTION agentdb._execute_in_order(change bigint) TO agentdb_applier;



REVOKE ALL ON FUNCTION agentdb._meeting_start(agent bigint, due_at timestamp with time zone, met_at timestamp with time zone, grace interval, as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._meeting_start(agent bigint, due_at timestamp with time zone, met_at timestamp with time zone, grace interval, as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._meeting_start(agent bigint, due_at timestamp with time zone, met_at timestamp with time zone, grace interval, as_of timestamp with time zone) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.schedule TO agentdb_auditor;
GRANT SELECT,DELETE ON TABLE agentdb.schedule TO agentdb_operator;



GRANT INSERT(agent_id) ON TABLE agentdb.schedule TO agentdb_operator;



GRANT INSERT(cron),UPDATE(cron) ON TABLE agentdb.schedule TO agentdb_operator;



GRANT INSERT(time_zone),UPDATE(time_zone) ON TABLE agentdb.schedule TO agentdb_operator;



GRANT INSERT(tick_interval),UPDATE(tick_interval) ON TABLE agentdb.schedule TO agentdb_operator;



GRANT INSERT(grace),UPDATE(grace) ON TABLE agentdb.schedule TO agentdb_operator;



GRANT INSERT(no_progress_after),UPDATE(no_progress_after) ON TABLE agentdb.schedule TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._expected_start(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._expected_start(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._expected_start(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._fence_target(table_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._fence_target(table_name text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._finish_undo(change bigint, effects jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._finish_undo(change bigint, effects jsonb) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._finish_undo(change bigint, effects jsonb) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._forget_alerts(keep interval) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._forget_changes(keep interval) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._forget_dismissals(rule_name text, at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._forget_due() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._forget_locks(agent_id bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._forget_runs(keep interval) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._forget_target(target integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._generate_capture(target integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._generate_stage(target integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._give_verdict(claim bigint, verdict text, evidence jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._grant_usage(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._grant_usage(relation regclass) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.notification TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.notification TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._group_count(groups bigint[]) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._group_change(groups bigint[], at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._group_labels(alert agentdb.alert, group_by text[]) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._group_next(member agentdb.alert_group, alert bigint, kind text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._group_payload(member agentdb.alert_group, kind text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._guard() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._guard() TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.guarded_table TO agentdb_reviewer;
GRANT SELECT ON TABLE agentdb.guarded_table TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.guarded_table TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._guard_arguments(relation regclass, columns text[], approvals integer, expires interval, auto_approve jsonb, apply text, validators text[], context text[], everybody boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._guard_arguments(relation regclass, columns text[], approvals integer, expires interval, auto_approve jsonb, apply text, validators text[], context text[], everybody boolean) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._has_new_step(run bigint, since timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._hash_secret(secret text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._is_watching(evaluated_at timestamp with time zone, flushed_at timestamp with time zone, sent_at timestamp with time zone, verified_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._is_watching(evaluated_at timestamp with time zone, flushed_at timestamp with time zone, sent_at timestamp with time zone, verified_at timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._is_watching(evaluated_at timestamp with time zone, flushed_at timestamp with time zone, sent_at timestamp with time zone, verified_at timestamp with time zone) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.alembic_version TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.alembic_version TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.runner TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.runner TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.runner_health TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.runner_health TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._health_sign(agent bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._health_sign(agent bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._health_sign(agent bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._held_locks(agent_id bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._holding_run(name text, fence bigint, run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._hostile_part(table_oid oid) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._hour_of_week(at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._hour_of_week(at timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._hour_of_week(at timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._how_ended(alert bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._idle_thought(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._idle_thought(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._idle_thought(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._named_rule(matchers jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._shared_labels(labels jsonb, equal_labels text[]) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.inhibition TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.inhibition TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._inhibiting() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._insert_tool_call(run_id bigint, agent_id bigint, tool text, args jsonb, ok boolean, error text, result_size bigint, duration interval, call_id text, result text, violation text, OUT recorded_at timestamp with time zone, OUT fault text, OUT hint text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._instance(rule_name text, instances jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._is_agent() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._is_clean_name(value text, max_length integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._is_clean_name(value text, max_length integer) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._is_counted(fence bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._is_dismissed(state text, dismissed_severity text, severity text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._is_harmless(change bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._is_live(expires_at timestamp with time zone, renewed_at timestamp with time zone, at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._is_live(expires_at timestamp with time zone, renewed_at timestamp with time zone, at timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._is_live(expires_at timestamp with time zone, renewed_at timestamp with time zone, at timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._is_over(alert agentdb.alert) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._is_span(ttl interval, max_hold interval, max_ttl interval) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._is_unstopped(stop_seen bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._is_usual_hour(hours bigint, regular_hours integer, at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._is_usual_hour(hours bigint, regular_hours integer, at timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._is_usual_hour(hours bigint, regular_hours integer, at timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._is_validator(change bigint, agent bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._is_wider(change bigint, effects jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._is_wider(change bigint, effects jsonb) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._is_wider(change bigint, effects jsonb) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._join_groups(alerts bigint[], at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._key_sql(target integer, row_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._key_sql(target integer, row_name text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._key_sql(target integer, row_name text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._row_sql(target integer, row_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._row_sql(target integer, row_name text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._row_sql(target integer, row_name text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._joined_sql(target integer, old_rows text, new_rows text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._single_places(receiver text, rule text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._joining(alerts bigint[]) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._json_text(object jsonb, key text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._kill_run(run bigint, agent bigint, reason text, OUT locks_freed bigint, OUT reservations_cancelled bigint, OUT changes_withdrawn bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._known_writer(OUT agent_id bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._last_event_at(run bigint, since timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._last_event_at(run bigint, since timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._last_event_at(run bigint, since timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._last_run(agent bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._last_stop() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._last_writer(target integer, key jsonb, columns text[]) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._layout(table_oid oid) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._layout(table_oid oid) TO agentdb_capture;
GRANT ALL ON FUNCTION agentdb._layout(table_oid oid) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._layout(table_oid oid) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._layout_now(table_oid oid) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._layout_now(table_oid oid) TO agentdb_capture;
GRANT ALL ON FUNCTION agentdb._layout_now(table_oid oid) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._layout_now(table_oid oid) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._leave_lock(name text, fence bigint, run_id bigint, at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._lend_capture(target integer, owner name) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._lend_capture(target integer, owner name) TO agentdb_owner;



REVOKE ALL ON FUNCTION agentdb._lend_table(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._lend_table(relation regclass) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._lock_caller(run bigint, OUT run_id bigint, OUT agent_id bigint, OUT label text, OUT max_ttl interval, OUT needs_progress boolean) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._lock_limit(agent bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._log_sql(target integer, operation text, row_key text, old_values text, new_values text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._log_stop(agent bigint, run bigint, action text, reason text, details jsonb) FROM PUBLIC;



GRANT SELECT ON TABLE agentdb.lock TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.lock TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._log_tenure(lock agentdb.lock, outcome text, reason text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._newest_run() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._lone_run() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._long_call_until(run bigint, max_long_call interval, as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._long_call_until(run bigint, max_long_call interval, as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._long_call_until(run bigint, max_long_call interval, as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._look(groups bigint[], at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._maintain_audit() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._maintain_guards() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._make_lock(name text, first_slot integer, last_slot integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._match_sql(change bigint, target integer, operation text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._matchers_text(matchers jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._matchers_text(matchers jsonb) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._matchers_text(matchers jsonb) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._max_rows() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._max_rows() TO agentdb_capture;



REVOKE ALL ON FUNCTION agentdb._meets(change bigint, target integer, table_oid oid, condition text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._members(alert_group bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._missing_day(log_name text, days_ahead integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._trigrams(word text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._similarity(one text, other text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._missing_relation(parts text[]) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._ms_until(at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._nearest_tools(agent bigint, tool text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._needs_rows(table_oid oid) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._needs_rows(table_oid oid) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._needs_rows(table_oid oid) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._net_effect(scope text, id text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._new_secret() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._next_commands(alert agentdb.alert, kind text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._next_fence(former bigint, slot integer, at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._note_any_stop() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._note_children(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._note_children(relation regclass) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._note_reaped(pid integer, role_name name, age interval) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._note_reaped(pid integer, role_name name, age interval) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._note_stop() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._note_tables(change bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._note_unknown_tool(run bigint, agent bigint, call bigint, tool text, OUT fault text, OUT hint text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._one_row_sql(target integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._only_open_run(OUT run_id bigint, OUT agent_id bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._open_at(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._open_at(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._open_at(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._override_rows(change bigint, present jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._override_rows(change bigint, present jsonb) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._override_rows(change bigint, present jsonb) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._paired_sql(target integer, old_rows text, new_rows text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._parse_matchers(matchers text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._part_sql(change bigint, target integer, operation text, in_order boolean) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._pass_changed_limit() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._pass_gate(agent bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._pass_limits(agent bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._pass_stop() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._target_of(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._target_of(relation regclass) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._target_of(relation regclass) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._past_sql(relation regclass, by_key boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._past_sql(relation regclass, by_key boolean) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._past_sql(relation regclass, by_key boolean) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._paths_in(args jsonb, error text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._payload(alert agentdb.alert, kind text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._perform(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._perform(change bigint) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._perform(change bigint) TO agentdb_reviewer;
GRANT ALL ON FUNCTION agentdb._perform(change bigint) TO agentdb_applier;



REVOKE ALL ON FUNCTION agentdb._perform_as_applier(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._perform_as_applier(change bigint) TO agentdb_owner;



REVOKE ALL ON FUNCTION agentdb._place_capture(target integer, body text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._place_capture(target integer, body text) TO agentdb_owner;



REVOKE ALL ON FUNCTION agentdb._place_guard(relation regclass, everybody boolean, condition text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._place_guard(relation regclass, everybody boolean, condition text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._place_stage(target integer, view_name text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._plan_undo(scope text, id text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._plan_undo(scope text, id text, reason text) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._plan_undo(scope text, id text, reason text) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._prompt(since timestamp with time zone, as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._prompt(since timestamp with time zone, as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._prompt(since timestamp with time zone, as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._stage_check_sql(target integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._stage_object_sql(target integer, row_name text, changed_only boolean) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._propose_sql(target integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._proposer(OUT agent_id bigint, OUT run_id bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._prune_locks(keep interval) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._question_labels(asked agentdb.question) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._question_labels(asked agentdb.question) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._question_labels(asked agentdb.question) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._raise_again(state text, message text, detail text, hint text, constraint_name text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._read_as_applier(statement text, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._read_as_applier(statement text, most integer) TO agentdb_owner;



REVOKE ALL ON FUNCTION agentdb._read_conflicts(change bigint, target integer, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._read_conflicts(change bigint, target integer, most integer) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._read_conflicts(change bigint, target integer, most integer) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._read_rows(statement text, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._read_rows(statement text, most integer) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._read_rows(statement text, most integer) TO agentdb_reviewer;
GRANT ALL ON FUNCTION agentdb._read_rows(statement text, most integer) TO agentdb_applier;



REVOKE ALL ON FUNCTION agentdb.tool_diff(run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.tool_diff(run bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.tool_diff(run bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._recent_diff(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._recent_diff(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._recent_diff(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._record_deletion() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._record_tenure() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._reenter_lock(name text, given bigint, run_id bigint, OUT fence bigint, OUT expires_at timestamp with time zone, OUT slot integer, OUT outcome text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse(problem text, hint text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._refuse(problem text, hint text) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._refuse(problem text, hint text) TO agentdb_reviewer;
GRANT ALL ON FUNCTION agentdb._refuse(problem text, hint text) TO agentdb_auditor;



REVOKE ALL ON FUNCTION agentdb._refuse_alert(what text, detail text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_altered(change bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_audit(table_oid oid, problem text, hint text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_blast(table_name text, max_rows integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._refuse_blast(table_name text, max_rows integer) TO agentdb_capture;



REVOKE ALL ON FUNCTION agentdb._refuse_change(change bigint, problem jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_closed_run(run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_column(target integer, col text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_direct(operation text, table_name text, table_oid oid) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_foreign_run(run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_guard(relation regclass, problem text, hint text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_history(relation regclass, problem text, hint text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._refuse_history(relation regclass, problem text, hint text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._refuse_history(relation regclass, problem text, hint text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._refuse_matchers(matchers text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_message(notification bigint, problem text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_reviewer(change bigint, problem text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_rewrite() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_span(ttl interval, max_ttl interval, max_hold interval) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_state(change bigint, state text, wanted text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_stopped(kind text, reason text, what text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_truncate() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_ttl(ttl interval, max_ttl interval) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_unguarded(relation regclass) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_value(target integer, col text, value text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refuse_write(target text, name text, run_id bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._refused_renewal(name text, fence bigint, run_id bigint, at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._register_audit(relation regclass, exclude text[], redact text[], level text, refuse_blast boolean, OUT target integer, OUT chosen text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._register_audit(relation regclass, exclude text[], redact text[], level text, refuse_blast boolean, OUT target integer, OUT chosen text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._register_guard(relation regclass, columns text[], context text[], approvals integer, expires interval, apply text, validators text[], everybody boolean, auto_approve jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._register_guard(relation regclass, columns text[], context text[], approvals integer, expires interval, apply text, validators text[], everybody boolean, auto_approve jsonb) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._relation_in(error text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._search_path(role_name name) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._relation_of(parts text[], role_name name) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._release_locks(run_id bigint, agent_id bigint, outcome text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._release_otherwise(name text, fence bigint, at_least interval, run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._remedy(alert agentdb.alert) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._remedy(alert agentdb.alert) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._remedy(alert agentdb.alert) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._renew_otherwise(name text, fence bigint, ttl interval, needs_progress boolean, run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._resolve(change bigint, on_conflict text, as_applier boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._resolve(change bigint, on_conflict text, as_applier boolean) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._resolve(change bigint, on_conflict text, as_applier boolean) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._restage_row(former agentdb.change_row, operation text, new_values jsonb, expected jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._result_signature(ok boolean, result text, error text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._retry_change(change bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._retry_changes() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._reviewer(change bigint, OUT agent_id bigint, OUT run_id bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._role_fault(role_name name) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._role_fault(role_name name) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._role_fault(role_name name) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._roll_up_evidence(low xid8, high xid8) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._roll_up_progress(low xid8, high xid8) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._roll_up_tokens(low xid8, high xid8) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._roll_up_tool_calls(low xid8, high xid8) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._row_event(run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._row_event(run bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._row_event(run bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._row_verdicts(run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._row_write_sql(target integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._rule_query(view_name text, max_alerts integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._run_label(run_id bigint, agent_name text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._schema_in(error text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._session_agent(agent text, secret text, OUT agent_id bigint, OUT pooled boolean, OUT policy_name text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._settle_members(groups bigint[], at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._settled(change bigint, found jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._settled(change bigint, found jsonb) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._settled(change bigint, found jsonb) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._shape_fault(change bigint, target integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._shape_signature(tool text, args jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._stage_layout(target integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._stage_layout(target integer) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._stage_layout(target integer) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._stage_row(target integer, operation text, key jsonb, new_values jsonb, expected jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._stage_view_sql(target integer, view_name text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._statement_write_sql(target integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._stop_agent(agent bigint, kind text, reason text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._stop_seen(last_stop bigint, pooled boolean) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._submit(change bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._submit_at_commit() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._table_fault(table_oid oid) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._take_back_capture(target integer, owner name) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._take_back_capture(target integer, owner name) TO agentdb_owner;



REVOKE ALL ON FUNCTION agentdb._take_lock(name text, first_slot integer, last_slot integer, run_id bigint, agent_id bigint, ttl interval, max_hold interval, OUT fence bigint, OUT expires_at timestamp with time zone, OUT slot integer, OUT outcome text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._take_otherwise(name text, first_slot integer, last_slot integer, given bigint, run_id bigint, agent_id bigint, ttl interval, max_hold interval, OUT fence bigint, OUT expires_at timestamp with time zone, OUT slot integer, OUT outcome text, OUT holder text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._tell_groups(groups bigint[]) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._tellable(group_id bigint, kind text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._tenure(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._tenure(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._tenure(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._texts_in(args jsonb) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._weight(input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, cached_weight double precision, output_weight double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._weight(input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, cached_weight double precision, output_weight double precision) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._weight(input_tokens bigint, cached_input_tokens bigint, output_tokens bigint, cached_weight double precision, output_weight double precision) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._token_use(as_of timestamp with time zone, literal boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._token_use(as_of timestamp with time zone, literal boolean) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._token_use(as_of timestamp with time zone, literal boolean) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._told_summary(alert agentdb.alert, kind text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._touch_alerts(rule_name text, instances jsonb, at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._truncate_sql(target integer, table_oid oid) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._truncate_sql(target integer, table_oid oid) TO agentdb_capture;



REVOKE ALL ON FUNCTION agentdb._try(change bigint, as_applier boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._try(change bigint, as_applier boolean) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._try(change bigint, as_applier boolean) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._try_as_applier(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._try_as_applier(change bigint) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._try_as_applier(change bigint) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._types_of(table_oid oid) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._unacknowledge(alerts bigint[]) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._unapplied(run bigint, relation text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._undo(scope text, id text, reason text, on_conflict text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._undo(scope text, id text, reason text, on_conflict text) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._undo(scope text, id text, reason text, on_conflict text) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb._undo_fault(change bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._undone(scope text, id text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._used_columns(change bigint, target integer) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._utc(at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._utc(at timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._utc(at timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._verify_rows(run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._waiters(name text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._waiting(name text, fence bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._wake_groups(alerts bigint[], at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._withdraw_changes(agent bigint, run bigint) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._withdraw_messages(groups bigint[], at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._within(first_at timestamp with time zone, last_at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._within(first_at timestamp with time zone, last_at timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._within(first_at timestamp with time zone, last_at timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._worst(group_id bigint, kind text) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._write_messages(groups bigint[], at timestamp with time zone) FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb._writer(OUT agent_id bigint, OUT run_id bigint, OUT change_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._writer(OUT agent_id bigint, OUT run_id bigint, OUT change_id bigint) TO agentdb_capture;



REVOKE ALL ON FUNCTION agentdb._writes(writes jsonb, relation text, operation text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._writes(writes jsonb, relation text, operation text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._writes(writes jsonb, relation text, operation text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._written() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._written() TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb._written() TO agentdb_reviewer;
GRANT ALL ON FUNCTION agentdb._written() TO agentdb_applier;



REVOKE ALL ON FUNCTION agentdb.acknowledge_alert(alert bigint, comment text, lasts interval) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.acknowledge_alert(alert bigint, comment text, lasts interval) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.acknowledge_group(alert_group bigint, comment text, lasts interval) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.acknowledge_group(alert_group bigint, comment text, lasts interval) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.acquire_lock(name text, ttl interval, max_hold interval, fence bigint, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.acquire_lock(name text, ttl interval, max_hold interval, fence bigint, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.acquire_slot(OUT acquired boolean, OUT slot integer, name text, slots integer, ttl interval, max_hold interval, INOUT fence bigint, run bigint, OUT expires_at timestamp with time zone, OUT ttl_ms bigint, OUT holder text, OUT outcome text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.acquire_slot(OUT acquired boolean, OUT slot integer, name text, slots integer, ttl interval, max_hold interval, INOUT fence bigint, run bigint, OUT expires_at timestamp with time zone, OUT ttl_ms bigint, OUT holder text, OUT outcome text) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.advance_changes() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.advance_changes() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.answer_of(question bigint, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.answer_of(question bigint, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.answer_question(question bigint, answer text, comment text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.answer_question(question bigint, answer text, comment text) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.answer_question(question bigint, answer text, comment text) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.apply_change(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.apply_change(change bigint) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.apply_change(change bigint) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.approve_change(change bigint, digest text, comment text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.approve_change(change bigint, digest text, comment text) TO agentdb_agent;
GRANT ALL ON FUNCTION agentdb.approve_change(change bigint, digest text, comment text) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.approve_change(change bigint, digest text, comment text) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.ask_human(question text, options jsonb, urgency text, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.ask_human(question text, options jsonb, urgency text, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.audit_table(relation regclass, exclude text[], redact text[], level text, refuse_blast boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.audit_table(relation regclass, exclude text[], redact text[], level text, refuse_blast boolean) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.beat(runner_name text, loop text, host text, pid integer, version text, revision text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.beat(runner_name text, loop text, host text, pid integer, version text, revision text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.begin_tool_call(tool text, args jsonb, call_id text, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.begin_tool_call(tool text, args jsonb, call_id text, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.begin_wait(name text, at_most interval, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.begin_wait(name text, at_most interval, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.bind_run(token text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.bind_run(token text) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.claim_command(name text, args jsonb, within_time interval, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.claim_command(name text, args jsonb, within_time interval, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.claim_custom(kind text, target text, expectation jsonb, within_time interval, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.claim_custom(kind text, target text, expectation jsonb, within_time interval, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.claim_file(path text, min_size bigint, sha256 text, within_time interval, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.claim_file(path text, min_size bigint, sha256 text, within_time interval, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.claim_http(url text, status integer, has_text text, method text, within_time interval, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.claim_http(url text, status integer, has_text text, method text, within_time interval, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.claim_message(channel text, recipient text, has_text text, within_time interval, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.claim_message(channel text, recipient text, has_text text, within_time interval, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.claim_notification(runner_name text, max_notifications integer, lease interval, skip text[]) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.claim_notification(runner_name text, max_notifications integer, lease interval, skip text[]) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.claim_rows(relation text, operation text, keys jsonb, count bigint, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.claim_rows(relation text, operation text, keys jsonb, count bigint, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.claim_rule() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.claim_rule() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.complete_run(summary text, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.complete_run(summary text, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.declare_path(agent text, path text, want text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.declare_path(agent text, path text, want text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.drain_agent(agent text, patience interval) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.drain_agent(agent text, patience interval) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.drain_run(run bigint, patience interval) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.drain_run(run bigint, patience interval) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.drain_stopped() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.drain_stopped() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.drop_notification(notification bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.drop_notification(notification bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.drop_staging_view(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.drop_staging_view(relation regclass) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.end_run(outcome text, summary text, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.end_run(outcome text, summary text, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.end_sessions(run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.end_sessions(run bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.end_silence(silence bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.end_silence(silence bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.end_tool_call(call_id text, ok boolean, error text, result_size bigint, result text, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.end_tool_call(call_id text, ok boolean, error text, result_size bigint, result text, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.end_wait(name text, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.end_wait(name text, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.evidence_query(alert bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.evidence_query(alert bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.evidence_query(alert bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.explain_access(relation text, privilege text, role text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.explain_access(relation text, privilege text, role text) TO agentdb_agent;
GRANT ALL ON FUNCTION agentdb.explain_access(relation text, privilege text, role text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.explain_access(relation text, privilege text, role text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.fail_rule(rule_name text, evaluation bigint, error text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.fail_rule(rule_name text, evaluation bigint, error text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.fence_table(table_name text, lock_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.fence_table(table_name text, lock_name text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.flush(max_alerts integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.flush(max_alerts integer) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.follow_alter_table() FROM PUBLIC;



REVOKE ALL ON FUNCTION agentdb.force_release_lock(name text, reason text, slot integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.force_release_lock(name text, reason text, slot integer) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.give_verdict(claim bigint, attempt integer, verdict text, evidence jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.give_verdict(claim bigint, attempt integer, verdict text, evidence jsonb) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.guard_table(relation regclass, columns text[], approvals integer, expires interval, auto_approve jsonb, apply text, validators text[], context text[], everybody boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.guard_table(relation regclass, columns text[], approvals integer, expires interval, auto_approve jsonb, apply text, validators text[], context text[], everybody boolean) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.hold_run(until timestamp with time zone, reason text, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.hold_run(until timestamp with time zone, reason text, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.ingest(rule_name text, evaluation bigint, instances jsonb, truncated boolean, duration_ms double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.ingest(rule_name text, evaluation bigint, instances jsonb, truncated boolean, duration_ms double precision) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.kill_agent(agent text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.kill_agent(agent text, reason text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.kill_all(reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.kill_all(reason text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.kill_run(run bigint, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.kill_run(run bigint, reason text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.log_progress(step text, details jsonb, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.log_progress(step text, details jsonb, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.log_progress_many(steps jsonb, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.log_progress_many(steps jsonb, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.log_tokens(input bigint, output bigint, cached_input bigint, reasoning bigint, model text, cost double precision, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.log_tokens(input bigint, output bigint, cached_input bigint, reasoning bigint, model text, cost double precision, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.log_tokens_many(usages jsonb, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.log_tokens_many(usages jsonb, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.log_tool_call(tool text, args jsonb, ok boolean, error text, result_size bigint, duration interval, call_id text, result text, violation text, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.log_tool_call(tool text, args jsonb, ok boolean, error text, result_size bigint, duration interval, call_id text, result text, violation text, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.log_tool_call_many(calls jsonb, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.log_tool_call_many(calls jsonb, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.look_for_message(claim bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.look_for_message(claim bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.maintain(days_ahead integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.maintain(days_ahead integer) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.maintain_tables() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.maintain_tables() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.mark_failed(notification_id bigint, attempt integer, status integer, error text, permanent boolean, retry_after interval) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.mark_failed(notification_id bigint, attempt integer, status integer, error text, permanent boolean, retry_after interval) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.mark_sent(notification_id bigint, attempt integer, status integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.mark_sent(notification_id bigint, attempt integer, status integer) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.my_changes(undecided boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.my_changes(undecided boolean) TO agentdb_agent;
GRANT ALL ON FUNCTION agentdb.my_changes(undecided boolean) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.my_changes(undecided boolean) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.next_evaluation_ms() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.next_evaluation_ms() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.note_diagnosis(run bigint, call bigint, diagnosis jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.note_diagnosis(run bigint, call bigint, diagnosis jsonb) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.note_faults(faults jsonb, horizon text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.note_faults(faults jsonb, horizon text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.open_change(reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.open_change(reason text) TO agentdb_agent;
GRANT ALL ON FUNCTION agentdb.open_change(reason text) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.open_change(reason text) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.pause_agent(agent text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.pause_agent(agent text, reason text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.reap_transactions() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.reap_transactions() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.refresh_normal() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.refresh_normal() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.register_agent(name text, role_name text, policy text, pooled boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.register_agent(name text, role_name text, policy text, pooled boolean) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.register_message_channel(name text, relation regclass, recipient_column text, sent_at_column text, text_column text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.register_message_channel(name text, relation regclass, recipient_column text, sent_at_column text, text_column text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.register_tool(name text, input_schema jsonb, server text, writes jsonb, effect boolean, poll boolean, longest interval, agent text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.register_tool(name text, input_schema jsonb, server text, writes jsonb, effect boolean, poll boolean, longest interval, agent text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.register_tools(tools jsonb, agent text, server text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.register_tools(tools jsonb, agent text, server text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.reject_change(change bigint, comment text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.reject_change(change bigint, comment text) TO agentdb_agent;
GRANT ALL ON FUNCTION agentdb.reject_change(change bigint, comment text) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.reject_change(change bigint, comment text) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.release_lock(name text, fence bigint, at_least interval, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.release_lock(name text, fence bigint, at_least interval, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.remaining_budget(run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.remaining_budget(run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.rename_tool(name text, new_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rename_tool(name text, new_name text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.renew_lock(name text, fence bigint, ttl interval, needs_progress boolean, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.renew_lock(name text, fence bigint, ttl interval, needs_progress boolean, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.reserve_tokens(estimate bigint, max_output bigint, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.reserve_tokens(estimate bigint, max_output bigint, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.resolve_alert(alert bigint, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.resolve_alert(alert bigint, reason text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.resolve_group(alert_group bigint, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.resolve_group(alert_group bigint, reason text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.resume_agent(agent text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.resume_agent(agent text, reason text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.retire_runner(runner_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.retire_runner(runner_name text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.retry_notification(notification bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.retry_notification(notification bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.roll_up() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.roll_up() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.row_as_of(relation regclass, key jsonb, at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.row_as_of(relation regclass, key jsonb, at timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.row_as_of(relation regclass, key jsonb, at timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.row_diff(run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.row_diff(run bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.row_diff(run bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.row_history(relation regclass, key jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.row_history(relation regclass, key jsonb) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.row_history(relation regclass, key jsonb) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.audit_fault TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.audit_fault TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_audit_gap(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_audit_gap(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_audit_gap(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_blast_radius(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_blast_radius(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_blast_radius(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_budget_low(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_budget_low(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_budget_low(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_change_conflict(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_change_conflict(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_change_conflict(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_change_expiring(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_change_expiring(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_change_expiring(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_change_waiting(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_change_waiting(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_change_waiting(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_context_jump(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_context_jump(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_context_jump(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_conversation_budget(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_conversation_budget(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_conversation_budget(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_hung_tool_call(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_hung_tool_call(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_hung_tool_call(as_of timestamp with time zone) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.lock_denial TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.lock_denial TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_lock_contention(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_lock_contention(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_lock_contention(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_lock_held_too_long(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_lock_held_too_long(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_lock_held_too_long(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_long_tick(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_long_tick(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_long_tick(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_missed_tick(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_missed_tick(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_missed_tick(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_no_progress(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_no_progress(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_no_progress(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_overdue_hold(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_overdue_hold(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_overdue_hold(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_question_asked(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_question_asked(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_question_asked(as_of timestamp with time zone) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.verdict TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.verdict TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_refuted_claim(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_refuted_claim(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_refuted_claim(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_schedule_blocked(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_schedule_blocked(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_schedule_blocked(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_stale_lock(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_stale_lock(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_stale_lock(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_unannounced_write(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_unannounced_write(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_unannounced_write(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_unanswered_question(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_unanswered_question(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_unanswered_question(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_unattributed_write(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_unattributed_write(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_unattributed_write(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_unbacked_tool_call(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_unbacked_tool_call(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_unbacked_tool_call(as_of timestamp with time zone) TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.tool_fault TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.tool_fault TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_unknown_tool(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_unknown_tool(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_unknown_tool(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_unverified_claim(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_unverified_claim(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_unverified_claim(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.run_changes(run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.run_changes(run bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.run_changes(run bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.seal_audit() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.seal_audit() TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.seal_audit() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.set_due(agent_id bigint, cron text, time_zone text, due_at timestamp with time zone, met_at timestamp with time zone, error text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.set_due(agent_id bigint, cron text, time_zone text, due_at timestamp with time zone, met_at timestamp with time zone, error text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.set_inhibition(name text, source text, target text, equal_labels text[], linger interval) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.set_inhibition(name text, source text, target text, equal_labels text[], linger interval) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.set_os_user(agent text, os_user text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.set_os_user(agent text, os_user text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.set_route(name text, receiver text, matchers text, group_by text[], group_wait interval, group_interval interval, repeat_interval interval) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.set_route(name text, receiver text, matchers text, group_by text[], group_wait interval, group_interval interval, repeat_interval interval) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.settle_tokens(reservation bigint, input bigint, output bigint, cached_input bigint, reasoning bigint, model text, cost double precision, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.settle_tokens(reservation bigint, input bigint, output bigint, cached_input bigint, reasoning bigint, model text, cost double precision, run bigint) TO agentdb_agent;



GRANT SELECT ON TABLE agentdb.change_summary TO agentdb_reviewer;
GRANT SELECT ON TABLE agentdb.change_summary TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.change_summary TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.show_change(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.show_change(change bigint) TO agentdb_agent;
GRANT ALL ON FUNCTION agentdb.show_change(change bigint) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.show_change(change bigint) TO agentdb_reviewer;
GRANT ALL ON FUNCTION agentdb.show_change(change bigint) TO agentdb_auditor;



REVOKE ALL ON FUNCTION agentdb.show_change_rows(change bigint, most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.show_change_rows(change bigint, most integer) TO agentdb_agent;
GRANT ALL ON FUNCTION agentdb.show_change_rows(change bigint, most integer) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.show_change_rows(change bigint, most integer) TO agentdb_reviewer;
GRANT ALL ON FUNCTION agentdb.show_change_rows(change bigint, most integer) TO agentdb_auditor;



REVOKE ALL ON FUNCTION agentdb.silence_alerts(matchers text, lasts interval, comment text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.silence_alerts(matchers text, lasts interval, comment text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.stage_change(relation regclass, operation text, key jsonb, new_values jsonb, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.stage_change(relation regclass, operation text, key jsonb, new_values jsonb, reason text) TO agentdb_agent;
GRANT ALL ON FUNCTION agentdb.stage_change(relation regclass, operation text, key jsonb, new_values jsonb, reason text) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.stage_change(relation regclass, operation text, key jsonb, new_values jsonb, reason text) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.staged_rows(target integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.staged_rows(target integer) TO agentdb_agent;
GRANT ALL ON FUNCTION agentdb.staged_rows(target integer) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.staged_rows(target integer) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.staging_statement(relation regclass, operation text, key jsonb, new_values jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.staging_statement(relation regclass, operation text, key jsonb, new_values jsonb) TO agentdb_agent;
GRANT ALL ON FUNCTION agentdb.staging_statement(relation regclass, operation text, key jsonb, new_values jsonb) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.staging_statement(relation regclass, operation text, key jsonb, new_values jsonb) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.staging_view(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.staging_view(relation regclass) TO agentdb_agent;
GRANT ALL ON FUNCTION agentdb.staging_view(relation regclass) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.staging_view(relation regclass) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.start_run(agent text, conversation text, tick_interval interval, purpose text, secret text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.start_run(agent text, conversation text, tick_interval interval, purpose text, secret text) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.submit_change() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.submit_change() TO agentdb_agent;
GRANT ALL ON FUNCTION agentdb.submit_change() TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.submit_change() TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.table_as_of(relation regclass, at timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.table_as_of(relation regclass, at timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.table_as_of(relation regclass, at timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.take_claim(kinds text[], lease interval, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.take_claim(kinds text[], lease interval, run bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.take_failed_calls(max_calls integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.take_failed_calls(max_calls integer) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.take_unchecked_calls(max_calls integer) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.take_unchecked_calls(max_calls integer) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.test_receiver(receiver text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.test_receiver(receiver text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.timeline(run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.timeline(run bigint) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.timeline(run bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.tool_schema(tool text, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.tool_schema(tool text, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.unacknowledge_alert(alert bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.unacknowledge_alert(alert bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.unacknowledge_group(alert_group bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.unacknowledge_group(alert_group bigint) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.unaudit_table(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.unaudit_table(relation regclass) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.undo_change(change bigint, reason text, on_conflict text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.undo_change(change bigint, reason text, on_conflict text) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.undo_change(change bigint, reason text, on_conflict text) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.undo_row(audit_log_id bigint, reason text, on_conflict text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.undo_row(audit_log_id bigint, reason text, on_conflict text) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.undo_row(audit_log_id bigint, reason text, on_conflict text) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.undo_run(run bigint, reason text, on_conflict text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.undo_run(run bigint, reason text, on_conflict text) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.undo_run(run bigint, reason text, on_conflict text) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.undo_transaction(xid xid8, reason text, on_conflict text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.undo_transaction(xid xid8, reason text, on_conflict text) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.undo_transaction(xid xid8, reason text, on_conflict text) TO agentdb_reviewer;



REVOKE ALL ON FUNCTION agentdb.unfence_table(table_name text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.unfence_table(table_name text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.unguard_table(relation regclass) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.unguard_table(relation regclass) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.unset_inhibition(name text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.unset_inhibition(name text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.unset_route(name text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.unset_route(name text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.unset_schedule() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.unset_schedule() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.verify_audit(root text) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.verify_audit(root text) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.verify_audit(root text) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.verify_rows() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.verify_rows() TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.waiting_changes() FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.waiting_changes() TO agentdb_agent;
GRANT ALL ON FUNCTION agentdb.waiting_changes() TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.waiting_changes() TO agentdb_reviewer;
GRANT ALL ON FUNCTION agentdb.waiting_changes() TO agentdb_auditor;



REVOKE ALL ON FUNCTION agentdb.wake_waiters(name text, run bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.wake_waiters(name text, run bigint) TO agentdb_agent;



REVOKE ALL ON FUNCTION agentdb.withdraw_change(change bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.withdraw_change(change bigint) TO agentdb_agent;
GRANT ALL ON FUNCTION agentdb.withdraw_change(change bigint) TO agentdb_operator;
GRANT ALL ON FUNCTION agentdb.withdraw_change(change bigint) TO agentdb_reviewer;



GRANT SELECT ON TABLE agentdb.silence TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.silence TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.active_alert TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.active_alert TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.active_silence TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.active_silence TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.agent_gate TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.agent_gate TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.agent_health TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.agent_health TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.agent_path TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.agent_path TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.agent_tool TO agentdb_auditor;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agentdb.agent_tool TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.alert_log TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.alert_log TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.alert_log_default TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.alert_log_default TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.alert_remedy TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.alert_remedy TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.altered_table TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.altered_table TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.audit TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.audit TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.audit_gap TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.audit_gap TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.audit_log_default TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.audit_log_default TO agentdb_operator;



GRANT USAGE ON SEQUENCE agentdb.audit_statement_seq TO agentdb_capture;



GRANT SELECT ON TABLE agentdb.audited_table TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.audited_table TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.blast_radius TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.blast_radius TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.broken_rule TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.broken_rule TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.budget TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.budget TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.budget_gate TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.budget_gate TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.budget_low TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.budget_low TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.change_conflict TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.change_conflict TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.change_expiring TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.change_expiring TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.change_pass TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.change_pass TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.change_volume TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.change_volume TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.change_waiting TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.change_waiting TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.claim_status TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.claim_status TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.code_finding TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.code_finding TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.context_jump TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.context_jump TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.conversation_budget TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.conversation_budget TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.cost_by_agent_day TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.cost_by_agent_day TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.dead_letter TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.dead_letter TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.log_partition TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.log_partition TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.health_check TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.health_check TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.role_finding TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.role_finding TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.server_finding TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.server_finding TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.doctor TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.doctor TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.faulty_call TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.faulty_call TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.fenced_table TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.fenced_table TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.fenced_write TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.fenced_write TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.guard_fault TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.guard_fault TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.hung_tool_call TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.hung_tool_call TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.input_spike TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.input_spike TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.large_tool_result TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.large_tool_result TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.lock_contention TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.lock_contention TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.lock_held_too_long TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.lock_held_too_long TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.lock_history TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.lock_history TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.lock_log_default TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.lock_log_default TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.lock_waiter TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.lock_waiter TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.lock_status TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.lock_status TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.long_tick TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.long_tick TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.message_channel TO agentdb_auditor;
GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE agentdb.message_channel TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.missed_tick TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.missed_tick TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.no_progress TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.no_progress TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.open_question TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.open_question TO agentdb_operator;
GRANT SELECT ON TABLE agentdb.open_question TO agentdb_reviewer;



GRANT SELECT ON TABLE agentdb.overdue_hold TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.overdue_hold TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.progress_log_default TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.progress_log_default TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.question_asked TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.question_asked TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.refuted_claim TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.refuted_claim TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.repeated_tool_call TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.repeated_tool_call TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.rule_setting TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.rule_setting TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.run_gate TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.run_gate TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.run_summary TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.run_summary TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.schedule_blocked TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.schedule_blocked TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.silence_ending TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.silence_ending TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.silent_loop TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.silent_loop TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.stale_lock TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.stale_lock TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.stop_log_default TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.stop_log_default TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.token_log_default TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.token_log_default TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.token_normal TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.token_normal TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.token_rate TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.token_rate TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.tool_alias TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.tool_alias TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.tool_call_log_default TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.tool_call_log_default TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.tool_check_state TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.tool_check_state TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.tool_day TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.tool_day TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.tool_error TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.tool_error TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.tool_errors TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.tool_errors TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.unannounced_write TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.unannounced_write TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.unanswered_question TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.unanswered_question TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.unattributed_write TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.unattributed_write TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.unbacked_tool_call TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.unbacked_tool_call TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.unknown_tool TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.unknown_tool TO agentdb_operator;



GRANT SELECT ON TABLE agentdb.unverified_claim TO agentdb_auditor;
GRANT SELECT ON TABLE agentdb.unverified_claim TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._failing_tool(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._failing_tool(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._failing_tool(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._loop_pattern(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._loop_pattern(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._loop_pattern(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._token_normal(agent bigint, as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._token_normal(agent bigint, as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._token_normal(agent bigint, as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._normal_at(agent bigint, as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._normal_at(agent bigint, as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._normal_at(agent bigint, as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._token_baseline(agent bigint, as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._token_baseline(agent bigint, as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._token_baseline(agent bigint, as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb._token_excess(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb._token_excess(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb._token_excess(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_input_spike(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_input_spike(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_input_spike(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_large_tool_result(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_large_tool_result(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_large_tool_result(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_repeated_tool_call(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_repeated_tool_call(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_repeated_tool_call(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_silent_loop(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_silent_loop(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_silent_loop(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_token_rate(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_token_rate(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_token_rate(as_of timestamp with time zone) TO agentdb_operator;



REVOKE ALL ON FUNCTION agentdb.rule_tool_errors(as_of timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION agentdb.rule_tool_errors(as_of timestamp with time zone) TO agentdb_auditor;
GRANT ALL ON FUNCTION agentdb.rule_tool_errors(as_of timestamp with time zone) TO agentdb_operator;




