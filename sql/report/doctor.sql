-- Doctor: what is wrong with the installation itself, a row a finding, each with what
-- fixes it.

-- The last day of each major version, from PostgreSQL's versioning policy.
create or replace function agentdb._end_of_life (major integer)
  returns date
  language sql
  immutable
  return case major
    when 14 then date '2026-11-12'
    when 15 then date '2027-11-11'
    when 16 then date '2028-11-09'
    when 17 then date '2029-11-08'
    when 18 then date '2030-11-14'
  end;

comment on function agentdb._end_of_life (integer) is
  'When the support of a major version of PostgreSQL ends; NULL where it is unknown.';


create or replace view agentdb.server_finding as
  select f.check_name, f.state, f.detail, f.fix
  from (
    select current_setting('server_version_num')::integer as version,
      current_setting('server_version') as version_text
  ) as s
  cross join lateral (
    values
      (
        'server', case
          when s.version < 140000 then 'critical'
          -- 14.0 to 14.3 corrupt indexes that are built concurrently.
          when s.version between 140000 and 140003 then 'critical'
          when agentdb._end_of_life(s.version / 10000) < current_date then 'warning'
          else 'ok'
        end,
        'PostgreSQL ' || s.version_text || coalesce(' is supported until '
          || agentdb._end_of_life(s.version / 10000), ''),
        'Upgrade to a version that is still supported, and to its newest minor.'
      ),
      (
        'durability',
        case when current_setting('fsync')::boolean
          and current_setting('full_page_writes')::boolean then 'ok'
          else 'critical' end,
        format('fsync is %s, full_page_writes is %s', current_setting('fsync'),
          current_setting('full_page_writes')),
        'Set fsync and full_page_writes to on: after a power cut nothing could be '
          'believed.'
      ),
      (
        'prepared transactions',
        case when current_setting('max_prepared_transactions')::integer = 0 then 'ok'
          else 'warning' end,
        'max_prepared_transactions is '
          || current_setting('max_prepared_transactions'),
        'Set it to 0 unless a coordinator needs it: a prepared transaction holds '
          'locks, and a drain, until somebody ends it.'
      )
  ) as f (check_name, state, detail, fix);

comment on view agentdb.server_finding is
  'What the server''s version and settings mean for what agentdb promises.';
comment on column agentdb.server_finding.check_name is
  'What was looked at.';
comment on column agentdb.server_finding.state is
  'ok, warning or critical.';
comment on column agentdb.server_finding.detail is
  'What was seen.';
comment on column agentdb.server_finding.fix is
  'What to do where it is not ok.';


