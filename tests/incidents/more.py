"""More: pages that are not there, arguments that do not fit, statements that are refused."""

from __future__ import annotations

import json

from .loops import working
from .play import MINUTE, Play, Wait, found
from .registry import incident

FAULTS = """
select f.detail from agentdb.tool_fault as f
where f.run_id = %s and f.fault = 'invalid_args'
"""


@incident
def page_that_was_never_published(play: Play) -> Wait:
    """An agent claims a page that it has published, and its address says 404."""
    actor, path = working(play), f"/{play.name('news')}.html"
    actor.tool("publish", {"page": path, "text": play.text(8)}, result="published")
    yield play.pace(20, 60)
    if not play.bad:
        play.site.publish(path, play.text(20))
    actor.call_sql("claim_http", url=play.site.url(path))
    actor.complete()
    play.expect("refuted_claim", severity="critical", says=[path, "404", actor.name])
    yield 2 * MINUTE


@incident
def page_without_what_was_to_be_on_it(play: Play) -> Wait:
    """The page is there, and the price that was to be corrected is still the old one."""
    actor, path = working(play), f"/{play.name('price')}.html"
    old, new = sorted(play.random.sample(range(100, 1000), 2))
    text = "{} EUR, " + play.text(6)
    play.site.publish(path, text.format(old))
    actor.tool("edit_page", {"page": path, "price": new}, result="saved")
    if not play.bad:
        play.site.publish(path, text.format(new))
    yield play.pace(20, 60)
    actor.call_sql("claim_http", url=play.site.url(path), has_text=f"{new} EUR")
    actor.complete()
    play.expect("refuted_claim", severity="critical", says=[path, actor.name])
    yield 2 * MINUTE


@incident
def arguments_that_break_the_schema(play: Play) -> Wait:
    """A model gives a number as words, call after call, and the tool refuses each."""
    actor, tool, name = working(play), play.name("refund"), play.pick(("amount", "qty"))
    schema = {"type": "object", "required": [name],
              "properties": {name: {"type": "integer"}, "note": {"type": "string"}}}  # fmt: skip
    given = json.dumps([{"name": tool, "input_schema": schema}])
    play.db.execute(
        "select agentdb.register_tools(%s::jsonb, agent => %s::text)",
        [given, actor.name],
    )
    tries = play.random.randint(6, 9)
    for i in range(tries):
        # Each time other words: it is no loop of the same call.
        wrong = f"{play.text(1)} {i}"
        args = {name: wrong if play.bad else i, "note": play.text()}
        error = f"Input validation error: {wrong!r} is not of type 'integer'"
        if play.bad:
            actor.fail(tool, args, error)
        else:
            actor.tool(tool, args, result=play.text(6))
        actor.step(f"refunded {play.text(3)} {i}")
        if i == 4:
            play.expect("tool_errors", says=[tool, actor.name, "is not of type"])
            play.updates = 1
        yield play.pace(20, 50)
    yield MINUTE
    # The runner has compared them by itself, whatever the tool says of them.
    faults = [each["detail"] for each in found(play, FAULTS, actor.run)]
    # Not yet the last of them while somebody's transaction is open.
    assert bool(faults) == play.bad and len(faults) <= tries, faults
    assert all(name in each for each in faults), faults
    actor.end()


@incident
def blast_that_is_refused_and_tried_again(play: Play) -> Wait:
    """A table refuses a statement over too many rows; the agent tries one after the other."""
    actor = working(play)
    table = play.table(actor, lines=6000, audit=False)
    play.db.execute(
        "select agentdb.audit_table(%s::regclass, refuse_blast => true)", [table]
    )
    tries = play.random.randint(6, 9)
    for i in range(tries):
        state = play.text(2)
        wide = f"update {table} set state = '{state}' where amount > {i}"
        assert actor.refused(wide) == "ZA031"
        actor.fail("sql", {"query": wide}, "ZA031: a statement changes more than …")
        if i == 4:
            play.expect("refused_write", says=[actor.name, "too many rows"])
            play.updates = 1
        yield play.pace(20, 50)
        if not play.bad:
            # It has read the hint.
            break
    assert play.value(f"select count(*) from {table} where state <> 'new'") == 0
    actor.sql(f"update {table} set state = 'paid' where id <= 20")
    actor.step(f"paid twenty {play.text()}")
    yield MINUTE
    actor.end()


@incident
def run_that_is_held_by_its_sum(play: Play) -> Wait:
    """In small pieces a run comes to what it may change in a window, and tries on."""
    most = play.random.randint(1500, 2500)
    actor = play.agent(policy={"blast_radius_window_rows": most, "wide_run_rows": None})
    actor.start(purpose=play.text())
    actor.step(f"begun with {play.text()}")
    table = play.table(actor, lines=6000, audit=False)
    play.db.execute(
        "select agentdb.audit_table(%s::regclass, refuse_blast => true)", [table]
    )
    done, refused, size = 0, 0, 400
    while refused < 6:
        piece = f"delete from {table} where id > {done} and id <= {done + size}"
        if done + size <= most:
            actor.sql(piece)
            actor.tool("sql", {"query": piece}, result=f"DELETE {size}")
            actor.step(f"removed {done + size}")
            done += size
        else:
            assert actor.refused(piece) == "ZA031"
            refused += 1
            actor.fail("sql", {"query": piece, "try": refused}, "ZA031: too many rows")
            if refused == 5:
                play.expect("refused_write", says=[actor.name, "too many rows"])
                play.updates = 1
            if not play.bad:
                break
        yield play.pace(10, 30)
    assert play.value(f"select count(*) from {table}") == 6000 - done
    yield MINUTE
    actor.end()
