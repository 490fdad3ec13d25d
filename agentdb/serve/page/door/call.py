"""The functions that a person of the page calls, and of what types they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import LiteralString

# Each exists as itself and, with `person` in front, as NAME_for.
TYPES: dict[str, dict[str, LiteralString]] = {
    "acknowledge_alert": {"alert": "bigint", "comment": "text", "lasts": "interval"},
    "acknowledge_group": {
        "alert_group": "bigint", "comment": "text", "lasts": "interval",
    },
    "unacknowledge_alert": {"alert": "bigint"},
    "unacknowledge_group": {"alert_group": "bigint"},
    "resolve_alert": {"alert": "bigint", "reason": "text"},
    "resolve_group": {"alert_group": "bigint", "reason": "text"},
    "silence_alerts": {"matchers": "text", "lasts": "interval", "comment": "text"},
    "end_silence": {"silence": "bigint"},
    "retry_notification": {"notification": "bigint"},
    "drop_notification": {"notification": "bigint"},
    "answer_question": {"question": "bigint", "answer": "text", "comment": "text"},
    "force_release_lock": {"name": "text", "reason": "text", "slot": "integer"},
    "kill_run": {"run": "bigint", "reason": "text", "tree": "boolean"},
    "kill_agent": {"agent": "text", "reason": "text"},
    "pause_agent": {"agent": "text", "reason": "text"},
    "resume_agent": {"agent": "text", "reason": "text"},
    "drain_run": {"run": "bigint", "patience": "interval"},
    "drain_agent": {"agent": "text", "patience": "interval"},
    "left_after_kill": {"run": "bigint"},
    "end_sessions": {"run": "bigint"},
    "approve_change": {"change": "bigint", "digest": "text", "comment": "text"},
    "reject_change": {"change": "bigint", "comment": "text"},
    "apply_change": {"change": "bigint"},
    "undo_run": {
        "run": "bigint", "reason": "text", "on_conflict": "text", "keep": "jsonb",
    },
}  # fmt: skip
