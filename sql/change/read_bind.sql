-- Binding a change to rows that it does not write.

-- What a change writes is bound by that.
create or replace function agentdb._is_bound (change bigint, target integer, key jsonb)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select exists (
    select from agentdb.change_row as r
    where r.change_id = change
      and r.audit_target_id = target
      and jsonb_hash_extended(coalesce(r.shown_key, r.row_key), r.change_id)
        = jsonb_hash_extended(key, change)
      and coalesce(r.shown_key, r.row_key) = key
    union all
    select from agentdb.change_row as r
    where r.change_id = change
      and r.audit_target_id = target
      and r.shown_key is not null
      and r.row_key = key
    union all
    select from agentdb.change_read as r
    where r.change_id = change
      and r.audit_target_id = target
      and jsonb_hash_extended(r.row_key, 0) = jsonb_hash_extended(key, 0)
      and r.row_key = key);
$$;

comment on function agentdb._is_bound (bigint, integer, jsonb) is
  'Whether a change writes a row or rests on it.';


create or replace function agentdb._add_read (
  change bigint,
  target integer,
  key jsonb,
  seen jsonb
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_place integer;
begin
  if agentdb._is_bound(change, target, key) then
    return;
  end if;
  v_place := 1 + coalesce((
    select max(r.place) from agentdb.change_read as r where r.change_id = change), 0);
  if v_place > coalesce((
      select c.max_rows from agentdb.change as c where c.change_id = change), v_place)
  then
    raise exception 'a change of this agent may rest on at most % rows', v_place - 1
      using errcode = 'ZA005',
            detail = 'See policy.max_change_rows.',
            hint = 'Name only the rows that decide whether the change is right.';
  end if;
  insert into agentdb.change_read (change_id, place, audit_target_id, row_key, seen)
  values (change, v_place, target, key, seen);
end;
$$;

comment on function agentdb._add_read (bigint, integer, jsonb, jsonb) is
  'Binds a change to a row that it does not write; raises ZA005.';


-- The staging view's trigger gives the row as the proposer's own rights let it see it.
create or replace function agentdb._stage_read (target integer, key jsonb, seen jsonb)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_change record;
  v_former bigint;
begin
  select c.* into v_change from agentdb._current_change() as c;
  select max(r.change_id) into v_former
  from agentdb.change as c
  join agentdb.change_row as r on r.change_id = c.change_id
  where c.proposed_by = session_user
    and c.agent_id is not distinct from v_change.agent_id
    and c.state in ('pending', 'approved')
    and r.audit_target_id = target
    and jsonb_hash_extended(coalesce(r.shown_key, r.row_key), r.change_id)
      = jsonb_hash_extended(key, c.change_id)
    and coalesce(r.shown_key, r.row_key) = key;
  if v_former is not null then
    perform agentdb._refuse(format('row %s is what change %s would make of it', key,
        v_former),
      'Wait until that is decided, or withdraw it: select * from '
        'agentdb.withdraw_change(change => ' || v_former || ');');
  end if;
  perform agentdb._add_read(v_change.change_id, target, key, seen);
end;
$$;

comment on function agentdb._stage_read (integer, jsonb, jsonb) is
  'Binds the session''s open change to a row as it sees it; raises ZA004 or ZA005.';
