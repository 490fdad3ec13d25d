-- Claims: what an agent says it has done, put so that it can be looked up.  The claim
-- is kept whatever it says; verdicts come from outside of the agent.

create or replace function agentdb._add_claim (
  kind text,
  target text,
  expectation jsonb,
  within_time interval,
  run bigint
)
  returns table (claim_id bigint, state text)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run_id bigint;
  v_agent_id bigint;
begin
  expectation := agentdb._unquoted(expectation);
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
$$;

comment on function agentdb._add_claim (text, text, jsonb, interval, bigint) is
  'Records a claim of the run that calls; raises ZA001, ZA003, ZA004 or ZA005.';


create or replace function agentdb._check_claims (run bigint, agent bigint)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
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

comment on function agentdb._check_claims (bigint, bigint) is
  'Raises ZA005 for a run with as many claims as its policy allows.';


create or replace function agentdb.claim_file (
  path text,
  min_size bigint default 1,
  sha256 text default null,
  within_time interval default null,
  run bigint default null
)
  returns table (claim_id bigint, state text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
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
$$;

comment on function agentdb.claim_file (text, bigint, text, interval, bigint) is
  'Claims that the run wrote a file of at least min_size bytes; raises ZA001, ZA003, '
  'ZA004 or ZA005.';


create or replace function agentdb.claim_http (
  url text,
  status integer default 200,
  has_text text default null,
  method text default 'GET',
  within_time interval default null,
  run bigint default null
)
  returns table (claim_id bigint, state text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
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

comment on function agentdb.claim_http (
  text, integer, text, text, interval, bigint) is
  'Claims that an address answers GET or HEAD with a status, and GET with a text in '
  'its first 64 kB; '
  'raises ZA001, ZA003, ZA004 or ZA005.';


create or replace function agentdb.claim_message (
  channel text,
  recipient text,
  has_text text default null,
  within_time interval default '5 minutes',
  run bigint default null
)
  returns table (claim_id bigint, state text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
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

comment on function agentdb.claim_message (text, text, text, interval, bigint) is
  'Claims that a message reached the record of a channel''s transport since the run '
  'began; raises ZA001, ZA003, ZA004, ZA005 or ZA006.';


create or replace function agentdb.claim_command (
  name text,
  args jsonb default '{}',
  within_time interval default null,
  run bigint default null
)
  returns table (claim_id bigint, state text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  return query
    select c.claim_id, c.state
    from agentdb._add_claim('command', name, args, within_time, run) as c;
end;
$$;

comment on function agentdb.claim_command (text, jsonb, interval, bigint) is
  'Claims that a command which the operator registered succeeds; raises ZA001, ZA003, '
  'ZA004 or ZA005.';


create or replace function agentdb.claim_custom (
  kind text,
  target text,
  expectation jsonb default '{}',
  within_time interval default null,
  run bigint default null
)
  returns table (claim_id bigint, state text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
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
$$;

comment on function agentdb.claim_custom (text, text, jsonb, interval, bigint) is
  'Claims what a verifier of the operator''s can look up; raises ZA001, ZA003, ZA004 '
  'or ZA005.';
