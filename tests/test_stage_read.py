"""A change rests on rows that it does not write: it is applied only while they are so."""

from __future__ import annotations

import psycopg
import pytest

from .agents import refusal, row, rows, start, value
from .changes import approve, latest
from .conftest import Connect, Connection

READS = "select * from agentdb.stage_reads('public.customer', %s::jsonb)"
NAMED = '{"public.customer": {"id": "customer"}}'


@pytest.fixture
def agent(guarded: Connection, connect: Connect) -> Connection:
    guarded.execute("select agentdb.guard_table('public.customer')")
    session = connect(guarded.info.dbname, "agent_a")
    session.execute("set search_path = agentdb_stage, public")
    start(session)
    return session


def stage(agent: Connection, keys: str = '{"id": 1}', note: str = "x") -> int:
    """Stage a note that rests on customers; return the number of the change."""
    with agent.transaction():
        agent.execute(READS.encode(), [keys])
        agent.execute("update invoice set note = %s where id = 2", [note])
        return int(
            value(
                agent,
                "select max(change_id) from agentdb.my_changes(undecided => true)",
            )
        )


def test_rows_that_are_as_they_were_let_it_through(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    change = stage(agent, '[{"id": 1}, {"id": 2}, {"id": 77}]')
    guarded.execute("update public.customer set name = name")
    assert approve(reviewer, change)["state"] == "applied"
    assert value(guarded, "select note from public.invoice where id = 2") == "x"


@pytest.mark.parametrize(
    ("write", "conflict"),
    [
        ("update public.customer set name = 'other' where id = 1", "was changed"),
        ("delete from public.customer where id = 5", "is gone"),
        ("insert into public.customer values (77, 'late')", "is there now"),
    ],
)
def test_row_that_somebody_writes_is_a_conflict(
    guarded: Connection,
    agent: Connection,
    reviewer: Connection,
    connect: Connect,
    write: str,
    conflict: str,
) -> None:
    guarded.execute("insert into public.customer values (5, 'five')")
    change = stage(agent, '[{"id": 1}, {"id": 5}, {"id": 77}]')
    connect(guarded.info.dbname, "app_user").execute(write.encode())
    ended = approve(reviewer, change)
    assert ended["state"] == "conflict"
    (found,) = ended["problem"]["conflicts"]
    assert (found["table"], found["operation"]) == ("public.customer", "read")
    assert (found["conflict"], found["by"]["role"]) == (conflict, "app_user")
    assert value(guarded, "select note from public.invoice where id = 2") is None


def test_reviewer_sees_what_it_rests_on_and_the_proposer_no_values(
    agent: Connection, reviewer: Connection
) -> None:
    change = stage(agent)
    query = (
        "select operation, row_key, old_values from agentdb.show_change_rows(%s)"
        " where operation = 'read'"
    )
    assert rows(reviewer, query, change) == [
        {
            "operation": "read",
            "row_key": {"id": 1},
            "old_values": {"id": 1, "name": "acme"},
        }
    ]
    assert row(agent, query, change)["old_values"] is None


def test_digest_covers_what_it_rests_on(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    change = stage(agent)
    digest = value(reviewer, "select digest from agentdb.show_change(%s)", change)
    guarded.execute("update agentdb.change_read set seen = '{}'")
    with pytest.raises(psycopg.Error) as error:
        reviewer.execute("select agentdb.approve_change(%s, %s)", [change, digest])
    assert error.value.sqlstate == "ZA054"


def test_write_under_way_is_waited_for(
    guarded: Connection, agent: Connection, reviewer: Connection, connect: Connect
) -> None:
    change = stage(agent)
    reviewer.execute("set lock_timeout = '100ms'")
    app = connect(guarded.info.dbname, "app_user")
    with app.transaction(force_rollback=True):
        app.execute("update public.customer set name = 'other' where id = 1")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            approve(reviewer, change)
    assert approve(reviewer, change)["state"] == "applied"


def test_row_of_the_change_itself_is_bound_by_it(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    with agent.transaction():
        agent.execute("update customer set name = 'new' where id = 1")
        agent.execute(READS.encode(), ['{"id": 1}'])
    change = latest(guarded)["change_id"]
    assert value(guarded, "select count(*) from agentdb.change_read") == 0
    assert approve(reviewer, change)["state"] == "applied"


def test_row_that_an_undecided_change_would_write_is_refused(agent: Connection) -> None:
    agent.execute("update customer set name = 'new' where id = 1")
    with pytest.raises(
        psycopg.Error, match="is what change 1 would make of it"
    ) as error:
        stage(agent)
    assert error.value.sqlstate == "ZA004"


@pytest.mark.parametrize(
    "keys",
    [
        "null", "[]", "3", '"id"', '[{"id": null}]', '[{"name": "acme"}]',
        '[{"id": 1, "name": "acme"}]', "[[1]]", "{}",
    ],
)  # fmt: skip
def test_keys_that_are_none_are_refused(agent: Connection, keys: str) -> None:
    said = refusal(agent, READS, keys)
    assert said.sqlstate == "ZA004"
    assert "primary key (id)" in (said.message_hint or "")


def test_table_that_is_not_guarded_is_refused(agent: Connection) -> None:
    said = refusal(agent, "select agentdb.stage_reads('public.line', '{\"id\": 1}')")
    assert said.sqlstate == "ZA006"


def test_reads_alone_are_no_change(guarded: Connection, agent: Connection) -> None:
    agent.execute(READS.encode(), ['{"id": 1}'])
    assert latest(guarded)["state"] == "withdrawn"


def test_more_reads_than_the_policy_allows_are_refused(
    guarded: Connection, agent: Connection
) -> None:
    guarded.execute("update agentdb.policy set max_change_rows = 2")
    keys = '[{"id": 1}, {"id": 2}, {"id": 3}]'
    assert refusal(agent, READS, keys).sqlstate == "ZA005"


def secure(db: Connection) -> None:
    """Let agents see customer 2 alone."""
    db.execute("alter table public.customer enable row level security")
    db.execute("create policy p on public.customer for select using (id = 2)")
    db.execute("create policy q on public.customer to agentdb_applier using (true)")


def test_row_that_may_be_read_and_not_written_binds(
    guarded: Connection, agent: Connection, reviewer: Connection
) -> None:
    secure(guarded)
    change = stage(agent, '{"id": 2}')
    assert approve(reviewer, change)["state"] == "applied"


@pytest.mark.parametrize("number", [1, 77])
def test_row_that_row_security_hides_is_like_one_that_is_not_there(
    guarded: Connection, agent: Connection, number: int
) -> None:
    secure(guarded)
    said = refusal(agent, READS, f'{{"id": {number}}}')
    assert said.sqlstate == "ZA006"
    assert (
        (said.message_primary or "")
        .replace(str(number), "N")
        .startswith('there is no row {"id": N}')
    )


def test_guard_names_what_its_rows_rest_on(
    guarded: Connection, agent: Connection, reviewer: Connection, connect: Connect
) -> None:
    guarded.execute(
        "select agentdb.guard_table('public.invoice', reads => %s)", [NAMED]
    )
    agent.execute("update invoice set note = 'x' where id in (2, 4)")
    first = latest(guarded)["change_id"]
    read = rows(reviewer, "select * from agentdb.show_change_rows(%s)", first)[-1]
    assert (read["operation"], read["old_values"]) == (
        "read",
        {"id": 1, "name": "acme"},
    )
    agent.execute("update invoice set customer = 1 where id = 1")
    second = latest(guarded)["change_id"]
    assert (
        value(
            guarded,
            "select count(*) from agentdb.change_read where change_id = %s",
            second,
        )
        == 2
    )  # the customer that it had and the one that it gets
    connect(guarded.info.dbname, "app_user").execute(
        "update public.customer set name = 'other' where id = 2"
    )
    assert approve(reviewer, first)["state"] == "applied"
    assert approve(reviewer, second)["state"] == "conflict"


@pytest.mark.parametrize(
    "reads",
    [
        "3", '{"public.line": {"id": "customer"}}', '{"public.customer": {}}',
        '{"public.customer": {"id": "nothing"}}', '{"public.customer": "id"}',
        '{"public.customer": {"id": "customer", "name": "note"}}',
    ],
)  # fmt: skip
def test_guard_refuses_to_name_what_cannot_be_read(
    guarded: Connection, agent: Connection, reads: str
) -> None:
    said = refusal(
        guarded, "select agentdb.guard_table('public.invoice', reads => %s)", reads
    )
    assert said.sqlstate == "ZA004"


def test_guard_shows_reviewers_only_what_its_maker_may_read(
    guarded: Connection, agent: Connection, connect: Connect
) -> None:
    guarded.execute("alter table public.invoice owner to operator_o")
    guarded.execute("revoke select on public.customer from operator_o")
    operator = connect(guarded.info.dbname, "operator_o")
    said = refusal(
        operator, "select agentdb.guard_table('public.invoice', reads => %s)", NAMED
    )
    assert "is not yours to read" in (said.message_primary or "")


def test_row_that_may_not_be_written_is_not_staged_by_an_update_that_changes_nothing(
    guarded: Connection, agent: Connection
) -> None:
    """An unset setting is NULL: it let such an UPDATE past the policies."""
    secure(guarded)
    guarded.execute("create policy r on public.customer for update using (false)")
    done = agent.execute("update customer set name = name where id = 2")
    assert done.rowcount == 0
