"""A morning of a small fleet: nobody who is well is paged, and who goes wrong is found."""

from __future__ import annotations

import pytest

from bench.weeks import FAULTS, Fleet, report

from . import cast


def test_morning_of_a_fleet(capsys: pytest.CaptureFixture[str]) -> None:
    fleet = Fleet(20, 0.03, cast.seed())
    fleet.play()
    false, _ = report(fleet)
    said = capsys.readouterr().out
    assert false == 0, said
    for member in fleet.members:
        if member.fault and member.fault.ended and member.fault.known:
            rules = {m.rule for m in fleet.messages if member.actor.name in m.text}
            assert rules & {*FAULTS[member.fault.kind][1]}, (member.fault, said)
