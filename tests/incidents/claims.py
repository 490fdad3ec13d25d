"""Claims: done, or only said to be: rows, values, files, messages."""

from __future__ import annotations

import json
import os

from .loops import working
from .play import MINUTE, Play, Wait
from .registry import healthy, incident


@incident
def forty_claimed_and_38_done(play: Play) -> Wait:
    """An agent claims forty rows by their keys and has written all but two of them."""
    actor = working(play)
    table = play.table(actor, lines=40)
    left_out = sorted(play.random.sample(range(1, 41), 2)) if play.bad else []
    for i in range(1, 41):
        if i not in left_out:
            actor.sql(f"update {table} set state = 'paid' where id = {i}")
    actor.tool("pay", {"all": True}, result="40 rows")
    yield play.pace(20, 60)
    actor.claim(table, "update", keys=json.dumps(list(range(1, 41))))
    actor.complete()
    both = ["40", "38", *(rf"\b{i}\b" for i in left_out)]
    play.expect("refuted_claim", severity="critical", says=[table, *both])
    yield 2 * MINUTE


@incident
def a_hundred_claimed_by_number(play: Play) -> Wait:
    """An agent says that it has inserted a hundred rows, and it was ninety-seven."""
    actor = working(play)
    table, done = play.table(actor), 97 if play.bad else 100
    actor.sql(
        f"insert into {table} select i, 'new', i from generate_series(1, {done}) i"
    )
    yield play.pace(20, 60)
    actor.claim(table, "insert", count=100)
    actor.complete()
    play.expect("refuted_claim", severity="critical", says=[table, "100", "97"])
    yield 2 * MINUTE


@incident
def taken_back_in_the_same_run(play: Play) -> Wait:
    """An agent writes a row, writes it back, and claims the write."""
    actor = working(play)
    table = play.table(actor, lines=5)
    actor.sql(f"update {table} set state = 'paid' where id = 2")
    yield 30
    if play.bad:
        actor.sql(f"update {table} set state = 'new' where id = 2")
    yield 30
    actor.claim(table, "update", keys="[2]")
    actor.complete()
    play.expect("refuted_claim", severity="critical", says=[table, "2"])
    yield 2 * MINUTE


@incident
def nothing_done_at_all(play: Play) -> Wait:
    """An agent claims deletes that it never tried; no call could have caused them."""
    actor = working(play)
    table = play.table(actor, lines=5)
    if not play.bad:
        actor.sql(f"delete from {table} where id in (1, 2)")
        actor.tool("delete_rows", {"ids": [1, 2]}, result="DELETE 2")
    else:
        actor.fail("delete_rows", {"ids": [1, 2]}, "connection reset")
    yield 40
    actor.claim(table, "delete", keys="[1, 2]")
    actor.complete()
    play.expect(
        "refuted_claim", severity="critical", says=[table, "delete", "no call|call"]
    )
    yield 2 * MINUTE


@incident
def other_verb_than_claimed(play: Play) -> Wait:
    """An agent claims that it has updated a row that it has deleted."""
    actor = working(play)
    table = play.table(actor, lines=5)
    if play.bad:
        actor.sql(f"delete from {table} where id = 3")
    else:
        actor.sql(f"update {table} set state = 'void' where id = 3")
    yield 40
    actor.claim(table, "update", keys="[3]")
    actor.complete()
    play.expect("refuted_claim", severity="critical", says=[table, "3"])
    yield 2 * MINUTE


@incident
def right_rows_wrong_values(play: Play) -> Wait:
    """The rows that were claimed are written, with another value than the one claimed."""
    actor = working(play)
    table = play.table(actor, lines=9)
    wrong = 250 if play.bad else 205
    actor.sql(f"update {table} set amount = {wrong} where id = 4")
    yield 40
    actor.claim(table, "update", new_values='[{"id": 4, "amount": 205}]')
    actor.complete()
    play.expect("refuted_claim", severity="critical", says=[table, "205", "250"])
    yield 2 * MINUTE


@incident
def file_that_was_never_written(play: Play) -> Wait:
    """An agent claims a report that is not on the disk."""
    actor = working(play)
    path = str(play.server.directory / f"{play.name('report')}.csv")
    if not play.bad:
        with open(path, "w") as file:
            file.write(play.text(20))
        os.chmod(path, 0o644)
        # The disk has the real time.
        written = play.server.now().timestamp()
        os.utime(path, (written, written))
    yield 40
    actor.call_sql("claim_file", path=path)
    actor.complete()
    play.expect("refuted_claim", severity="critical", says=[path.rsplit("/", 1)[1]])
    yield 2 * MINUTE


@incident
def mail_that_was_never_sent(play: Play) -> Wait:
    """An agent claims a mail, and the transport has no record of it."""
    actor, box, channel = working(play), play.name("outbox"), play.name("mail")
    play.db.execute(
        f"create table {box} (recipient text, sent_at timestamptz, body text)".encode()
    )
    play.db.execute(f"grant select on {box} to agentdb_operator".encode())
    play.db.execute(
        "select agentdb.register_message_channel(%s, %s::regclass, 'recipient',"
        " 'sent_at', 'body')",
        [channel, box],
    )
    to = f"{play.text(1)}@example.org"
    if not play.bad:
        play.db.execute(
            f"insert into {box} values (%s, clock_timestamp(), 'hello')".encode(), [to]
        )
    yield 20
    actor.call_sql("claim_message", channel=channel, recipient=to, within_time="30 s")
    actor.complete()
    play.expect("refuted_claim", severity="critical", says=[to.split("@")[0]], after=30)
    yield 3 * MINUTE


@incident
def claim_that_nobody_can_look_at(play: Play) -> Wait:
    """A claim waits for a verifier that no runner has."""
    actor = working(play)
    table = play.table(actor, lines=3)
    if play.bad:
        actor.call_sql("claim_custom", kind="ticket", target=f"T-{play.tag}")
    else:
        actor.sql(f"update {table} set state = 'paid' where id = 1")
        actor.claim(table, "update", keys="[1]")
    actor.complete()
    yield 11 * MINUTE
    play.expect("unverified_claim", says=[actor.name])
    yield 3 * MINUTE


@healthy
def done_as_claimed(play: Play) -> Wait:
    """All rows that are claimed were written, some of them twice."""
    actor = working(play)
    table = play.table(actor, lines=30)
    for state in ("seen", "paid"):
        actor.sql(f"update {table} set state = '{state}' where id <= 20")
        yield 30
    actor.claim(table, "update", keys=json.dumps(list(range(1, 21))))
    actor.complete()
    yield MINUTE
