"""Ticks that do not come, processes that die, calls that hang, runs that fall silent."""

from __future__ import annotations

from .loops import working
from .play import HOUR, MINUTE, Actor, Play, Wait
from .registry import healthy, incident


def tick(actor: Actor, every: str = "10 min") -> None:
    """Do one short tick."""
    actor.start(tick_interval=every)
    actor.step(f"did {actor.play.text(4)}")
    actor.end()


def retire(actor: Actor) -> None:
    """Promise no further tick."""
    actor.start(purpose="the last one")
    actor.end()


@incident
def tick_that_does_not_come(play: Play) -> Wait:
    """A scheduler has died: the tick that comes every ten minutes does not come."""
    actor = play.agent()
    for _ in range(3):
        tick(actor)
        yield 10 * MINUTE
    if not play.bad:
        tick(actor)
    # Everybody allows a minute.
    yield MINUTE
    play.expect("missed_tick", severity="critical", says=[actor.name, "10 min"])
    yield 8 * MINUTE
    retire(actor)


@incident
def nightly_start_that_does_not_come(play: Play) -> Wait:
    """What a cron expression promises for half past does not start."""
    actor = play.agent()
    tick_at = play.server.now().minute + 20
    play.db.execute(
        "insert into agentdb.schedule (agent_id, cron, time_zone, grace)"
        " select agent_id, %s, 'UTC', '5 min' from agentdb.agent where agent_name = %s",
        [f"{tick_at % 60} * * * *", actor.name],
    )
    yield 20 * MINUTE - play.server.now().second
    if not play.bad:
        yield 10
        tick_once = actor.start()
        assert tick_once
        actor.step("began on time")
        yield MINUTE
        actor.end()
    yield 5 * MINUTE
    play.expect("missed_tick", severity="critical", says=[actor.name])
    yield 5 * MINUTE
    retire(actor)
    play.db.execute(
        "delete from agentdb.schedule where agent_id = (select agent_id"
        " from agentdb.agent where agent_name = %s)",
        [actor.name],
    )


@incident
def crash_that_nobody_repairs(play: Play) -> Wait:
    """A process dies with a lock and a call begun, and nobody starts it again."""
    actor, lock = play.agent(), play.name("nightly")
    actor.start(tick_interval="15 min", instance="host-3")
    actor.lock(lock, ttl="10 min")
    actor.step(play.text(4))
    yield play.pace(30, 90)
    call = actor.begin("bash", {"command": "make"})
    yield 20
    if play.bad:
        actor.crash()
        # A minute in which a supervisor could have started it again.
        yield MINUTE
        play.expect("crashed_run", severity="critical", says=[actor.name, lock, "bash"])
        # The locks are over, the tick is late: that is the same crash.
        yield 17 * MINUTE
        actor.start(instance="host-3")
    else:
        actor.finish(call)
        actor.step("made")
    yield 20
    actor.end()
    retire(actor)


@incident
def crash_and_restart(play: Play) -> Wait:
    """A process dies within a call and its supervisor starts it again at once."""
    actor = play.agent()
    actor.start(tick_interval="20 min", instance="host-1")
    actor.step(play.text(4))
    yield play.pace(30, 90)
    call = actor.begin("render", {"page": 7})
    yield 30
    if play.bad:
        actor.crash()
        yield 15
        actor.start(tick_interval="20 min", instance="host-1")
        play.expect("crashed_run", says=[actor.name, "render"], after=30)
    else:
        actor.finish(call)
    yield 60
    actor.step(f"rendered {play.text(2)}")
    yield 60
    actor.end()
    retire(actor)


@incident
def crashes_again_and_again(play: Play) -> Wait:
    """A process dies a minute after each start: one incident, not six."""
    actor = play.agent()
    for i in range(6):
        actor.start(tick_interval="20 min", instance="host-1")
        actor.step(f"{play.text(4)} {i}")
        call = actor.begin("load", {"model": "big"})
        yield play.pace(40, 80)
        if play.bad:
            actor.crash()
            yield 10
        else:
            actor.finish(call)
            actor.end()
        if i == 1:
            play.expect("crashed_run", says=[actor.name])
            play.updates = 2
    if play.bad:
        actor.start(tick_interval="20 min", instance="host-1")
        actor.end()
    retire(actor)


@incident
def tick_that_is_stuck(play: Play) -> Wait:
    """A tick of a quarter of an hour is at it for three quarters and shows nothing."""
    actor = play.agent()
    actor.start(tick_interval="15 min")
    actor.step(play.text(3))
    if play.bad:
        yield 17 * MINUTE
        play.expect("no_progress", "long_tick", says=[f"(run|tick) {actor.run}"])
        play.updates = 1
        yield 28 * MINUTE
    else:
        yield 5 * MINUTE
    actor.end()
    retire(actor)


