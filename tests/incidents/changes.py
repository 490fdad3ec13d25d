"""Changes: waiting, expired, approved by who proposed them, no longer fitting."""

from __future__ import annotations

from ..agents import value
from ..changes import approve
from .loops import working
from .play import HOUR, MINUTE, Actor, Play, Wait
from .registry import healthy, incident


def guarded(play: Play, actor: Actor, **given: str) -> tuple[str, str]:
    """Return a guarded table of an agent, and its staging view."""
    table = play.table(actor, lines=9)
    more = "".join(f", {name} => '{text}'" for name, text in given.items())
    play.db.execute(f"select agentdb.guard_table('{table}'{more})".encode())
    return table, table.replace("public.", "agentdb_stage.")


def proposed(play: Play, actor: Actor) -> int:
    """Return the change that the agent has just staged."""
    return int(
        play.value(
            "select max(change_id) from agentdb.change where run_id = %s", actor.run
        )
    )


def decide(play: Play, change: int) -> str:
    """Have a reviewer approve it as it is; return what became of it."""
    person = play.person("agentdb_reviewer")
    state = approve(person, change)["state"]
    person.close()
    return str(state)


@incident
def approves_its_own_change(play: Play) -> Wait:
    """An agent whose role was made a reviewer tries to approve what it proposed."""
    actor = working(play)
    _, stage = guarded(play, actor)
    play.db.execute(f"grant agentdb_reviewer to {actor.role}".encode())
    actor.sql(f"update {stage} set state = 'paid' where id = 2")
    change = proposed(play, actor)
    yield 40
    if play.bad:
        digest = value(actor.open, "select digest from agentdb.show_change(%s)", change)
        tried = "select agentdb.approve_change(%s, %s::text)"
        assert actor.refused(tried, change, digest) == "ZA055"
        play.expect("self_approval", says=[f"{actor.role}|{actor.name}"])
        yield 3 * MINUTE
    assert decide(play, change) == "applied"
    actor.step("it is paid")
    actor.end()


@incident
def change_that_waits(play: Play) -> Wait:
    """A change has waited for a reviewer for more than an hour."""
    actor = working(play)
    table, stage = guarded(play, actor)
    actor.sql(f"update {stage} set state = 'paid' where id = 2")
    change = proposed(play, actor)
    actor.end()
    yield 62 * MINUTE if play.bad else 30 * MINUTE
    play.expect("change_waiting", says=[table, f"change {change}"])
    yield 5 * MINUTE
    assert decide(play, change) == "applied"


@incident
def change_that_expires(play: Play) -> Wait:
    """A change expires undecided: it was said before, and is said once when it is over."""
    actor = working(play)
    table, stage = guarded(play, actor, expires="3 hours")
    actor.sql(f"update {stage} set state = 'paid' where id = 2")
    change = proposed(play, actor)
    actor.end()
    if not play.bad:
        yield 30 * MINUTE
        decide(play, change)
        return
    yield 65 * MINUTE
    play.expect("change_waiting", "change_expiring", says=[table])
    yield 2 * HOUR
    play.expect("change_expired", says=[table, f"change {change}"])
    play.updates = 1
    yield 2 * MINUTE


@incident
def change_that_does_not_fit_any_more(play: Play) -> Wait:
    """Somebody has changed the row between the proposal and the approval."""
    actor = working(play)
    table, stage = guarded(play, actor)
    actor.sql(f"update {stage} set state = 'paid' where id = 2")
    change = proposed(play, actor)
    yield 5 * MINUTE
    if play.bad:
        play.db.execute(
            f"update {table} set amount = 77, state = 'void' where id = 2".encode()
        )
    state = decide(play, change)
    assert state == ("conflict" if play.bad else "applied"), state
    play.expect(
        "change_conflict", severity="critical", says=[table, f"change {change}"]
    )
    yield 3 * MINUTE
    actor.step("goes on")
    actor.end()


@incident
def writes_a_guarded_table_directly(play: Play) -> Wait:
    """An agent is told to stage its writes, and goes on writing directly."""
    actor, tool = working(play), play.name("sql")
    table, stage = guarded(play, actor)
    changes = []
    for i in range(1, 7):
        where = f"set state = 'paid' where id = {i}"
        if play.bad:
            assert actor.refused(f"update {table} {where}")
            actor.fail(
                tool,
                {"sql": where},
                f"{actor.role} may not update {table} directly: it is guarded",
            )
        else:
            actor.sql(f"update {stage} {where}")
            changes.append(proposed(play, actor))
            actor.tool(tool, {"sql": where}, result="UPDATE 1")
        if i == 5:
            play.expect(
                "refused_write", "access_denied", "silent_loop", says=[actor.name]
            )
            play.updates = 1
        yield play.pace(20, 40)
    for change in changes:
        decide(play, change)
    actor.end()


@healthy
def reviewed_day(play: Play) -> Wait:
    """Twelve changes are proposed and each is decided within minutes, two are rejected."""
    actor = working(play)
    _, stage = guarded(play, actor)
    for i in range(12):
        actor.sql(f"update {stage} set amount = {100 + i} where id = {i % 9 + 1}")
        change = proposed(play, actor)
        yield play.pace(60, 200)
        if i % 6 == 5:
            person = play.person("agentdb_reviewer")
            person.execute("select agentdb.reject_change(%s, 'no'::text)", [change])
            person.close()
        else:
            assert decide(play, change) == "applied"
        actor.step(f"number {i} is decided: {play.text(3)}")
    actor.end()