create or replace view agentdb.role_finding as
  select f.check_name, f.state, f.detail, f.fix
  from agentdb.agent as a
  left join pg_roles as r on r.rolname = a.role_name
  cross join lateral (
    select 'role of ' || a.agent_name as check_name, 'critical' as state,
      format('role %s of agent %s: %s', a.role_name, a.agent_name,
        coalesce(nullif(agentdb._role_fault(a.role_name), ''), 'there is no such role'))
        as detail,
      format('create role %I login in role agentdb_agent; and register the agent '
        'under it', a.role_name || '_agent') as fix
    where agentdb._role_fault(a.role_name) is distinct from ''
    union all
    select 'tables of ' || a.agent_name, 'critical',
      format('role %s of agent %s owns audited %s and can switch its triggers off',
        a.role_name, a.agent_name, string_agg(t.table_name, ', ')),
      format('alter table %s owner to somebody_else;', min(t.table_name))
    from agentdb.audit_target as t
    join pg_class as c on c.oid = t.table_oid
    where t.unaudited_at is null and pg_has_role(r.oid, c.relowner, 'member')
    having count(*) > 0
    union all
    select 'role of ' || a.agent_name, 'warning',
      format('agents %s share role %s: the database tells them apart only by token',
        string_agg(o.agent_name, ', '), a.role_name),
      'Give each agent a login role of its own where you can.'
    from agentdb.agent as o
    where o.role_name = a.role_name
    having count(*) > 1 and min(o.agent_name) = a.agent_name
  ) as f
  where a.role_name <> 'agentdb_intake'
  union all
  -- Not registered, and an agent all the same.
  select 'role of ' || r.rolname, 'critical',
    format('role %s of agents: %s', r.rolname, agentdb._role_fault(r.rolname)),
    format('revoke agentdb_agent from %I;', r.rolname)
  from pg_roles as r
  where r.rolcanlogin and not r.rolsuper
    and pg_has_role(r.oid, 'agentdb_agent', 'usage')
    and agentdb._role_fault(r.rolname) <> ''
    and not exists (select from agentdb.agent as a where a.role_name = r.rolname)
  union all
  select 'parts of ' || t.table_name, 'critical',
    format('an agent controls a part of it: %s', h.part),
    'Give these to the owner of the table, or revoke them.'
  from agentdb.audit_target as t
  join pg_class as c on c.oid = t.table_oid
  cross join lateral (
    select agentdb._hostile_reached(c.oid, case when exists (
        select from agentdb.guarded_table as g where g.table_oid = c.oid)
      then agentdb._reached(c.oid) else array[c.oid] end) as part
  ) as h
  where t.unaudited_at is null
    and h.part is not null
    -- Said by the name of the agent.
    and c.relowner <> all (agentdb._agents_roles())
  union all
  select 'functions of ' || p.proowner::regrole, 'warning',
    format('%s run as %s in whoever''s session calls them: what they write to a table '
      'that is audited and not guarded is recorded under the login of that session',
      left(string_agg(distinct p.oid::regprocedure::text, ', '), 500),
      p.proowner::regrole),
    format('revoke execute on function %s from %s; guard what it writes, or make it '
      'security invoker.', min(p.oid::regprocedure::text),
      coalesce(min(x.grantee::regrole::text) filter (where x.grantee <> 0), 'public'))
  from pg_proc as p
  cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as x
  where p.prosecdef and p.prorettype <> 'trigger'::regtype
    and p.proowner = any (agentdb._agents_roles())
    and x.grantee <> p.proowner
  group by p.proowner
  union all
  select 'numbers of ' || g.table_name, 'warning',
    format('all agents can use up the numbers of %s', c.oid::regclass),
    format('revoke usage on sequence %s from %s;', c.oid::regclass,
      case x.grantee when 0 then 'public' else 'agentdb_agent' end)
  from agentdb.guarded_table as g
  cross join lateral agentdb._attached(g.table_oid) as a
  join pg_class as c on c.oid = a.objid and c.relkind = 'S'
  cross join lateral aclexplode(c.relacl) as x
  where a.classid = 'pg_class'::regclass
    and x.privilege_type = 'USAGE'
    and (x.grantee = 0 or x.grantee = (
      select r.oid from pg_roles as r where r.rolname = 'agentdb_agent'))
  union all
  select 'owners', 'critical',
    format('%s is a member of %s and can undo every protection', m.rolname, g.rolname),
    format('revoke %I from %s;', g.rolname, x.member::regrole)
  from pg_auth_members as x
  join pg_roles as g on g.oid = x.roleid
  -- By whatever way: SET ROLE needs no more.
  join pg_roles as m on pg_has_role(m.oid, x.member, 'member')
  where g.rolname in ('agentdb_owner', 'agentdb_capture', 'agentdb_applier')
    and m.rolcanlogin and not m.rolsuper
    -- The creator of a role keeps the right to grant it (16), nothing more.
    and not (x.admin_option
      and coalesce(not (to_jsonb(x) ->> 'set_option')::boolean, false));

comment on view agentdb.role_finding is
  'Login roles that can do more than an agent must be able to, and tables of which an '
  'agent controls a part.';
comment on column agentdb.role_finding.check_name is
  'What was looked at.';
comment on column agentdb.role_finding.state is
  'warning or critical.';
comment on column agentdb.role_finding.detail is
  'What was seen.';
comment on column agentdb.role_finding.fix is
  'What to do.';


create or replace view agentdb.code_finding as
  select 'functions' as check_name, 'critical' as state,
    format('function agentdb.%s %s', p.proname, f.fault) as detail,
    'agentdb install --check tells what differs; agentdb install puts it back.' as fix
  from pg_proc as p
  cross join lateral (
    select 'does not pin its search_path' as fault
    where p.prosqlbody is null
      and not coalesce(array_to_string(p.proconfig, ','), '') ~ 'search_path='
    union all
    select 'may be executed by PUBLIC'
    where p.proacl is null
      or exists (select from aclexplode(p.proacl) as x where x.grantee = 0)
  ) as f
  where p.pronamespace = 'agentdb'::regnamespace
  union all
  select 'triggers', 'critical', format('%s of %s: %s', u.what, u.table_name, u.fault),
    coalesce(
      'agentdb maintain by the owner of the table does it, or: ' || (
        select r.call from agentdb.repairable as r
        where r.what = u.what and r.table_name = u.table_name),
      'Put back what was changed, or audit, guard or fence the table again.')
  from (
    select 'audit', a.table_name, a.fault from agentdb.audit_fault as a
    union all
    select 'guard', g.table_name, g.fault from agentdb.guard_fault as g
    union all
    select 'fence', f.table_name, f.fault from agentdb.fence_fault as f
  ) as u (what, table_name, fault);

comment on view agentdb.code_finding is
  'Functions and triggers of agentdb that are not as they were installed.';
comment on column agentdb.code_finding.check_name is
  'What was looked at.';
comment on column agentdb.code_finding.state is
  'critical.';
