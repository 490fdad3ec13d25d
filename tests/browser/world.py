"""A database that the replay has filled, with people, and something for each to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TextIO

import psycopg

from agentdb.demo.demo import AGENTS, prepare, recordings
from agentdb.demo.recording import Event
from agentdb.demo.replay import Pace, replay
from agentdb.local import LocalServer
from agentdb.runner.background import BackgroundRunner

# As many seconds of the recordings in one of ours.
FACTOR = 30.0
PATIENCE = 60
SHOP = """
create schema shop;
create table shop.invoice (
  invoice_id integer primary key, customer text, amount numeric(10, 2), state text,
  note text
);
create table shop.ledger (
  ledger_id integer generated always as identity primary key, invoice_id integer,
  amount numeric(10, 2), state text
);
insert into shop.invoice
select i, (array['Ada Ltd', 'Bolt GmbH', 'Cura SpA', 'Dorn AG'])[1 + i % 4], 100 + i, 'open'
from generate_series(1, 400) as i;
create function shop.book() returns trigger language plpgsql security definer as $$
begin
  insert into shop.ledger (invoice_id, amount, state)
  values (new.invoice_id, new.amount, new.state);
  return null;
end $$;
create trigger book after update on shop.invoice
  for each row execute function shop.book();
create role billing_agent login in role agentdb_agent;
create role ada login in role agentdb_reviewer, agentdb_operator;
create role page_serve login in role agentdb_web, agentdb_intake;
grant usage on schema shop, airline to billing_agent, page_serve, ada;
grant select on all tables in schema shop, airline to page_serve, ada;
grant select, update on shop.invoice to billing_agent;
select agentdb.register_agent('billing', 'billing_agent');
select agentdb.guard_table('shop.ledger');
select agentdb.guard_table('shop.invoice', context => '{customer}');
select agentdb.audit_table('airline.reservations');
select agentdb.audit_table('airline.users');
"""
# What the agents were like before: a day with its hours of work.
HISTORY = """
insert into agentdb.token_half_hour (
  agent_id, half_hour_at, input_tokens, cached_input_tokens, output_tokens, cost)
select a.agent_id, h.at, w.tokens, 0, w.tokens / 40, w.tokens * 0.000003
from agentdb.agent as a
cross join generate_series(date_bin('30 minutes', now(), 'epoch') - interval '5 days',
  date_bin('30 minutes', now(), 'epoch') - interval '30 minutes', '30 minutes') as h (at)
cross join lateral (
  select (case a.agent_name when 'coding' then 240000 else 90000 end * (0.2 + abs(sin(
    extract(epoch from h.at) / 6000 + a.agent_id))))::bigint as tokens
) as w
where extract(hour from h.at at time zone 'UTC') between 6 and 20;
insert into agentdb.token_normal
select agent_id, now(), 5, case agent_name when 'coding' then 380000 else 140000 end, -1
from agentdb.agent
"""
WORK = (
    "select from agentdb.start_run(purpose => 'invoices of November',"
    " on_behalf_of => 'ticket 4711', instance => '{instance}')",
    "select from agentdb.log_tokens(5200, 310, 1800, model => 'claude-sonnet-4',"
    " input_cost => 0.0156, cached_input_cost => 0.0005, output_cost => 0.0046)",
    "select from agentdb.log_tool_call('read_invoice', '{{\"id\": 4}}', true, result => 'ok')",
    "select from agentdb.log_progress('invoice 4 is checked')",
    "select from agentdb.log_tool_call('send_mail', '{{\"to\": \"a@example.org\"}}', false,"
    " '550 no such user')",
    "select from agentdb.acquire_lock('billing_{instance}', '15 min')",
    "select from agentdb.claim_rows('shop.ledger', 'insert', count => 3)",
)
CHANGES = {
    "three invoices of {0} are paid: bank statement of 28 November":
        "update agentdb_stage.invoice set state = 'paid', note = 'by transfer'"
        " where invoice_id in ({1}, {1} + 4, {1} + 8)",
    "remind everybody whose invoice is older than 30 days, with a fee of 5":
        "update agentdb_stage.invoice set state = 'reminded', amount = amount + 5"
        " where invoice_id between 50 * {1} and 50 * {1} + 140",
}  # fmt: skip


@dataclass
class World:
    """Where the page is, and the sessions beside it."""

    url: str
    server: LocalServer
    db: psycopg.Connection

    def link(self, role: str = "ada") -> str:
        """Return the address that lets somebody in, once."""
        dsn = self.server.dsn(user=role)
        with psycopg.connect(dsn, autocommit=True) as session:
            row = session.execute("select agentdb.make_web_link()").fetchone()
        assert row is not None
        return f"{self.url}/login/link?token={row[0]}"


@contextmanager
def world() -> Iterator[World]:
    """Fill a database, and serve its page until the end of the block."""
    with ExitStack() as stack:
        server = stack.enter_context(LocalServer(fast=True))
        dsn = server.dsn()
        prepare(dsn)
        db = stack.enter_context(psycopg.connect(dsn, autocommit=True))
        db.execute(SHOP)
        stack.enter_context(BackgroundRunner(dsn, stream=_nowhere(stack), poll=0.3))
        _replay(server)
        db.execute(HISTORY)
        for number, instance in enumerate(("first", "second", "third", "fourth")):
            session = psycopg.connect(server.dsn(user="billing_agent"), autocommit=True)
            stack.enter_context(session)
            for statement in WORK:
                session.execute(statement.format(instance=instance).encode())
            # The others are there to be killed.
            if number < 2:
                _propose(session, number + 1)
        url = stack.enter_context(_served(server))
        yield World(url, server, db)


def _nowhere(stack: ExitStack) -> TextIO:
    return stack.enter_context(open(os.devnull, "w"))


def _replay(server: LocalServer) -> None:
    jobs = [
        (server.dsn(user=role), name, events)
        for agent, role in AGENTS.items()
        for name, events in recordings()[agent].items()
    ]
    pace = Pace(FACTOR)

    def play(dsn: str, name: str, events: list[Event]) -> None:
        with psycopg.connect(dsn, autocommit=True) as session:
            replay(session, name, events, wait=pace.wait)

    with ThreadPoolExecutor(len(jobs)) as pool:
        for done in [pool.submit(play, *job) for job in jobs]:
            done.result()


def _propose(session: psycopg.Connection, number: int) -> None:
    """Have the billing agent propose changes, and ask a question."""
    customer = ("Ada Ltd", "Bolt GmbH")[number - 1]
    for reason, statement in CHANGES.items():
        session.execute(
            "select agentdb.open_change(%s)", [reason.format(customer, number)]
        )
        session.execute(statement.format(customer, number + 3).encode())
        session.execute("select agentdb.submit_change()")
    session.execute(
        "select from agentdb.ask_human(%s, %s, 'high')",
        [f"{customer} has two open credits. Which one shall I book?",
         '["CR-12", "CR-19"]'],
    )  # fmt: skip


@contextmanager
def _served(server: LocalServer) -> Iterator[str]:
    command = [sys.executable, "-m", "agentdb", "serve", "--listen", "127.0.0.1:0"]
    command += ["--dsn", server.dsn(user="page_serve")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            assert found is not None
            yield found[0]
        finally:
            process.terminate()
            process.wait(PATIENCE)


def chromium() -> str | None:
    """Return a chromium of this machine, or None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return os.environ.get("AGENTDB_CHROMIUM") or next(
        (found for name in names if (found := shutil.which(name))), None
    )
