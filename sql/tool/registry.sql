-- The registry: which tools exist, what they take and what they write.  An agent with a
-- registry that calls any other tool has made it up.

create or replace function agentdb._check_tool_definition (
  name text,
  input_schema jsonb,
  writes jsonb
)
  returns void
  language plpgsql
  immutable
  set search_path = pg_catalog, pg_temp
as $$
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
$$;

comment on function agentdb._check_tool_definition (text, jsonb, jsonb) is
  'Raises ZA004 for a tool that cannot be registered.';


create or replace function agentdb.register_tool (
  name text,
  input_schema jsonb default null,
  server text default null,
  writes jsonb default null,
  effect boolean default null,
  poll boolean default null,
  longest interval default null,
  agent text default null,
  destructive boolean default null
)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._check_tool_definition(name, input_schema, writes);
  if longest <= '0' or longest > '100 years' then
    perform agentdb._refuse(
      format('longest must be between 0 and 100 years, got %s', longest),
      'Give the longest time that a call of it can take.');
  end if;
  insert into agentdb.tool as t (
    tool_name, input_schema, server, writes, effect, poll, longest, destructive
  )
  values (
    name, input_schema, agentdb._clean_text(register_tool.server, 200),
    register_tool.writes, coalesce(effect, false), coalesce(poll, false), longest,
    register_tool.destructive
  )
  on conflict on constraint tool_pkey do update
  set input_schema = coalesce(excluded.input_schema, t.input_schema),
      server = coalesce(excluded.server, t.server),
      writes = coalesce(excluded.writes, t.writes),
      effect = coalesce(register_tool.effect, t.effect),
      poll = coalesce(register_tool.poll, t.poll),
      longest = coalesce(excluded.longest, t.longest),
      destructive = coalesce(excluded.destructive, t.destructive);
  if agent is not null then
    insert into agentdb.agent_tool (agent_id, tool_name)
    values (agentdb._agent_of(agent), name)
    on conflict on constraint agent_tool_pkey do nothing;
  end if;
end;
$$;

comment on function agentdb.register_tool (
  text, jsonb, text, jsonb, boolean, boolean, interval, text, boolean) is
  'Makes a tool known, and an agent''s; what is left out stays as it is; raises ZA004 '
  'or ZA006.';


-- As they come: the answer of an MCP server to tools/list, whole or in part, or the
-- function definitions that are sent to OpenAI or Anthropic.
create or replace function agentdb.register_tools (
  tools jsonb,
  agent text default null,
  server text default null
)
  returns table (tool_name text)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
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
      end,
      -- MCP takes a tool for destructive that does not say; so much is not to be had.
      destructive => case v_tool #> '{annotations,destructiveHint}'
        when 'true' then true when 'false' then false end);
    return next;
  end loop;
end;
$$;

comment on function agentdb.register_tools (jsonb, text, text) is
  'Makes known the tools of an MCP tools/list answer or of OpenAI or Anthropic '
  'function definitions, all or none, and returns their names; raises ZA004 or ZA006.';


create or replace function agentdb.rename_tool (name text, new_name text)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
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

comment on function agentdb.rename_tool (text, text) is
  'Renames a tool and keeps its former name as an alias, so that calls under it are '
  'not taken for made up; raises ZA004, ZA006 or ZA007.';


create or replace function agentdb._nearest_tools (agent bigint, tool text)
  returns text
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select string_agg(n.tool_name, ', ' order by n.likeness desc, n.tool_name)
  from (
    select a.tool_name, agentdb._similarity(a.tool_name, tool) as likeness
    from agentdb.agent_tool as a
    where a.agent_id = agent
    order by 2 desc, 1
    limit 3
  ) as n;
$$;

comment on function agentdb._nearest_tools (bigint, text) is
  'The three tools of an agent whose names are most like one that it made up.';


create or replace function agentdb._note_unknown_tool (
  run bigint,
  agent bigint,
  call bigint,
  tool text,
  out fault text,
  out hint text
)
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
begin
  perform from agentdb.tool_alias as n
  join agentdb.agent_tool as a on a.tool_name = n.tool_name and a.agent_id = agent
  where n.alias = tool;
  if found then
    return;
  end if;
  fault := 'unknown';
  hint := format('There is no tool %s.  Nearest: %s.',
    agentdb._clean_line(tool, 200), agentdb._nearest_tools(agent, tool));
  insert into agentdb.tool_fault (run_id, tool_call_log_id, fault, detail)
  values (run, call, fault, hint);
end;
$$;

comment on function agentdb._note_unknown_tool (bigint, bigint, bigint, text) is
  'Marks a call of a tool that its agent does not have, unless by a former name, and '
  'says which are nearest.';


-- Of its own tools, for whoever compares arguments before they are logged.
create or replace function agentdb.tool_schema (tool text, run bigint default null)
  returns jsonb
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
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

comment on function agentdb.tool_schema (text, bigint) is
  'The JSON Schema of the arguments of a tool of the agent, also under a former name; '
  'NULL where there is none; raises ZA001 or ZA003.';