comment on column agentdb.code_finding.detail is
  'What was seen.';
comment on column agentdb.code_finding.fix is
  'What to do.';


create or replace view agentdb.session_finding as
  select 'sessions' as check_name, 'warning' as state,
    'agentdb may not see when a session began: after a kill a session that could be '
      'the killed one is refused, and before a restart it counts as alive' as detail,
    'grant pg_read_all_stats to agentdb_owner;' as fix
  where not pg_has_role('agentdb_owner', 'pg_read_all_stats', 'usage')
  union all
  select 'prepared by ' || p.owner, 'critical',
    format('transaction %L of %s has been prepared since %s: it holds what it locked, '
      'a drain too, and no kill ends it', p.gid, p.owner,
      to_char(p.prepared, 'YYYY-MM-DD HH24:MI')),
    format('rollback prepared %L;', p.gid)
  from pg_prepared_xacts as p
  where p.database = current_database()
    and p.owner in (select a.role_name from agentdb.agent as a)
  union all
  select 'connection of ' || a.agent_name, 'warning',
    format('role %s of agent %s: a machine that is lost without a word stays connected '
      'for hours, and its run alive', a.role_name, a.agent_name),
    format('alter role %I in database %I set client_connection_check_interval = %L;',
      a.role_name, current_database(), '10s')
  from agentdb.agent as a
  where not a.pooled
    and coalesce(
      agentdb._role_setting(a.role_name, 'client_connection_check_interval'),
      current_setting('client_connection_check_interval')) ~ '^0'
  union all
  select 'writes of ' || a.role_name, 'warning',
    format('what role %s writes without a token is recorded as nobody''s: '
      'policy.unbound_writes of %s is record', a.role_name,
      string_agg(a.agent_name, ', ' order by a.agent_name)),
    format('update agentdb.policy set unbound_writes = %L where policy_name = %L;',
      'refuse', min(a.policy_name))
  from agentdb.agent as a
  join agentdb.policy as p on p.policy_name = a.policy_name
  where a.pooled and a.role_name <> 'agentdb_intake'
  group by a.role_name
  having bool_and(p.unbound_writes = 'record');

comment on view agentdb.session_finding is
  'What keeps a run from being told from outside, or ended.';
comment on column agentdb.session_finding.check_name is
  'What was looked at.';
comment on column agentdb.session_finding.state is
  'warning or critical.';
comment on column agentdb.session_finding.detail is
  'What was seen.';
comment on column agentdb.session_finding.fix is
  'What to do.';


create or replace view agentdb.doctor as
  select f.check_name, f.state, f.detail,
    case when f.state <> 'ok' then f.fix end as fix
  from (
    select s.check_name, s.state, s.detail, s.fix from agentdb.server_finding as s
    union all
    select r.check_name, r.state, r.detail, r.fix from agentdb.role_finding as r
    union all
    select 'roles', 'ok', 'no agent''s role can do more than it must', null
    where not exists (select from agentdb.role_finding)
    union all
    -- PostgreSQL's own from version 16 on, and not his to revoke.
    select 'installer', 'ok',
      format('%s made %s and can act as it: the role of a DBA, and no agent''s',
        x.member::regrole, string_agg(g.rolname, ', ' order by g.rolname)),
      null
    from pg_auth_members as x
    join pg_roles as g on g.oid = x.roleid
    where g.rolname in ('agentdb_owner', 'agentdb_capture', 'agentdb_applier')
      and x.admin_option
      and not (select r.rolsuper from pg_roles as r where r.oid = x.member)
    group by x.member
    union all
    select s.check_name, s.state, s.detail, s.fix from agentdb.session_finding as s
    union all
    select c.check_name, c.state, c.detail, c.fix from agentdb.code_finding as c
    union all
    select 'code', 'ok', 'functions are pinned and triggers are in place', null
    where not exists (select from agentdb.code_finding)
    union all
    select 'tables', 'warning',
      format('%s was altered: its %s is not adapted yet', t.table_name, t.part),
      'agentdb run does it within a minute; agentdb maintain at once, and says what '
      'is in the way.'
    from agentdb.altered_table as t
    union all
    select h.check_name, h.state, h.detail,
      'agentdb status and agentdb alerts say more.'
    from agentdb.health_check as h
    where h.check_name <> 'alerts'
  ) as f;

comment on view agentdb.doctor is
  'All that can be seen from inside the database of whether agentdb can keep its '
  'promises; agentdb doctor adds what only the machine knows.';
comment on column agentdb.doctor.check_name is
  'What was looked at.';
comment on column agentdb.doctor.state is
  'ok, warning or critical.';
comment on column agentdb.doctor.detail is
  'What was seen.';
comment on column agentdb.doctor.fix is
  'What to do where it is not ok.';
