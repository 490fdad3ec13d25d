"""One budget over a run and all that descend from it by spawn tokens, whoever they are."""

from __future__ import annotations

import random
import threading
from typing import Any

import psycopg
import pytest

from .agents import age, labels, policy, refusal, register, row, rows, start, value
from .conftest import Connect, Connection

RESERVE = "select * from agentdb.reserve_tokens(%s::bigint)"
SETTLE = "select * from agentdb.settle_tokens(%s::bigint, %s::bigint, 0)"
TREE = "select * from agentdb.remaining_budget() where scope = 'tree'"


def alter(db: Connection, policy_name: str = "default", **settings: object) -> None:
    """Change settings of a policy."""
    for name, setting in settings.items():
        change = f"update agentdb.policy set {name} = %s where policy_name = %s"
        db.execute(change.encode(), [setting, policy_name])


def spawn(parent: Connection, child: Connection, **how: str) -> int:
    """Start a run of a session as a child of that of another."""
    token = value(parent, "select agentdb.spawn_token()")
    return start(child, spawn_token=token, **how)


@pytest.fixture
def root(db: Connection, connect: Connect) -> Connection:
    """The session of agent a, whose run 1 may use 100,000 tokens with its children."""
    register(db)
    register(db, "b", "agent_b")
    db.execute("update agentdb.policy set tree_budget_tokens = 100000")
    session = connect(db.info.dbname, "agent_a")
    start(session, conversation="root")
    return session


@pytest.fixture
def child(db: Connection, connect: Connect, root: Connection) -> Connection:
    """The session of agent b, whose run 2 the root started."""
    session = connect(db.info.dbname, "agent_b")
    spawn(root, session, conversation="child")
    return session


def test_children_of_other_agents_spend_the_budget_of_the_root(
    db: Connection, root: Connection, child: Connection
) -> None:
    # Whoever began it answers: the policy of the child's agent says nothing.
    policy(db, "playbook", "b")
    alter(db, "playbook", tree_budget_tokens=5)
    child.execute("select agentdb.log_tokens(60000, 0)")
    said = row(root, RESERVE, 30_000)
    assert (said["granted"], said["scope"], said["tokens_left"]) == (
        True, "tree", 10_000,
    )  # fmt: skip
    refused = row(child, RESERVE, 10_001)
    assert (refused["granted"], refused["scope"], refused["tokens_left"]) == (
        False, "tree", 10_000,
    )  # fmt: skip
    assert "only reserved, by prompts of the tree" in refused["advice"]
    assert row(root, TREE)["spent"] == row(child, TREE)["spent"] == 60_000
    db.execute("select agentdb.roll_up()")
    assert row(child, TREE)["spent"] == 60_000
    root.execute(SETTLE, [said["reservation"], 40_000])
    spent = row(child, RESERVE, 1)
    assert (spent["granted"], spent["tokens_left"]) == (False, 0)
    assert "start no other" in spent["advice"]
    assert "start no other" in row(child, TREE)["advice"]


def test_grandchild_counts_and_a_stranger_does_not(
    db: Connection, connect: Connect, root: Connection, child: Connection
) -> None:
    grandchild = connect(db.info.dbname, "agent_b")
    run = spawn(child, grandchild)
    child.execute("select agentdb.end_run()")
    grandchild.execute("select agentdb.log_tokens(7, 0)")
    stranger = connect(db.info.dbname, "agent_b")
    start(stranger)
    stranger.execute("select agentdb.log_tokens(1000, 0)")
    assert row(root, TREE)["spent"] == row(grandchild, TREE)["spent"] == 7
    assert row(stranger, TREE)["spent"] == 1000
    roots = rows(db, "select run_id, root_run_id from agentdb.run order by 1")
    assert [each["root_run_id"] for each in roots] == [None, 1, 1, None]
    # The root kept no more, what is left is a tree of its own.
    db.execute("delete from agentdb.run where run_id = 1")
    assert row(grandchild, RESERVE, 1)["granted"] is True
    assert row(grandchild, TREE)["spent"] == 7
    assert run == 3


