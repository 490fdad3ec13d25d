"""Tools: made up, said to have worked, failing, flooding, destroying, too talkative."""

from __future__ import annotations

import json

from .loops import working
from .play import MINUTE, Actor, Play, Wait
from .registry import healthy, incident, on


def registered(play: Play, actor: Actor, *tools: str) -> None:
    """Register tools for an agent."""
    play.db.execute(
        "select agentdb.register_tools(%s::jsonb, agent => %s::text)",
        [
            json.dumps(
                [{"name": t, "input_schema": {"type": "object"}} for t in tools]
            ),
            actor.name,
        ],
    )


@incident
def tool_that_does_not_exist(play: Play) -> Wait:
    """A model calls a tool that it made up."""
    actor = working(play)
    real = play.name("send_mail")
    registered(play, actor, real)
    wrong = real.replace("send", "mail_out") if play.bad else real
    actor.tool(wrong, {"to": "a@example.org"}, result="sent")
    play.expect("unknown_tool", says=[wrong, actor.name])
    yield 60
    actor.step("sent")
    yield 60
    actor.end()


@incident
def tools_made_up_again_and_again(play: Play) -> Wait:
    """A model makes up one tool after the other, and believes what it says of them."""
    actor = working(play)
    real = play.name("search")
    registered(play, actor, real)
    for i in range(6):
        name = play.name("magic") if play.bad else real
        actor.tool(name, {"q": play.text(), "n": i}, result=play.text(12))
        if i == 0:
            play.expect("unknown_tool", says=[actor.name])
        if i == 4:
            play.expect("unknown_tool", severity="critical", says=[actor.name])
            play.updates = 3
        actor.step(f"found {play.text(4)} {i}")
        yield play.pace(25, 60)
    actor.end()


@incident
def ok_and_nothing_written(play: Play) -> Wait:
    """A tool that writes says ok, and the database has nothing of it."""
    actor = working(play)
    table, tool = play.table(actor, lines=9), play.name("mark_paid")
    registered(play, actor, tool)
    writes = json.dumps([{"table": table, "operation": "update"}])
    play.db.execute(
        "select agentdb.register_tool(%s, writes => %s::jsonb)", [tool, writes]
    )
    for i in range(1, 4):
        if not (play.bad and i == 3):
            actor.sql(f"update {table} set state = 'paid' where id = {i}")
        actor.tool(tool, {"id": i}, result="ok")
        yield play.pace(10, 30)
    play.expect("unbacked_tool_call", severity="critical", says=[tool, actor.name])
    yield 2 * MINUTE
    actor.end()


@incident
def written_without_a_call(play: Play) -> Wait:
    """An agent whose writing tools are known writes rows by some other way."""
    actor = working(play)
    table, tool = play.table(actor, lines=9), play.name("mark_paid")
    other = play.table(actor, lines=9) if play.bad else table
    registered(play, actor, tool)
    writes = json.dumps([{"table": table, "operation": "update"}])
    play.db.execute(
        "select agentdb.register_tool(%s, writes => %s::jsonb)", [tool, writes]
    )
    for i in range(1, 5):
        actor.sql(f"update {table} set state = 'paid' where id = {i}")
        actor.tool(tool, {"id": i}, result="ok")
        yield play.pace(10, 30)
    actor.sql(f"update {other} set state = 'void' where id = 7")
    if not play.bad:
        actor.tool(tool, {"id": 7}, result="ok")
    yield 30
    play.expect("unannounced_write", "undeclared_table", says=[other, actor.name])
    yield 2 * MINUTE
    actor.step("done")
    actor.end()


@incident
def tool_that_mostly_fails(play: Play) -> Wait:
    """A tool fails for three of four calls, while the agent gets on with others."""
    actor, tool = working(play), play.name("geocode")
    for i in range(24):
        good = i % 4 == 0 if play.bad else i % 12
        args = {"address": play.text(4), "n": i}
        if good:
            actor.tool(tool, args, result=play.text(6))
        else:
            actor.fail(tool, args, f"upstream error {play.text(2)}")
        actor.tool("write_row", {"row": i, "text": play.text(4)}, result=f"row {i}")
        actor.step(f"row {i}: {play.text(4)}")
        if i == 14:
            play.expect("tool_errors", says=[tool, actor.name])
        yield play.pace(10, 25)
    actor.end()


