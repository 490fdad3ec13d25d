"""Verifies by running a command that the operator registered, and nothing else."""

from __future__ import annotations

import re
import subprocess
from typing import Any

from ..process.program import ENVIRONMENT
from .claim import Claim, Verdict


class NotRegistered(Exception):
    """The claim asks for what the operator has not registered."""


def verify(claim: Claim) -> Verdict:
    """Run the registered argument vector; status 0 verifies the claim."""
    try:
        argv = arguments(claim.limits.commands, claim.target, claim.expectation)
    except NotRegistered as error:
        return Verdict("refused", {"problem": str(error)})
    try:
        done = subprocess.run(
            argv,
            cwd="/",
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    except OSError as error:
        return Verdict("unreachable", {"argv": argv, "problem": str(error)})
    output = done.stdout[-2000:].decode(errors="replace")
    evidence = {"argv": argv, "status": done.returncode, "output": output}
    return Verdict("refuted" if done.returncode else "verified", evidence)


def arguments(
    commands: dict[str, dict[str, Any]], name: str, values: dict[str, Any]
) -> list[str]:
    """Return the registered argument vector with the claim's values put in.

    A value fills a place inside of one argument and never becomes two.
    """
    if name not in commands:
        raise NotRegistered(f"no command {name} is registered")
    patterns = commands[name].get("values", {})
    if unknown := values.keys() ^ patterns.keys():
        raise NotRegistered(f"{name} takes {sorted(patterns)}, not {sorted(unknown)}")
    for key, pattern in patterns.items():
        if not re.fullmatch(pattern, str(values[key])):
            raise NotRegistered(f"{key} does not match {pattern}")
    filled = {key: str(value) for key, value in values.items()}
    return [_fill(part, filled) for part in commands[name]["argv"]]


def _fill(part: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: values.get(m[1], m[0]), part)