@incident
def run_that_falls_silent(play: Play) -> Wait:
    """An open run says nothing any more; its session is still there."""
    actor = working(play)
    for i in range(25):
        yield MINUTE
        if not play.bad and i % 4 == 0:
            actor.tool("read", {"file": i}, result=play.text(9))
            actor.step(f"read {play.text(4)} {i}")
        if i == 16:
            play.expect("no_progress", says=[f"run {actor.run}", actor.name])
    actor.end()


@incident
def call_that_hangs(play: Play) -> Wait:
    """A call was begun and has not come back."""
    actor, tool = working(play), play.name("http_get")
    call = actor.begin(tool, {"url": "https://shop.example/"})
    if not play.bad:
        yield 90
        actor.finish(call, result="200")
        actor.step("fetched it")
    yield 6 * MINUTE
    play.expect("hung_tool_call", says=[actor.name, tool])
    yield 6 * MINUTE
    if play.bad:
        actor.finish(call, ok=False, error="timeout")
    actor.end()


@incident
def declared_call_that_takes_twice_as_long(play: Play) -> Wait:
    """A call that may take twenty minutes is at it for fifty."""
    actor, tool = working(play), play.name("train")
    play.db.execute("select agentdb.register_tool(%s, longest => '20 min')", [tool])
    call = actor.begin(tool, {"epochs": 3})
    if not play.bad:
        yield 18 * MINUTE
        actor.finish(call, result="loss 0.3")
        actor.step("trained")
    else:
        yield 22 * MINUTE
        play.expect("hung_tool_call", "no_progress", says=[actor.name, tool])
        yield 28 * MINUTE
        actor.finish(call, result="loss 0.3")
        actor.step("trained")
    yield 20
    actor.end()


@incident
def hold_that_is_over(play: Play) -> Wait:
    """A run said that it waits until a moment, and did not go on then."""
    actor = working(play)
    until = play.value("select (clock_timestamp() + interval '12 min')::text")
    actor.call_sql("hold_run", until=until, reason="the shop is closed")
    yield 12 * MINUTE
    if not play.bad:
        yield 20
        actor.step("goes on")
        yield 40
        actor.end()
        return
    yield MINUTE
    play.expect("overdue_hold", "no_progress", says=[f"run {actor.run}"])
    yield 8 * MINUTE
    actor.end()


@incident
def transaction_left_open(play: Play) -> Wait:
    """An agent leaves a transaction open over a write and goes to sleep in it."""
    actor = working(play)
    table = play.table(actor, lines=5)
    actor.sql("begin")
    actor.sql(f"update {table} set state = 'paid' where id = 1")
    if not play.bad:
        yield 5
        actor.sql("commit")
        yield 60
        actor.end()
        return
    yield 18 * MINUTE
    play.expect("no_progress", "crashed_run", "open_transaction", says=[actor.name])
    yield 5 * MINUTE
    actor.crash()
    actor.start()
    actor.end()


@healthy
def declared_long_call(play: Play) -> Wait:
    """A call takes fifty minutes, as it was said that it may."""
    actor, tool = working(play), play.name("train")
    play.db.execute("select agentdb.register_tool(%s, longest => '2 hours')", [tool])
    call = actor.begin(tool, {"epochs": 30})
    yield 50 * MINUTE
    actor.finish(call, result="loss 0.1")
    actor.step("trained")
    actor.end()


@healthy
def long_tick_that_advances(play: Play) -> Wait:
    """A tick takes forty minutes of its hour and reaches something every few of them."""
    actor = play.agent()
    # That it takes long may be said where nobody is woken by it.
    play.allow("long_tick", at_most="info")
    actor.start(tick_interval="1 hour")
    for i in range(20):
        actor.tool("export", {"part": i}, result=play.text(9))
        actor.step(f"exported {play.text(3)} {i}")
        yield 2 * MINUTE
    actor.end()
    yield HOUR - 40 * MINUTE - 10
    retire(actor)


@healthy
def deploy_day(play: Play) -> Wait:
    """Eight agents are stopped in order and started again in their new version."""
    actors = [play.agent() for _ in range(8)]
    for each in actors:
        each.start(tick_interval="15 min", instance="host-1")
        each.step(play.text(3))
    yield 3 * MINUTE
    for each in actors:
        each.end("cancelled")
        each.crash()
        yield play.pace(2, 20)
        each.start(tick_interval="15 min", instance="host-1")
    yield 4 * MINUTE
    for each in actors:
        each.step(f"new version: {play.text(3)}")
        each.end()
        retire(each)
