-- What a proposer calls to have its change rest on rows that it does not write.

create or replace function agentdb.reads_statement (relation regclass, keys jsonb)
  returns text
  language plpgsql
  stable
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_view text := agentdb.staging_view(relation);
  v_target integer := agentdb._target_of(relation);
  v_names text[] := array(
    select c.column_name::text from agentdb.change_column as c
    where c.audit_target_id = v_target and c.key_place is not null);
begin
  if jsonb_typeof(keys) is distinct from 'array' or keys = '[]'
    or octet_length(keys::text) > 1000000 or exists (
    select from jsonb_array_elements(keys) as k (key)
    where case when jsonb_typeof(k.key) = 'object' then k.key - v_names <> '{}'
      or not k.key ?& v_names or jsonb_strip_nulls(k.key) <> k.key else true end
  ) then
    perform agentdb._refuse(format('%s are not keys of %s',
        coalesce(agentdb._clean_text(keys::text, 200), 'NULL'), relation),
      format('Give an array of objects, each with all columns of the primary key '
        '(%s) and no other.', array_to_string(v_names, ', ')));
  end if;
  return (
    select format('with k as (select distinct %1$s from jsonb_array_elements($1) as e '
      '(key)), u as (update %2$s as s set %3$s from k where %4$s '
      'returning %5$s as given, %6$s as held) '
      'select jsonb_agg(coalesce(u.held, %5$s)) from k left join u on u.given = %5$s',
      string_agg(format('%s as %I', agentdb._typed_sql('e.key', c.column_name,
        c.type_name), c.column_name), ', '),
      v_view,
      string_agg(format('%1$I = s.%1$I', c.column_name), ', '),
      string_agg(format('s.%1$I = k.%1$I', c.column_name), ' and '),
      agentdb._key_sql(v_target, 'k'),
      -- In the form that the row has: what = finds may be written in several.
      agentdb._key_sql(v_target, 's'))
    from agentdb.change_column as c
    where c.audit_target_id = v_target and c.key_place is not null
  );
end;
$$;

comment on function agentdb.reads_statement (regclass, jsonb) is
  'SQL text: what stage_reads() executes, an array of keys as $1; raises ZA004 or '
  'ZA006.';


-- Whoever does not see all rows cannot say that one is not there.
create or replace function agentdb.stage_absent (relation regclass, keys jsonb)
  returns table (change_id bigint, reads integer)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
as $$
declare
  v_target integer := agentdb._target_of(relation);
  v_key jsonb;
begin
  perform agentdb.reads_statement(relation, keys);
  if not has_table_privilege(session_user, relation, 'select') then
    raise exception '% may not read %', session_user, relation
      using errcode = '42501', hint = 'Name rows of tables that your role may read.';
  end if;
  select c.change_id into stage_absent.change_id from agentdb._current_change() as c;
  for v_key in
    select k.key from jsonb_array_elements(keys) as k (key)
    where not agentdb._is_bound(stage_absent.change_id, v_target, k.key)
  loop
    if (
      select c.relrowsecurity and not (o.rolsuper or o.rolbypassrls)
      from pg_class as c
      join pg_roles as o on o.rolname = session_user
      where c.oid = relation
    ) then
      raise exception 'there is no row % in % that % could see', v_key, relation,
          session_user
        using errcode = 'ZA006',
              hint = 'Name rows that your role may see: the table has row security.';
    end if;
    perform agentdb._add_read(stage_absent.change_id, v_target, v_key, null);
  end loop;
  select count(*) into reads
  from agentdb.change_read as r where r.change_id = stage_absent.change_id;
  return next;
end;
$$;

comment on function agentdb.stage_absent (regclass, jsonb) is
  'Binds the open change to the absence of rows, but for those that it is bound to '
  'already; raises ZA001, ZA004, ZA005 or ZA006.';


-- With the rights of the caller, by the staging view: nobody is bound to, or learns of,
-- a row that it cannot see.
create or replace function agentdb.stage_reads (relation regclass, keys jsonb)
  returns table (change_id bigint, reads integer)
  language plpgsql
  set search_path = pg_catalog, pg_temp
  set lock_timeout = '2s'
  set extra_float_digits = 1
  set "TimeZone" = 'UTC'
  set "DateStyle" = 'ISO, YMD'
  set "IntervalStyle" = 'postgres'
  set bytea_output = 'hex'
  set lc_monetary = 'C'
as $$
declare
  v_keys jsonb := keys;
  v_found jsonb;
begin
  if jsonb_typeof(v_keys) = 'string' and v_keys #>> '{}' ~ '^\s*[{[]' then
    v_keys := (v_keys #>> '{}')::jsonb;
  end if;
  if jsonb_typeof(v_keys) = 'object' then
    v_keys := jsonb_build_array(v_keys);
  end if;
  perform set_config('agentdb.reads', 'on', true);
  execute agentdb.reads_statement(relation, v_keys) into v_found using v_keys;
  perform set_config('agentdb.reads', '', true);
  return query select * from agentdb.stage_absent(relation, v_found);
end;
$$;

comment on function agentdb.stage_reads (regclass, jsonb) is
  'Binds the session''s change to rows of a guarded table that it does not write, by '
  'their keys: it is applied only while they are as they are now (not there, where '
  'there is none); raises ZA001, ZA004, ZA005 or ZA006.';
