-- Runs that belong together: a parent is proven by a token that it drew and that opens
-- one child.

create or replace function agentdb.spawn_token (run bigint default null)
  returns text
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_run_id bigint := (select c.run_id from agentdb._current_run(run) as c);
  v_token text := agentdb._new_secret();
begin
  -- Whoever counts holds the gate of nobody else.
  if (
    select count(*) >= 100 from agentdb.spawn_token as s
    where s.run_id = v_run_id and s.used_at is null
  ) then
    raise exception 'run % has 100 spawn tokens that nobody has used', v_run_id
      using errcode = 'ZA005',
            hint = 'Give one of them to the process that you start: '
              'agentdb.start_run(spawn_token => ''…'').';
  end if;
  insert into agentdb.spawn_token (token_hash, run_id)
  values (agentdb._hash_secret(v_token), v_run_id);
  return v_token;
end;
$$;

comment on function agentdb.spawn_token (bigint) is
  'A token with which one other run, of any agent, proves that this run started it; '
  'raises ZA001, ZA003 or ZA005.';


-- Behind the gate of the parent, which comes first: a kill of the tree waits for this
-- transaction, and then finds the child, or voids the token before this one takes it.
create or replace function agentdb._use_spawn_token (spawn_token text)
  returns bigint
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_run_id bigint;
begin
  if spawn_token is null then
    return null;
  end if;
  perform from agentdb.run_gate as g
  where g.run_id = (
    select s.run_id from agentdb.spawn_token as s
    where s.token_hash = agentdb._hash_secret(spawn_token) and s.used_at is null)
  for share;
  update agentdb.spawn_token as s
  set used_at = clock_timestamp()
  where s.token_hash = agentdb._hash_secret(spawn_token) and s.used_at is null
  returning s.run_id into v_run_id;
  if v_run_id is null then
    raise exception 'this spawn token is unknown, was used, or its tree was killed'
      using errcode = 'ZA001',
            hint = 'The parent draws one for each run that it starts: select '
              'agentdb.spawn_token();';
  end if;
  perform agentdb._check_stop(v_run_id, null);
  return v_run_id;
end;
$$;

comment on function agentdb._use_spawn_token (text) is
  'The run that drew a token, which is used up; raises ZA001, ZA040 or ZA041.';


create or replace function agentdb._root_through (parent bigint)
  returns bigint
  language sql
  stable
  return (
    select coalesce(r.root_run_id, r.run_id)
    from agentdb.run as r where r.run_id = parent
  );

comment on function agentdb._root_through (bigint) is
  'The first run of the tree that a child of a run belongs to, NULL without a parent.';


create or replace function agentdb.run_tree (run bigint)
  returns table (run_id bigint)
  language sql
  stable
begin atomic
  with recursive tree (run_id) as (
    select run_tree.run
    union
    select r.run_id
    from tree as t
    join agentdb.run as r on r.parent_run_id = t.run_id
  )
  select t.run_id from tree as t;
end;

comment on function agentdb.run_tree (bigint) is
  'A run and all that it, or they, started with a spawn token.';


create or replace function agentdb._spawning_ended (run bigint)
  returns table (run_id bigint)
  language sql
  stable
begin atomic
  select t.run_id
  from agentdb.run_tree(_spawning_ended.run) as t
  join agentdb.run as r on r.run_id = t.run_id and r.ended_at is not null
  where exists (
      select from agentdb.spawn_token as s
      where s.run_id = t.run_id and s.used_at is null)
    and not exists (
      select from agentdb.run_stop as k
      where k.run_id = t.run_id and k.kind = 'killed');
end;

comment on function agentdb._spawning_ended (bigint) is
  'The runs of a tree that ended by themselves and left spawn tokens unused.';


-- What has ended has no stop of its own with which its tokens could be refused.  One
-- that is just being used is left to drain_run().
create or replace function agentdb._void_spawn_tokens (run bigint)
  returns void
  language sql
  volatile
  set search_path = pg_catalog, pg_temp
as $$
  delete from agentdb.spawn_token as s
  where s.token_hash in (
    select o.token_hash
    from agentdb._spawning_ended(_void_spawn_tokens.run) as e
    join agentdb.spawn_token as o on o.run_id = e.run_id and o.used_at is null
    for update of o skip locked
  );
$$;

comment on function agentdb._void_spawn_tokens (bigint) is
  'Voids the unused spawn tokens of the runs of a tree that have ended.';
