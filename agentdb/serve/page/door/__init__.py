"""The door of the page: who is let in, what they may do, and as whom it is done."""

from __future__ import annotations

from .database import act, acting, call, reading, wake
from .form import Form, back, flash, post
from .person import Person

__all__ = [
    "Form",
    "Person",
    "act",
    "acting",
    "back",
    "call",
    "flash",
    "post",
    "reading",
    "wake",
]
