-- Tokens of emitters: who has one speaks for its agent, whatever else it says of
-- itself.  An attribute of a span can be written by any process.

create or replace function agentdb.make_intake_token (agent text)
  returns text
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent bigint := agentdb._agent_of(agent);
  v_token text := 'adbi_' || agentdb._new_secret();
begin
  perform from agentdb.agent as a where a.agent_id = v_agent for no key update;
  if (select a.imported from agentdb.agent as a where a.agent_id = v_agent) then
    perform agentdb._refuse(
      format('agent %s is known from files of the past alone', agent),
      'Give the token to an agent of the present: register_intake_agent().');
  elsif (
    select count(*) >= 100 from agentdb.intake_token as t
    where t.agent_id = v_agent and t.revoked_at is null
  ) then
    raise exception 'agent % has 100 intake tokens', agent
      using errcode = 'ZA005', hint = 'agentdb intake revoke the old ones first.';
  end if;
  insert into agentdb.intake_token (agent_id, token_hash)
  values (v_agent, agentdb._hash_secret(v_token));
  return v_token;
end;
$$;

comment on function agentdb.make_intake_token (text) is
  'Makes a secret with which an emitter proves that it speaks for an agent, shown only '
  'once; raises ZA004, ZA005 or ZA006.';


create or replace function agentdb.revoke_intake_token (token_id bigint)
  returns text
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent text;
begin
  update agentdb.intake_token as t
  set revoked_at = clock_timestamp(),
      revoked_by = session_user
  from agentdb.agent as a
  where t.intake_token_id = token_id
    and t.revoked_at is null
    and a.agent_id = t.agent_id
  returning a.agent_name into v_agent;
  if v_agent is null then
    raise exception 'there is no intake token % that holds',
        coalesce(token_id::text, 'NULL')
      using errcode = 'ZA006', hint = 'agentdb intake tokens lists them.';
  end if;
  return v_agent;
end;
$$;

comment on function agentdb.revoke_intake_token (bigint) is
  'Makes an intake token worthless and returns whose it was; raises ZA006.';


create or replace view agentdb.intake_tokens as
  select t.intake_token_id as token_id, a.agent_name, t.made_at, t.made_by, t.used_on,
    t.revoked_at, t.revoked_by
  from agentdb.intake_token as t
  join agentdb.agent as a on a.agent_id = t.agent_id;

comment on view agentdb.intake_tokens is
  'The secrets that emitters prove agents with, without what they are.';
comment on column agentdb.intake_tokens.token_id is
  'Its number, to revoke it by.';
comment on column agentdb.intake_tokens.agent_name is
  'Whom it proves.';
comment on column agentdb.intake_tokens.made_at is
  'When it was made.';
comment on column agentdb.intake_tokens.made_by is
  'By whom.';
comment on column agentdb.intake_tokens.used_on is
  'The last day on which it was used; NULL if never.';
comment on column agentdb.intake_tokens.revoked_at is
  'Since when it is worthless; NULL while it holds.';
comment on column agentdb.intake_tokens.revoked_by is
  'Who revoked it.';


-- Waits for nobody: that it was used is worth no wait.
create or replace function agentdb.agent_of_intake (token text)
  returns text
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_id bigint;
  v_agent text;
  v_used date;
  v_today date := (clock_timestamp() at time zone 'UTC')::date;
begin
  select t.intake_token_id, a.agent_name, t.used_on into v_id, v_agent, v_used
  from agentdb.intake_token as t
  join agentdb.agent as a on a.agent_id = t.agent_id
  where t.token_hash = agentdb._hash_secret(token)
    and t.revoked_at is null;
  if v_used is distinct from v_today then
    update agentdb.intake_token as t
    set used_on = v_today
    where t.intake_token_id in (
      select o.intake_token_id from agentdb.intake_token as o
      where o.intake_token_id = v_id
      for no key update skip locked);
  end if;
  return v_agent;
end;
$$;

comment on function agentdb.agent_of_intake (text) is
  'The agent that an intake token proves, NULL for none.';


create or replace function agentdb.agent_of_os_user (os_user text)
  returns text
  language sql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
  select min(a.agent_name)
  from agentdb.agent as a
  where a.os_user = agent_of_os_user.os_user
    and not a.imported
  having count(*) = 1;
$$;

comment on function agentdb.agent_of_os_user (text) is
  'The agent that runs as a user of the operating system, NULL for none or several.';
