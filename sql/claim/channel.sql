-- Messages: whether one was sent is read from the transport's own record, a table that
-- the user names, with the rights of whoever looks.

create or replace function agentdb.register_message_channel (
  name text,
  relation regclass,
  recipient_column text,
  sent_at_column text,
  text_column text default null
)
  returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
as $$
declare
  v_missing text;
begin
  if not agentdb._is_clean_name(name, 63) then
    perform agentdb._refuse(
      format('%L is no name for a channel', agentdb._clean_text(name, 100)),
      'Use 1 to 63 visible characters on one line, such as email.');
  end if;
  select string_agg(n.column_name, ', ') into v_missing
  from unnest(array[recipient_column, sent_at_column, text_column])
    as n (column_name)
  where n.column_name is not null
    and not exists (
      select from pg_attribute as a
      where a.attrelid = relation and a.attname = n.column_name
        and a.attnum > 0 and not a.attisdropped
    );
  if v_missing is not null or recipient_column is null or sent_at_column is null then
    perform agentdb._refuse(
      format('%s has no column %s', relation, coalesce(v_missing, 'NULL')),
      'Name the column that holds the recipient, the one that holds when it was sent '
        '(timestamptz), and, if it is kept, the text.');
  end if;
  perform agentdb._check_relation(relation);
  insert into agentdb.message_channel (
    channel_name, relation_name, recipient_column, sent_at_column, text_column
  )
  values (
    name, agentdb._table_name(relation), recipient_column, sent_at_column, text_column
  );
end;
$$;

comment on function agentdb.register_message_channel (
  text, regclass, text, text, text) is
  'Names the table in which a transport records what it sent, so that claims of '
  'messages can be looked up; grant the runner select on it; raises ZA004.';


-- Only runs look at what was sent since they began: an old message proves nothing.
-- What belongs to the table runs with the rights of whoever looks, and may be another
-- one by now; volatile, so that the catalogue is that of the moment.
create or replace function agentdb.look_for_message (claim bigint)
  returns table (verdict text, evidence jsonb)
  language plpgsql
  volatile
  set search_path = pg_catalog, pg_temp
  set "TimeZone" = 'UTC'
  set lock_timeout = '2s'
as $$
declare
  v_query text;
  v_relation text;
  v_recipient text;
  v_since timestamptz;
  v_text text;
  v_count bigint;
  v_last timestamptz;
begin
  select format(
      'select count(*), max(m.%3$I)::timestamptz from %1$s as m
       where m.%2$I::text = $1 and m.%3$I >= $2 and ($3 is null or %4$s)',
      m.relation_name, m.recipient_column, m.sent_at_column,
      coalesce('position($3 in m.' || quote_ident(m.text_column) || '::text) > 0',
        'true')),
    m.relation_name, c.target, r.started_at, c.expectation ->> 'has_text'
    into v_query, v_relation, v_recipient, v_since, v_text
  from agentdb.claim as c
  join agentdb.run as r on r.run_id = c.run_id
  join agentdb.message_channel as m
    on m.channel_name = c.expectation ->> 'channel'
  where c.claim_id = claim and c.kind = 'message'
    and (m.text_column is not null or c.expectation ->> 'has_text' is null);
  if v_query is null then
    return query select 'unreachable',
      '{"problem": "the channel is gone, or keeps no text"}'::jsonb;
    return;
  end if;
  perform agentdb._check_relation(v_relation::regclass);
  -- An operator names the table: its code runs with a superuser's rights for nobody.
  if (select r.rolsuper from pg_roles as r where r.rolname = current_user) and exists (
      select from pg_class as c
      join pg_roles as o on o.oid = c.relowner and not o.rolsuper
      where c.oid = v_relation::regclass
        and pg_has_role(o.oid, 'agentdb_operator', 'member')) then
    raise exception '% belongs to an operator: no superuser looks into it', v_relation;
  end if;
  execute v_query into v_count, v_last using v_recipient, v_since, v_text;
  return query select
    case when v_count > 0 then 'verified' else 'refuted' end,
    jsonb_strip_nulls(jsonb_build_object(
      'messages', v_count, 'since', v_since, 'last', v_last));
exception when others then
  return query select 'unreachable', jsonb_build_object('problem', sqlerrm);
end;
$$;

comment on function agentdb.look_for_message (bigint) is
  'Looks for the message that a claim names, with the rights of the caller; '
  'unreachable where it may not look.';
