-- What a person of the page does: judged by the rights of the role that it is mapped
-- to, and written down.

create or replace trigger agentdb_append_only
  before update or delete
  on agentdb.web_action
  for each row execute function agentdb._refuse_rewrite();

create or replace trigger agentdb_no_truncate
  before truncate
  on agentdb.web_action
  for each statement execute function agentdb._refuse_rewrite();


-- Until _end_act(), or the end of the transaction.
create or replace function agentdb._act_for (
  person text,
  action regprocedure,
  arguments jsonb
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_role name := agentdb._role_of_subject(person);
  v_name text := (select p.proname from pg_proc as p where p.oid = action);
begin
  if not agentdb._is_web() then
    raise exception '% acts for nobody', session_user
      using errcode = '42501', hint = 'Call agentdb.' || v_name || '() itself.';
  elsif v_role is null then
    raise exception '% is a viewer', coalesce(agentdb._clean_line(person, 100), 'NULL')
      using errcode = '42501',
            hint = format('The role whose rights it is to have maps it: agentdb web '
              'map %s ROLE', quote_literal(agentdb._clean_line(person, 300)));
  elsif not has_function_privilege(v_role, action, 'execute') then
    raise exception '% may not %', v_role, replace(v_name, '_', ' ')
      using errcode = '42501',
            hint = format('grant %I to %I; or somebody else does it.', case
              when has_function_privilege('agentdb_reviewer', action, 'execute')
                then 'agentdb_reviewer' else 'agentdb_operator' end, v_role);
  end if;
  perform set_config('agentdb.person', person, true);
  insert into agentdb.web_action (subject, role_name, action, arguments)
  values (person, v_role, v_name,
    agentdb._bounded_json(jsonb_strip_nulls(arguments), 16384));
end;
$$;

comment on function agentdb._act_for (text, regprocedure, jsonb) is
  'Makes what follows the act of a person of the page, where its role may do it, and '
  'writes it down; raises 42501.';


create or replace function agentdb._end_act ()
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  select set_config('agentdb.person', '', true);
$$;

comment on function agentdb._end_act () is
  'Makes the session act for itself again.';


-- What was refused is rolled back with its own trace: it is told afterwards.
create or replace function agentdb.note_refusal (
  person text,
  action text,
  arguments jsonb,
  sqlstate text
)
  returns void
  language sql
  volatile
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
  insert into agentdb.web_action (subject, role_name, action, arguments, sqlstate)
  select coalesce(agentdb._clean_line(person, 300), '?'),
    agentdb._role_of_subject(person), coalesce(agentdb._clean_line(action, 100), '?'),
    coalesce(agentdb._bounded_json(agentdb._unquoted(arguments), 16384), '{}'),
    coalesce(agentdb._clean_line(sqlstate, 5), '?')
  -- Whoever repeats it fills nothing.
  where (
    select count(*) < 1000 from agentdb.web_action as a
    where a.acted_at > clock_timestamp() - interval '1 hour'
      and a.sqlstate is not null);
$$;

comment on function agentdb.note_refusal (text, text, jsonb, text) is
  'Writes down what was refused to a person of the page, and why: of an hour the first '
  '1000.';
