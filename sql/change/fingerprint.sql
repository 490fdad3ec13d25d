-- A fingerprint of the rows of the catalogue that the facts of a table were made from.

-- Lists by number: what is not in them and comes to count changes a row that is.  A
-- tuple is known by who wrote it with which command, wherever it lies.  A new default,
-- constraint or first child changes a row of the table itself or of its triggers.
create or replace function agentdb._fingerprint (f agentdb.change_fact)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
begin
  -- One list: an aggregate for each would cost more than the rows.
  return md5(array(
    select concat('t', t.table_oid, t.unaudited_at is null, t.excluded, t.redacted,
        t.excluded_places, t.redacted_places)
      from agentdb.audit_target as t
      where t.audit_target_id = f.audit_target_id
    union all select concat('c', c.oid, ' ', c.xmin, ' ', c.cmin)
      from pg_class as c where c.oid = any (f.relations)
    union all select concat('a', a.xmin, ' ', a.cmin)
      from pg_attribute as a where a.attrelid = any (f.relations) and a.attnum > 0
    union all select concat('g', t.oid, ' ', t.xmin, ' ', t.cmin)
      from pg_trigger as t where t.tgrelid = any (f.relations)
    union all select concat('y', p.oid, ' ', p.xmin, ' ', p.cmin)
      from pg_policy as p where p.polrelid = any (f.relations)
    union all select concat('i', i.indexrelid, ' ', i.xmin, ' ', i.cmin)
      from pg_index as i where i.indrelid = any (f.relations)
    union all select concat('f', p.oid, ' ', p.xmin, ' ', p.cmin)
      from pg_proc as p where p.oid = any (f.functions)
    union all select concat('n', n.oid, ' ', n.xmin, ' ', n.cmin)
      from pg_namespace as n where n.oid = any (f.schemas)
    union all select concat('k', c.oid, ' ', c.xmin)
      from pg_cast as c where c.oid >= 16384
    -- Who is an agent, and as whom it can act.
    union all select concat('d', d.xmin, ' ', d.cmin)
      from pg_database as d where d.datname = current_database()
    union all select concat('r', r.oid, r.rolname, r.rolsuper, r.rolinherit)
      from pg_roles as r where r.oid = any (f.roles)
    union all select concat('m', m.roleid, ' ', m.member, ' ', m.xmin, ' ', m.cmin)
      from pg_auth_members as m where m.roleid = any (f.roles)
    union all select concat('o', m.roleid, ' ', m.member, ' ', m.xmin, ' ', m.cmin)
      from pg_auth_members as m where m.member = any (f.roles)
    -- An agent has its role by name, which another may get.
    union all select concat('x', count(*), ' ',
        sum(hashtextextended(a.role_name, r.oid::bigint)))
      from agentdb.agent as a
      left join pg_roles as r on r.rolname = a.role_name)::text
    || case when f.special then agentdb._special_print(f) else '' end);
end;
$$;

comment on function agentdb._fingerprint (agentdb.change_fact) is
  'What the rows of the catalogue that facts were made from are now.';


create or replace function agentdb._special_print (f agentdb.change_fact)
  returns text
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
  set plan_cache_mode = force_generic_plan
  set enable_seqscan = off
as $$
begin
  return concat(
    array(select concat(t.oid, ' ', t.xmin, ' ', t.cmin) from pg_type as t
      where t.oid = any (f.types)),
    -- By its index: a constraint of a domain is none of a table.
    array(select concat(k.oid, ' ', k.xmin, ' ', k.cmin) from pg_constraint as k
      where k.conrelid = 0 and k.contypid = any (f.types)),
    array(select concat(k.oid, ' ', k.xmin, ' ', k.cmin) from pg_constraint as k
      where k.conrelid = any (f.relations)),
    array(select concat(d.oid, ' ', d.xmin) from pg_attrdef as d
      where d.adrelid = any (f.relations)),
    array(select concat(r.oid, ' ', r.xmin, ' ', r.cmin) from pg_rewrite as r
      where r.ev_class = any (f.relations)),
    array(select i.inhrelid from pg_inherits as i
      where i.inhparent = any (f.relations)),
    array(select concat(c.oid, ' ', c.xmin, ' ', c.cmin) from pg_collation as c
      where c.oid = any (f.collations)),
    array(select concat(s.objid, ' ', s.refobjid) from pg_shdepend as s
      where s.dbid = (
          select d.oid from pg_database as d where d.datname = current_database())
        and s.classid = any (array['pg_extension', 'pg_operator', 'pg_opclass',
          'pg_opfamily', 'pg_language', 'pg_conversion', 'pg_ts_config',
          'pg_ts_dict']::regclass[])
        and s.objid = any (f.others)
        and s.deptype = 'o'),
    (select n.oid from pg_namespace as n where n.nspname = 'public'));
end;
$$;

comment on function agentdb._special_print (agentdb.change_fact) is
  'The same of what most tables do not have: types of users, extensions, rules, '
  'children.';
