-- The installation: a copy of a database, made by a backup or a snapshot, has the
-- alerts, the receivers and the outbox of the original.  A runner that finds it at
-- another address sends nothing until a person says that this is meant.

create or replace function agentdb._foreign (
  known agentdb.installation,
  site text,
  address text
)
  returns text
  language sql
  immutable
  return format('nothing is sent: this database is known as %s at %s, and the runner '
    'finds it %sat %s.  If it has moved, or is a copy that shall speak for itself: '
    'agentdb adopt --as SITE, with that site in the runner''s configuration',
    coalesce('site ' || known.site, 'a site without a name'),
    coalesce(known.address, 'no address yet'), 'as site ' || site || ' ', address);

comment on function agentdb._foreign (agentdb.installation, text, text) is
  'Why nothing is sent of a database that is found elsewhere than it is known to be.';


create or replace function agentdb.check_in (site text, address text)
  returns text
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_known agentdb.installation;
begin
  select * into v_known from agentdb.installation as i for update;
  -- One that was adopted and not reached yet waits for its site.
  if v_known.site <> check_in.site
      and v_known.address is distinct from check_in.address
    or v_known.address <> check_in.address
      and (check_in.site is null or check_in.site is distinct from v_known.site) then
    update agentdb.installation as i
    set refused_address = left(check_in.address, 300),
        refused_at = clock_timestamp();
    return agentdb._foreign(v_known, check_in.site, check_in.address);
  end if;
  update agentdb.installation as i
  set site = coalesce(check_in.site, i.site),
      address = check_in.address,
      seen_at = clock_timestamp();
  return null;
end;
$$;

comment on function agentdb.check_in (text, text) is
  'Says under which site and address a runner reached this database; returns why it '
  'must send nothing, or NULL.  The same site may move, as to a standby.';


-- A runner that is refused tries again every few seconds; another may reach the
-- database where it is known.
create or replace function agentdb._refused_here (since interval)
  returns text
  language sql
  stable
  return (
    select agentdb._foreign(i, null, i.refused_address)
    from agentdb.installation as i
    where i.refused_at > coalesce(i.seen_at, '-infinity')
      and i.refused_at > clock_timestamp() - since
  );

comment on function agentdb._refused_here (interval) is
  'Why a runner that has reached this database of late sends nothing of it; NULL where '
  'none was refused.';


create or replace function agentdb.adopt (site text)
  returns bigint
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '5s'
as $$
declare
  v_dropped bigint;
begin
  if site is null or site !~ '^[a-z0-9][a-z0-9_.-]{0,62}$' then
    perform agentdb._refuse(
      format('%L is no name for a site', agentdb._clean_text(site, 100)),
      'Use 1 to 63 of a-z, 0-9, dot, dash and underscore.');
  end if;
  update agentdb.installation as i
  set site = adopt.site,
      address = null,
      refused_address = null,
      refused_at = null,
      adopted_at = clock_timestamp(),
      adopted_by = agentdb._said_by();
  update agentdb.notification as n
  set state = 'cancelled',
      finished_at = clock_timestamp(),
      error = 'written before this database was adopted as ' || adopt.site
  where n.state = 'queued';
  get diagnostics v_dropped = row_count;
  return v_dropped;
end;
$$;

comment on function agentdb.adopt (text) is
  'Makes this database an installation of its own, or says that it has moved: its '
  'runners send from their next start on, what was queued is dropped; returns how many '
  'that were; raises ZA004.';


create or replace function agentdb._dedup_prefix ()
  returns text
  language sql
  stable
  return (
    select format('agentdb/%s/%s', concat_ws('-', i.site,
      left(i.installation_id::text, 8)), current_database())
    from agentdb.installation as i
  );

comment on function agentdb._dedup_prefix () is
  'What the names of this installation''s incidents begin with, at receivers that many '
  'installations share.';