def test_limit_is_what_a_run_may_use_or_four_conversations(
    db: Connection, root: Connection, child: Connection
) -> None:
    limits = "select max_tokens, max_cost from agentdb.remaining_budget() where scope = 'tree'"
    for settings, expected in (
        ({"tree_budget_tokens": None}, (2_000_000, None)),
        ({"run_budget_tokens": 400_000}, (400_000, None)),
        ({"run_budget_tokens": None, "conversation_budget_tokens": 2**63 - 1}, (2**63 - 1, None)),
        ({"conversation_budget_cost": 2.5}, (2**63 - 1, 10.0)),
        ({"run_budget_cost": 3}, (2**63 - 1, 3.0)),
        ({"tree_budget_cost": 7}, (2**63 - 1, 7.0)),
    ):  # fmt: skip
        alter(db, **settings)
        assert tuple(row(child, limits).values()) == expected
    override = (
        "insert into agentdb.budget_override (agent_id, scope, max_tokens) "
        "select agent_id, %s, %s from agentdb.agent where agent_name = 'a'"
    )
    db.execute(override, ["run", 11])
    assert row(child, limits)["max_tokens"] == 11
    db.execute(override, ["tree", None])
    assert row(child, limits)["max_tokens"] is None
    assert row(child, TREE)["tokens_left"] is None
    for column, bad in (
        ("tree_budget_tokens", "0"), ("tree_budget_tokens", "-1"),
        ("tree_budget_cost", "'NaN'"), ("tree_budget_cost", "'Infinity'"),
        ("tree_budget_cost", "-1"), ("budget_notice_share", "'NaN'"),
        ("budget_nearly_spent_share", "1.01"), ("spawn_storm_runs", "0"),
        ("spawn_storm_window", "'-1 s'"), ("spawn_storm_window", "'1 year'"),
    ):  # fmt: skip
        with pytest.raises(psycopg.errors.CheckViolation):
            db.execute(f"update agentdb.policy set {column} = {bad}".encode())


