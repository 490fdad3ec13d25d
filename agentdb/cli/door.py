"""The options of `agentdb serve` that say who may come in to the page."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import click

from .failure import Failure
from .options import F

if TYPE_CHECKING:
    from agentdb.serve.page.door.settings import DoorSettings
    from agentdb.serve.settings import Settings

OPTIONS = (
    click.option(
        "--login",
        type=click.Choice(["link", "database", "proxy", "oidc"]),
        multiple=True,
        help="A way in to the page; on this machine's own address, link.",
    ),
    click.option(
        "--public-url",
        metavar="URL",
        envvar="AGENTDB_PUBLIC_URL",
        help="Where browsers find the page.",
    ),
    click.option(
        "--proxy-header",
        default="X-Forwarded-User",
        show_default=True,
        help="With --login proxy: the header that names who asks.",
    ),
    click.option(
        "--proxy-from",
        metavar="ADDRESS",
        multiple=True,
        help="Where the proxy is: an address, a network, or unix:USER.",
    ),
    click.option("--oidc-issuer", metavar="URL", help="With --login oidc."),
    click.option(
        "--oidc-client",
        metavar="ID",
        help="Its name for this server; the secret is in AGENTDB_OIDC_SECRET.",
    ),
    click.option(
        "--oidc-subject",
        type=click.Choice(["sub", "email"]),
        default="sub",
        show_default=True,
        help="What of the issuer's answer names a person.",
    ),
)


def options(function: F) -> F:
    """Add the options; the command gets them as `door`."""

    @functools.wraps(function)
    def call(*args: Any, **given: Any) -> Any:
        names = ("login", "public_url", "proxy_header", "proxy_from", "oidc_issuer",
                 "oidc_client", "oidc_subject")  # fmt: skip
        door = {name: given.pop(name) for name in names}
        return function(*args, door=door, **given)

    found: Any = call
    for option in reversed(OPTIONS):
        found = option(found)
    return cast(F, found)


def public_host(door: dict[str, Any]) -> tuple[str, str]:
    """Return the name, and the name with its port, that browsers ask for."""
    parts = urlsplit(door["public_url"] or "")
    return (parts.hostname or "").lower(), parts.netloc


def door_settings(
    door: dict[str, Any], settings: Settings, *, proxied: bool
) -> DoorSettings | None:
    """Return who may come in; None where nobody may, as others could reach the page.

    Raises Failure for options that do not fit together.
    """
    from agentdb.serve.page.door.settings import DoorSettings, Oidc, peers
    from agentdb.serve.settings import is_loopback

    modes = set(door["login"])
    if not modes:
        apart = settings.host is None or is_loopback(settings.host)
        if not apart or proxied or door["public_url"]:
            return None
        modes = {"link", "socket"} if settings.socket else {"link"}
    try:
        networks, users = peers(door["proxy_from"])
        oidc = None
        if door["oidc_issuer"] and door["oidc_client"]:
            secret = os.environ.get("AGENTDB_OIDC_SECRET", "")
            oidc = Oidc(
                door["oidc_issuer"], door["oidc_client"], secret, door["oidc_subject"]
            )
        return DoorSettings(
            modes=frozenset(modes),
            public_url=door["public_url"] or "",
            proxy_header=door["proxy_header"],
            proxy_networks=networks,
            proxy_users=users,
            oidc=oidc,
        )
    except ValueError as error:
        raise Failure(str(error), hint="see agentdb serve --help") from error
