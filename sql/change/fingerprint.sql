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
  return md5(concat(
    (select concat(t.table_oid, t.unaudited_at is null, t.excluded, t.redacted,
        t.excluded_places, t.redacted_places)
      from agentdb.audit_target as t
      where t.audit_target_id = f.audit_target_id),
    (select concat('|', array_agg(c.oid), array_agg(c.xmin), array_agg(c.cmin))
      from pg_class as c where c.oid = any (f.relations)),
    (select concat('|', array_agg(a.xmin), array_agg(a.cmin))
      from pg_attribute as a where a.attrelid = any (f.relations)
        and a.attnum > 0),
    (select concat('|', array_agg(t.oid), array_agg(t.xmin), array_agg(t.cmin))
      from pg_trigger as t where t.tgrelid = any (f.relations)),
    (select concat('|', array_agg(p.oid), array_agg(p.xmin), array_agg(p.cmin))
      from pg_policy as p where p.polrelid = any (f.relations)),
    (select concat('|', array_agg(i.indexrelid), array_agg(i.xmin), array_agg(i.cmin))
      from pg_index as i where i.indrelid = any (f.relations)),
    (select concat('|', array_agg(p.oid), array_agg(p.xmin), array_agg(p.cmin))
      from pg_proc as p where p.oid = any (f.functions)),
    (select concat('|', array_agg(n.oid), array_agg(n.xmin), array_agg(n.cmin))
      from pg_namespace as n where n.oid = any (f.schemas)),
    (select concat('|', array_agg(c.oid), array_agg(c.xmin))
      from pg_cast as c where c.oid >= 16384),
    -- Who is an agent, and as whom it can act.
    (select concat('|', d.xmin, ' ', d.cmin) from pg_database as d
      where d.datname = current_database()),
    (select concat('|', array_agg(r.oid), array_agg(r.rolname), array_agg(r.rolsuper),
        array_agg(r.rolinherit))
      from pg_roles as r where r.oid = any (f.roles)),
    (select concat('|', array_agg(m.roleid), array_agg(m.member), array_agg(m.xmin),
        array_agg(m.cmin))
      from pg_auth_members as m where m.roleid = any (f.roles)),
    (select concat('|', array_agg(m.roleid), array_agg(m.member), array_agg(m.xmin),
        array_agg(m.cmin))
      from pg_auth_members as m where m.member = any (f.roles)),
    -- An agent has its role by name, which another may get.
    (select concat('|', count(*), ' ', sum(hashtextextended(a.role_name,
        r.oid::bigint)))
      from agentdb.agent as a
      left join pg_roles as r on r.rolname = a.role_name),
    case when f.special then agentdb._special_print(f) end));
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