def test_sixteen_children_never_exceed_the_budget_and_use_it(
    db: Connection, connect: Connect, root: Connection
) -> None:
    cap = 800_000
    alter(db, tree_budget_tokens=cap)
    children = []
    for place in range(16):
        session = connect(db.info.dbname, "agent_b")
        children.append(session)
        spawn(root, session, conversation=f"part {place}")
    over: list[int] = []

    def work(place: int) -> None:
        chance, session = random.Random(place), children[place]
        for _ in range(5):
            said = row(session, RESERVE, 20_000)
            if said["granted"]:
                used = chance.randint(10_000, 20_000)
                session.execute(SETTLE, [said["reservation"], used])
            now = row(session, TREE)
            if now["spent"] + now["reserved"] > cap:
                over.append(now["spent"] + now["reserved"])

    threads = [threading.Thread(target=work, args=[n]) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert over == []
    assert cap - 20_000 <= row(root, TREE)["spent"] <= cap
    # What one child could not see of another was still counted.
    assert value(db, "select passed from agentdb.tree_gate") >= 79


def test_reservation_that_is_not_committed_makes_the_tree_busy_and_not_spent(
    db: Connection, root: Connection, child: Connection
) -> None:
    with root.transaction():
        assert row(root, RESERVE, 99_999)["granted"] is True
        busy = refusal(child, RESERVE, 1)
        assert busy.sqlstate == "55P03"
        assert "is busy" in str(busy.message_primary)
        assert "no refusal: try the same call again" in str(busy.message_hint)
    assert rows(db, "select from agentdb.budget_refusal") == []
    assert row(child, RESERVE, 1)["granted"] is True
    assert row(child, RESERVE, 1)["granted"] is False
    assert rows(db, "select scope, spent from agentdb.budget_refusal") == [
        {"scope": "tree", "spent": False}
    ]


def test_child_that_starts_while_its_root_reserves_counts_that(
    db: Connection, connect: Connect, root: Connection
) -> None:
    token = value(root, "select agentdb.spawn_token()")
    child = connect(db.info.dbname, "agent_b")
    done: list[Any] = []

    def late() -> None:
        start(child, spawn_token=token)
        done.append(row(child, RESERVE, 50_001))

    with root.transaction():
        assert row(root, RESERVE, 50_000)["granted"] is True
        thread = threading.Thread(target=late)
        thread.start()
        thread.join(0.5)
        assert done == []
    thread.join()
    assert done[0]["granted"] is False


def test_tree_that_runs_low_is_one_alert_of_the_root(
    db: Connection, root: Connection, child: Connection
) -> None:
    severity = "select annotations ->> 'severity' from agentdb.budget_low"
    for tokens, expected in (
        (49_999, None), (1, "info"), (30_000, "warning"), (15_000, "warning"),
        (5_000, "critical"),
    ):  # fmt: skip
        child.execute("select agentdb.log_tokens(%s::bigint, 0)", [tokens])
        tree = [each for each in labels(db, "budget_low") if each["scope"] == "tree"]
        assert tree == (
            [{"agent": "a", "scope": "tree", "run": "1"}] if expected else []
        )
        if expected:
            assert value(db, severity) == expected
    db.execute("update agentdb.policy set budget_notice_share = null")
    db.execute("update agentdb.policy set tree_budget_tokens = 150000")
    assert labels(db, "budget_low") == []


def test_refused_tree_is_told_once_by_its_root(
    db: Connection, root: Connection, child: Connection
) -> None:
    child.execute("select agentdb.log_tokens(100000, 0)")
    for session in (root, child, child):
        assert row(session, RESERVE, 1)["granted"] is False
    assert labels(db, "budget_refused") == [{"agent": "a", "scope": "tree", "run": "1"}]
    said = value(db, "select annotations ->> 'summary' from agentdb.budget_refused")
    assert said.startswith("a was refused 3 times by its tree's budget")


def storm(db: Connection, connect: Connect, root: Connection, many: int) -> None:
    """Have every run start the next."""
    parent = root
    for _ in range(many):
        session = connect(db.info.dbname, "agent_b")
        spawn(parent, session)
        parent = session


def test_runs_that_start_runs_without_end_are_told_by_their_root(
    db: Connection, connect: Connect, root: Connection
) -> None:
    storm(db, connect, root, 15)
    assert labels(db, "spawn_storm") == []
    storm(db, connect, root, 1)
    assert labels(db, "spawn_storm") == [{"agent": "a", "run": "1"}]
    (told,) = rows(db, "select value, annotations from agentdb.spawn_storm")
    assert told["value"] == 16
    assert "started 16 runs" in told["annotations"]["summary"]
    # Not what the others do, and not for ever.
    age(db, "run", "started_at", "11 minutes")
    assert labels(db, "spawn_storm") == []
    db.execute("update agentdb.policy set spawn_storm_window = '1 hour'")
    assert len(labels(db, "spawn_storm")) == 1
    db.execute("update agentdb.policy set spawn_storm_runs = null")
    assert labels(db, "spawn_storm") == []


def test_one_parent_with_its_ten_children_is_no_storm(
    db: Connection, connect: Connect, root: Connection
) -> None:
    for place in range(10):
        spawn(root, connect(db.info.dbname, "agent_b"), conversation=f"part {place}")
    for _ in range(10):
        start(connect(db.info.dbname, "agent_b"))
    assert labels(db, "spawn_storm") == []


@pytest.mark.parametrize(
    ("input", "cached", "within", "kept", "told"),
    [
        (5000, 4096, None, 5000, True),
        (5000, 4096, True, 904, False),
        (5000, 4096, False, 5000, False),
        (4096, 4096, True, 0, False),
        (4096, 4096, None, 4096, True),
        # As Anthropic counts: little is new, and no multiple of 128.
        (500, 4096, None, 500, False),
        (5000, 4100, None, 5000, False),
        (5000, 896, None, 5000, False),
        (5000, 0, True, 5000, False),
    ],
)
def test_cached_input_within_the_input_is_known_or_asked_about(
    db: Connection, root: Connection, input: int, cached: int, within: bool | None,
    kept: int, told: bool,
) -> None:  # fmt: skip
    said = row(
        root,
        "select * from agentdb.log_tokens(%s::bigint, 1, cached_input => %s::bigint, "
        "cached_within => %s::boolean)",
        input, cached, within,
    )  # fmt: skip
    assert bool(said["advice"]) is told
    assert value(db, "select input_tokens from agentdb.token_log") == kept
    many = "select * from agentdb.log_tokens_many(%s::jsonb)"
    within_json = "null" if within is None else str(within).lower()
    usage = f'[{{"input": {input}, "cached_input": {cached}, "cached_within": {within_json}}}]'
    assert bool(row(root, many, usage)["advice"]) is told
    taken = row(root, RESERVE, 10)
    said = row(
        root,
        "select * from agentdb.settle_tokens(%s::bigint, %s::bigint, 1, "
        "cached_input => %s::bigint, cached_within => %s::boolean)",
        taken["reservation"], input, cached, within,
    )  # fmt: skip
    assert bool(said["advice"]) is told
    counted = rows(db, "select distinct input_tokens from agentdb.token_log")
    assert counted == [{"input_tokens": kept}]


@pytest.mark.parametrize(("input", "cached"), [(1, 2), (0, 10**9)])
def test_more_from_the_cache_than_there_was_is_refused(
    db: Connection, root: Connection, input: int, cached: int
) -> None:
    log = (
        "select agentdb.log_tokens(%s::bigint, 0, cached_input => %s::bigint, "
        "cached_within => true)"
    )
    assert refusal(root, log, input, cached).sqlstate == "ZA004"
    taken = row(root, RESERVE, 10)["reservation"]
    settle = log.replace("log_tokens(", "settle_tokens(%s::bigint, ")
    assert refusal(root, settle, taken, input, cached).sqlstate == "ZA004"
    assert rows(db, "select from agentdb.token_log") == []
    assert row(root, TREE)["reserved"] == 10


def test_agent_has_a_budget_of_the_day_from_the_installation_on(
    db: Connection, root: Connection
) -> None:
    days = rows(
        db, "select distinct agent_day_budget_tokens as day from agentdb.policy"
    )
    assert days == [{"day": 100_000_000}]
    db.execute("update agentdb.policy set tree_budget_tokens = null")
    for number in range(5):
        root.execute("select agentdb.end_run()")
        start(root, conversation=f"prompt {number}")
        root.execute("select agentdb.log_tokens(19999999, 0)")
    root.execute("select agentdb.end_run()")
    start(root, conversation="one more")
    said = row(root, RESERVE, 6)
    assert (said["granted"], said["scope"], said["tokens_left"]) == (
        False, "agent_day", 5,
    )  # fmt: skip


def test_run_alone_is_warned_of_a_tree_that_may_use_less_than_it(
    db: Connection, root: Connection
) -> None:
    root.execute("select agentdb.log_tokens(85000, 0)")
    (told,) = rows(db, "select labels, annotations from agentdb.budget_low")
    assert told["labels"]["scope"] == "tree"
    assert told["annotations"]["severity"] == "warning"
    alter(db, tree_budget_tokens=None)
    assert rows(db, "select labels from agentdb.budget_low") == []
    # Where both are as narrow one says it.
    alter(db, tree_budget_tokens=100_000, conversation_budget_tokens=100_000)
    (told,) = rows(db, "select labels from agentdb.budget_low")
    assert told["labels"]["scope"] == "conversation"
