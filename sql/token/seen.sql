-- What has been seen: one event counts once, whether it comes from the agent's own
-- session, a span, a log record or a hook, and however often.

-- Half of the hash is enough: ids are compared within one agent alone.
create or replace function agentdb._event_key (kind text, id text)
  returns bytea
  language sql
  immutable
  parallel safe
  return substr(sha256(convert_to(kind || ':' || id, 'UTF8')), 1, 16);

comment on function agentdb._event_key (text, text) is
  'What an event is known by: a hash of its kind and of the emitter''s own id.';


create or replace function agentdb._see_usage (agent bigint, response_id text)
  returns boolean
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  -- Some servers count their responses from 1: that names none among those of a month.
  if length(response_id) < 16 then
    return true;
  elsif not agentdb._is_clean_name(response_id, 200) then
    perform agentdb._refuse(
      format('%L is no response_id', agentdb._clean_text(response_id, 100)),
      'Give the id of the model''s response: 1 to 200 visible characters on one line, '
        'or leave it out.');
  end if;
  insert into agentdb.event_key (agent_id, key)
  values (agent, agentdb._event_key('tokens', response_id))
  on conflict on constraint event_key_pkey do nothing;
  return found;
end;
$$;

comment on function agentdb._see_usage (bigint, text) is
  'Whether the tokens of a response are new, which they are once where its id is one '
  'in the world (16 characters or more); raises ZA004.';
