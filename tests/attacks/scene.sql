-- The scene of the attacks: an application with tables of every kind, agents that were
-- granted too much, as DBAs do, and what each of them may call.  Runs once, as superuser,
-- in the template.
create schema app authorization app_owner;
set role app_owner;
create table app.billing (
  id int primary key,
  customer int,
  amount numeric(12, 2) not null,
  paid bool not null default false,
  note text,
  secret text,
  doubled numeric generated always as (amount * 2) stored
);
insert into app.billing (id, customer, amount, note, secret) values
  (1, 10, 1000.25, 'one', 'iban-1'), (2, 10, 5, 'two', 'iban-2'), (3, 11, 7, 'three', 'iban-3');
create table app.orders (id int primary key, total numeric, note text, card text);
insert into app.orders values (1, 10, 'o1', '4111-1'), (2, 20, 'o2', '4111-2');
create table app.customers (id int primary key, name text);
insert into app.customers values (10, 'ann'), (11, 'bob');
create table app.invoices (
  id int primary key, customer int references app.customers on delete cascade,
  amount numeric
);
insert into app.invoices values (1, 10, 5), (2, 11, 6);
create table app.ledger (id int, region text, amount numeric, primary key (id, region))
  partition by list (region);
create table app.ledger_eu partition of app.ledger for values in ('eu');
create table app.ledger_us partition of app.ledger for values in ('us');
insert into app.ledger values (1, 'eu', 5), (2, 'us', 6);
create table app.report (id int primary key, text text);
insert into app.report values (1, 'r');
create table app.mail (id int primary key, recipient text, sent_at timestamptz, body text);
create table app.happy (id int primary key, amount numeric not null, note text);
insert into app.happy values (1, 1, 'a'), (2, 2, 'b');
create table app.tenant (id int primary key, tenant text, amount numeric);
insert into app.tenant values (1, 'mine', 1), (2, 'theirs', 2);
alter table app.tenant enable row level security;
create policy mine on app.tenant to agent_a, agent_h using (tenant = 'mine');
create policy others on app.tenant to agentdb_applier, app_user, reviewer_r using (true);
create table app.odd (
  id int primary key, at timestamptz, f float8, b bytea, i interval, r daterange
);
insert into app.odd values (1, '2026-01-01 00:00Z', 1, '', '1 day', 'empty');
create table app.strange (like app.odd including all);
insert into app.strange select * from app.odd;
create function app.set_paid (p int) returns void
  language sql security definer set search_path = pg_catalog, pg_temp
  as $$ update app.billing set paid = true where id = p $$;
reset role;

grant usage on schema app
  to agent_a, agent_b, agent_h, agent_pool, app_user, reviewer_r, operator_o, auditor_u;
grant select, insert, update, delete on all tables in schema app
  to agent_a, agent_h, agent_pool, app_user;
grant select, insert, update, delete on app.orders, app.report to agent_b;
grant truncate on app.billing, app.orders, app.ledger, app.ledger_eu, app.report
  to agent_a;

select agentdb.register_agent('a', 'agent_a');
select agentdb.register_agent('b', 'agent_b');
select agentdb.register_agent('h', 'agent_h');
select agentdb.audit_table('app.orders', redact => '{card}');
select agentdb.audit_table('app.happy');
select agentdb.audit_table('app.odd');
select agentdb.guard_table('app.billing', columns => '{amount,paid,note,customer}');
select agentdb.guard_table('app.customers');
select agentdb.guard_table('app.invoices', columns => '{amount}');
select agentdb.guard_table('app.ledger', columns => '{amount}');
select agentdb.guard_table('app.happy');
select agentdb.guard_table('app.strange');
select agentdb.fence_table('app.report', 'report');
select agentdb.register_message_channel('email', 'app.mail', 'recipient', 'sent_at', 'body');
grant select on app.mail to operator_o;
