"""What goes wrong with the watching itself, and what a person does about an agent."""

from __future__ import annotations

from .loops import working
from .play import MINUTE, Play, Wait
from .registry import incident, on
from .runner import DEAF


@on("watching")
def rule_that_is_broken(play: Play) -> Wait:
    """A DBA's own rule fails at each evaluation: it watches nothing, and that is said."""
    name = play.name("ratio")
    divisor = 0 if play.bad else 1
    play.db.execute(
        f"create view public.{name} as select jsonb_build_object('n', 1 / d) as labels,"
        " 1::float as value, '{}'::jsonb as annotations"
        f" from (values ({divisor})) as t (d) where 1 / d > 5".encode()
    )
    play.db.execute(f"grant select on public.{name} to agentdb_operator".encode())
    play.db.execute(
        "insert into agentdb.alert_rule (rule_name, description, view_name)"
        " values (%s, 'a ratio', %s)",
        [name, f"public.{name}"],
    )
    # Once may be a lock; three times in a row is broken.
    yield 46
    play.expect("broken_rule", severity="critical", says=[name, "division by zero"])
    yield 3 * MINUTE
    play.db.execute("delete from agentdb.alert_rule where rule_name = %s", [name])
    yield MINUTE


@on("deaf")
def receiver_that_takes_nothing(play: Play) -> Wait:
    """A receiver has gone, messages to it are given up: the others are told."""
    name = f"{DEAF if play.bad else 'pager'}-{play.tag}"
    play.db.execute(
        "insert into agentdb.receiver (receiver_name, channel, target)"
        " values (%s, 'webhook', 'https://example.org/')",
        [name],
    )
    actor = working(play)
    play.allow("silent_loop", at_most="critical")
    for _ in range(9):
        actor.tool(f"search_{play.tag}", {"q": 1}, result="same")
        yield 10
    play.expect("dead_letter", severity="critical", says=[name])
    play.updates = 1
    yield 3 * MINUTE
    actor.end()
    play.db.execute("delete from agentdb.receiver where receiver_name = %s", [name])


@incident
def killed_and_quiet(play: Play) -> Wait:
    """A person kills a run that loops: the end says so, and what it leaves is no news."""
    actor, tool = working(play, tick_interval="20 min"), play.name("query")
    for i in range(10):
        if play.bad:
            actor.fail(tool, {"q": "same"}, "syntax error")
        else:
            actor.tool(tool, {"q": play.text(5)}, result=play.text(9))
        if i == 8:
            play.expect("silent_loop", says=[f"run {actor.run}", tool])
            play.updates = 1
        yield play.pace(10, 20)
    if play.bad:
        person = play.person()
        kill = "select agentdb.kill_agent(%s, 'it loops'::text)"
        person.execute(kill, [actor.name])
        person.close()
        return
    actor.end()
    actor.start(purpose="the last one")
    actor.end()


@incident
def paused_by_a_person(play: Play) -> Wait:
    """An agent is paused for half an hour; before, it made up a tool."""
    actor = working(play)
    play.db.execute(
        'select agentdb.register_tools(\'[{"name": "real"}]\', agent => %s::text)',
        [actor.name],
    )
    wrong = play.name("fancy") if play.bad else "real"
    actor.tool(wrong, {"q": 1}, result="ok")
    play.expect("unknown_tool", says=[wrong])
    yield 2 * MINUTE
    person = play.person()
    person.execute("select agentdb.pause_agent(%s, 'let me look'::text)", [actor.name])
    yield 30 * MINUTE
    person.execute("select agentdb.resume_agent(%s, 'fine'::text)", [actor.name])
    person.close()
    actor.step("goes on")
    actor.end()
