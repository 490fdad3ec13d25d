"""A real page of `agentdb serve`, and a browser's part in it, without its scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import httpx

from .serving import PATIENCE, started

if TYPE_CHECKING:
    from .conftest import Connect, Connection
    from .servers import Server

TOKEN = re.compile(r'name="csrf" value="([^"]+)"')
FORM = "application/x-www-form-urlencoded"


@dataclass
class Browser:
    """Keeps cookies, follows no redirect unasked, and says where its forms come from."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)
    transport: httpx.HTTPTransport | None = None

    def __post_init__(self) -> None:
        self.client = httpx.Client(
            base_url=self.url,
            timeout=PATIENCE,
            headers=self.headers,
            transport=self.transport,
            trust_env=False,
        )

    def get(self, path: str = "/", **headers: str) -> httpx.Response:
        return self.client.get(path, headers=headers)

    def csrf(self, path: str = "/") -> str:
        """Return the token of the forms on a page."""
        found = TOKEN.search(self.get(path).text)
        return found[1] if found else ""

    def post(
        self,
        path: str,
        fields: dict[str, str] | list[tuple[str, str]] | None = None,
        *,
        csrf: str | None = None,
        origin: str | None = "",
        **headers: str,
    ) -> httpx.Response:
        """Send a form; `origin` None leaves it out, and empty is the server's own."""
        given = list(fields.items() if isinstance(fields, dict) else fields or [])
        token = (
            self.csrf("/login/link" if path.startswith("/login") else "/")
            if (csrf is None)
            else csrf
        )
        sent = {"content-type": FORM, **headers}
        if origin is not None:
            sent["origin"] = origin or self.url
        content = urlencode([("csrf", token), *given])
        return self.client.post(path, content=content, headers=sent)

    def said(self, path: str = "/") -> str:
        """Return what the next page says once of what was done."""
        found = re.search(
            r'class="flash[^"]*" role="status">(.*?</p>'
            r'(?:\s*<details class="fold rest">.*?</details>)?)',
            self.get(path).text,
            re.S,
        )
        return re.sub(r"<[^>]+>", "", found[1]).strip() if found else ""


@contextmanager
def paging(
    server: Server,
    db: Connection,
    *options: str,
    listen: str = "127.0.0.1:0",
    user: str = "serve_s",
) -> Iterator[str]:
    """Run a server with a page until the end of the block; give its address."""
    db.execute("grant agentdb_intake to serve_s")
    dsn = server.dsn(database=db.info.dbname, user=user)
    with started(dsn, *options, listen=listen) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        assert said.startswith("agentdb serve: "), said
        yield said.removeprefix("agentdb serve: ").strip()


def log_in(url: str, db: Connection, connect: Connect, role: str) -> Browser:
    """Return a browser that a one-time link has let in as a role."""
    row = (
        connect(db.info.dbname, role)
        .execute("select agentdb.make_web_link()")
        .fetchone()
    )
    assert row is not None
    browser = Browser(url)
    path = f"/login/link?token={row[0]}"
    answer = browser.post("/login/link", {"token": row[0]}, csrf=browser.csrf(path))
    assert answer.status_code == 303, answer.text
    return browser
