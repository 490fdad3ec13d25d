"""What a person on call types, and what the message on the phone tells them to."""

from __future__ import annotations

import json
import threading

import pytest
from click.testing import CliRunner
from psycopg.sql import SQL, Identifier

from agentdb.channels.text import lines
from agentdb.cli import main

from .agents import evaluate, register, rows, start, value
from .alerts import claimed, deliver, fire, flush, make_rule
from .conftest import Connect, Connection
from .servers import Server


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    """An operator's connection string to an installed database."""
    return server.dsn(database=db.info.dbname, user="operator_o")


def agentdb(dsn: str, *words: str, code: int = 0) -> str:
    found = CliRunner().invoke(main, [*words, "--dsn", dsn])
    assert found.exit_code == code, found.output
    return found.output


def test_alert_is_acknowledged_and_given_back(db: Connection, dsn: str) -> None:
    make_rule(db)
    (number,) = fire(db, "a")
    (message,) = deliver(db)
    # The message ends with what to type.
    assert lines(message["payload"])[-1] == f"next: agentdb ack A-{number} -m …"
    said = agentdb(dsn, "ack", f"A-{number}", "--for", "2h", "-m", "known backfill")
    assert said == f"A-{number} is acknowledged for 2h\n"
    assert "ack operator_o" in agentdb(dsn, "alerts")
    (message,) = deliver(db)
    assert lines(message["payload"])[0].startswith(f"[ACK] late A-{number}")
    assert "reason: acknowledgement by operator_o: known backfill" in lines(
        message["payload"]
    )
    assert agentdb(dsn, "unack", f"a-{number}").endswith("not acknowledged any more\n")
    assert "not acknowledged" in agentdb(dsn, "unack", str(number), code=1)
    assert "does not fire" in agentdb(dsn, "ack", "A-77", "-m", "x", code=1)
    assert "is no alert" in agentdb(dsn, "ack", "Q-1", "-m", "x", code=2)
    assert "--message" in agentdb(dsn, "ack", f"A-{number}", code=2)


def test_group_is_acknowledged_by_its_message(db: Connection, dsn: str) -> None:
    make_rule(db)
    db.execute("select agentdb.set_route('r', 'stdout', group_by => '{rule}')")
    fire(db, "a", "b")
    (message,) = deliver(db)
    text = lines(message["payload"])
    group = message["payload"]["group"]
    assert text[0] == f"[WARN] late {group}"
    assert "2 firing" in text
    assert {line for line in text if line.startswith("[WARN] A-")} == {
        f"[WARN] A-{each['alert']} {each['summary']}"
        for each in message["payload"]["worst"]
    }
    command = text[-1].removeprefix("next: agentdb ").replace("…", "mine").split()
    assert (
        agentdb(dsn, *command)
        == f"2 alerts of {group} are acknowledged until resolved\n"
    )
    assert "2 alerts of" in agentdb(dsn, "unack", group)
    (first, second) = sorted(each["alert"] for each in message["payload"]["worst"])
    agentdb(dsn, "resolve", f"A-{first}", "--reason", "over")
    said = agentdb(dsn, "why", group.lower())
    assert f"A-{second}" in said and "receiver   stdout" in " ".join(said.split(" "))
    assert said.splitlines()[-2:] == [
        f"next: agentdb why A-{second}",
        f"next: agentdb ack {group.lower()} -m …",
    ]
    said = agentdb(dsn, "ack", group, "-m", "x")
    assert said == f"1 alert of {group} is acknowledged until resolved\n"


def test_silence_is_made_listed_and_ended(db: Connection, dsn: str) -> None:
    make_rule(db)
    fire(db, "a")
    said = agentdb(dsn, "silence", "rule~lat", "--for", "2h", "-m", "planned")
    assert said.startswith("S-1 until ") and "1 alert fires under it" in said
    found = json.loads(agentdb(dsn, "silences", "--json"))
    assert found[0]["matchers"] == "rule~lat" and found[0]["comment"] == "planned"
    assert "silenced S-1" in agentdb(dsn, "alerts")
    said = agentdb(dsn, "silence", "expire", "S-1")
    assert said == "S-1 is over; reported again: 1 alert\n"
    said = agentdb(dsn, "silence", "a=b", "--for", "soon", "-m", "x", code=1)
    assert "hint: Write a length of time as '2h'" in said
    assert "no silence S-1" in agentdb(dsn, "silence", "expire", "S-1", code=1)
    agentdb(dsn, "silence", "expire", "all", code=2)
    agentdb(dsn, "silence", "a=b", "-m", "x", code=2)
    agentdb(dsn, "silence", "a=b", "c=d", "--for", "2h", "-m", "x", code=2)
    told = agentdb(dsn, "silence", "agnt=x", "--for", "2h", "-m", "x").splitlines()
    assert told[0].endswith("; 0 alerts fire under it")
    assert told[1].startswith("warning: no alert and no rule is known to have a label ")
    assert "hint: Write agent~x;" in agentdb(
        dsn, "silence", "agent=~x", "--for", "2h", "-m", "x", code=1
    )
    assert "is no list of matchers" in agentdb(
        dsn, "silence", "nonsense", "--for", "2h", "-m", "x", code=1
    )


