"""Plays a fleet for weeks under a moved clock, and counts what people would be told.

200 agents of five kinds work for four weeks by real calls in sessions of their own:
runs, ticks under a lock, tools that now and then fail, tokens, claims about rows that
they wrote, changes that a reviewer decides, questions that a person answers.  The rules
are evaluated each minute, as a runner does it, and forty of the agents go wrong once.
``python -m bench.weeks 200 4`` takes one to two hours; without arguments it is 20
agents and three days.  ``python -m bench.weeks [AGENTS [WEEKS [SEED]]]``.
"""

from __future__ import annotations

import heapq
import json
import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import psycopg

from agentdb.verify.claim import Limits
from tests.changes import approve
from tests.conftest import install_on
from tests.incidents.clock import ClockedServer
from tests.incidents.play import Actor, Play
from tests.incidents.runner import EVALUATE, Message, Turns

SETTINGS = {
    "autovacuum": "on",
    "autovacuum_naptime": "10s",
    "max_connections": "600",
    "shared_buffers": "1GB",
}
MINUTE, HOUR, DAY, WEEK = 60.0, 3600.0, 86400.0, 604800.0
# Of the kinds, by the share of the fleet.
SHARES = {"office": 0.5, "nightly": 0.1, "weekly": 0.05, "bursty": 0.15, "steady": 0.2}
# What an agent asks for is no page, and neither is what a reviewer is to look at.
ASKED = {"question_asked", "change_waiting"}
# Rows of an agent.
ROWS = 20
# A failure is news for so long after its end.
AFTER = timedelta(minutes=90)
Waits = Iterator[float]


@dataclass
class Fault:
    """One failure of an agent: what it is, when it is known, which rules say so."""

    kind: str
    at: float
    began: datetime | None = None
    known: datetime | None = None
    ended: datetime | None = None


@dataclass
class Member:
    """An agent of the fleet."""

    actor: Actor
    profile: str
    dice: random.Random
    number: int
    table: str = ""
    staging: str = ""
    fault: Fault | None = None
    day: int = 0
    messages: list[Message] = field(default_factory=list)

    def key(self) -> int:
        """Return the key of one of its rows."""
        return self.number * ROWS + self.dice.randint(1, ROWS)

    def words(self, count: int = 5) -> str:
        """Return words that have not come before."""
        return f"{self.actor.play.text(count)} {self.dice.randrange(10**9)}"


