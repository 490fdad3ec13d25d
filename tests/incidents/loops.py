"""Silent loops: the same again and again, in every shape, and what only looks like it."""

from __future__ import annotations

from .play import MINUTE, Actor, Play, Wait
from .registry import healthy, incident


def working(play: Play, **given: object) -> Actor:
    """Return an agent that has started and reached a first step."""
    actor = play.agent()
    actor.start(purpose=play.text(), **given)
    actor.step(f"begun with {play.text()}")
    return actor


def fresh(play: Play, bad: bool, number: int) -> str:
    """Return an answer: always the same to an incident, new to its twin."""
    same = "nothing found"
    return same if bad else f"{same} yet, {play.text(4)}, item {number * 37} of many"


@incident
def same_call_same_result(play: Play) -> Wait:
    """An agent asks the same question and gets the same answer, for minutes on end."""
    actor, tool = working(play), play.pick(TOOLS_OF_A_CODER)
    args, pace = {"q": play.text()}, play.pace(5, 20)
    for i in range(12):
        actor.tool(tool, args, result=fresh(play, play.bad, i))
        if i == 9:
            play.expect("silent_loop", says=[f"run {actor.run}", tool, r"same"])
            play.updates = 1
        yield pace
    actor.end()


@incident
def same_call_failing(play: Play) -> Wait:
    """An agent tries a call that fails the same way each time."""
    actor, tool = working(play), play.pick(TOOLS_OF_A_CODER)
    args, pace = {"path": f"src/{play.text(1)}.py"}, play.pace(4, 15)
    for i in range(12):
        if play.bad or i < 2:
            actor.fail(tool, args, "no match for pattern")
        else:
            actor.tool(tool, {**args, "line": i}, result=play.text(8))
        if i == 8:
            play.expect("silent_loop", says=[f"run {actor.run}", tool, "fail"])
            play.updates = 1
        yield pace
    actor.end("failed" if play.bad else "succeeded")


@incident
def tool_failing_whatever_is_asked(play: Play) -> Wait:
    """An agent varies its question to a tool that always refuses it."""
    actor, tool = working(play), play.name("crm")
    pace = play.pace(5, 15)
    for i in range(14):
        args = {"customer": play.text(2), "n": i}
        if play.bad:
            actor.fail(tool, args, "503 service unavailable")
        else:
            actor.tool(tool, args, result=f"customer {play.text(4)} {i}")
        if i == 9:
            play.expect("silent_loop", "tool_errors", says=[tool])
            play.updates = 1
        yield pace
    actor.end("failed")


@incident
def long_answer_whatever_is_asked(play: Play) -> Wait:
    """A search answers each question with the same long help page."""
    actor, tool = working(play), play.pick(TOOLS_OF_A_CODER)
    page = "usage: " + play.text(120)
    for i in range(14):
        answer = page if play.bad else play.text(120)
        actor.tool(tool, {"q": play.text(5) + str(i)}, result=answer)
        if i == 10:
            play.expect("silent_loop", says=[f"run {actor.run}", tool])
            play.updates = 1
        yield play.pace(5, 20)
    actor.end()


@incident
def two_calls_in_turn(play: Play) -> Wait:
    """An agent goes back and forth between calls, each answered as before."""
    actor = working(play)
    length = play.random.randint(2, 4)
    lap = [(play.name("tool"), {"q": play.text()}, play.text(9)) for _ in range(length)]
    for i in range(length * 9):
        tool, args, answer = lap[i % length]
        actor.tool(
            tool, args, result=answer if play.bad else f"{answer} {play.text(6)}"
        )
        if i == length * 6:
            play.expect("silent_loop", says=[f"run {actor.run}", lap[0][0]])
            play.updates = 1
        yield play.pace(4, 12)
    actor.end()


@incident
def hardly_a_new_call(play: Play) -> Wait:
    """An agent draws from the same few calls in no order and learns nothing."""
    actor = working(play)
    few = [(play.name("tool"), {"q": play.text()}, play.text(9)) for _ in range(3)]
    for i in range(30):
        tool, args, answer = play.random.choice(few)
        if not play.bad:
            args, answer = {"q": f"{play.text(6)} {i}"}, play.text(20)
        actor.tool(tool, args, result=answer)
        if i == 22:
            play.expect("silent_loop", says=[f"run {actor.run}"])
            play.updates = 1
        yield play.pace(4, 12)
    actor.end()


