"""An agent that asks waits for people, within bounds; people answer, by name."""

from __future__ import annotations

import threading
import time

import pytest

from agentdb.client.question import ask_human

from .agents import (
    age,
    evaluate,
    labels,
    refusal,
    register,
    row,
    rows,
    start,
    value,
)
from .conftest import Connect, Connection

ASK = "select question_id from agentdb.ask_human(%s)"
ANSWER = "select * from agentdb.answer_question(%s, %s)"


def state(agent: Connection, question: int) -> tuple[str, str | None]:
    found = row(agent, "select * from agentdb.answer_of(%s)", question)
    return found["state"], found["answer"]


def test_question_is_told_answered_and_read(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    asked = row(
        agent,
        "select * from agentdb.ask_human('Refund 900 EUR?', '[\"yes\", \"no\"]', 'high')",
    )
    number = asked["question_id"]
    assert f"answer_of(question => {number})" in asked["hint"]
    assert state(agent, number) == ("open", None)
    evaluate(db)
    (told,) = rows(
        db,
        "select payload from agentdb.notification"
        " where payload ->> 'rule' = 'question_asked'",
    )
    payload = told["payload"]
    assert payload["severity"] == "critical"
    assert payload["summary"].endswith("asks: Refund 900 EUR?")
    assert payload["annotations"]["options"] == ["yes", "no"]
    assert payload["next"][0] == f"agentdb answer Q-{number} …"
    reviewer = connect(db.info.dbname, "reviewer_r")
    assert value(reviewer, "select question from agentdb.open_question")
    assert refusal(reviewer, ANSWER, number, "perhaps").sqlstate == "ZA004"
    reviewer.execute(ANSWER, [number, "yes"])
    found = row(agent, "select * from agentdb.answer_of(%s)", number)
    assert (found["state"], found["answer"]) == ("answered", "yes")
    assert found["answered_by"] == "reviewer_r"
    evaluate(db)
    kinds = rows(
        db,
        "select kind, payload -> 'next' as next from agentdb.notification"
        " where payload ->> 'rule' = 'question_asked' order by notification_id",
    )
    assert [each["kind"] for each in kinds] == ["firing", "resolved"]
    # Nobody is told to answer what has been answered.
    assert "agentdb answer" not in str(kinds[1]["next"])
    steps = rows(db, "select kind, what from agentdb.timeline(%s)", asked["run_id"])
    assert {"kind": "answer", "what": "yes by reviewer_r"} in steps


def test_question_is_answered_once(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    number = value(agent, ASK, "which?")
    answers: list[str | None] = []

    def answer(what: str) -> None:
        session = connect(db.info.dbname, "operator_o")
        try:
            session.execute(ANSWER, [number, what])
            answers.append(what)
        except Exception as error:
            answers.append(getattr(error, "sqlstate", None))

    threads = [threading.Thread(target=answer, args=[w]) for w in ("left", "right")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert "ZA077" in answers
    assert state(agent, number)[1] in answers


def test_question_closes_with_its_run(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    number = value(agent, ASK, "which?")
    agent.execute("select agentdb.end_run(outcome => 'failed')")
    refused = refusal(db, ANSWER, number, "left")
    assert refused.sqlstate == "ZA077"
    assert refused.message_detail == "The run that asked has ended."
    assert rows(db, "select * from agentdb.open_question") == []
    start(agent)
    # Another run of the agent may read what the first asked.
    assert state(agent, number) == ("closed", None)


@pytest.mark.parametrize(
    ("question", "options", "urgency"),
    [
        (None, None, "normal"),
        ("", None, "normal"),
        (" \n ", None, "normal"),
        ("\u202eevil", None, "normal"),
        ("\x1b[2J", None, "normal"),
        ("x" * 2001, None, "normal"),
        ("x", "[]", "normal"),
        ("x", '["one"]', "normal"),
        ("x", '["a", "a"]', "normal"),
        ("x", '["a", null]', "normal"),
        ("x", '["a", 1]', "normal"),
        ("x", '["a", ["b"]]', "normal"),
        ("x", '["a", "b\\nc"]', "normal"),
        ("x", '["a", "\\u202eb"]', "normal"),
        ("x", '{"a": 1}', "normal"),
        ("x", '"yes"', "normal"),
        ("x", str([str(i) for i in range(11)]).replace("'", '"'), "normal"),
        ("x", None, "URGENT"),
        ("x", None, None),
    ],
)
def test_odd_question_is_refused(
    agent: Connection, question: str | None, options: str | None, urgency: str | None
) -> None:
    call = "select agentdb.ask_human(%s, %s::jsonb, %s)"
    assert refusal(agent, call, question, options, urgency).sqlstate == "ZA004"


def test_agents_ask_no_more_than_their_policy_allows(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    for _ in range(5):
        number = value(agent, ASK, "which?")
    refused = refusal(agent, ASK, "which?")
    assert refused.sqlstate == "ZA005"
    assert refused.message_hint and "answer_of" in refused.message_hint
    db.execute(ANSWER, [number, "left"])
    agent.execute(ASK, ["which?"])
    db.execute("update agentdb.policy set max_questions_day = 6")
    db.execute(ANSWER, [number - 1, "left"])
    assert refusal(agent, ASK, "which?").sqlstate == "ZA005"


def test_sessions_at_once_ask_no_more_than_one_alone(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    def ask() -> None:
        session = connect(db.info.dbname, "agent_a")
        for _ in range(4):
            try:
                session.execute(ASK, ["which?"])
            except Exception:
                return

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(db, "select count(*) from agentdb.question") == 5


def test_questions_of_others_are_neither_read_nor_answered(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    number = value(agent, ASK, "which?")
    register(db, "b", "agent_b")
    other = connect(db.info.dbname, "agent_b")
    start(other)
    read = "select * from agentdb.answer_of(%s)"
    for wrong in (number, 77, None):
        assert refusal(other, read, wrong).sqlstate == "ZA006"
    for session in (agent, other):
        assert refusal(session, ANSWER, number, "yes").sqlstate == "42501"
    for user in ("auditor_u", "app_user"):
        session = connect(db.info.dbname, user)
        assert refusal(session, ANSWER, number, "yes").sqlstate == "42501"
    foreign = "select agentdb.ask_human('x', run => %s)"
    run = value(db, "select min(run_id) from agentdb.run")
    assert refusal(other, foreign, run).sqlstate == "ZA001"


def test_agent_with_the_rights_of_a_person_still_does_not_answer(
    db: Connection, agent: Connection
) -> None:
    number = value(agent, ASK, "which?")
    with db.transaction(force_rollback=True):
        db.execute("grant execute on function agentdb.answer_question to agentdb_agent")
        db.execute("set session authorization agent_a")
        with pytest.raises(Exception, match="an agent does not answer"):
            db.execute(ANSWER, [number, "yes"])


def test_run_that_waits_is_not_stuck_for_as_long_as_allowed(
    db: Connection, agent: Connection
) -> None:
    age(db, "run", "started_at", "20 minutes")
    assert len(labels(db, "no_progress")) == 1
    number = value(agent, ASK, "which?")
    assert labels(db, "no_progress") == []
    signs = "select why from agentdb.agent as a, agentdb._health_sign(a.agent_id)"
    assert "which?" in value(db, signs + " where state = 'waiting'")
    assert labels(db, "unanswered_question") == []
    age(db, "question", "asked_at", "31 minutes")
    assert labels(db, "unanswered_question") == [
        {
            "agent": "a",
            "run": labels(db, "question_asked")[0]["run"],
            "question": f"Q-{number}",
        }
    ]
    # Asking again does not prolong it.
    agent.execute(ASK, ["and which?"])
    age(db, "run", "started_at", "4 hours")
    db.execute(
        "update agentdb.question set asked_at = asked_at - interval '4 hours'"
        " where question_id = %s",
        [number],
    )
    assert len(labels(db, "no_progress")) == 1
    # Time counts from the answer on.
    for each in rows(db, "select question_id from agentdb.question"):
        db.execute(ANSWER, [each["question_id"], "left"])
    assert labels(db, "no_progress") == []
    age(db, "question", "answered_at", "16 minutes")
    assert len(labels(db, "no_progress")) == 1


def test_client_waits_for_the_answer(
    db: Connection, connect: Connect, agent: Connection
) -> None:
    def answer() -> None:
        session = connect(db.info.dbname, "operator_o")
        while not (found := rows(session, "select * from agentdb.open_question")):
            time.sleep(0.01)
        session.execute(ANSWER, [found[0]["question_id"], "left"])

    thread = threading.Thread(target=answer)
    thread.start()
    found = ask_human(agent, "which?", options=["left", "right"], timeout=30)
    thread.join()
    assert (found.state, found.answer, found.answered_by) == (
        "answered",
        "left",
        "operator_o",
    )
    waited = ask_human(agent, "and now?", timeout=0.2)
    assert (waited.state, waited.answer) == ("open", None)
