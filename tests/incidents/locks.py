"""Locks: run out unreleased, taken over, kept for too long, fought for, written without."""

from __future__ import annotations

from .loops import working
from .play import MINUTE, Actor, Play, Wait
from .registry import healthy, incident


def holder_and_next(play: Play) -> tuple[Actor, Actor, str]:
    """Return who holds a lock, who comes next, and the lock."""
    return working(play), play.agent(), play.name("nightly")


@incident
def lock_taken_over_by_the_next_tick(play: Play) -> Wait:
    """A lock runs out unreleased and the next tick has it within seconds: nobody notices."""
    holder, other, lock = holder_and_next(play)
    ttl = play.random.randint(4, 9)
    fence = holder.lock(lock, ttl=f"{ttl} min")["fence"]
    for i in range(ttl):
        holder.step(f"part {i}: {play.text(4)}")
        yield MINUTE - 1
    if not play.bad:
        holder.call_sql("release_lock", name=lock, fence=fence)
    yield ttl + 3
    other.start()
    assert other.lock(lock, ttl="10 min")["acquired"]
    play.expect("lock_taken_over", "stale_lock", says=[lock, f"run {holder.run}"])
    yield 30
    holder.step(f"still at it: {play.text(5)}")
    yield 60
    other.end()
    holder.end()


@incident
def stale_lock_that_nobody_takes(play: Play) -> Wait:
    """A lock has run out, its holder is silent, and whoever waits for it does not come."""
    holder, _, lock = holder_and_next(play)
    fence = holder.lock(lock, ttl="5 min")["fence"]
    yield 4 * MINUTE
    if not play.bad:
        holder.call_sql("renew_lock", name=lock, fence=fence, ttl="15 min")
    yield MINUTE
    play.expect("stale_lock", says=[lock, f"run {holder.run}"])
    yield 7 * MINUTE
    if not play.bad:
        holder.step("all parts are written")
    holder.end()


@incident
def lock_kept_for_hours(play: Play) -> Wait:
    """A lock is renewed for an hour and a half by a run that others wait for."""
    holder, other, lock = holder_and_next(play)
    other.start()
    fence = holder.lock(lock, ttl="15 min")["fence"]
    for i in range(9):
        yield 10 * MINUTE
        holder.step(f"part {i}: {play.text(4)}")
        other.step(f"did without: {play.text(5)} {i}")
        holder.call_sql("renew_lock", name=lock, fence=fence, ttl="15 min")
        other.lock(lock)
        if i == 7:
            play.expect("lock_held_too_long", says=[lock, f"run {holder.run}"])
        if not play.bad and i == 3:
            break
    holder.call_sql("release_lock", name=lock, fence=fence)
    holder.end()
    other.end()


@incident
def lock_that_many_fight_for(play: Play) -> Wait:
    """Four agents ask for the same lock every few seconds and none of them gets it."""
    holder, first, lock = holder_and_next(play)
    others = [first, play.agent(), play.agent(), play.agent()][: 4 if play.bad else 1]
    for each in others:
        each.start()
    fence = holder.lock(lock, ttl="30 min")["fence"]
    for i in range(12):
        for each in others:
            each.lock(lock)
            each.step(f"something else: {play.text(6)} {i}")
        holder.step(f"part {play.text(5)} {i}")
        if i == 9:
            play.expect("lock_contention", says=[lock])
        yield play.pace(20, 30) if play.bad else 90
    holder.call_sql("release_lock", name=lock, fence=fence)
    for each in (holder, *others):
        each.end()