class Fleet:
    """The fleet, its clock and its runner."""

    def __init__(self, agents: int, weeks: float, seed: int) -> None:
        self.seconds = weeks * WEEK
        self.seed = seed
        self.agents = agents
        self.members: list[Member] = []
        self.messages: list[Message] = []
        self.queue: list[tuple[float, int, Waits]] = []
        self.cost: list[float] = []
        self.statements = 0

    def play(self) -> None:
        """Play all of it."""
        with ExitStack() as stack:
            self.server = stack.enter_context(ClockedServer(settings=SETTINGS))
            dsn = install_on(self.server)
            self.db = stack.enter_context(
                psycopg.connect(self.server.dsn(database="agentdb"), autocommit=True)
            )
            self.db.execute(EVALUATE.encode())
            turns = Turns(self.server, dsn, Limits())
            stack.callback(turns.close)
            self.hire()
            stack.callback(self.send_home)
            self.began = self.server.now()
            self.go_on(turns)

    def send_home(self) -> None:
        """End the sessions of the agents."""
        for member in self.members:
            member.actor.close()

    def hire(self) -> None:
        """Register the agents, with tables, schedules and failures."""
        dice = random.Random(self.seed)
        play = Play("w", True, dice, self.server, self.db)
        profiles = [p for p, share in SHARES.items() for _ in range(round(share * 100))]
        for number in range(self.agents):
            profile = profiles[number * 100 // self.agents]
            own = random.Random(f"{self.seed}/{number}")
            member = Member(play.agent(), profile, own, number)
            self.members.append(member)
        self.furnish(play)
        for member in dice.sample(self.members, min(len(self.members) // 5, 40)):
            kind = dice.choice(sorted(FAULTS))
            if kind in ("missed_tick", "crash") and member.profile != "steady":
                kind = "loop"
            at = dice.uniform(self.seconds * 0.3, self.seconds * 0.95)
            member.fault = Fault(kind, at)
        for number, member in enumerate(self.members):
            self.put(0.1 * number, self.life(member))

    def furnish(self, play: Play) -> None:
        """Give some of them rows in an audited table, others in a guarded one."""
        lines = (len(self.members) + 1) * ROWS
        writers, proposers = self.members[::5], self.members[6::12]
        written = play.table(*(m.actor for m in writers), lines=lines)
        guarded = play.table(*(m.actor for m in proposers), lines=lines)
        self.db.execute(f"select agentdb.guard_table('{guarded}')".encode())
        for member in writers:
            member.table = written
        for member in proposers:
            if not member.table:
                member.table = guarded
                member.staging = guarded.replace("public.", "agentdb_stage.")

    def put(self, at: float, waits: Waits) -> None:
        self.statements += 1
        heapq.heappush(self.queue, (at, self.statements, waits))

    def now(self) -> float:
        """Return the seconds since the beginning."""
        return float((self.server.now() - self.began).total_seconds())

    def go_on(self, turns: Turns) -> None:
        """Let everybody act at their times, and evaluate each minute."""
        look, told = 30.0, time.monotonic()
        while look < self.seconds:
            if self.queue and self.queue[0][0] < look:
                at, _, waits = heapq.heappop(self.queue)
                self.server.move_to(self.began + timedelta(seconds=at))
                if (wait := next(waits, None)) is not None:
                    self.put(at + max(wait, 0.01), waits)
                continue
            self.server.move_to(self.began + timedelta(seconds=look))
            began = time.monotonic()
            self.messages += turns.turn()
            self.cost.append(time.monotonic() - began)
            look += MINUTE
            if time.monotonic() - told > 60:
                told = time.monotonic()
                spent = statistics.median(self.cost[-500:]) * 1000
                print(
                    f"  day {look / DAY:.2f}, {len(self.messages)} messages, "
                    f"{spent:.0f} ms a turn",
                    file=sys.stderr,
                    flush=True,
                )

    # What agents do.

    def life(self, member: Member) -> Waits:
        """Work by the week, and go wrong once where that is written."""
        while True:
            yield from self.until_work(member)
            fault = member.fault
            if fault and fault.began is None and self.now() >= fault.at:
                yield from self.go_wrong(member, fault)
            else:
                yield from WORK[member.profile](self, member)

    def go_wrong(self, member: Member, fault: Fault) -> Waits:
        """Play the failure; what it does marks the moment from which it is known."""
        fault.began = self.server.now()
        yield from FAULTS[fault.kind][0](self, member)
        fault.ended = self.server.now()

    def until_work(self, member: Member) -> Waits:
        """Wait for the next time at which the profile works."""
        now = self.server.now()
        hour = now.hour + now.minute / 60
        dice = member.dice
        if member.profile == "nightly":
            yield ((2 - hour) % 24) * HOUR + dice.uniform(0, 10) * MINUTE
        elif member.profile in ("office", "weekly"):
            if now.weekday() < 5 and 8 <= hour < 17.5:
                yield dice.expovariate(1 / (25 * MINUTE))
                return
            ahead = ((8 - hour) % 24) * HOUR or DAY
            at = now + timedelta(seconds=ahead)
            while at.weekday() >= 5:
                ahead, at = ahead + DAY, at + timedelta(days=1)
            yield ahead + dice.uniform(0, 90) * MINUTE
        elif member.profile == "bursty":
            yield dice.expovariate(1 / (5 * HOUR))
        else:
            yield 0.1

    def batch(
        self, member: Member, calls: int, tokens: int, *, fails: float = 0.03
    ) -> None:
        """Log calls, tokens and a step in one statement."""
        dice = member.dice
        made = []
        for _ in range(calls):
            tool = dice.choice(("search", "read", "edit", "fetch", "query"))
            call: dict[str, Any] = {"tool": tool, "args": {"q": member.words()}}
            if dice.random() < fails:
                call |= {"ok": False, "error": f"timeout {member.words(1)}"}
            else:
                call["result"] = member.words(8)
            made.append(call)
        each = max(1, tokens // 6000)
        used = [
            {
                "input": int(dice.uniform(0.6, 1.4) * 5500),
                "output": 300,
                "cached_input": 3000,
            }
            for _ in range(each)
        ]
        step = [{"step": f"did {member.words()}"}]
        member.actor.sql(
            "select agentdb.log_tool_call_many(%s::jsonb, %s),"
            " agentdb.log_tokens_many(%s::jsonb, %s),"
            " agentdb.log_progress_many(%s::jsonb, %s)",
            json.dumps(made),
            member.actor.run,
            json.dumps(used),
            member.actor.run,
            json.dumps(step),
            member.actor.run,
        )

    def session(self, member: Member, minutes: float, tokens: int) -> Waits:
        """Work in one run: batches, now and then rows, a question, a change."""
        actor, dice = member.actor, member.dice
        actor.start(conversation=f"c{dice.randrange(10**9)}")
        wrote: list[int] = []
        steps = max(2, round(minutes / 6))
        for _ in range(steps):
            self.batch(member, dice.randint(2, 9), tokens // steps)
            if member.table and not member.staging and dice.random() < 0.4:
                wrote.append(self.write(member))
            if dice.random() < 0.01:
                yield from self.ask(member)
            yield dice.uniform(0.5, 1.5) * minutes / steps * MINUTE
        if member.staging and dice.random() < 0.3:
            self.propose(member)
        if wrote:
            actor.claim(
                member.table,
                "update",
                keys=json.dumps(sorted(set(wrote))),
                run=actor.run,
            )
            actor.complete()
        else:
            actor.end("failed" if dice.random() < 0.05 else "succeeded")

    def write(self, member: Member) -> int:
        """Change a row and return its key."""
        key = member.key()
        member.actor.sql(
            f"update {member.table} set state = %s, amount = amount + 1 where id = %s",
            member.words(2),
            key,
        )
        return key

    def ask(self, member: Member) -> Waits:
        """Ask a person and wait for the answer."""
        asked = member.actor.call_sql("ask_human", question=f"{member.words()}?")
        yield member.dice.uniform(1, 20) * MINUTE
        self.db.execute(
            "select agentdb.answer_question(%s, 'yes'::text)", [asked["question_id"]]
        )

    def propose(self, member: Member) -> None:
        """Stage a change that a reviewer decides within an hour."""
        key = member.key()
        member.actor.sql(
            f"update {member.staging} set state = %s where id = %s",
            member.words(2),
            key,
        )
        (change,) = self.db.execute(
            "select max(change_id) from agentdb.change where run_id = %s",
            [member.actor.run],
        ).fetchone() or (0,)
        self.put(self.now() + member.dice.uniform(2, 45) * MINUTE, self.decide(change))

    def decide(self, change: int) -> Waits:
        """Have a reviewer approve a change."""
        approve(self.db, change)
        yield from ()

    def office(self, member: Member) -> Waits:
        """A session of a quarter to a whole hour."""
        minutes = min(max(member.dice.lognormvariate(3.1, 0.5), 8), 60)
        yield from self.session(member, minutes, int(minutes * 2500))

    def nightly(self, member: Member) -> Waits:
        """Half an hour of heavy work."""
        for _ in range(3):
            yield from self.session(member, member.dice.uniform(10, 14), 180_000)
            yield 20.0
        yield HOUR

    def weekly(self, member: Member) -> Waits:
        """Light days, and a report on Mondays."""
        monday = self.server.now().weekday() == 0
        for _ in range(3 if monday else 1):
            yield from self.session(member, 30, 150_000 if monday else 25_000)
            yield 5 * MINUTE
        yield HOUR

    def bursty(self, member: Member) -> Waits:
        """A few sessions one upon the other."""
        for _ in range(member.dice.randint(1, 4)):
            yield from self.session(member, member.dice.uniform(6, 20), 90_000)
            yield member.dice.uniform(5, 300)

    def steady(self, member: Member) -> Waits:
        """A tick each half hour, under a lock."""
        actor = member.actor
        actor.start(
            tick_interval="30 min", conversation=f"c{member.dice.randrange(10**9)}"
        )
        taken = actor.lock(f"tick_{actor.name}", ttl="10 min")
        spent = 0.0
        for _ in range(2):
            self.batch(member, member.dice.randint(2, 6), 12_000)
            spent += (pause := member.dice.uniform(30, 150))
            yield pause
        actor.call_sql("release_lock", name=f"tick_{actor.name}", fence=taken["fence"])
        actor.end()
        yield 30 * MINUTE - spent + member.dice.uniform(-5, 5)

    # How they go wrong.

    def known(self, member: Member) -> None:
        """Mark the moment at which a careful reader knows."""
        assert member.fault
        member.fault.known = self.server.now()

    def loop(self, member: Member) -> Waits:
        """The same failing call for ten minutes."""
        actor = member.actor
        actor.start()
        actor.step(member.words())
        for i in range(24):
            actor.fail("query", {"sql": "select 1 from nowhere"}, "no such table")
            if i == 7:
                self.known(member)
            yield member.dice.uniform(15, 35)
        actor.end("failed")

    def stall(self, member: Member) -> Waits:
        """A run that says nothing for forty minutes."""
        member.actor.start()
        member.actor.step(member.words())
        yield 16 * MINUTE
        self.known(member)
        yield 24 * MINUTE
        member.actor.end("failed")

    def runaway(self, member: Member) -> Waits:
        """Five million tokens in half an hour."""
        for i in range(15):
            member.actor.start(conversation=f"c{member.dice.randrange(10**9)}")
            self.batch(member, 3, 350_000)
            member.actor.end()
            if i == 12:
                self.known(member)
            yield 2 * MINUTE

    def crash(self, member: Member) -> Waits:
        """A process that dies in its tick and is missing for half an hour."""
        member.actor.start(tick_interval="30 min", instance="one")
        member.actor.step(member.words())
        yield 60.0
        member.actor.crash()
        yield MINUTE
        self.known(member)
        yield 40 * MINUTE

    def missed_tick(self, member: Member) -> Waits:
        """A scheduler that skips two ticks."""
        yield MINUTE
        self.known(member)
        yield 60 * MINUTE

    def hung_call(self, member: Member) -> Waits:
        """A call that does not come back."""
        member.actor.start()
        call = member.actor.begin("fetch", {"url": member.words()})
        yield 6 * MINUTE
        self.known(member)
        yield 8 * MINUTE
        member.actor.finish(call, ok=False, error="timeout")
        member.actor.end("failed")

    def stale_lock(self, member: Member) -> Waits:
        """A lock that runs out unreleased."""
        member.actor.start()
        member.actor.lock(f"shared_{member.actor.name}", ttl="5 min")
        yield 5 * MINUTE
        self.known(member)
        yield 7 * MINUTE
        member.actor.end("failed")

    def made_up_tool(self, member: Member) -> Waits:
        """Tools that do not exist."""
        self.db.execute(
            "select agentdb.register_tools(%s::jsonb, agent => %s::text)",
            [
                json.dumps(
                    [{"name": n} for n in ("search", "read", "edit", "fetch", "query")]
                ),
                member.actor.name,
            ],
        )
        member.actor.start()
        for _ in range(4):
            member.actor.tool("magic_wand", {"q": member.words()}, result="ok")
            self.known(member)
            yield 30.0
        member.actor.end()

    def context_bomb(self, member: Member) -> Waits:
        """A prompt that is ten times the one before."""
        member.actor.start()
        for i in range(8):
            member.actor.tokens(9000 + 200 * i)
            member.actor.step(member.words())
            yield 20.0
        member.actor.tokens(140_000)
        self.known(member)
        yield 3 * MINUTE
        member.actor.end()

    def failing_tool(self, member: Member) -> Waits:
        """A tool that fails for nine of ten calls, beside other work."""
        member.actor.start()
        for i in range(16):
            member.actor.fail("fetch", {"url": member.words()}, "502 bad gateway")
            self.batch(member, 2, 6000, fails=0)
            if i == 9:
                self.known(member)
            yield 30.0
        member.actor.end("failed")


WORK: dict[str, Callable[[Fleet, Member], Waits]] = {
    "office": Fleet.office, "nightly": Fleet.nightly, "weekly": Fleet.weekly,
    "bursty": Fleet.bursty, "steady": Fleet.steady,
}  # fmt: skip
FAULTS: dict[str, tuple[Callable[[Fleet, Member], Waits], tuple[str, ...]]] = {
    "context_bomb": (Fleet.context_bomb, ("context_jump", "input_spike")),
    "crash": (Fleet.crash, ("crashed_run", "missed_tick")),
    "failing_tool": (Fleet.failing_tool, ("tool_errors", "tool_outage", "silent_loop")),
    "hung_call": (Fleet.hung_call, ("hung_tool_call",)),
    "loop": (Fleet.loop, ("silent_loop",)),
    "made_up_tool": (Fleet.made_up_tool, ("unknown_tool",)),
    "missed_tick": (Fleet.missed_tick, ("missed_tick",)),
    "runaway": (Fleet.runaway, ("token_rate", "budget_low", "conversation_budget")),
    "stale_lock": (Fleet.stale_lock, ("stale_lock", "lock_taken_over")),
    "stall": (Fleet.stall, ("no_progress",)),
}


def pages(fleet: Fleet) -> list[Message]:
    """Return the messages that would have reached somebody, but what was asked for."""
    return [
        m
        for m in fleet.messages
        if m.kind == "firing" and m.severity != "info" and m.rule not in ASKED
    ]


def whose(fleet: Fleet, message: Message) -> Member | None:
    """Return the agent that a message is about."""
    text = str(message.payload.get("labels")) + message.text
    return next(
        (
            m
            for m in fleet.members
            if m.actor.name in text.split("'") or f"{m.actor.name} " in text + " "
        ),
        None,
    )


def report(fleet: Fleet) -> tuple[int, int]:
    """Print what came of it; return the false pages and the most of any agent."""
    false: list[Message] = []
    by_agent: Counter[str] = Counter()
    told: dict[str, list[Message]] = {}
    for message in pages(fleet):
        member = whose(fleet, message)
        fault = member and member.fault
        if (
            member
            and fault
            and fault.began
            and (fault.began <= message.at <= (fault.ended or message.at) + AFTER)
        ):
            told.setdefault(member.actor.name, []).append(message)
        else:
            false.append(message)
            by_agent[member.actor.name if member else "nobody"] += 1
    _print_false(fleet, false, by_agent)
    _print_found(fleet, told)
    _print_beside(fleet, told)
    return len(false), max(by_agent.values(), default=0)


def _print_false(fleet: Fleet, false: list[Message], by_agent: Counter[str]) -> None:
    weeks = fleet.agents * fleet.seconds / WEEK
    print(
        f"{fleet.agents} agents, {fleet.seconds / DAY:g} days, seed {fleet.seed}: "
        f"{len(fleet.messages)} messages, {statistics.mean(fleet.cost) * 1000:.0f} ms"
        " an evaluation of all rules"
    )
    print(
        f"false pages: {len(false)}, {len(false) / weeks:.3f} an agent-week, "
        f"at most {max(by_agent.values(), default=0)} of one agent, "
        f"critical {sum(m.severity == 'critical' for m in false)}"
    )
    for rule, count in Counter(m.rule for m in false).most_common():
        example = next(m for m in false if m.rule == rule)
        print(f"  {rule:24}{count:5}  {example.text.splitlines()[1][:110]}")
    kinds = {m.actor.name: m.profile for m in fleet.members}
    for agent, count in by_agent.most_common(8):
        print(f"  {agent:24}{count:5}  {kinds.get(agent, '')}")


def _print_found(fleet: Fleet, told: dict[str, list[Message]]) -> None:
    seeded = [m for m in fleet.members if m.fault and m.fault.known]
    print(f"{'failure':16}{'seeded':>8}{'found':>8}{'minutes':>9}{'messages':>10}")
    for kind in sorted({m.fault.kind for m in seeded if m.fault}):
        group = [m for m in seeded if m.fault and m.fault.kind == kind]
        delays, counts = [], []
        for member in group:
            said = told.get(member.actor.name, [])
            counts.append(len(said))
            hits = [m.at for m in said if m.rule in FAULTS[kind][1]]
            if hits and member.fault and member.fault.known:
                late = (min(hits) - member.fault.known).total_seconds() / 60
                delays.append(max(0.0, late))
        middle = f"{statistics.median(delays):.1f}" if delays else ""
        print(
            f"{kind:16}{len(group):8}{len(delays):8}{middle:>9}"
            f"{statistics.mean(counts):10.1f}"
        )


def _print_beside(fleet: Fleet, told: dict[str, list[Message]]) -> None:
    """Print what was said of failing agents by rules that are not their failure's."""
    kinds = {m.actor.name: m.fault.kind for m in fleet.members if m.fault}
    beside = Counter(
        (kinds[agent], message.rule)
        for agent, messages in told.items()
        for message in messages
        if message.rule not in FAULTS[kinds[agent]][1]
    )
    print(f"pages about failing agents by another rule: {sum(beside.values())}")
    for (kind, rule), count in beside.most_common():
        print(f"  {kind:16}{rule:24}{count:5}")


def main(agents: int = 20, weeks: float = 0.43, seed: int = 1) -> None:
    fleet = Fleet(agents, weeks, seed)
    began = time.monotonic()
    fleet.play()
    report(fleet)
    print(f"played in {(time.monotonic() - began) / 60:.0f} minutes")


if __name__ == "__main__":
    agents, weeks, seed = [*sys.argv[1:], *("20", "0.43", "1")[len(sys.argv) - 1 :]]
    main(int(agents), float(weeks), int(seed))
