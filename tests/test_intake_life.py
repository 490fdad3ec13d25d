"""Sessions of emitters: in which run an event is kept, and when that is over."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any

from .agents import refusal, register, row, rows, start, value
from .test_intake import event, intake, record, statuses

if TYPE_CHECKING:
    from .conftest import Connect, Connection

__all__ = ["intake"]
LONG = "id-that-is-one-in-the-world-"


def runs(db: Connection) -> list[dict[str, Any]]:
    """Return the runs, oldest first."""
    return rows(
        db,
        "select run_id, parent_run_id as parent, outcome, opened_by from agentdb.run "
        "order by run_id",
    )


def test_a_subagent_is_a_run_below_its_conversation(
    db: Connection, intake: Connection
) -> None:
    answers = record(
        intake,
        event("call", tool="task", call_id="t0"),
        event("call", tool="read", call_id="t1", thread="sub"),
        event("call", tool="read", call_id="t1", thread="deep", parent_thread="sub"),
        event("call", tool="read", call_id="t1", thread="lost", parent_thread="never"),
    )
    assert statuses(answers) == ["recorded"] * 4
    main, sub, deep, lost = (answer[3] for answer in answers)
    parents = {each["run_id"]: each["parent"] for each in runs(db)}
    assert parents == {main: None, sub: main, deep: sub, lost: main}
    # A conversation that ends takes its threads along; a thread ends alone.
    record(intake, event("end", thread="lost", outcome="failed"))
    record(intake, event("end"))
    outcomes = {each["run_id"]: each["outcome"] for each in runs(db)}
    assert outcomes == {
        main: "succeeded", sub: "succeeded", deep: "succeeded", lost: "failed",
    }  # fmt: skip


def test_a_thread_that_comes_first_opens_its_conversation_too(
    db: Connection, intake: Connection
) -> None:
    ((_, _, _, sub),) = record(intake, event("call", tool="t", thread="sub"))
    ((_, _, _, main),) = record(intake, event("call", tool="t"))
    assert [(each["run_id"], each["parent"]) for each in runs(db)] == [
        (main, None),
        (sub, main),
    ]


def test_what_comes_late_belongs_to_the_run_that_ended(
    db: Connection, intake: Connection
) -> None:
    ((_, _, _, run),) = record(intake, event("start"))
    record(intake, event("begin", tool="read", args={"p": 1}, call_id="t1"))
    record(intake, event("end"))
    assert value(db, "select count(*) from agentdb.faulty_call") == 1
    answers = record(
        intake,
        event("call", call_id="t1", ok=True),
        event("tokens", input=5, output=1),
        event("call", tool="read", call_id="t2"),
    )
    assert [(each[1], each[3]) for each in answers] == [("recorded", run)] * 3
    assert value(db, "select args from agentdb.tool_call_log where call_id = 't1'") == {
        "p": 1
    }
    # It was called after all.
    assert value(db, "select count(*) from agentdb.faulty_call") == 0
    assert len(runs(db)) == 1


def test_a_conversation_that_comes_back_is_a_new_run(
    db: Connection, intake: Connection
) -> None:
    ((_, _, _, first),) = record(intake, event("call", tool="a"))
    record(intake, event("end"))
    # Said to have begun anew; what comes with it belongs to it.
    answers = record(intake, event("start"), event("call", tool="b"))
    assert [each[3] for each in answers] == [answers[0][3]] * 2
    assert answers[0][3] != first
    record(intake, event("end"))
    # Later than its end by the emitter's clock, and not late by an hour.
    db.execute("update agentdb.run set ended_at = ended_at - interval '10 min'")
    now = value(db, "select to_json(now())")
    past = value(db, "select to_json(now() - interval '15 min')")
    answers = record(intake, event("call", tool="c", at=now))
    late = record(intake, event("call", tool="d", at=past))
    assert answers[0][3] == late[0][3] not in (first, None)
    assert len(runs(db)) == 3
    record(intake, event("end"))
    db.execute("update agentdb.run set ended_at = ended_at - interval '2 hours'")
    record(intake, event("call", tool="e", at=past))
    assert len(runs(db)) == 4


def test_what_the_agents_own_run_did_comes_after_its_end(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    session = connect(db.info.dbname, "agent_a")
    run = start(session, conversation="c-1")
    session.execute("select agentdb.end_run()")
    ((_, status, _, found),) = record(intake, event("tokens", input=3))
    assert (status, found) == ("recorded", run)


def test_a_killed_session_stays_killed(db: Connection, intake: Connection) -> None:
    ((_, _, _, run),) = record(intake, event("call", tool="a"))
    db.execute("select agentdb.kill_run(%s, 'enough')", [run])
    answers = record(
        intake,
        event("call", tool="b", call_id="t1"),
        event("begin", tool="b", call_id="t2"),
        event("tokens", input=7),
        event("call", tool="c", thread="new"),
        event("progress", step="x"),
        event("end"),
    )
    assert [(each[1], each[3]) for each in answers] == [("recorded", run)] * 6
    (only,) = runs(db)
    assert only["outcome"] == "killed"
    assert value(db, "select count(*) from agentdb.run_stop") == 1
    assert (
        value(db, "select count(*) from agentdb.tool_call where ended_at is null") == 0
    )
    db.execute("update agentdb.run set ended_at = ended_at - interval '3 hours'")
    assert record(intake, event("call", tool="b"))[0][3] == run
    db.execute("update agentdb.policy set kill_forbids_restart = true")
    assert record(intake, event("start"))[0][3] == run
    db.execute("update agentdb.policy set kill_forbids_restart = false")
    answers = record(
        intake, event("call", tool="b"), event("start"), event("progress", step="y")
    )
    assert answers[0][3] == run
    assert answers[1][3] == answers[2][3] != run


def test_what_an_emitter_tells_covers_up_no_kill(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    """A session without a run is refused while its agent's last run was killed."""
    db.execute("create table report (id int primary key)")
    db.execute("grant insert on report to agent_a")
    db.execute("select agentdb.audit_table('report')")
    first = connect(db.info.dbname, "agent_a")
    run = start(first)
    db.execute("select agentdb.kill_run(%s, 'enough')", [run])
    later = connect(db.info.dbname, "agent_a")
    write = "insert into report values (1)"
    assert refusal(later, write).sqlstate == "ZA040"
    record(intake, event("call", tool="a"))
    assert refusal(later, write).sqlstate == "ZA040"
    assert refusal(later, "select agentdb.log_progress('x')").sqlstate == "ZA040"


