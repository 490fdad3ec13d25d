"""The board: three tables that follow the database, and a key for each thing to do."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, ClassVar

import psycopg
from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.widgets import DataTable, Footer, Static

from agentdb.admin import oncall, operation

from .. import message
from ..value import shown
from .ask import Ask, Page
from .board import Board, Row, explain, look

Columns = dict[str, dict[str, str]]
# A column's heading and the name of its value.
COLUMNS = {
    "incidents": {
        "Alert": "alert", "Severity": "severity", "State": "state", "Age": "age",
        "What": "summary",
    },
    "agents": {
        "Agent": "agent", "State": "state", "Since": "since", "Progress": "progress",
        "Open runs": "runs", "Tokens/h": "tokens", "Cost today": "cost",
        "Locks": "locks", "Why": "why",
    },
    "locks": {
        "Lock": "lock", "State": "state", "Holder": "holder", "Held": "held",
        "Left": "left", "Waiting": "waiting",
    },
}  # fmt: skip
# On a narrower terminal only what one decides by is shown, and each alert on two lines.
NARROW = 80
FEW = {
    "incidents": {"Alert": "alert", "What": "brief"},
    "agents": {"Agent": "agent", "State": "state", "Since": "since", "Why": "why"},
    "locks": {"Lock": "lock", "State": "state", "Holder": "holder"},
}
# What names a row: a lock may be called what another is with its slot.
KEYS = {
    "incidents": ("alert_id",), "agents": ("agent",), "locks": ("slot", "lock_name"),
}  # fmt: skip
COLOURS = {"critical": "bold red", "stale": "bold red", "warning": "yellow"}
# Longer ones are on the page that Enter opens.
LONGEST = 120


class Top(App[None]):
    """`agentdb top`; looks again every so many seconds."""

    CSS = """
    DataTable { height: 1fr; overflow-x: hidden; }
    #locks { height: auto; max-height: 6; }
    .title { text-style: bold; }
    .faint { color: $text-muted; }
    #ask, #page { width: 90%; max-width: 100; height: auto; max-height: 90%;
      padding: 1 2; border: round $accent; background: $surface; }
    Ask, Page { align: center middle; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "acknowledge", "Acknowledge"),
        Binding("p", "pause", "Pause or resume"),
        Binding("k", "kill", "Kill"),
        Binding("r", "release", "Release lock"),
        Binding("w", "explain", "Why"),
        Binding("tab", "app.focus_next", "Next table"),
        Binding("q", "quit", "Quit"),
    ]
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, dsn: str, *, every: float = 2.0) -> None:
        super().__init__()
        self._dsn, self._every = dsn, every
        self._rows: dict[str, dict[str, Row]] = {name: {} for name in COLUMNS}
        self._columns: Columns = {}

    def compose(self) -> ComposeResult:
        """Make the headline and the tables."""
        yield Static("", id="headline", markup=False)
        for name in COLUMNS:
            yield Static(name.capitalize(), classes="title", markup=False)
            yield DataTable(id=name, cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        """Look at once, and then again and again."""
        self._lay_out(self.size.width)
        self.refresh_board()
        self.set_interval(self._every, self.refresh_board)

    def on_resize(self, event: Resize) -> None:
        """Show as many columns as the terminal has room for."""
        self._lay_out(event.size.width)

    def _lay_out(self, width: int) -> None:
        wanted = FEW if width < NARROW else COLUMNS
        if self._columns is wanted:
            return
        self._columns = wanted
        for name, columns in wanted.items():
            table: DataTable[Text] = self.query_one(f"#{name}", DataTable)
            table.clear(columns=True).add_columns(*columns)
            self._fill(name, list(self._rows[name].values()))

    @work(thread=True, exclusive=True, group="look")
    def refresh_board(self) -> None:
        """Read the board where it cannot hold up the keys."""
        board = look(self._dsn)
        self.call_from_thread(self.show, board)

    def show(self, board: Board) -> None:
        """Show what was read; while the database is away the last look stays."""
        line = f"{board.at:%H:%M:%S} UTC  {board.headline()}"
        self.query_one("#headline", Static).update(Text(shown(line)))
        if board.away is None:
            for name in COLUMNS:
                self._fill(name, getattr(board, name))

    def _fill(self, name: str, rows: list[Row]) -> None:
        """Fill a table; the cursor stays with what it was on."""
        table: DataTable[Text] = self.query_one(f"#{name}", DataTable)
        chosen = self._chosen(name)
        self._rows[name] = {_key(name, row): row for row in rows}
        table.clear()
        for key, row in self._rows[name].items():
            cells = [
                _brief(row) if column == "brief" else _cell(row[column])
                for column in self._columns[name].values()
            ]
            table.add_row(*cells, height=2 if len(cells) == 2 else 1, key=key)
        keys = list(self._rows[name])
        if chosen and (key := _key(name, chosen)) in keys:
            table.move_cursor(row=keys.index(key))

    def _chosen(self, name: str) -> Row | None:
        """Return the row under the cursor of a table."""
        table: DataTable[Text] = self.query_one(f"#{name}", DataTable)
        keys = list(self._rows[name])
        return self._rows[name][keys[table.cursor_row]] if keys else None

    def _here(self) -> tuple[str, Row | None]:
        """Return the table that has the focus, and its row."""
        name = (self.focused.id if self.focused else None) or "incidents"
        return name, self._chosen(name) if name in COLUMNS else None

    def _agent(self) -> str | None:
        _, row = self._here()
        return row.get("agent") if row else None

    def action_acknowledge(self) -> None:
        """Say that one sees to the alert."""
        row = self._chosen("incidents")
        if row is None:
            self.notify("nothing fires")
            return
        self._ask(
            f"Acknowledge {row['alert']}: {shown(row['summary'])}",
            "what you do about it",
            lambda text: oncall.acknowledge(
                self._dsn, "alert", row["alert_id"], comment=text
            ),
        )

    def action_pause(self) -> None:
        """Pause the agent, or resume one that is paused."""
        if (agent := self._agent()) is None:
            self.notify("choose an agent: Tab leads to the next table")
            return
        state = self._rows["agents"].get(agent, {}).get("state")
        again = state in ("paused", "killed")
        self._ask(
            f"{'Resume' if again else 'Pause'} agent {agent}?",
            "why",
            lambda text: operation.pause(
                self._dsn,
                operation.RESUME if again else operation.PAUSE,
                agent=agent,
                reason=text,
            ),
        )

    def action_kill(self) -> None:
        """Kill the run of the row, or all of the agent where there is none."""
        name, row = self._here()
        agent = self._agent()
        run = row.get("run") if row and name == "incidents" else None
        if run is None and agent is None:
            self.notify("choose an agent: Tab leads to the next table")
            return
        what = f"run {run} of {agent}" if run else f"agent {agent}, with all its runs"
        self._ask(
            f"Kill {what}?",
            "why",
            lambda text: operation.kill(
                self._dsn,
                operation.KILL_RUN if run else operation.KILL_AGENT,
                target=int(run) if run else agent,
                reason=text,
            ),
        )

    def action_release(self) -> None:
        """Take the lock away from who holds it."""
        if (row := self._chosen("locks")) is None:
            self.notify("no lock is held")
            return
        self._ask(
            f"Take lock {row['lock']} from {row['holder']}?",
            "why",
            lambda text: operation.release_lock(
                self._dsn, row["lock_name"], reason=text, slot=row["slot"] or None
            ),
        )

    def on_data_table_row_selected(self) -> None:
        """Show all of a row: Enter."""
        self.action_explain()

    def action_explain(self) -> None:
        """Show all that the board knows of the row."""
        _, row = self._here()
        if row is not None:
            self._explain(row)

    @work(thread=True)
    def _explain(self, row: Row) -> None:
        try:
            lines = explain(self._dsn, row)
        except psycopg.Error as error:
            self.call_from_thread(self._say, str(error), "error")
        else:
            self.call_from_thread(self.push_screen, Page("\n".join(lines)))

    def _ask(self, question: str, wanted: str, act: Callable[[str], object]) -> None:
        def answered(text: str | None) -> None:
            if text is not None:
                self._do(partial(act, text))

        self.push_screen(Ask(question, wanted), answered)

    @work(thread=True)
    def _do(self, act: Callable[[], object]) -> None:
        """Do it, say what came of it, and look again."""
        try:
            done = act()
        except psycopg.Error as error:
            said = message.read(error)
            text = f"{said.message}\n{said.hint}" if said else str(error)
            self.call_from_thread(self._say, text, "error")
        else:
            told = "\n".join(done) if isinstance(done, list) else "done"
            self.call_from_thread(self._say, told or "done", "information")
        self.call_from_thread(self.refresh_board)

    def _say(self, text: str, severity: Any) -> None:
        self.notify(shown(text), severity=severity, markup=False, timeout=10)


def _key(name: str, row: Row) -> str:
    """Return what names a row of a table."""
    return " ".join(str(row[each]) for each in KEYS[name])


def _brief(row: Row) -> Text:
    """Return an alert on two lines, of which the second is what it is about."""
    above = [_cell(row[column]) for column in ("severity", "state", "age")]
    about = _cell(f"{row['rule']}: {row['summary']}")
    return Text("\n").join([Text(" ").join(above), about])


def _cell(value: object) -> Text:
    """Return a value as the tables show it: no markup, one line."""
    text = "now" if value == timedelta(0) else shown(value)
    text = " ".join(text.split())
    if len(text) > LONGEST:
        text = f"{text[: LONGEST - 1]}…"
    return Text(text, style=COLOURS.get(text, ""))