@incident
def numbers_only(play: Play) -> Wait:
    """An agent counts a page number up and gets an empty page each time."""
    actor, tool = working(play), play.name("fetch_page")
    for i in range(60):
        answer = "[]" if play.bad else f"[{play.text(12)}]"
        actor.tool(tool, {"page": i, "of": "archive"}, result=answer)
        if i == 45:
            play.expect("silent_loop", says=[f"run {actor.run}", tool])
            play.updates = 1
        if not play.bad and i % 10 == 9:
            actor.step(f"read {play.text(3)} up to {play.text(2)}")
        yield play.pace(2, 6)
    actor.end()


@incident
def thinks_and_does_nothing(play: Play) -> Wait:
    """A model is asked again and again, and no tool is ever called."""
    actor = working(play)
    for i in range(34):
        actor.tokens(3000 + 20 * i, play.random.randint(200, 500))
        if not play.bad and i % 4 == 3:
            actor.tool("edit", {"file": play.text(2), "n": i}, result=play.text(12))
        if i == 28:
            play.expect("silent_loop", says=[f"run {actor.run}", "model"])
            play.updates = 1
        yield play.pace(5, 15)
    actor.end()


@incident
def poll_that_never_changes(play: Play) -> Wait:
    """A declared poll is answered `pending` for an hour, though each took a minute before."""
    actor, tool = working(play), play.name("job_status")
    play.db.execute("select agentdb.register_tool(%s::text, poll => true)", [tool])
    for i in range(60):
        answer = "pending" if play.bad else f"{i * 100 // 60} % of rows, {play.text(3)}"
        actor.tool(tool, {"job": 7}, result=answer)
        if i == 40:
            play.expect("silent_loop", "no_progress", says=[f"run {actor.run}", tool])
            play.updates = 1
        yield play.pace(20, 35)
    actor.end()


@incident
def says_the_same_step(play: Play) -> Wait:
    """An agent logs `still working on it, attempt 7` and calls it progress."""
    actor, tool = working(play), play.pick(TOOLS_OF_A_CODER)
    args = {"q": play.text()}
    for i in range(14):
        actor.tool(tool, args, result=fresh(play, play.bad, i))
        step = f"still working on it, attempt {i}"
        actor.step(step if play.bad else f"read {play.text(4)} and {play.text(2)}")
        if i == 10:
            play.expect("silent_loop", says=[f"run {actor.run}", tool])
            play.updates = 1
        yield play.pace(10, 30)
    actor.end()


@incident
def slow_loop(play: Play) -> Wait:
    """The same question every five minutes, the same answer, for an hour and a half."""
    actor, tool = working(play), play.name("check_inbox")
    for i in range(18):
        actor.tool(tool, {"folder": "in"}, result=fresh(play, play.bad, i))
        if not play.bad:
            actor.step(f"answered {play.text(4)}")
        if i == 8:
            play.expect("silent_loop", "no_progress", says=[f"run {actor.run}"])
            # That it is silent, why, and that it goes on.
            play.updates = 2
        yield play.pace(4 * MINUTE, 6 * MINUTE)
    actor.end()


@incident
def loop_and_all_that_follows(play: Play) -> Wait:
    """A loop goes on for 40 minutes: no progress, a long tick and tokens are no news."""
    actor, tool = working(play, tick_interval="30 min"), play.name("query")
    args = {"sql": f"select {play.text(1)} from t"}
    for i in range(80):
        if play.bad:
            actor.fail(tool, args, "relation does not exist")
        else:
            actor.tool(tool, {**args, "n": play.text(3)}, result=play.text(9))
            actor.step(f"row {play.text(5)} {i}")
        actor.tokens(4000 + 10 * i, 200)
        if i == 9:
            play.expect("silent_loop", says=[f"run {actor.run}", tool, "fail"])
            # That it has become critical, and which table is missing.
            play.updates = 2
        # A healthy agent ends long before its next tick.
        if not play.bad and i == 25:
            break
        yield play.pace(20, 40)
    actor.end("failed")
    if not play.bad:
        yield 10 * MINUTE
    actor.start(purpose="the last one")
    actor.end()


