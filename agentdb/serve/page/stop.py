"""Kill: the mark is committed first, then what is in flight is ended and waited for."""

from __future__ import annotations

import time
from typing import Any

import psycopg
from starlette.requests import Request
from starlette.responses import Response

from ...waking import STOPS
from ...words import freed
from .door import Form, act, wake

# For all runs of one kill together, in seconds: a page is waited for.
PATIENCE = 10.0


async def kill_run(request: Request, form: Form) -> Response | str:
    """Kill a run and, with `tree`, what it started."""
    given = {
        "run": request.path_params["number"],
        "reason": form.get("reason", "").strip() or None,
        "tree": form.get("tree", "1") != "0",
    }
    return _told(*await _after(request, await act(request, "kill_run", given)))


async def kill_agent(request: Request, form: Form) -> Response | str:
    """Kill all runs of an agent, and let it start none."""
    agent = request.path_params["agent"]
    given = {"agent": agent, "reason": form.get("reason", "").strip() or None}
    first, rest = await _after(request, await act(request, "kill_agent", given))
    left = await _drain(request, "drain_agent", {"agent": agent})
    if not all(each["drained"] for each in left):
        first.append(f"agent {agent} still has a transaction open outside its runs")
    return _told([*first, f"agent {agent} starts nothing until it is resumed"], rest)


def _told(first: list[str], rest: list[str]) -> str:
    """Return what is read at once, and on a line of its own what can be unfolded."""
    return "\n".join("; ".join(dict.fromkeys(each)) for each in (first, rest) if each)


async def _after(
    request: Request, killed: list[dict[str, Any]]
) -> tuple[list[str], list[str]]:
    """End what killed runs have in flight; return what matters first, and the rest."""
    await wake(request, STOPS)
    if not killed:
        return ["no run was open"], []
    until = time.monotonic() + PATIENCE
    said = [
        f"run {each['run_id']} of {each['agent_name']} is killed: "
        + freed(
            each["locks_freed"],
            each["reservations_cancelled"],
            each["changes_withdrawn"],
        )
        for each in killed
    ]
    drained: dict[int, bool] = {}
    for each in killed:
        run = each["run_id"]
        if time.monotonic() > until:
            drained.setdefault(run, False)
        elif run not in drained:
            said += await _end_sessions(request, run)
            found = await _drain(request, "drain_run", {"run": run})
            drained |= {one["run_id"]: one["drained"] for one in found}
    return list(map(_drained, drained, drained.values())), said


async def _end_sessions(request: Request, run: int) -> list[str]:
    """End the sessions of a killed run, where that may be done from here."""
    try:
        found = await act(request, "end_sessions", {"run": run})
    except psycopg.Error:
        return []
    return [
        f"session {each['pid']} is ended"
        if each["ended"]
        else f"session {each['pid']} goes on: {each['problem']}"
        for each in found
    ]


async def _drain(
    request: Request, name: str, whom: dict[str, object]
) -> list[dict[str, Any]]:
    """Wait for writers in flight; that it takes too long undoes no kill."""
    try:
        return await act(request, name, {**whom, "patience": "3 seconds"})
    except psycopg.Error:
        return [{"run_id": whom.get("run"), "drained": False}]


def _drained(run: int, drained: bool) -> str:
    if drained:
        return f"nothing of run {run} can commit any more"
    return f"run {run} still has a transaction open: agentdb kill {run} waits for it"
