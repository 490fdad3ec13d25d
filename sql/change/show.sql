-- Looking at changes: what is proposed, why, and what it would do.

create or replace view agentdb.change_summary as
  select
    c.change_id, c.state, c.kind, a.agent_name, c.run_id, u.on_behalf_of,
    c.proposed_by, c.reason,
    (
      select string_agg(t.table_name, ', ' order by t.table_name)
      from agentdb.change_table as t where t.change_id = c.change_id
    ) as tables,
    c.row_count, c.effects, c.builds_on, c.undoes,
    greatest(0, c.approvals - (
      select count(*) from agentdb.change_decision as d
      where d.change_id = c.change_id and d.decision = 'approve'
    ))::integer as approvals_missing,
    (
      select string_agg(format('%s: %s', concat_ws(' by way of ', d.reviewer,
        d.by_way_of), d.decision), ', '
        order by d.decided_at)
      from agentdb.change_decision as d where d.change_id = c.change_id
    ) as decisions,
    c.apply, c.digest, c.opened_at, c.submitted_at, c.expires_at, c.closed_at,
    c.applied_by, c.applied_xid, c.problem, c.rebased
  from agentdb.change as c
  left join agentdb.agent as a on a.agent_id = c.agent_id
  left join agentdb.run as u on u.run_id = c.run_id;

comment on view agentdb.change_summary is
  'Changes, a row each: who proposes what, why, and how far it has come.';
comment on column agentdb.change_summary.change_id is
  'Its number.';
comment on column agentdb.change_summary.state is
  'open, pending, approved, applied, rejected, withdrawn, expired or conflict.';
comment on column agentdb.change_summary.kind is
  'stage, or undo of what was written before.';
comment on column agentdb.change_summary.agent_name is
  'The agent that proposes it; NULL for a person.';
comment on column agentdb.change_summary.run_id is
  'The run that proposes it.';
comment on column agentdb.change_summary.on_behalf_of is
  'For whom that run works, as its agent said: a claim.';
comment on column agentdb.change_summary.proposed_by is
  'The role that logged in.';
comment on column agentdb.change_summary.reason is
  'Why, in the words of the proposer: a claim.';
comment on column agentdb.change_summary.tables is
  'The tables it writes.';
comment on column agentdb.change_summary.row_count is
  'How many rows it names.';
comment on column agentdb.change_summary.effects is
  'How many rows of each table it wrote when it was tried or applied, side effects of '
  'triggers and cascades included.';
comment on column agentdb.change_summary.builds_on is
  'Changes that must be applied before.';
comment on column agentdb.change_summary.undoes is
  'What it takes back.';
comment on column agentdb.change_summary.approvals_missing is
  'How many approvals it still needs.';
comment on column agentdb.change_summary.decisions is
  'Who decided what.';
comment on column agentdb.change_summary.apply is
  'When it is applied once approved: approval, runner or hand.';
comment on column agentdb.change_summary.digest is
  'What an approval repeats: the hash of its content.';
comment on column agentdb.change_summary.opened_at is
  'When its first row was staged.';
comment on column agentdb.change_summary.submitted_at is
  'When it was handed to the reviewers.';
comment on column agentdb.change_summary.expires_at is
  'When it ends if nobody decides.';
comment on column agentdb.change_summary.closed_at is
  'When it ended.';
comment on column agentdb.change_summary.applied_by is
  'The role in whose session it was applied.';
comment on column agentdb.change_summary.applied_xid is
  'The transaction that applied it.';
comment on column agentdb.change_summary.problem is
  'Why it could not be applied.';
comment on column agentdb.change_summary.rebased is
  'Which change it stages anew (from), who did so and how, or as which it was (as).';


create or replace function agentdb._is_validator (change bigint, agent bigint)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select coalesce(bool_and(a.agent_name = any (g.validators)), false)
  from agentdb.change_table as t
  left join agentdb.guarded_table as g on g.audit_target_id = t.audit_target_id
  left join agentdb.agent as a on a.agent_id = agent
  where t.change_id = change;
$$;

comment on function agentdb._is_validator (bigint, bigint) is
  'Whether the approval of an agent counts for all tables of a change.';


create or replace function agentdb._is_proposer (change bigint)
  returns boolean
  language sql
  stable
  set search_path = pg_catalog, pg_temp
as $$
  select c.proposed_by = agentdb._person() and c.agent_id is not null
  from agentdb.change as c
  where c.change_id = change;
$$;

comment on function agentdb._is_proposer (bigint) is
  'Whether the session is that of the agent that proposed a change.';


create or replace function agentdb._check_seen (change bigint)
  returns void
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_proposed_by name;
  v_proposer bigint;
  v_agent bigint;
begin
  select c.proposed_by, c.agent_id into v_proposed_by, v_proposer
  from agentdb.change as c where c.change_id = change;
  if agentdb._is_agent() then
    v_agent := (select w.agent_id from agentdb._known_writer() as w);
    if v_proposed_by = session_user and v_agent = v_proposer
      or agentdb._is_validator(change, v_agent) then
      return;
    end if;
  elsif v_proposed_by is not null and (
    pg_has_role(session_user, 'agentdb_reviewer', 'usage')
    or pg_has_role(session_user, 'agentdb_operator', 'usage')
    or pg_has_role(session_user, 'agentdb_auditor', 'usage')
  ) then
    return;
  end if;
  perform agentdb._refuse_state(change, null, null);