@incident
def loop_becomes_critical(play: Play) -> Wait:
    """Who was told of a loop as a warning is told that it has become critical."""
    actor, tool = working(play), play.pick(TOOLS_OF_A_CODER)
    args = {"q": play.text()}
    for i in range(40):
        actor.tool(tool, args, result=fresh(play, play.bad, i))
        if i == 7:
            play.expect("silent_loop", says=[f"run {actor.run}", tool])
        if i == 29:
            play.expect("silent_loop", severity="critical", says=[tool])
        yield play.pace(12, 18)
    actor.end()


@incident
def loop_of_a_child(play: Play) -> Wait:
    """A parent waits for a child that loops: the child is named, the parent is not paged."""
    parent, child = working(play), play.agent()
    token = parent.call_sql("spawn_token")["spawn_token"]
    child.start(spawn_token=token, purpose=play.text())
    call = parent.begin("delegate", {"to": child.name})
    tool = play.name("look_up")
    for i in range(50):
        child.tool(tool, {"q": "same"}, result=fresh(play, play.bad, i))
        if not play.bad and i % 3 == 0:
            child.step(f"found {play.text(4)}")
        if i == 9:
            play.expect("silent_loop", says=[f"run {child.run}", tool])
            play.updates = 1
        yield play.pace(20, 30)
    child.end()
    parent.finish(call)
    parent.step("the child is done")
    parent.end()


@healthy
def inserts_that_differ_in_numbers(play: Play) -> Wait:
    """300 inserts that differ only in numbers, each of which changes another row."""
    actor = working(play)
    table, tool = play.table(actor), play.name("insert_line")
    for i in range(300):
        actor.sql(f"insert into {table} values (%s, 'new', %s)", i, i * 10)
        actor.tool(tool, {"id": i, "amount": i * 10}, result="INSERT 0 1")
        yield play.pace(1, 4)
    actor.end()


@healthy
def inserts_elsewhere(play: Play) -> Wait:
    """300 calls that differ in numbers only, to a system that answers with a new id each."""
    actor, tool = working(play), play.name("create_ticket")
    play.db.execute("select agentdb.register_tool(%s::text, effect => true)", [tool])
    for i in range(300):
        actor.tool(tool, {"line": i}, result=f"created T{9000 + i * 7}")
        if i % 60 == 59:
            actor.step(f"filed {play.text(4)}")
        yield play.pace(2, 5)
    actor.end()


@healthy
def polling_that_changes(play: Play) -> Wait:
    """A job is asked for its state until it is done; the share done grows."""
    actor, tool = working(play), play.name("get_job")
    done = 0
    while done < 100:
        actor.tool(
            tool, {"job": 7}, result=f'{{"state": "running", "rows": {done * 991}}}'
        )
        done += play.random.randint(2, 7)
        yield play.pace(15, 40)
    actor.step("the job is done")
    actor.end()


@healthy
def back_off_under_429(play: Play) -> Wait:
    """A rate limit is waited for, longer each time, until the call goes through."""
    actor, tool = working(play), play.name("embed")
    wait = play.pace(2, 4)
    for _ in range(6):
        actor.fail(tool, {"text": "chapter 1"}, "429 too many requests, retry later")
        yield wait
        wait *= 2
    actor.tool(tool, {"text": "chapter 1"}, result=play.text(9))
    actor.step("embedded chapter 1")
    yield 20
    actor.end()


@healthy
def edit_test_edit(play: Play) -> Wait:
    """An agent edits, tests, reads what fails, and edits again until the tests pass."""
    actor = working(play)
    left = 12
    while left:
        actor.tool(
            "edit",
            {"file": "src/app.py", "old": play.text(6), "new": play.text(6)},
            result="the file was edited",
        )
        yield play.pace(10, 30)
        left -= play.random.random() < 0.7
        args = {"command": "pytest -x"}
        if left:
            actor.fail("bash", args, f"{left} failed: {play.text(8)}")
        else:
            actor.tool("bash", args, result="all passed")
        yield play.pace(10, 40)
    actor.end()


@healthy
def reads_many_files(play: Play) -> Wait:
    """An agent reads eighty files one by one before it writes anything."""
    actor = working(play)
    # It comes past half of its budget, and that is no page.
    play.allow("budget_low", "info")
    for i in range(80):
        actor.tool("read", {"path": f"src/{play.text(2)}/{i}.py"}, result=play.text(60))
        actor.tokens(600, 150, cached=2000 + 50 * i)
        yield play.pace(2, 7)
    actor.step("read all of it")
    actor.end()


TOOLS_OF_A_CODER = ("grep", "read_file", "list_dir", "web_search", "run_query")