@incident
def ticks_that_never_get_the_lock(play: Play) -> Wait:
    """Each tick is denied the lock and ends at once: nothing fails and nothing is done."""
    holder, ticking, lock = holder_and_next(play)
    fence = holder.lock(lock, ttl="50 min")["fence"]
    for i in range(6):
        ticking.start()
        got = ticking.lock(lock)
        if got["acquired"]:
            ticking.step(f"did {play.text(4)} {i}")
        ticking.end()
        holder.step(f"part {play.text(5)} {i}")
        if i == 3:
            play.expect(
                "schedule_blocked", says=[lock, ticking.name], severity="critical"
            )
        if not play.bad and i == 1:
            holder.call_sql("release_lock", name=lock, fence=fence)
        yield 5 * MINUTE
    holder.end()


@incident
def fenced_write_refused(play: Play) -> Wait:
    """A run that slept past its lock writes, is refused by the fence, and nobody is told."""
    holder, other, lock = holder_and_next(play)
    table = play.table(holder, other)
    play.db.execute("select agentdb.fence_table(%s, %s)", [table, lock])
    write = f"insert into {table} values (%s, 'done', 1)"
    fence = holder.lock(lock, ttl="4 min")["fence"]
    holder.sql(write, 1)
    yield 3 * MINUTE
    if play.bad:
        yield 70
        other.start()
        other.lock(lock, ttl="10 min")
        other.sql(write, 2)
        play.expect("lock_taken_over", "stale_lock", says=[lock])
        yield play.pace(60, 120)
        assert holder.refused(write, 3) == "ZA020"
        play.expect("stale_write", says=[holder.name])
        yield 60
        other.end()
    else:
        holder.sql(write, 3)
        holder.call_sql("release_lock", name=lock, fence=fence)
    holder.end()


@incident
def fenced_write_of_one_who_never_asked(play: Play) -> Wait:
    """An agent writes a fenced table again and again without ever taking the lock."""
    actor, lock = working(play), play.name("nightly")
    table = play.table(actor)
    play.db.execute("select agentdb.fence_table(%s, %s)", [table, lock])
    write = f"insert into {table} values (%s, 'done', 1)"
    if not play.bad:
        actor.lock(lock)
    for i in range(5):
        if play.bad:
            actor.refused(write, i)
        else:
            actor.sql(write, i)
        if i == 1:
            play.expect("stale_write", says=[actor.name])
            play.updates = 1
        yield play.pace(20, 50)
    actor.end()


@incident
def slots_that_nobody_gives_back(play: Play) -> Wait:
    """All slots of a semaphore are held by runs that have stopped saying anything."""
    name = play.name("api")
    actors = [working(play) for _ in range(3)]
    for each in actors:
        slot = each.call_sql("acquire_slot", name=name, slots=3, ttl="5 min")
        if not play.bad:
            yield 30
            each.call_sql("release_lock", name=name, fence=slot["fence"])
    yield 5 * MINUTE
    play.expect("stale_lock", says=[name])
    play.updates = 2
    yield 6 * MINUTE
    for each in actors:
        each.end()


@healthy
def waits_for_a_lock(play: Play) -> Wait:
    """A run waits twenty minutes for a lock, says so, and goes on when it has it."""
    holder, other, lock = holder_and_next(play)
    other.start()
    fence = holder.lock(lock, ttl="40 min")["fence"]
    for i in range(20):
        other.lock(lock)
        other.call_sql("begin_wait", name=lock, at_most="2 min")
        holder.step(f"part {play.text(5)} {i}")
        yield MINUTE
    holder.call_sql("release_lock", name=lock, fence=fence)
    holder.end()
    assert other.lock(lock)["acquired"]
    other.call_sql("end_wait", name=lock)
    other.step("has it")
    yield 30
    other.end()


@healthy
def lock_handed_round(play: Play) -> Wait:
    """Five agents take turns at one lock, each for two minutes."""
    lock = play.name("deploy")
    for _ in range(5):
        actor = working(play)
        fence = actor.lock(lock, ttl="5 min")["fence"]
        yield play.pace(90, 150)
        actor.step(f"deployed {play.text(3)}")
        actor.call_sql("release_lock", name=lock, fence=fence)
        actor.end()
