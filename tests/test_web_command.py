"""Commands about the page: a link, and who is whom, as a shell types them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .agents import value
from .commands import run

if TYPE_CHECKING:
    from .conftest import Connect, Connection
    from .servers import Server


@pytest.fixture
def dsn(db: Connection, server: Server) -> str:
    """The connection of a person on call."""
    return server.dsn(database=db.info.dbname, user="operator_o")


def test_a_link_is_printed_once(
    db: Connection, connect: Connect, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run(monkeypatch, ["web", "link", "--url", "https://agents.example/"], dsn)
    assert said.code == 0, said
    address, _, token = said.out.strip().partition("?token=")
    assert address == "https://agents.example/login/link"
    assert "10 minutes" in said.err and token not in said.err
    web = connect(db.info.dbname, "web_w")
    assert value(web, "select agentdb.redeem_web_link(%s)", token) == "role operator_o"
    monkeypatch.setenv("AGENTDB_PUBLIC_URL", "https://other.example")
    assert (
        "https://other.example/login/link?"
        in run(monkeypatch, ["web", "link"], dsn).out
    )
    assert run(monkeypatch, ["web", "link", "--minutes", "61"], dsn).code == 2
    there = run(monkeypatch, ["web", "link", "--to", "/alert/7"], dsn).out
    assert there.strip().endswith("&next=%2Falert%2F7")
    assert run(monkeypatch, ["web", "link", "--to", "alert/7"], dsn).code == 2


def test_people_are_mapped_listed_and_unmapped(
    db: Connection, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "none" in run(monkeypatch, ["web", "people"], dsn).out
    said = run(monkeypatch, ["web", "map", "ann@x", "operator_o"], dsn)
    assert said.out == "ann@x acts as operator_o, by way of agentdb serve\n"
    assert "ann@x" in run(monkeypatch, ["web", "people"], dsn).out
    other = run(monkeypatch, ["web", "map", "ann@x", "reviewer_r"], dsn)
    assert other.code == 1 and "may not give the rights of reviewer_r" in other.err
    assert "reviewer_r does that itself" in other.hint
    gone = run(monkeypatch, ["web", "unmap", "ann@x"], dsn)
    assert gone.out == "ann@x acts as operator_o no more\n"
    again = run(monkeypatch, ["web", "unmap", "ann@x"], dsn)
    assert again.code == 1 and "agentdb web people" in again.hint


def test_options_of_the_door_that_do_not_fit_are_refused(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for options, said in (
        (["--login", "proxy"], "--proxy-from"),
        (["--login", "oidc"], "--oidc-issuer"),
        (["--login", "proxy", "--proxy-from", "everywhere"], "everywhere"),
        (["--login", "link", "--public-url", "agents.example"], "agents.example"),
        (["--listen", "0.0.0.0:0", "--login", "link"], "require a token"),
    ):
        refused = run(monkeypatch, ["serve", *options], dsn)
        assert refused.code == 1 and said in refused.err, (options, refused)
        assert refused.hint