def test_who_is_known_by_its_emitter_stops_with_its_session(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    db.execute("create table report (id int primary key)")
    db.execute("grant insert on report to agent_a")
    db.execute("select agentdb.audit_table('report')")
    session = connect(db.info.dbname, "agent_a")
    ((_, _, _, run),) = record(intake, event("call", tool="a"))
    db.execute("select agentdb.kill_run(%s, 'enough')", [run])
    assert refusal(session, "insert into report values (1)").sqlstate == "ZA040"
    later = connect(db.info.dbname, "agent_a")
    assert refusal(later, "insert into report values (1)").sqlstate == "ZA040"
    # Another that goes on is another process.
    record(intake, event("call", tool="a", conversation="c-2"))
    later.execute("insert into report values (1)")


def test_a_killed_session_is_woken_by_a_start_alone(
    db: Connection, intake: Connection
) -> None:
    ((_, _, _, run),) = record(intake, event("call", tool="a"))
    db.execute("select agentdb.kill_run(%s, 'enough')", [run])
    late = event("start", at="2026-01-01T00:00:00Z")
    for told in (event("start", source="prompt"), late):
        assert record(intake, told, by="hook")[0][3] == run
    now = value(db, "select clock_timestamp()").isoformat()
    assert record(intake, event("start", at=now), by="hook")[0][3] != run


def test_a_prompt_goes_on_after_an_end(db: Connection, intake: Connection) -> None:
    ((_, _, _, run),) = record(intake, event("start"))
    assert record(intake, event("start", source="prompt"))[0][3] == run
    record(intake, event("end", outcome="failed"))
    assert record(intake, event("start", source="prompt"))[0][3] != run


def test_a_killed_agents_events_are_kept_and_judged(
    db: Connection, intake: Connection
) -> None:
    db.execute("select agentdb.kill_agent('a', 'gone wild')")
    ((_, status, _, run),) = record(intake, event("call", tool="a"))
    assert status == "recorded" and run
    judged = intake.execute(
        "select allowed, reason from agentdb.judge_call('a', 'c-1', null, 'b')"
    ).fetchone()
    assert judged is not None and judged[0] is False and "gone wild" in judged[1]


def test_a_subagent_is_denied_when_its_conversation_is_killed(
    db: Connection, intake: Connection
) -> None:
    answers = record(
        intake, event("call", tool="a"), event("call", tool="a", thread="sub")
    )
    db.execute("select agentdb.kill_run(%s, 'enough', tree => false)", [answers[0][3]])
    ask = "select allowed, run_id from agentdb.judge_call('a', 'c-1', 'sub', 'b')"
    assert intake.execute(ask).fetchone() == (False, answers[1][3])
    ask = "select allowed from agentdb.judge_call('a', 'c-1', 'another', 'b')"
    assert intake.execute(ask).fetchone() == (False,)
    db.execute("select agentdb.pause_agent('a', 'wait')")
    ask = "select reason from agentdb.judge_call('a', 'c-2', null, 'b')"
    assert "paused: wait" in value(intake, ask)


def test_silence_ends_it_and_is_no_crash(db: Connection, intake: Connection) -> None:
    record(intake, event("call", tool="a"))
    record(intake, event("begin", tool="a", call_id="t", conversation="c-2"))
    record(intake, event("call", tool="a", conversation="c-3"))
    db.execute(
        "update agentdb.intake_session set last_at = last_at - interval '61 min' "
        "where conversation <> 'c-3'"
    )
    db.execute("update agentdb.run set started_at = started_at - interval '61 min'")
    db.execute("select agentdb.close_gone_runs()")
    outcomes = rows(db, "select conversation, outcome from agentdb.run order by 1")
    # c-2 waits for its call.
    assert [each["outcome"] for each in outcomes] == ["abandoned", None, None]
    reason = value(db, "select end_reason from agentdb.run where outcome is not null")
    assert "policy.intake_silence" in reason


def test_emitters_take_no_place_of_the_agents_own_runs(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    db.execute("update agentdb.policy set max_open_runs = 1")
    for number in range(3):
        record(intake, event("call", tool="a", conversation=f"c-{number}"))
    session = connect(db.info.dbname, "agent_a")
    run = start(session)
    assert session.execute(
        "select run_id from agentdb.log_progress('x')"
    ).fetchone() == (run,)
    assert value(db, "select count(*) from agentdb.run where ended_at is null") == 4


def test_no_session_of_the_agent_falls_into_it(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    ((_, _, _, run),) = record(intake, event("call", tool="a"))
    session = connect(db.info.dbname, "agent_a")
    assert refusal(session, "select agentdb.log_progress('x')").sqlstate == "ZA001"
    said = refusal(session, f"select agentdb.log_progress('x', run => {run})")
    assert said.sqlstate == "ZA001"
    said = refusal(session, f"select agentdb.end_run(run => {run})")
    assert said.sqlstate == "ZA001"


def test_more_sessions_than_anybody_has_are_refused(
    db: Connection, intake: Connection
) -> None:
    many = [event("call", tool="a", conversation=f"c-{n}") for n in range(1500)]
    found = Counter(statuses(record(intake, *many)))
    assert found == {"recorded": 1000, "refused": 500}
    assert value(db, "select count(*) from agentdb.run") == 1000
    assert value(db, "select count(*) from agentdb.intake_session") == 1000
    # Those that are open go on.
    assert statuses(record(intake, many[0] | {"tool": "b"})) == ["recorded"]
    assert statuses(record(intake, event("call", tool="a", conversation="x"))) == [
        "refused"
    ]
    record(intake, event("end", conversation="c-0"))
    assert statuses(record(intake, event("call", tool="a", conversation="x"))) == [
        "recorded"
    ]


def test_more_calls_in_flight_than_anybody_has_are_refused(
    db: Connection, intake: Connection
) -> None:
    many = [
        event("begin", tool="a", call_id=f"t{n}", ids=[f"{LONG}{n}"])
        for n in range(1100)
    ]
    assert Counter(statuses(record(intake, *many))) == {
        "recorded": 1000,
        "refused": 100,
    }
    record(intake, *(event("call", call_id=f"t{n}") for n in range(1000)))
    # What was refused may come again.
    assert Counter(statuses(record(intake, *many))) == {
        "repeated": 1000,
        "recorded": 100,
    }


def test_a_call_in_halves_is_one(db: Connection, intake: Connection) -> None:
    """The end before the beginning, the error before the tool, or after."""
    record(intake, event("call", call_id="t1", ok=False, error="boom"))
    record(intake, event("call", call_id="t1", tool="read", args={"p": 1}))
    record(intake, event("call", call_id="t2", ok=False, error="bang", thread="s"))
    record(intake, event("begin", call_id="t2", tool="look", args={}, thread="s"))
    again = record(intake, event("call", call_id="t2", tool="look", thread="s"))
    assert statuses(again) == ["repeated"]
    held = event("call", call_id="t0", ok=True, result_size=3, duration_ms=7)
    assert statuses(record(intake, held, held)) == ["recorded", "repeated"]
    unfinished = "select count(*) from agentdb.tool_call where ended_at is null"
    assert value(db, unfinished) == 0
    record(intake, event("call", call_id="t3", tool="read", args={"p": 3}))
    late = record(intake, event("call", call_id="t3", ok=False, error="late"))
    assert statuses(late) == ["repeated"]
    record(
        intake,
        event("call", call_id="t4", ok=False, error="together"),
        event("call", call_id="t4", tool="read", args={"p": 4}, result_size=9),
    )
    found = rows(
        db,
        "select call_id, tool, args, ok, error, result_size "
        "from agentdb.tool_call_log order by call_id",
    )
    assert [tuple(each.values()) for each in found] == [
        ("t1", "read", {"p": 1}, False, "boom", None),
        ("t2", "look", {}, False, "bang", None),
        ("t3", "read", {"p": 3}, True, None, None),
        ("t4", "read", {"p": 4}, False, "together", 9),
    ]
    assert row(
        db, "select tool, fault, detail from agentdb.faulty_call"
    ) == {"tool": "read", "fault": "failed", "detail": "late"}  # fmt: skip


def test_the_same_id_twice_in_one_reply_is_two(
    db: Connection, intake: Connection
) -> None:
    answers = record(
        intake,
        event("call", call_id="t1", tool="a"),
        event("call", call_id="t1", tool="b", occurrence=2),
        event("call", call_id="t1", tool="b", occurrence=2),
    )
    assert statuses(answers) == ["recorded", "recorded", "repeated"]
    assert value(db, "select count(*) from agentdb.tool_call_log") == 2


def test_faults_that_an_emitter_tells(db: Connection, intake: Connection) -> None:
    db.execute("insert into agentdb.tool (tool_name) values ('read')")
    db.execute(
        "insert into agentdb.agent_tool select agent_id, 'read' from agentdb.agent"
    )
    record(
        intake,
        event("call", tool="raed", call_id="t1"),
        event(
            "call", tool="fly", call_id="t2", unknown=True, ok=False, error="no tool"
        ),
        event("call", tool="read", call_id="t3", violation="p is missing"),
        event("denied", tool="read", call_id="t4", reason="not now"),
    )
    found = rows(
        db,
        "select tool, fault, detail from agentdb.faulty_call order by tool_call_log_id",
    )
    assert [(each["tool"], each["fault"]) for each in found] == [
        ("raed", "unknown"),
        ("fly", "unknown"),
        ("read", "invalid_args"),
    ]
    assert "read" in found[0]["detail"]
    assert value(
        db, "select error from agentdb.tool_call_log where call_id = 't4'"
    ) == ("denied: not now")


def test_calls_whose_arguments_nobody_tells_are_no_loop(
    db: Connection, intake: Connection
) -> None:
    record(intake, *(event("call", tool="read", call_id=f"t{n}") for n in range(50)))
    assert value(db, "select count(*) from agentdb.silent_loop") == 0
    told = (
        event("call", tool="read", args={"p": 1}, call_id=f"u{n}") for n in range(8)
    )
    record(intake, *told, by="hook")
    assert value(db, "select count(*) from agentdb.silent_loop") == 1


def test_emitters_at_once_open_one_run_and_count_each_event_once(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    """Batches overlap, in any order, of the same conversations, from six processes."""
    kinds = random.Random(7)
    truth = [
        event(
            "call", tool="t", args={"n": n}, call_id=f"c{n}", ids=[f"{LONG}c{n}"],
            conversation=f"c-{n % 5}", thread="sub" if n % 3 == 0 else None,
        )
        if n % 2
        else event(
            "tokens", input=n, output=1, ids=[f"{LONG}r{n}", f"{LONG}q{n}"],
            conversation=f"c-{n % 5}",
        )
        for n in range(400)
    ]  # fmt: skip
    answers: Counter[str] = Counter()
    failures: list[Exception] = []

    def send(seed: int) -> None:
        chance = random.Random(seed)
        session = connect(db.info.dbname, "intake_i")
        for _ in range(12):
            batch = chance.sample(truth, 100)
            try:
                answers.update(statuses(record(session, *batch)))
            except Exception as error:
                failures.append(error)
                return

    assert kinds
    threads = [threading.Thread(target=send, args=[seed]) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    record(intake, *truth)
    assert failures == []
    assert set(answers) <= {"recorded", "repeated", "refused"}
    assert value(db, "select count(*) from agentdb.tool_call_log") == 200
    assert value(db, "select count(*) from agentdb.token_log") == 200
    assert value(db, "select sum(input_tokens) from agentdb.token_log") == sum(
        range(0, 400, 2)
    )
    # Five conversations, each with one thread.
    assert value(db, "select count(*) from agentdb.run") == 10
    assert value(
        db, "select count(*) from agentdb.run where parent_run_id is null"
    ) == 5  # fmt: skip


def test_an_agent_that_holds_a_lock_keeps_nobody_else_waiting(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    register(db, "b", "agent_b")
    session = connect(db.info.dbname, "agent_a")
    start(session)
    session.execute("begin")
    session.execute(f"select agentdb.log_tokens(1, 1, response_id => '{LONG}1')")
    theirs = event("tokens", input=1, output=1, ids=[f"{LONG}1"])
    ours = event("tokens", agent="b", input=2, ids=[f"{LONG}1"])
    first, second = record(intake, theirs, ours)
    assert first[1] == "refused" and first[2].startswith("busy")
    assert second[1] == "recorded"
    ((_, status, problem, _),) = record(intake, theirs)
    assert status == "refused" and problem.startswith("busy:")
    session.execute("commit")
    assert statuses(record(intake, theirs, ours)) == ["repeated", "repeated"]
    assert value(db, "select sum(input_tokens) from agentdb.token_log") == 3


def test_an_answer_that_was_lost_is_asked_for_again(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    """Whoever sends does not know whether the commit was: it sends again."""
    batch = [
        event("start", ids=[f"{LONG}s"]),
        event("call", tool="a", args={}, at="2026-11-29T12:00:00Z"),
        event("call", tool="a", args={}, at="2026-11-29T12:00:00Z"),
        event("progress", step="x", at="2026-11-29T12:00:01Z"),
        event("end", ids=[f"{LONG}e"]),
    ]
    for _ in range(2):
        session = connect(db.info.dbname, "intake_i")
        session.execute("begin")
        record(session, *batch)
        session.close()
        assert value(db, "select count(*) from agentdb.run") == 0
    for expected in ("recorded", "repeated", "repeated"):
        session = connect(db.info.dbname, "intake_i")
        assert statuses(record(session, *batch)) == [expected] * 5
        session.close()
    assert value(db, "select count(*) from agentdb.tool_call_log") == 2
    assert value(db, "select count(*) from agentdb.progress_log") == 1
    assert len(runs(db)) == 1


def test_what_came_once_is_forgotten_with_the_logs(
    db: Connection, intake: Connection
) -> None:
    record(intake, event("tokens", input=1, ids=[f"{LONG}1"]))
    record(intake, event("call", tool="x", proven=False))
    intake.execute(
        "select agentdb.note_problem(%s::text::jsonb)", [json.dumps({"reason": "r"})]
    )
    db.execute("select agentdb.maintain()")
    kept = ("event_key", "intake_session", "unproven_hour", "intake_problem")
    for table in kept:
        assert value(db, f"select count(*) from agentdb.{table}") == 1
    for table, column in zip(
        kept, ("recorded_at", "last_at", "hour_at", "last_at"), strict=True
    ):
        db.execute(
            f"update agentdb.{table} set {column} = {column} - interval '31 days'".encode()
        )
    db.execute("select agentdb.maintain()")
    for table in kept:
        assert value(db, f"select count(*) from agentdb.{table}") == 0


def test_it_yields_to_a_run_that_the_agent_opens(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    ((_, _, _, theirs),) = record(intake, event("call", tool="a"))
    session = connect(db.info.dbname, "agent_a")
    own = start(session, conversation="c-1")
    answers = record(
        intake, event("call", tool="b"), event("call", tool="c", thread="sub")
    )
    assert answers[0][3] == own
    assert [(each["run_id"], each["parent"], each["outcome"]) for each in runs(db)] == [
        (theirs, None, "replaced"),
        (own, None, None),
        (answers[1][3], own, None),
    ]


def test_emitters_that_name_each_other_as_parents_end(
    db: Connection, intake: Connection
) -> None:
    answers = record(
        intake,
        event("call", tool="a", thread="x", parent_thread="y"),
        event("call", tool="a", thread="y", parent_thread="x"),
        event("call", tool="a", thread="z", parent_thread="z"),
    )
    assert statuses(answers) == ["recorded"] * 3
    assert value(db, "select count(*) from agentdb.run where ended_at is null") == 4
    tree = value(
        db,
        "select count(*) from agentdb.run as r cross join lateral "
        "agentdb.run_tree(r.run_id) where r.parent_run_id is null",
    )
    assert tree == 4


def test_the_agent_and_its_emitter_tell_the_same_at_once(
    db: Connection, intake: Connection, connect: Connect
) -> None:
    """Calls and tokens by both ways, in other orders, and each counts once."""
    numbers = list(range(300))
    failures: list[Exception] = []

    def tell(own: bool) -> None:
        chance = random.Random(own)
        mine = chance.sample(numbers, len(numbers))
        session = connect(db.info.dbname, "agent_a" if own else "intake_i")
        try:
            if own:
                start(session, conversation="c-1")
                began.set()
                for n in mine:
                    with session.transaction():
                        session.execute(
                            "select from agentdb.log_tokens(1, 1, response_id => %s), "
                            "agentdb.log_tool_call('t', call_id => %s)",
                            [f"{LONG}{n}", f"t{n}"],
                        )
                return
            assert began.wait(20)
            for place in range(0, 300, 20):
                part = mine[place : place + 20]
                batch = [
                    *(
                        event("tokens", input=1, output=1, ids=[f"{LONG}{n}"])
                        for n in part
                    ),
                    *(event("call", tool="t", call_id=f"t{n}") for n in part),
                ]
                while "refused" in statuses(record(session, *batch)):
                    continue
        except Exception as error:
            failures.append(error)

    began = threading.Event()
    threads = [threading.Thread(target=tell, args=[own]) for own in (True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    (only,) = runs(db)
    assert only["opened_by"] is None
    for log in ("tool_call_log", "token_log"):
        assert value(db, f"select count(*) from agentdb.{log}") == 300
    by_whom = rows(db, "select distinct recorded_by from agentdb.token_log")
    assert {each["recorded_by"] for each in by_whom} == {None, "otlp"}


def test_a_batch_is_logged_in_the_order_in_which_it_happened(
    db: Connection, intake: Connection
) -> None:
    """Spans end, and come, in another order than they began."""
    moments = [f"2026-11-29T12:00:{second:02}Z" for second in range(60)]
    shuffled = random.Random(3).sample(moments, len(moments))
    record(
        intake,
        *(
            event("call", tool="t", args={"at": at}, call_id=f"c{at[::-1]}", at=at)
            for at in shuffled
        ),
        *(event("tokens", input=1, at=at) for at in shuffled),
        *(event("progress", step=at, at=at) for at in shuffled),
    )
    for log in ("tool_call_log", "token_log", "progress_log"):
        found = rows(db, f"select happened_at from agentdb.{log} order by {log}_id")
        assert [each["happened_at"] for each in found] == sorted(
            each["happened_at"] for each in found
        )
        assert len(found) == 60


def test_call_told_after_its_session_was_resumed_is_one(
    db: Connection, intake: Connection
) -> None:
    call = {"tool": "Read", "args": {"p": 1}, "call_id": "c1"}
    record(intake, event("start"), event("call", **call), by="hook")
    at = value(db, "select to_json(clock_timestamp()) #>> '{}'")
    record(intake, event("end"), by="hook")
    record(intake, event("start"), by="hook")
    late = record(intake, event("call", **call, at=at))
    assert [each[1:] for each in late] == [("repeated", None, 1)]
    new = record(intake, event("call", **call | {"call_id": "c2"}))
    assert new[0][3] == 2
    assert value(db, "select count(*) from agentdb.tool_call_log") == 2