@on("outage")
def tool_down_for_everybody(play: Play) -> Wait:
    """A service goes down: six agents meet it, and one message says that it is down."""
    tool = play.name("payments_api")
    actors = [working(play) for _ in range(6)]
    for i in range(16):
        for each in actors:
            args = {"invoice": play.text(3), "n": i}
            if play.bad and 4 <= i < 14:
                each.fail(tool, args, "502 bad gateway")
            else:
                each.tool(tool, args, result=play.text(6))
                each.step(f"paid {play.text(4)} {i}")
        if i == 8:
            play.expect("tool_outage", says=[tool, "6 agents|six agents"])
            play.updates = 1
        yield play.pace(30, 60)
    for each in actors:
        each.end()


@incident
def flood_of_different_calls(play: Play) -> Wait:
    """An agent makes thousands of calls in minutes, each of them different."""
    actor, tool = working(play), play.name("crawl")
    size = 150 if play.bad else 10
    for i in range(30):
        calls = [
            {
                "tool": tool,
                "args": {"url": f"https://{play.text(2)}.example/{i}/{j}"},
                "result": play.text(8) + str(j),
            }
            for j in range(size)
        ]
        actor.call_sql("log_tool_call_many", calls=json.dumps(calls))
        actor.step(f"crawled {play.text(4)} {i}")
        if i == 18:
            play.expect("call_flood", says=[actor.name])
        yield play.pace(10, 14)
    actor.end()


@on("days")
def destroys_more_than_ever(play: Play) -> Wait:
    """An agent that deletes a customer or two a day deletes sixty before lunch."""
    actor, tool = play.agent(), play.name("delete_customer")
    for _ in range(8):
        actor.start()
        for _ in range(play.random.randint(1, 3)):
            actor.tool(tool, {"id": play.random.randrange(9999)}, result="deleted")
            yield play.pace(60, 300)
        actor.step(f"cleaned up {play.text(4)}")
        actor.end()
        yield 24 * 60 * MINUTE - 900
    actor.start()
    for i in range(60 if play.bad else 2):
        actor.tool(tool, {"id": 10_000 + i}, result="deleted")
        actor.step(f"cleaned up {play.text(5)} {i}")
        if i == 30:
            play.expect("destructive_calls", says=[tool, actor.name])
            play.updates = 1
        yield play.pace(15, 40)
    actor.end()


@incident
def answer_that_fills_the_context(play: Play) -> Wait:
    """A tool answers with four hundred thousand characters."""
    actor, tool = working(play), play.name("read_log")
    size = play.random.randint(300_000, 500_000) if play.bad else 20_000
    actor.tool(tool, {"path": "/var/log/app"}, result_size=size, result=play.text(9))
    play.expect("large_tool_result", says=[tool, actor.name])
    yield 60
    actor.step("read it")
    yield 60
    actor.end()


@healthy
def tool_that_is_asked_for_by_its_former_name(play: Play) -> Wait:
    """A tool was renamed, and agents that know its former name still call it by that."""
    actor, former, new = working(play), play.name("get_user"), play.name("fetch_user")
    registered(play, actor, former)
    play.db.execute("select agentdb.rename_tool(%s, %s)", [former, new])
    for i in range(4):
        actor.tool(former if i % 2 else new, {"id": i}, result=play.text(9))
        yield 20
    actor.step("has all users")
    actor.end()


@healthy
def flaky_tool_with_retries(play: Play) -> Wait:
    """One call in five fails and works the second time."""
    actor, tool = working(play), play.name("fetch")
    for i in range(40):
        args = {"url": f"{play.text(2)}/{i}"}
        if i % 5 == 0:
            actor.fail(tool, args, "connection reset by peer")
            yield 3
        actor.tool(tool, args, result=play.text(12))
        if i % 8 == 7:
            actor.step(f"fetched {play.text(4)} {i}")
        yield play.pace(5, 15)
    actor.end()


@healthy
def busy_morning(play: Play) -> Wait:
    """Eight agents begin at nine and do in half an hour what others do in a day."""
    actors = [working(play) for _ in range(8)]
    for i in range(25):
        for each in actors:
            each.tool("search", {"q": play.text(5), "n": i}, result=play.text(20))
            each.tokens(play.random.randint(2000, 6000), play.random.randint(100, 900))
            if i % 5 == 4:
                each.step(f"wrote {play.text(5)} {i}")
        yield play.pace(40, 90)
    for each in actors:
        each.end()
