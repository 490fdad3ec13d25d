"""Waiting: for a person, a reviewer, a rate limit; a state with a clock of its own."""

from __future__ import annotations

from ..changes import approve
from .loops import working
from .play import MINUTE, Play, Wait
from .registry import healthy, incident


def answer(play: Play, question: int) -> None:
    """Have somebody answer."""
    person = play.person()
    person.execute("select agentdb.answer_question(%s, 'yes'::text)", [question])
    person.close()


@incident
def question_that_nobody_answers(play: Play) -> Wait:
    """An agent asks people something, and half an hour later nobody has answered."""
    actor = working(play)
    play.allow("question_asked")
    asked = actor.call_sql("ask_human", question=f"Refund {play.text(3)}?")
    if not play.bad:
        yield play.pace(10 * MINUTE, 25 * MINUTE)
        answer(play, asked["question_id"])
    else:
        yield 32 * MINUTE
        play.expect("unanswered_question", severity="critical", says=["Refund"])
        yield 6 * MINUTE
        answer(play, asked["question_id"])
    yield 30
    actor.step("refunded")
    actor.end()


@incident
def urgent_question_that_nobody_answers(play: Play) -> Wait:
    """An urgent question waits for a quarter of an hour."""
    actor = working(play)
    play.allow("question_asked", at_most="critical")
    ask = {"question": f"Stop {play.text(3)}?", "urgency": "high"}
    asked = actor.call_sql("ask_human", **ask)
    yield (12 if play.bad else 3) * MINUTE
    play.expect("unanswered_question", severity="critical", says=["Stop"])
    yield 2 * MINUTE
    answer(play, asked["question_id"])
    actor.end()


@healthy
def waits_for_a_person(play: Play) -> Wait:
    """A run has asked, and waits twenty-five minutes for the answer without a sound."""
    actor = working(play)
    play.allow("question_asked")
    asked = actor.call_sql("ask_human", question="Which of the two?")
    yield 25 * MINUTE
    answer(play, asked["question_id"])
    actor.step("took the first")
    yield 20
    actor.end()


@healthy
def waits_for_a_reviewer(play: Play) -> Wait:
    """A run has staged a change and waits forty minutes for its reviewer."""
    actor = working(play)
    table = play.table(actor, lines=5)
    play.db.execute("select agentdb.guard_table(%s::regclass)", [table])
    stage = table.replace("public.", "agentdb_stage.")
    actor.sql(f"update {stage} set state = 'paid' where id = 2")
    yield 40 * MINUTE
    person = play.person("agentdb_reviewer")
    change = play.value(
        "select change_id from agentdb.change where run_id = %s", actor.run
    )
    assert approve(person, change)["state"] == "applied"
    person.close()
    actor.step("it is paid")
    yield 20
    actor.end()


@healthy
def waits_for_a_rate_limit(play: Play) -> Wait:
    """A run was told to come back in twenty-five minutes, says so, and does."""
    actor = working(play)
    actor.fail("embed", {"text": "all"}, "429 too many requests, retry after 1500 s")
    until = play.value("select (clock_timestamp() + interval '25 min')::text")
    actor.call_sql("hold_run", until=until, reason="429, retry after 1500 s")
    yield 25 * MINUTE
    actor.tool("embed", {"text": "all"}, result="done")
    actor.step("embedded all")
    yield 20
    actor.end()


@healthy
def waits_for_a_child(play: Play) -> Wait:
    """A parent waits twenty minutes within its run for a child that gets on."""
    parent, child = working(play), play.agent()
    token = parent.call_sql("spawn_token")["spawn_token"]
    child.start(spawn_token=token)
    for i in range(20):
        child.tool("read", {"page": i}, result=play.text(12))
        child.step(f"read {play.text(4)} {i}")
        yield MINUTE
    child.end()
    parent.step("has what it wanted")
    parent.end()
