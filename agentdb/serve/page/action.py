"""What people do on the page: each is a POST, and a function of the database."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ...waking import CHANGES, MESSAGES, STOPS
from ...words import counted
from . import stop, undo
from .door import Form, act, post, wake


def routes() -> list[BaseRoute]:
    """Return the routes of all actions."""
    return [
        post("/alert/{number:int}/acknowledge", acknowledge),
        post("/alert/{number:int}/unacknowledge", unacknowledge),
        post("/alert/{number:int}/resolve", resolve),
        post("/group/{number:int}/acknowledge", acknowledge_group),
        post("/group/{number:int}/unacknowledge", unacknowledge_group),
        post("/group/{number:int}/resolve", resolve_group),
        post("/silence", silence),
        post("/silence/{number:int}/end", end_silence),
        post("/run/{number:int}/kill", stop.kill_run),
        post("/run/{number:int}/undo", undo.undo),
        post("/agent/{agent}/kill", stop.kill_agent),
        post("/agent/{agent}/pause", pause),
        post("/agent/{agent}/resume", resume),
        post("/change/{number:int}/approve", approve),
        post("/change/{number:int}/reject", reject),
        post("/change/{number:int}/apply", apply),
        post("/lock/release", release),
        post("/question/{number:int}/answer", answer),
        post("/notification/{number:int}/retry", retry),
        post("/notification/{number:int}/drop", drop),
    ]


def _number(request: Request) -> int:
    return int(request.path_params["number"])


def _said(form: Form, name: str) -> str | None:
    """Return a field, None where it was left empty."""
    return form.get(name, "").strip() or None


async def acknowledge(request: Request, form: Form) -> Response | str:
    """Say that somebody sees to an alert."""
    alert = _number(request)
    given = {"comment": _said(form, "comment"), "lasts": _said(form, "lasts")}
    await act(request, "acknowledge_alert", {"alert": alert, **given})
    return f"A-{alert} is acknowledged"


async def unacknowledge(request: Request, form: Form) -> Response | str:
    """Take that back."""
    alert = _number(request)
    await act(request, "unacknowledge_alert", {"alert": alert})
    return f"A-{alert} is not acknowledged any more"


async def resolve(request: Request, form: Form) -> Response | str:
    """End an alert by a person's decision."""
    alert = _number(request)
    given = {"alert": alert, "reason": _said(form, "reason")}
    await act(request, "resolve_alert", given)
    return f"A-{alert} is resolved"


async def acknowledge_group(request: Request, form: Form) -> Response | str:
    """Say that somebody sees to all alerts of a group."""
    given = {"comment": _said(form, "comment"), "lasts": _said(form, "lasts")}
    number = {"alert_group": _number(request)}
    done = await act(request, "acknowledge_group", {**number, **given})
    return f"acknowledged: {_alerts(done)}"


async def unacknowledge_group(request: Request, form: Form) -> Response | str:
    """Take that back."""
    number = {"alert_group": _number(request)}
    done = await act(request, "unacknowledge_group", number)
    return f"not acknowledged any more: {_alerts(done)}"


async def resolve_group(request: Request, form: Form) -> Response | str:
    """End all alerts of a group by a person's decision."""
    given = {"alert_group": _number(request), "reason": _said(form, "reason")}
    done = await act(request, "resolve_group", given)
    return f"resolved: {_alerts(done)}"


async def silence(request: Request, form: Form) -> Response | str:
    """Have nobody told of alerts that match, for a time."""
    given = {
        "matchers": _said(form, "matchers"),
        "lasts": _said(form, "lasts"),
        "comment": _said(form, "reason"),
    }
    (made,) = await act(request, "silence_alerts", given)
    await wake(request, MESSAGES)
    return f"silence S-{made['silence_id']}: {made['alerts']} alerts fire under it"


async def end_silence(request: Request, form: Form) -> Response | str:
    """End a silence before its time."""
    number = _number(request)
    await act(request, "end_silence", {"silence": number})
    await wake(request, MESSAGES)
    return f"silence S-{number} is over"


async def pause(request: Request, form: Form) -> Response | str:
    """Have an agent wait."""
    agent = request.path_params["agent"]
    given = {"agent": agent, "reason": _said(form, "reason")}
    (done,) = await act(request, "pause_agent", given)
    await wake(request, STOPS)
    return f"agent {agent} is paused: {done['runs_paused']} open runs"


async def resume(request: Request, form: Form) -> Response | str:
    """Let an agent go on."""
    agent = request.path_params["agent"]
    given = {"agent": agent, "reason": _said(form, "reason")}
    (done,) = await act(request, "resume_agent", given)
    await wake(request, STOPS)
    return f"agent {agent} goes on: {done['runs_resumed']} open runs"


async def approve(request: Request, form: Form) -> Response | str:
    """Approve a change as it was shown."""
    number = _number(request)
    given = {"change": number, "digest": form.get("digest", "")}
    comment = {"comment": _said(form, "comment")}
    (done,) = await act(request, "approve_change", {**given, **comment})
    await wake(request, CHANGES, str(number))
    if done["state"] == "pending":
        return f"change {number} needs {done['approvals_missing']} more approvals"
    return _became(number, done)


async def reject(request: Request, form: Form) -> Response | str:
    """Reject a change, and say why."""
    number = _number(request)
    given = {"change": number, "comment": _said(form, "comment")}
    (done,) = await act(request, "reject_change", given)
    await wake(request, CHANGES, str(number))
    return _became(number, done)


async def apply(request: Request, form: Form) -> Response | str:
    """Apply an approved change."""
    number = _number(request)
    (done,) = await act(request, "apply_change", {"change": number})
    await wake(request, CHANGES, str(number))
    return _became(number, done)


async def release(request: Request, form: Form) -> Response | str:
    """Take a lock from its holder."""
    slot = form.get("slot", "")
    given = {"name": form.get("name", ""), "reason": _said(form, "reason")}
    number = {"slot": int(slot)} if slot.isdecimal() and len(slot) < 9 else {}
    done = await act(request, "force_release_lock", {**given, **number})
    await wake(request, STOPS)
    who = ", ".join(str(each["holder"]) for each in done)
    return f"lock {given['name']} is taken from {who}" if who else "nobody held it"


async def answer(request: Request, form: Form) -> Response | str:
    """Answer an agent's question."""
    number = _number(request)
    given = {"question": number, "answer": _said(form, "answer")}
    await act(request, "answer_question", {**given, "comment": _said(form, "comment")})
    return f"Q-{number} is answered"


async def retry(request: Request, form: Form) -> Response | str:
    """Send a message that was given up again."""
    number = _number(request)
    await act(request, "retry_notification", {"notification": number})
    await wake(request, MESSAGES)
    return f"message {number} is sent again"


async def drop(request: Request, form: Form) -> Response | str:
    """Drop a message that waits or was given up."""
    number = _number(request)
    await act(request, "drop_notification", {"notification": number})
    return f"message {number} is dropped"


def _became(number: int, done: dict[str, Any]) -> str:
    """Say what became of a change."""
    said = f"change {number} is {done['state']}"
    problem = done.get("problem") or {}
    return f"{said}: {problem['message']}" if problem.get("message") else said


def _alerts(rows: list[dict[str, Any]]) -> str:
    return counted(int(str(_only(rows))), "alert")


def _only(rows: list[dict[str, Any]]) -> object:
    """Return the only value of the only row."""
    ((only,),) = (row.values() for row in rows)
    return only
