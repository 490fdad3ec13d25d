"""Verifies that an address answers as claimed, by asking a host on the list once."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

from .. import __version__
from ..process.lean import httpx
from .claim import Claim, Verdict

LARGEST = 65536
# A host that is allowed without a port is allowed with these.
PORTS = {"http": 80, "https": 443}
# Request Timeout, Too Early, Too Many Requests.
BUSY = {408, 425, 429}


class Refused(Exception):
    """The address must not be asked."""


def verify(claim: Claim) -> Verdict:
    """Ask the address once; redirects are answers, not orders."""
    try:
        url = httpx.URL(claim.target)
        address = _address(claim, url)
    except (httpx.InvalidURL, Refused) as error:
        return Verdict("refused", {"problem": str(error)})
    except OSError as error:
        return Verdict("unreachable", {"problem": f"{url.host}: {error}"})
    try:
        method = claim.expectation.get("method", "GET")
        status, text = _ask(method, url, address, claim.limits.deadline)
    except httpx.HTTPError as error:
        return Verdict("unreachable", {"problem": f"{type(error).__name__}: {error}"})
    return _judge(claim.expectation, status, text)


def _judge(expectation: dict[str, Any], status: int, text: str) -> Verdict:
    """Another side that is in trouble says nothing about the claim."""
    evidence: dict[str, Any] = {"status": status}
    right = status == expectation.get("status", status)
    if not right and (status in BUSY or status >= 500):
        return Verdict("unreachable", evidence)
    if "has_text" in expectation:
        evidence["has_text"] = expectation["has_text"] in text
        right = right and evidence["has_text"]
    return Verdict("verified" if right else "refuted", evidence)


def _address(claim: Claim, url: httpx.URL) -> str:
    """Return the address of an allowed host; the connection goes there and only there.

    Looked up once: a name that changes its address between check and use gains nothing.
    """
    if url.scheme not in ("http", "https") or not url.host:
        raise Refused("not an http or https address")
    if url.userinfo:
        raise Refused("an address with credentials")
    port = url.port or PORTS[url.scheme]
    allowed = {f"{url.host}:{port}"} | ({url.host} if port in PORTS.values() else set())
    if not allowed & set(claim.limits.hosts):
        raise Refused(f"{url.host}:{port} is not what the operator allows")
    found = socket.getaddrinfo(url.host, port, type=socket.SOCK_STREAM)
    address = str(found[0][4][0])
    if not claim.limits.private_addresses:
        for entry in found:
            if not ipaddress.ip_address(str(entry[4][0]).split("%")[0]).is_global:
                raise Refused(f"{url.host} is at the private address {entry[4][0]}")
    return address


def _ask(method: str, url: httpx.URL, address: str, deadline: float) -> tuple[int, str]:
    host = f"[{address}]" if ":" in address else address
    request = httpx.Request(
        method,
        url.copy_with(host=host),
        headers={"Host": url.netloc.decode(), "User-Agent": f"agentdb/{__version__}"},
        extensions={
            "sni_hostname": url.host,
            "timeout": httpx.Timeout(deadline).as_dict(),
        },
    )
    with httpx.Client(trust_env=False, follow_redirects=False) as client:
        response = client.send(request, stream=True)
        try:
            body = b""
            for chunk in response.iter_bytes(LARGEST):
                body += chunk
                if len(body) >= LARGEST:
                    break
            return response.status_code, body[:LARGEST].decode(errors="replace")
        finally:
            response.close()
