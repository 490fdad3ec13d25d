"""Writes numbers in Prometheus' text format."""

from __future__ import annotations

KIND = "text/plain; version=0.0.4; charset=utf-8"


def line(metric: str, value: float, **labels: str) -> str:
    """Return one sample."""
    given = ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items())
    return f"{metric}{{{given}}} {value:.12g}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
