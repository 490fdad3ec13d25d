"""Verifies that a file is there, of the size and content that was claimed, and new."""

from __future__ import annotations

import hashlib
import os
import stat
from datetime import datetime, timedelta, timezone

from .access import Person
from .claim import Claim, Verdict
from .path import Obstacle, Walk

# Larger files are not read for their hash.
LARGEST = 1 << 30
# File systems keep coarse times, and clocks of two machines differ.
SKEW = timedelta(seconds=2)
REFUTED = {"missing", "dangling_link", "not_a_directory"}
REFUSED = {"refused", "not_regular"}


def verify(claim: Claim) -> Verdict:
    """Look at a file below the operator's roots; nothing else is ever opened."""
    with Walk(Person.present(), climbs=False) as walk:
        try:
            walk.go(claim.target)
            _check_root(walk, claim.limits.roots)
            return _look(walk, claim)
        except Obstacle as obstacle:
            return _verdict(walk, claim, obstacle)


def _check_root(walk: Walk, roots: tuple[str, ...]) -> None:
    if not any(_is_below(walk.here, os.path.realpath(root)) for root in roots):
        detail = f"{walk.here} is not below a root that the operator allows"
        raise Obstacle("refused", walk.here, detail)


def _is_below(path: str, root: str) -> bool:
    return os.path.commonpath([path, root]) == root


def _verdict(walk: Walk, claim: Claim, obstacle: Obstacle) -> Verdict:
    """A file outside of the roots is not spoken of, whether or not it is there."""
    if obstacle.verdict in REFUSED:
        return Verdict("refused", obstacle.found)
    try:
        _check_root(walk, claim.limits.roots)
    except Obstacle as outside:
        return Verdict("refused", outside.found)
    if obstacle.verdict in REFUTED:
        return Verdict("refuted", obstacle.found)
    return Verdict("unreachable", obstacle.found)


def _look(walk: Walk, claim: Claim) -> Verdict:
    status = walk.status
    if not stat.S_ISREG(status.st_mode):
        raise Obstacle("not_regular", walk.here, f"{walk.here} is not a regular file")
    modified_at = datetime.fromtimestamp(status.st_mtime, timezone.utc)
    evidence = {"size": status.st_size, "modified_at": modified_at.isoformat()}
    faults = []
    if status.st_size < claim.expectation.get("min_size", 0):
        faults.append("smaller than claimed")
    if modified_at < claim.run_started_at - SKEW:
        faults.append("not modified since the run began")
        evidence["run_started_at"] = claim.run_started_at.isoformat()
        evidence["skew_allowed_seconds"] = SKEW.total_seconds()
    if expected := claim.expectation.get("sha256"):
        if status.st_size > LARGEST:
            return Verdict("unreachable", {**evidence, "problem": "too large to hash"})
        evidence["sha256"] = _sha256(walk)
        if evidence["sha256"] != expected:
            faults.append("another content than claimed")
    if faults:
        return Verdict("refuted", {**evidence, "problem": ", ".join(faults)})
    return Verdict("verified", evidence)


def _sha256(walk: Walk) -> str:
    with os.fdopen(walk.open("read"), "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
