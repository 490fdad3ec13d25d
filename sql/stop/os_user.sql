-- Where an agent lives outside of the database: its operating system user and the paths
-- it needs, told by an operator so that somebody can look as the agent would.

create or replace function agentdb.set_os_user (agent text, os_user text)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
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
$$;

comment on function agentdb.set_os_user (text, text) is
  'Says which operating system user an agent runs as; raises ZA004 or ZA006.';


create or replace function agentdb.declare_path (
  agent text,
  path text,
  want text default 'read'
)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
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

comment on function agentdb.declare_path (text, text, text) is
  'Says that an agent needs to read or write a path, for agentdb doctor to look; '
  'raises ZA004 or ZA006.';
