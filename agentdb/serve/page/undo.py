"""Undo of a run: a dry run that leaves no trace, then the change that takes it back."""

from __future__ import annotations

import json
from typing import Any

import psycopg
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ...waking import CHANGES
from ...words import counted
from . import render
from .door import Form, acting, call, flash, wake
from .door.database import note

ROWS = "select * from agentdb.show_change_rows(%s, 1000)"


async def undo(request: Request, form: Form) -> Response | str:
    """Show what would come back; or, with `really`, take it back."""
    really = form.get("really") == "1"
    given = arguments(request, form)
    try:
        async with acting(request, stays=really) as connection:
            (done,) = await call(connection, request, "undo_run", given)
            cursor = await connection.execute(ROWS, [done["change_id"]])
            rows = await cursor.fetchall()
            if really and done["state"] == "approved":
                change = {"change": done["change_id"]}
                (end,) = await call(connection, request, "apply_change", change)
                done |= {"state": end["state"], "problem": end["problem"]}
    except psycopg.Error as error:
        await note(request, "undo_run", given, error)
        raise
    if really:
        await wake(request, CHANGES, str(done["change_id"]))
        flash(request, "done", _became(done))
        there = "change" if done["state"] != "withdrawn" else "run"
        shows = done["change_id"] if there == "change" else given["run"]
        return RedirectResponse(f"/{there}/{shows}", 303)
    return render.page(request, "undo.html", shown(request, form, done, rows))


def arguments(request: Request, form: Form) -> dict[str, object]:
    """Return what undo_run() is called with."""
    kept = [_kept(each) for each in form.getlist("keep")]
    return {
        "run": request.path_params["number"],
        "reason": form.get("reason", "").strip() or None,
        "on_conflict": form.get("on_conflict", "refuse"),
        "keep": f"[{', '.join(kept)}]" if kept else None,
    }


def shown(
    request: Request, form: Form, done: dict[str, Any], rows: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return what the page of a dry run is made of."""
    return {
        "run": request.path_params["number"],
        "rows": rows,
        "state": done["state"],
        "conflicts": done["conflicts"] or [],
        "left_undone": done["left_undone"] or [],
        "effects": done["effects"] or {},
        "row_count": done["row_count"],
        "reason": form.get("reason", ""),
        "on_conflict": form.get("on_conflict", "refuse"),
        "keep": form.getlist("keep"),
    }


def _kept(given: str) -> str:
    """Return a row that is left out, as JSON; the database says what is wrong with it.

    As it was written: numbers that are read and written again would be rounded.
    """
    try:
        json.loads(given, parse_int=str)
    except (ValueError, RecursionError):
        return json.dumps(given)
    return given


def _became(done: dict[str, Any]) -> str:
    """Say what became of an undo."""
    change, state = done["change_id"], done["state"]
    count = counted(done["row_count"] or 0, "row")
    if state == "applied":
        return f"taken back, as change {change}: {count} came back"
    if state == "pending":
        return f"change {change} takes {count} back, once somebody else approves it"
    if state == "withdrawn":
        return "nothing is left to take back"
    return f"not taken back: change {change} met a {state}"