def test_question_is_listed_and_answered(
    db: Connection, connect: Connect, dsn: str
) -> None:
    register(db)
    agent = connect(db.info.dbname, "agent_a")
    start(agent)
    agent.execute("select agentdb.ask_human('Refund @all?', '[\"yes\", \"no\"]')")
    evaluate(db)
    (message,) = [
        each for each in claimed(db) if each["payload"]["rule"] == "question_asked"
    ]
    text = lines(message["payload"])
    assert "answers: yes | no" in text
    assert "next: agentdb answer Q-1 …" in text
    assert not [line for line in text if "@" in line]
    assert "Refund @all?" in agentdb(dsn, "questions")
    assert "none of the options" in agentdb(dsn, "answer", "Q-1", "perhaps", code=1)
    said = agentdb(dsn, "answer", "Q-1", "yes", "-m", "once")
    assert said == "Q-1 is answered; run 1 of a reads it\n"
    assert "is closed" in agentdb(dsn, "answer", "1", "no", code=1)
    agentdb(dsn, "answer", "A-1", "no", code=2)
    assert agentdb(dsn, "questions") == "questions: none\n"


def test_outbox_is_listed_and_seen_to(db: Connection, dsn: str) -> None:
    make_rule(db)
    fire(db, "a", "b")
    flush(db)
    assert "late" not in agentdb(dsn, "outbox", "--dead")
    assert len(json.loads(agentdb(dsn, "outbox", "--json"))) == 2
    one, two = [each["notification_id"] for each in claimed(db)]
    for number in (one, two):
        call = "select agentdb.mark_failed(%s, 1, 404, 'gone', permanent => true)"
        db.execute(call.encode(), [number])
    assert "gone" in agentdb(dsn, "outbox", "--dead")
    assert (
        agentdb(dsn, "outbox", "retry", str(one)) == f"message {one} is queued again\n"
    )
    assert agentdb(dsn, "outbox", "drop", str(two)) == f"message {two} is dropped\n"
    assert "is not dead" in agentdb(dsn, "outbox", "retry", str(two), code=1)
    states = rows(db, "select state from agentdb.notification order by notification_id")
    assert [each["state"] for each in states] == ["queued", "cancelled"]


def test_receiver_is_tried_out(db: Connection, dsn: str) -> None:
    assert "waits: no runner has ever reported" in agentdb(
        dsn, "notify", "test", "stdout", "--wait", "0", code=1
    )
    (waiting,) = claimed(db)
    assert lines(waiting["payload"])[0] == "[TEST] test receiver=stdout"
    assert waiting["dedup_key"].endswith(f"/test-{waiting['notification_id']}")

    def run(mark: str) -> None:
        while not (found := claimed(db)):
            pass
        db.execute(mark.encode(), [found[0]["notification_id"]])

    for mark, code, expected in (
        ("select agentdb.mark_sent(%s, 1)", 0, "was delivered to stdout"),
        ("select agentdb.mark_failed(%s, 1, 401, 'HTTP 401')", 1, "dead: HTTP 401"),
    ):
        thread = threading.Thread(target=run, args=[mark])
        thread.start()
        assert expected in agentdb(dsn, "notify", "test", "stdout", code=code)
        thread.join()
    assert "no receiver nobody" in agentdb(dsn, "notify", "test", "nobody", code=1)
    assert (
        value(db, "select count(*) from agentdb.notification where state = 'dead'") == 1
    )
    # Who tried it knows: nobody else is woken for that.
    assert rows(db, "select * from agentdb.dead_letter") == []
    health = "select detail from agentdb.health_check where check_name = 'delivery'"
    assert value(db, health) == "0 waiting, 0 given up in a day"


def test_receiver_that_is_switched_off_is_not_tried_out(
    db: Connection, dsn: str
) -> None:
    db.execute("update agentdb.receiver set enabled = false")
    said = agentdb(dsn, "notify", "test", "stdout", code=1)
    assert "receiver stdout is switched off: it is sent nothing" in said
    assert "set enabled = true where receiver_name = 'stdout';" in said
    assert rows(db, "select * from agentdb.notification") == []


@pytest.mark.parametrize("name", ["it's", 'od"d', "plain"])
def test_hint_for_a_table_is_the_statement_for_it(
    db: Connection, server: Server, name: str
) -> None:
    db.execute(SQL("create table {} (id int primary key)").format(Identifier(name)))
    quoted = value(db, "select format('public.%%I', %s::text)", name)
    superuser = server.dsn(database=db.info.dbname)
    said = agentdb(superuser, "audit", quoted, code=1)
    db.execute(said.partition("hint: ")[2].encode())
    assert agentdb(superuser, "audit", quoted) == f"{quoted}: no change is recorded\n"
