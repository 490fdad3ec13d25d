"""Asks for a reason before anything is done; Escape does nothing."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from ..harmless import harmless


class Ask(ModalScreen["str | None"]):
    """A question with one line for the answer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Do nothing")]

    def __init__(self, question: str, wanted: str) -> None:
        super().__init__()
        self._question, self._wanted = harmless(question), wanted

    def compose(self) -> ComposeResult:
        """Make the question and its line."""
        with Vertical(id="ask"):
            yield Static(self._question, markup=False)
            yield Input(placeholder=self._wanted, max_length=500)
            yield Static("Enter does it, Escape does nothing", classes="faint")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the answer; none is no answer."""
        if text := event.value.strip():
            self.dismiss(text)

    def action_leave(self) -> None:
        """Do nothing."""
        self.dismiss(None)


class Page(ModalScreen[None]):
    """A text that is longer than a line."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,enter,q", "leave", "Back")]

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = harmless(text)

    def compose(self) -> ComposeResult:
        """Make the text."""
        with VerticalScroll(id="page"):
            yield Static(self._text, markup=False)

    def action_leave(self) -> None:
        """Go back to the board."""
        self.dismiss(None)
