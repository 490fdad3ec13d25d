-- How often agents are refused by an error.  A refusal rolls its transaction back, and
-- every row with it: only a sequence keeps what was drawn from it.  Each kind has a
-- counter for every agent, up to 256; agents beyond share them, and beside each counter
-- a second sequence holds who was counted last.  So there are never more than 2570,
-- nothing is created where somebody is refused, and registering an agent costs
-- milliseconds.  Whoever belongs to no agent has slot 0, and is counted by role.

-- The value of last_… is the number of an agent, or the negative oid of a role.
create or replace function agentdb._make_refusal_counters (slot bigint)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set client_min_messages = 'warning'
as $$
declare
  v_name text;
begin
  for v_name in
    select format(n.name, k.kind, slot)
    from unnest(array['fence', 'approval', 'guard', 'blast', 'stop']) as k (kind)
    cross join unnest(array['refused_%s_%s', 'last_%s_%s']) as n (name)
  loop
    continue when to_regclass('agentdb.' || v_name) is not null;
    begin
      execute format('create sequence agentdb.%I minvalue %s start 1 cache 1',
        v_name, '-9223372036854775807');
    -- Two are registered at once that share it.
    exception when unique_violation or duplicate_table then
      null;
    end;
  end loop;
end;
$$;

comment on function agentdb._make_refusal_counters (bigint) is
  'Creates the counters of a slot, as far as they are missing.';


create or replace function agentdb._refusal_slot (agent bigint)
  returns bigint
  language sql
  immutable
  return coalesce(1 + (agent - 1) % 256, 0);

comment on function agentdb._refusal_slot (bigint) is
  'Which counters count an agent; 0 for whoever is none.';


-- It must never refuse with another error than the one that it counts: a transaction
-- that may only read draws from no sequence, and a counter may be gone.
create or replace function agentdb._count_refusal (
  kind text,
  agent bigint,
  role_name name default session_user
)
  returns void
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_slot bigint := agentdb._refusal_slot(agent);
begin
  if current_setting('transaction_read_only') = 'on' then
    return;
  elsif to_regclass(format('agentdb.last_%s_%s', kind, v_slot)) is null then
    v_slot := 0;
  end if;
  perform nextval(to_regclass(format('agentdb.refused_%s_%s', kind, v_slot))),
    setval(to_regclass(format('agentdb.last_%s_%s', kind, v_slot)),
      coalesce(agent, - role_name::regrole::oid::bigint));
  -- Last: whoever has seen this one has all the others to see.
  perform nextval('agentdb.refusal_seq');
end;
$$;

comment on function agentdb._count_refusal (text, bigint, name) is
  'Counts what is about to be refused by an error (fence, approval, guard, blast, '
  'stop), of an agent or else of a role; the count survives the rollback.';

select agentdb._make_refusal_counters(0);
