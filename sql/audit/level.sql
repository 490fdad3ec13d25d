-- Whether a table can be recorded by statement, which is faster, or only by row.

-- Ours of any kind write no table of the application.
create or replace function agentdb._foreign_triggers (table_oid oid)
  returns table (trigger_oid oid, tgname name, tgtype smallint)
  language sql
  stable
begin atomic
  select t.oid, t.tgname, t.tgtype
  from pg_trigger as t
  where t.tgrelid = _foreign_triggers.table_oid
    and not t.tgisinternal
    and (t.tgtype & 28) > 0
    and not exists (
      select from pg_proc as p
      where p.oid = t.tgfoid and p.pronamespace = 'agentdb'::regnamespace);
end;

comment on function agentdb._foreign_triggers (oid) is
  'The triggers of the application that fire when rows of a table are written.';


-- A delete or update that PostgreSQL passes on may come back to the table, by a key or
-- by a trigger on its way.
create or replace function agentdb._comes_back (table_oid oid)
  returns boolean
  language sql
  stable
begin atomic
  with recursive reached (oid) as (
    select k.conrelid
    from pg_constraint as k
    where k.confrelid = _comes_back.table_oid
      and k.contype = 'f'
      and (k.confdeltype in ('c', 'n', 'd') or k.confupdtype in ('c', 'n', 'd'))
    union
    select k.conrelid
    from reached as r
    join pg_constraint as k
      on k.confrelid = r.oid
      and k.contype = 'f'
      and (k.confdeltype in ('c', 'n', 'd') or k.confupdtype in ('c', 'n', 'd'))
  )
  select exists (
    select from reached as r
    where r.oid = _comes_back.table_oid
      or exists (select from agentdb._foreign_triggers(r.oid) as t)
  );
end;

comment on function agentdb._comes_back (oid) is
  'Whether what foreign keys do elsewhere for a write of a table may write it again.';


create or replace function agentdb._needs_rows (table_oid oid)
  returns text
  language sql
  stable
  return (
    select case
      when c.relkind = 'p' or c.relispartition
        then 'a partition can be written to by its own name'
      when exists (
        select from pg_inherits as i where table_oid in (i.inhrelid, i.inhparent)
      ) then 'it inherits or is inherited from'
      when exists (
        select from pg_subscription_rel as s where s.srrelid = table_oid
      ) then 'a subscription writes row by row'
      when exists (
        select from agentdb._foreign_triggers(table_oid) as t
        where (t.tgtype & 66) = 0
          and ((t.tgtype & 1) = 1 or t.tgname < 'agentdb_audit_update')
      ) then 'its AFTER triggers may write to it in between'
      when agentdb._comes_back(table_oid)
        then 'what its foreign keys pass on may write to it in between'
      when c.relnatts > 600 then 'its rows are too wide to compare two at a time'
    end
    from pg_class as c
    where c.oid = table_oid
  );

comment on function agentdb._needs_rows (oid) is
  'Says why triggers by statement would miss or reorder writes of a table; NULL where'
  ' they would not.';