end;
$$;

comment on function agentdb._check_seen (bigint) is
  'Raises ZA006 for a change that the session may not look at, whether or not it '
  'exists.';


create or replace function agentdb.show_change (change bigint)
  returns setof agentdb.change_summary
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_change agentdb.change_summary;
begin
  perform agentdb._check_seen(change);
  select s.* into v_change
  from agentdb.change_summary as s where s.change_id = change;
  v_change := jsonb_populate_record(v_change, jsonb_build_object('problem',
    agentdb._veiled_problem(v_change.problem)));
  return next v_change;
end;
$$;

comment on function agentdb.show_change (bigint) is
  'One change, for its proposer and its reviewers; raises ZA004, ZA006.';


create or replace function agentdb._context_of (change bigint)
  returns table (place integer, context jsonb)
  language plpgsql
  stable
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_part record;
begin
  for v_part in
    select t.audit_target_id as target, g.context as columns
    from agentdb.change_table as t
    join agentdb.guarded_table as g on g.audit_target_id = t.audit_target_id
    where t.change_id = change
      and g.context <> '{}'
      -- Else its rows cannot be read as they are named here.
      and agentdb._rows_fault(change) is null
  loop
    return query
      select f.place, (
        select jsonb_object_agg(v.key, v.value)
        from jsonb_each(f.present) as v where v.key = any (v_part.columns))
      from agentdb._read_as_applier(format(
        'select s.place, s.operation, s.row_key, s.present, ''-'' as conflict '
        'from (%s) as s where s.present is not null',
        agentdb._current_sql(change, v_part.target)), 1000) as f;
  end loop;
end;
$$;

comment on function agentdb._context_of (bigint) is
  'The context columns of the rows of a change, as they are now.';


create or replace function agentdb.show_change_rows (
  change bigint,
  most integer default 1000
)
  returns table (
    place integer, table_name text, operation text, row_key jsonb, context jsonb,
    old_values jsonb, new_values jsonb
  )
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
begin
  perform agentdb._check_seen(change);
  if most < 0 then
    perform agentdb._refuse('most must not be negative', 'Leave it out for 1000 rows.');
  end if;
  return query
    -- Its proposer reads the table itself, as far as it still may.
    with context as materialized (
      select k.place, k.context
      from agentdb._context_of(change) as k
      where not agentdb._is_proposer(change)
    )
    select r.place, t.table_name, r.operation, r.row_key,
      -- What the row itself shows is not said twice.
      nullif(k.context - array(select jsonb_object_keys(
        coalesce(r.new_values, r.expected))), '{}'),
      r.expected, r.new_values
    from agentdb.change_row as r
    join agentdb.audit_target as t on t.audit_target_id = r.audit_target_id
    left join context as k on k.place = r.place
    where r.change_id = change
    order by r.place
    limit most;
  return query
    select r.place, t.table_name, 'read', r.row_key, null::jsonb,
      case when not agentdb._is_proposer(change) then r.seen end, null::jsonb
    from agentdb.change_read as r
    join agentdb.audit_target as t on t.audit_target_id = r.audit_target_id
    where r.change_id = change
    order by r.place
    limit most;
end;
$$;

comment on function agentdb.show_change_rows (bigint, integer) is
  'The rows of a change, of an update only what differs, then those that it rests on '
  '(read); for its proposer and its reviewers; raises ZA006.';


create or replace function agentdb.change_conflicts (change bigint)
  returns jsonb
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_conflicts jsonb;
begin
  perform agentdb._check_seen(change);
  if agentdb._rows_fault(change) is null then
    v_conflicts := agentdb._conflicts(change, 20, true)
      || agentdb._stale_reads(change, 20);
  end if;
  return nullif(case when agentdb._is_agent() then agentdb._veiled(v_conflicts)
    else v_conflicts end, '[]');
end;
$$;

comment on function agentdb.change_conflicts (bigint) is
  'What would be in the way of a change if it were applied now: the first rows of '
  'guarded tables that are not as they were, as in its problem; NULL where there are '
  'none; for its proposer and its reviewers; raises ZA006.';


create or replace function agentdb.waiting_changes ()
  returns setof agentdb.change_summary
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_agent_id bigint;
  v_is_agent boolean := agentdb._is_agent();
begin
  if v_is_agent then
    v_agent_id := (select w.agent_id from agentdb._known_writer() as w);
  end if;
  return query
    select s.*
    from agentdb.change_summary as s
    where s.change_id in (
        select c.change_id from agentdb.change as c
        where c.state = 'pending' and c.expires_at > clock_timestamp())
      and case when v_is_agent
        then s.proposed_by <> session_user
          and agentdb._is_validator(s.change_id, v_agent_id)
        else pg_has_role(session_user, 'agentdb_reviewer', 'usage')
          or pg_has_role(session_user, 'agentdb_operator', 'usage') end
    order by s.change_id;
end;
$$;

comment on function agentdb.waiting_changes () is
  'The changes that wait for a decision which the session may see, the oldest first.';
