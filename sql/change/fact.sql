-- Facts of the catalogue that are the same for every change of a table, the look for
-- what an agent controls among them, are made once.  They are kept with a fingerprint
-- of the rows of the catalogue that they were made from, and hold while that is the
-- same.

create or replace function agentdb._fact (target integer)
  returns agentdb.change_fact
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_fact agentdb.change_fact;
begin
  -- Mostly it is the youngest.
  select f.* into v_fact
  from agentdb.change_fact as f
  where f.audit_target_id = target
    and f.change_fact_id = (
      select max(o.change_fact_id) from agentdb.change_fact as o
      where o.audit_target_id = target);
  if v_fact.fingerprint = agentdb._fingerprint(v_fact) then
    return v_fact;
  end if;
  -- Not all others: who makes the catalogue another one with each change slows nobody
  -- down.
  v_fact := (
    select k.fact
    from (
      select f as fact, f.fingerprint from agentdb.change_fact as f
      where f.audit_target_id = target
      order by f.change_fact_id desc
      limit 10
    ) as k
    where k.fingerprint = agentdb._fingerprint(k.fact)
    limit 1);
  if v_fact.change_fact_id is null then
    v_fact := agentdb._made_fact(target);
  end if;
  return v_fact;
end;
$$;

comment on function agentdb._fact (integer) is
  'The facts of a table as they are now: kept ones, or made anew.';


-- A snapshot that is older shows a catalogue that may be another one by now, while
-- PostgreSQL itself executes by that of now.  An agent has its old one at hand.
create or replace function agentdb._is_outdated (age interval)
  returns boolean
  language sql
  stable
  return current_setting('transaction_isolation') <> 'read committed'
    and statement_timestamp() - transaction_timestamp() >= age;

comment on function agentdb._is_outdated (interval) is
  'Whether the transaction sees the catalogue as it was so long ago.';


-- Two that make the same at once both keep theirs: no agent waits for another.
create or replace function agentdb._kept_fact (target integer)
  returns agentdb.change_fact
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_fact agentdb.change_fact;
begin
  v_fact := agentdb._fact(target);
  -- Of one that is gone there is nothing to keep.
  if v_fact.change_fact_id is null and v_fact.columns is not null then
    v_fact.change_fact_id := nextval('agentdb.change_fact_seq');
    v_fact.made_at := clock_timestamp();
    insert into agentdb.change_fact select v_fact.*;
  end if;
  return v_fact;
end;
$$;

comment on function agentdb._kept_fact (integer) is
  'The facts of a table as they are now, kept for the next change.';


create or replace function agentdb._forget_facts ()
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_count bigint;
begin
  delete from agentdb.change_fact as f
  where f.made_at < clock_timestamp() - interval '1 hour'
    and (f.fingerprint <> agentdb._fingerprint(f)
      or exists (
        select from agentdb.change_fact as o
        where o.audit_target_id = f.audit_target_id
          and o.fingerprint = f.fingerprint
          and o.change_fact_id > f.change_fact_id));
  get diagnostics v_count = row_count;
  return v_count;
end;
$$;

comment on function agentdb._forget_facts () is
  'Removes facts that do not hold any more, or are kept twice; returns how many.';
